// The live views: what they ask, and what they draw of one look after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/grammar/grammar.h"
#include "cli/monitor/live_view.h"
#include "cli/shell/terminal.h"
#include "model/base/text.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using cli::InterfaceLook;
using cli::LiveView;
using cli::Look;
using cli::SessionLook;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

cli::Command parsed(const std::string& line) {
  const auto command = cli::parse_command(line);
  EXPECT_TRUE(command) << line;
  return command ? *command : cli::Command{};
}

class Monitor : public testing::Test {
 protected:
  Look look_at(const std::string& line, std::optional<std::uint16_t> only = std::nullopt) {
    FakeTransport transport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      if (silent_.contains(chassis)) return fail("no answer");
      return answer_of_chassis(fake_, chassis, request);
    });
    return cli::look_at(parsed(line), cli::Environment{fake_.cluster, transport, only, 0, {}, {}});
  }
  [[nodiscard]] std::unique_ptr<LiveView> view(const std::string& line) const {
    return cli::make_live_view(parsed(line), fake_.cluster);
  }
  static std::vector<std::string> names(const Look& look) {
    std::vector<std::string> out;
    for (const auto& each : look.interfaces) out.push_back(each.chassis + " " + each.name);
    return out;
  }
  /// Returns the rows that a terminal shows.
  static std::string drawn(const LiveView& view, std::size_t rows = 14, std::size_t columns = 100,
                           std::size_t first = 0, const std::vector<std::string>& errors = {}) {
    std::string out;
    const auto screen = cli::screen_of(view, errors, {"pair", 12, "15:46:29", "Delay: 3/2/9"}, rows, columns, first);
    EXPECT_EQ(screen.size(), rows);
    for (const auto& row : screen) out += row + "\n";
    return out;
  }
  static Look look_of(std::vector<InterfaceLook> interfaces) {
    Look out;
    out.interfaces = std::move(interfaces);
    return out;
  }
  static Look look_of(Duration at, std::vector<SessionLook> sessions) {
    Look out;
    out.at = TimePoint(1h + at);
    out.sessions = std::move(sessions);
    return out;
  }

  FakeCluster fake_;
  std::set<std::uint16_t> silent_;
};

PortTraffic traffic(std::uint64_t packets, std::uint64_t pps) {
  PortTraffic out;
  out.input_packets = packets;
  out.input_bytes = packets * 100;
  out.output_packets = packets / 2;
  out.output_bytes = packets * 50;
  out.input_pps = pps;
  out.input_bps = pps * 800;
  out.output_pps = pps / 2;
  out.output_bps = pps * 400;
  out.input_errors = packets / 100;
  return out;
}

SessionLook session(std::uint32_t slot, std::uint64_t packets, std::uint64_t bytes) {
  return {{0, 0, slot, 1}, "ms-0/0/0", "ss1", "TCP", fmt::format("192.0.2.1:{} -> 198.51.100.7:80", 40000 + slot),
          packets,         bytes};
}

TEST_F(Monitor, ItsWordsAndWrongOnes) {
  EXPECT_EQ(parsed("monitor interface traffic").verb, cli::Verb::monitor_traffic);
  EXPECT_EQ(parsed("mon int ms-0/0/0.1 member left").interface->unit, 1U);
  const auto sessions = parsed("monitor services sessions source-prefix 192.0.2.0/24 protocol tcp by packets");
  EXPECT_EQ(sessions.order, cli::Order::packets);
  EXPECT_EQ(sessions.source_prefix->to_string(), "192.0.2.0/24");
  for (const auto verb : {cli::Verb::monitor_interface, cli::Verb::monitor_traffic, cli::Verb::monitor_sessions}) {
    EXPECT_TRUE(cli::monitors(verb));
    EXPECT_FALSE(cli::takes_pipes(verb)) << "NETCONF refuses it by this";
  }
  const auto refused = [](const std::string& line) {
    const auto command = cli::parse_command(line);
    EXPECT_FALSE(command) << line;
    return command ? "" : command.error().message;
  };
  EXPECT_EQ(refused("monitor interface"), "syntax error, expecting <data>.");
  EXPECT_EQ(refused("monitor interface ms-0/0/0 traffic"), "syntax error, expecting <command>.");
  EXPECT_EQ(refused("monitor services sessions by age"), "invalid value 'age'");
  EXPECT_EQ(refused("monitor services sessions | match x"), "this command takes no pipes.");
  EXPECT_EQ(refused("monitor services"), "syntax error, expecting <command>.");
  EXPECT_EQ(refused("monitor services sessions count"), "syntax error, expecting <command>.");
}

TEST_F(Monitor, LooksAtInterfaces) {
  const auto all = look_at("monitor interface traffic");
  EXPECT_EQ(all.code, ExitCode::ok);
  EXPECT_THAT(all.errors, IsEmpty());
  EXPECT_THAT(names(all), testing::IsSupersetOf({"left ms-0/0/0", "left ms-0/0/0.1", "right ms-1/0/0"}));
  const auto& card = all.interfaces[0];
  EXPECT_EQ(card.traffic.input_packets, 1001U + 1002U + 1011U + 1012U) << "a card is the sum of its units";
  EXPECT_TRUE(card.up);
  EXPECT_THAT(names(look_at("monitor interface ms-0/0/0.1")), ElementsAre("left ms-0/0/0.1"));
  EXPECT_THAT(names(look_at("monitor interface ms-0/0/0")), testing::Contains("left ms-0/0/0.11"));
  EXPECT_THAT(names(look_at("monitor interface traffic", 1)), Not(testing::Contains("left ms-0/0/0")));
  const auto none = look_at("monitor interface ms-9/0/0.4");
  EXPECT_EQ(none.code, ExitCode::command_error);
  EXPECT_THAT(none.errors, ElementsAre("error: device ms-9/0/0.4 not found"));
  silent_ = {0};
  const auto part = look_at("monitor interface traffic");
  EXPECT_EQ(part.code, ExitCode::incomplete);
  EXPECT_THAT(part.errors, ElementsAre("error: chassis left did not answer: no answer"));
  EXPECT_THAT(names(part), testing::Contains("right ms-1/0/0"));
}

TEST_F(Monitor, LooksAtTheLargestSessions) {
  for (std::uint32_t slot = 0; slot < 5; ++slot) {
    auto record = make_session(
        slot, 0, key("192.0.2.1", static_cast<std::uint16_t>(1000 + slot), "198.51.100.1", 80, ip_protocol::tcp));
    record.counters = {FlowCounters{10, 1000 * (slot + 1)}, FlowCounters{5 * (5 - slot), 1}};
    fake_.put_everywhere(0, record);
  }
  const auto by_bytes = look_at("monitor services sessions");
  ASSERT_EQ(by_bytes.sessions.size(), 5U);
  EXPECT_EQ(by_bytes.sessions[0].ends, "192.0.2.1:1004 -> 198.51.100.1:80");
  EXPECT_EQ(by_bytes.sessions[0].bytes, 5001U);
  EXPECT_EQ(by_bytes.sessions[0].interface, "ms-0/0/0");
  EXPECT_EQ(by_bytes.sessions[0].service_set, "ss1");
  EXPECT_EQ(by_bytes.sessions[0].protocol, "TCP");
  EXPECT_EQ(look_at("monitor services sessions by packets").sessions[0].packets, 35U);
  EXPECT_EQ(look_at("monitor services sessions source-port 1002").sessions.size(), 1U);
  EXPECT_THAT(look_at("monitor services sessions source-prefix 203.0.113.0/24").sessions, IsEmpty());
}

TEST_F(Monitor, OneInterface) {
  const auto shown = view("monitor interface ms-0/0/0");
  EXPECT_THAT(drawn(*shown), HasSubstr("Waiting for the first answer of the cluster.\n"));
  shown->take(look_of({{"left", "ms-0/0/0", true, true, traffic(1000, 0)}, {"left", "ms-0/0/0.1", true, false, {}}}));
  shown->take(look_of(
      {{"left", "ms-0/0/0", true, true, traffic(1500, 250)}, {"left", "ms-0/0/0.1", true, false, traffic(7, 1)}}));
  expect_text(drawn(*shown), "monitor-interface.txt");
  shown->press('c');
  EXPECT_THAT(drawn(*shown), HasSubstr("Input packets:                   1500 (250 pps)                      [0]\n"));
  shown->press('n');
  EXPECT_THAT(drawn(*shown), HasSubstr("Interface: ms-0/0/0.1, Enabled, Link is Down\n"));
  // Another one in front of it does not take its place.
  shown->take(look_of({{"left", "ms-0/0/0", true, true, {}},
                       {"left", "ms-0/0/0.0", true, true, {}},
                       {"left", "ms-0/0/0.1", false, false, traffic(9, 1)}}));
  EXPECT_THAT(drawn(*shown), HasSubstr("Interface: ms-0/0/0.1, Disabled, Link is Down\n"));
  shown->press('f');
  shown->take(look_of({{"left", "ms-0/0/0.1", true, true, traffic(99, 1)}}));
  EXPECT_THAT(drawn(*shown), HasSubstr("Link is Down, frozen\n"));
  shown->press('t');
  shown->take(look_of({{"left", "ms-0/0/0.1", true, true, traffic(99, 1)}}));
  EXPECT_THAT(drawn(*shown), HasSubstr("Interface: ms-0/0/0.1, Enabled, Link is Up\n"));
  shown->press('n');
  EXPECT_THAT(drawn(*shown), HasSubstr("Interface: ms-0/0/0.1,")) << "the only one is the next one";
  // A process that was started again counts anew.
  shown->take(look_of({{"left", "ms-0/0/0.1", true, true, traffic(3, 1)}}));
  EXPECT_THAT(drawn(*shown), HasSubstr("Input packets:                      3 (1 pps)                        [3]\n"));
  shown->take(look_of(std::vector<InterfaceLook>{}));
  EXPECT_THAT(drawn(*shown), HasSubstr("ms-0/0/0.1")) << "what was seen last stays, below the error";
}

TEST_F(Monitor, AllInterfaces) {
  const auto shown = view("monitor interface traffic");
  std::vector<InterfaceLook> first;
  std::vector<InterfaceLook> second;
  for (const char* chassis : {"left", "right"}) {
    for (const char* name : {"ms-0/0/0", "ms-0/0/0.1", "ms-0/0/0.2"}) {
      first.push_back({chassis, name, true, name[8] != '.', traffic(1000, 0)});
      second.push_back({chassis, name, true, name[8] != '.', traffic(3000, 777)});
    }
  }
  shown->take(look_of(first));
  shown->take(look_of(second));
  expect_text(drawn(*shown), "monitor-traffic.txt");
  shown->press('b');
  expect_text(drawn(*shown), "monitor-traffic-bytes.txt");
  shown->press('d');
  EXPECT_THAT(drawn(*shown), HasSubstr("Input bytes      (delta)"));
  EXPECT_THAT(drawn(*shown), HasSubstr("300000     (200000)"));
  shown->press('p');
  EXPECT_THAT(drawn(*shown), HasSubstr("3000       (2000)"));
  shown->press('c');
  EXPECT_THAT(drawn(*shown), HasSubstr("3000          (0)"));
  shown->press('r');
  EXPECT_THAT(drawn(*shown), HasSubstr("3000        (777)"));
}

TEST_F(Monitor, SessionsAreInTheOrderOfTheirRates) {
  const auto shown = view("monitor services sessions");
  EXPECT_THAT(drawn(*shown), HasSubstr("Waiting"));
  shown->take(look_of(0ms, {session(1, 1000, 900'000), session(2, 5000, 800'000), session(3, 10, 700'000)}));
  EXPECT_THAT(drawn(*shown), HasSubstr("       0            0        900000  TCP    192.0.2.1:40001 ->"));
  shown->take(look_of(
      2000ms, {session(1, 1000, 900'000), session(2, 5600, 800'100), session(3, 14, 760'000), session(4, 5, 500)}));
  expect_text(drawn(*shown), "monitor-sessions.txt");
  const auto by_packets = view("monitor services sessions by packets");
  by_packets->take(look_of(0ms, {session(2, 5000, 800'000), session(3, 10, 700'000)}));
  by_packets->take(look_of(500ms, {session(3, 14, 760'000), session(2, 5600, 800'100)}));
  const auto rows = by_packets->page().scrolled;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0], HasSubstr("1200         1600        800100  TCP    192.0.2.1:40002"));
  // A new session in the same place has no rate yet.
  auto other = session(2, 6000, 900'000);
  std::get<3>(other.key) = 2;
  by_packets->take(look_of(1500ms, {other}));
  EXPECT_THAT(by_packets->page().scrolled[0], HasSubstr("       0            0        900000"));
  by_packets->press('f');
  by_packets->take(look_of(2500ms, {}));
  EXPECT_EQ(by_packets->page().scrolled.size(), 1U);
  EXPECT_THAT(by_packets->page().fixed[0], HasSubstr(", frozen"));
  by_packets->press('t');
  by_packets->take(look_of(3500ms, {}));
  EXPECT_THAT(by_packets->page().scrolled, IsEmpty());
}

TEST_F(Monitor, ATakeoverIsNoBurstOfASession) {
  const auto shown = view("monitor services sessions");
  shown->take(look_of(0ms, {session(1, 100'000, 9'000'000), session(2, 1000, 100'000)}));
  // The new master has the counters of the last record that was replicated.
  shown->take(look_of(1000ms, {session(1, 99'900, 8'990'000), session(2, 1003, 100'400)}));
  auto rows = shown->page().scrolled;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0], HasSubstr("       3         3200        100400  TCP    192.0.2.1:40002"));
  EXPECT_THAT(rows[1], HasSubstr("       0            0       8990000  TCP    192.0.2.1:40001"));
  shown->take(look_of(2000ms, {session(1, 99'950, 8'995'000), session(2, 1003, 100'400)}));
  rows = shown->page().scrolled;
  EXPECT_THAT(rows[0], HasSubstr("      50        40000       8995000  TCP    192.0.2.1:40001"));
}

TEST_F(Monitor, FitsAnyTerminal) {
  const auto shown = view("monitor services sessions");
  std::vector<SessionLook> many;
  for (std::uint32_t i = 0; i < cli::kMonitoredSessions; ++i) many.push_back(session(i, i, 1'000'000 - i));
  many[0].service_set = "\x1b[2J";
  shown->take(look_of(0ms, many));
  const std::vector<std::string> errors = {"error: chassis right did not answer: gone"};
  for (const std::size_t rows : {1U, 2U, 3U, 5U, 8U, 24U, 2000U}) {
    for (const std::size_t columns : {1U, 10U, 80U, 300U}) {
      std::size_t first = 990;
      const auto screen = cli::screen_of(*shown, errors, {"pair", 0, "00:00:00", ""}, rows, columns, first);
      ASSERT_EQ(screen.size(), rows);
      for (const auto& row : screen) {
        EXPECT_LE(columns_of(row), columns);
        EXPECT_EQ(row.find('\x1b'), std::string::npos);
      }
      EXPECT_EQ(screen.back(), std::string("Quit=q or ESC, Freeze=f, Thaw=t, Up=^U, Down=^D").substr(0, columns));
    }
  }
  std::size_t first = 5000;
  const auto screen = cli::screen_of(*shown, errors, {"pair", 0, "00:00:00", ""}, 12, 80, first);
  EXPECT_EQ(screen[2], errors[0]);
  EXPECT_THAT(screen[3], HasSubstr("Sessions: the largest 1000"));
  EXPECT_THAT(screen[9], HasSubstr("192.0.2.1:40999 ")) << "the last one";
  EXPECT_EQ(first, 995U);
  EXPECT_EQ(screen[10], "");
}

}  // namespace
}  // namespace icr::test
