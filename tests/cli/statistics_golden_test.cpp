// Layouts of statistics, character by character. `service-sets summary` of vms- cards and the frame of `analysis` are
// those of captures; the rest is inferred from leaf names (docs/cli.md).
#include <gtest/gtest.h>

#include "cli/builders/statistics.h"
#include "cli/render/layouts.h"
#include "cli/render/statistics.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

ServiceSetStatus counted() {
  ServiceSetStatus out;
  out.group(StatisticsGroup::tcp) = {{"tcp-open-close-counters/tcp-first-pkt-not-syn", 5},
                                     {"tcp-open-close-counters/tcp-first-pkt-rst", 1},
                                     {"tcp-sequence-error-counters/tcp-invalid-syn-ack", 2}};
  out.group(StatisticsGroup::tcp_mss) = {{"tcp-mss-syn-modified", 7}};
  out.group(StatisticsGroup::packet_drops) = {{"memlimit-drops", 0}, {"flowlimit-drops", 3}};
  out.group(StatisticsGroup::integrity_drops) = {{"ip-error-counters/bad-checksum", 4}};
  out.group(StatisticsGroup::screen_drops) = {{"tcp-syn-flood", 9}, {"source-session-limit", 6}};
  out.group(StatisticsGroup::stateful_firewall) = {
      {"total-flow-accepts", 100},         {"total-flow-discards", 20},
      {"total-flow-rejects", 3},           {"new-flow-counters/new-flow-accepts", 100},
      {"drop_counters/ip-option", 1},      {"error-counters/tcp-errors", 8},
      {"error-counters/non-ip-packets", 1}};
  out.group(StatisticsGroup::nat) = {{"nat64-packets-to-ipv4", 123456}};
  return out;
}

class StatisticsGolden : public testing::Test {
 protected:
  void SetUp() override {
    for (auto& of_chassis : fake_.cards) {
      for (auto& card : of_chassis) card.counted = counted();
    }
    fake_.cards[0][1].load.cpu_permyriad = 7636;
    fake_.cards[0][1].memory = {15766500000ULL, 6967242496ULL, 18237778944ULL,
                                21812900000ULL, 7214816,       {{service_set_id(2), 5000}, {service_set_id(3), 6000}}};
    fake_.cards[0][0].memory = {
        11547000000ULL, 1553115152, 10, 100, 3565120, {{service_set_id(0), 1000}, {service_set_id(1), 2000}}};
    fake_.cards[0][0].load.cpu_permyriad = 142;
    auto& analysis = fake_.cards[0][0].remembered;
    analysis.peak_sessions = 13397751;
    analysis.peak_created_per_second = 349718;
    analysis.packets_received = 1711198102;
    analysis.packets_transmitted = 1816940625;
    analysis.slow_path_forward = 83169;
    analysis.slow_path_discard = 12113;
    analysis.samples = 3;
    for (const auto rate : {0, 1, 349718}) analysis.created.add(static_cast<std::uint64_t>(rate));
    for (const auto rate : {999, 1000, 400000}) analysis.deleted.add(static_cast<std::uint64_t>(rate));
    fake_.cards[0][0].load.setup_rate = 120;
    const auto put = [&](std::uint32_t slot, const char* from, const char* to, std::uint8_t protocol) {
      fake_.put_everywhere(0, make_session(slot, 0, key(from, 1, to, 2, protocol)));
    };
    put(0, "192.0.2.1", "198.51.100.1", ip_protocol::tcp);
    put(1, "2001:db8::1", "2001:db8::2", ip_protocol::tcp);
    put(2, "192.0.2.1", "198.51.100.1", ip_protocol::udp);
    put(3, "192.0.2.1", "198.51.100.1", ip_protocol::icmp);
    put(4, "2001:db8::1", "2001:db8::2", ip_protocol::icmp6);
  }
  void expect(const std::string& line, const std::string& file) { expect_golden(fake_, line, file); }

  FakeCluster fake_;
};

TEST_F(StatisticsGolden, OfServiceSets) {
  const std::string statistics = "show services service-sets statistics ";
  expect(statistics + "tcp", "statistics-tcp");
  expect(statistics + "tcp service-set ss2", "statistics-tcp-one");
  expect(statistics + "tcp-mss interface ms-0/0/0", "statistics-tcp-mss");
  expect(statistics + "drop-flow-limit interface ms-0/0/0", "statistics-drop-flow-limit");
  expect(statistics + "integrity-drops interface ms-0/0/0", "statistics-integrity-drops");
  expect(statistics + "screen-drops interface ms-0/0/0", "statistics-screen-drops");
  expect(statistics + "screen-session-limit-counters interface ms-0/0/0", "statistics-screen-session-limits");
  expect(statistics + "tcp service-set nosuch", "nothing");
}

TEST_F(StatisticsGolden, PacketDropsOfServiceSets) {
  const std::string drops = "show services service-sets statistics packet-drops";
  expect(drops, "packet-drops");
  expect_forms(fake_, drops, "packet-drops");
  expect(drops + " interface ms-0/0/0", "packet-drops-interface");
  expect(drops + " service-set ss2", "packet-drops-service-set");
  expect(drops + " service-set nosuch", "nothing");
  expect(drops + " interface ms-9/0/0", "nothing");
  expect(drops + " extensive", "packet-drops-extensive-all");
  expect(drops + " extensive interface ms-0/0/0", "packet-drops-extensive-interface");
  expect(drops + " extensive service-set ss2", "packet-drops-extensive-service-set");
  expect(drops + " extensive service-set nosuch", "nothing");
}

TEST_F(StatisticsGolden, OfTheStatefulFirewall) {
  expect("show services stateful-firewall statistics", "firewall-statistics");
  expect("show services stateful-firewall statistics brief", "firewall-statistics");
  expect("show services stateful-firewall statistics summary", "firewall-statistics");
  expect("show services stateful-firewall statistics extensive service-set ss1", "firewall-statistics-extensive");
}

TEST_F(StatisticsGolden, AreClearedAtTheSource) {
  expect("show services nat statistics interface ms-0/0/0", "nat-statistics");
  expect("clear services nat statistics service-set ss1", "nothing");
  expect("show services nat statistics interface ms-0/0/0", "nat-statistics-cleared");
  expect("clear services stateful-firewall statistics", "nothing");
  expect("show services stateful-firewall statistics", "firewall-statistics-cleared");
  EXPECT_EQ(fake_.cards[0][0].cleared.size(), 3U);
  EXPECT_TRUE(fake_.cards[1][0].cleared.empty()) << "not the twin's";
  for (const std::string what : {"nat", "stateful-firewall"}) {
    const auto output = answer(fake_, "clear services " + what + " statistics interface ms-1/0/0", 1);
    EXPECT_EQ(output.code, cli::ExitCode::command_error);
    EXPECT_EQ(output.error, "error: chassis right is not master: nothing is cleared\n");
  }
  EXPECT_TRUE(fake_.cards[1][0].cleared.empty());
}

TEST_F(StatisticsGolden, MemoryAndCpu) {
  expect("show services service-sets summary", "service-sets-summary");
  expect("show services service-sets summary interface vms-2/0/0", "service-sets-summary-vms");
  expect("show services service-sets memory-usage interface ms-0/0/0", "memory-usage");
  expect("show services service-sets memory-usage service-set lone", "memory-usage-one");
  expect("show services service-sets cpu-usage", "cpu-usage");
  expect("show services service-sets cpu-usage service-set PIC2_0 interface vms-3/0/0", "cpu-usage-one");
  expect("show services service-sets memory-usage interface ms-0/0/0.12", "memory-usage-unit");
  const auto untold = answer(fake_, "show services service-sets cpu-usage service-set ss1", 0);
  EXPECT_EQ(untold.code, cli::ExitCode::command_error);
  EXPECT_EQ(untold.out, "");
  EXPECT_EQ(untold.error,
            "error: ms-0/0/0 of chassis left has several service sets: how much processor time each of them uses is "
            "not known\n");
}

TEST_F(StatisticsGolden, Analysis) {
  expect("show services sessions analysis interface ms-0/0/0", "analysis");
  expect("show services sessions analysis interface vms-2/0/0", "analysis-vms");
}

TEST_F(StatisticsGolden, TheAnalysisBeginsAnew) {
  fake_.cards[0][1].remembered.samples = 7;
  expect("clear services sessions analysis interface ms-0/0/0", "nothing");
  EXPECT_EQ(fake_.cards[0][0].remembered.samples, 0U);
  EXPECT_EQ(fake_.cards[0][0].remembered.peak_sessions, 0U);
  EXPECT_EQ(fake_.cards[0][1].remembered.samples, 7U) << "of another card";
  expect("clear services sessions analysis", "nothing");
  EXPECT_EQ(fake_.cards[0][1].remembered.samples, 0U);
}

TEST(Labels, AreReadable) {
  EXPECT_EQ(cli::label_of("tcp-first-pkt-not-syn"), "TCP first pkt not SYN");
  EXPECT_EQ(cli::label_of("total-flow-accepts"), "Total flow accepts");
  EXPECT_EQ(cli::label_of("x"), "X");
  EXPECT_EQ(cli::label_of(""), "");
  EXPECT_EQ(cli::label_of("a--b-"), "A  b");
}

TEST(StatisticsLayout, ContainersStandTogetherAndTheirFirstLeavesAreThoseOfJunos) {
  std::string out;
  const auto face = cli::make_text_face([&](std::string_view text) { out += text; },
                                        *cli::layout_of(cli::Verb::show_firewall_statistics, cli::Level::extensive));
  cli::StatisticsBuilder builder(*face, cli::names_of_firewall_statistics());
  builder.add("ms-0/0/0", "cgn",
              {{"total-flow-accepts", 1},
               {"new-flow-counters/rejects-answered", 2},
               {"new-flow-counters/new-flow-rejects", 3},
               {"drop_counters/ip-option", 4},
               {"new-flow-counters/new-flow-accepts", 5},
               {"total-flow-discards", 6},
               {"new-flow-counters/new-flow-discards", 7}});
  builder.finish();
  face->finish();
  EXPECT_EQ(out,
            "Interface: ms-0/0/0\n"
            "  Service set: cgn\n"
            "    Total flow accepts: 1\n"
            "    Total flow discards: 6\n"
            "    New flow counters:\n"
            "      New flow accepts: 5\n"
            "      New flow discards: 7\n"
            "      New flow rejects: 3\n"
            "      Rejects answered: 2\n"
            "    Drop counters:\n"
            "      IP option: 4\n");
}

}  // namespace
}  // namespace icr::test
