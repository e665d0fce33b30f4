// The XML and JSON of answers. Each test names the source of the names that it expects (docs/xml.md lists the keys).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <pugixml.hpp>
#include <sstream>

#include "cli/result/inferred.h"
#include "cli/rpc.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The names of the elements below a path like "a/b", and their values.
class Reply {
 public:
  explicit Reply(const std::string& xml) {
    EXPECT_TRUE(document_.load_string(xml.c_str())) << xml;
    reply_ = document_.child("rpc-reply");
  }
  [[nodiscard]] std::vector<std::string> names(const char* path) const {
    std::vector<std::string> out;
    for (const auto& child : reply_.first_element_by_path(path).children()) out.emplace_back(child.name());
    return out;
  }
  [[nodiscard]] std::string value(const char* path) const { return reply_.first_element_by_path(path).text().get(); }
  [[nodiscard]] pugi::xml_node node(const char* path) const { return reply_.first_element_by_path(path); }

 private:
  pugi::xml_document document_;
  pugi::xml_node reply_;
};

class Forms : public testing::Test {
 protected:
  void SetUp() override {
    auto tcp = make_translated(2, 0, key("192.0.2.10", 40014, "198.51.100.20", 80, ip_protocol::tcp), 1025);
    tcp.counters = {FlowCounters{7, 523}, FlowCounters{8, 78044}};
    tcp.lifetime_s = 100;
    fake_.put_everywhere(0, tcp);
    fake_.put_everywhere(0, make_session(3, 1, key("2001:db8::1", 9, "2001:db8:64::9", 9, ip_protocol::icmp6)));
    auto usf = make_translated(0, 2, key("192.0.2.10", 2329, "198.51.100.13", 80, ip_protocol::tcp), 48766);
    usf.timeout_s = 300;
    usf.idle = 140;
    usf.age = 2035;
    fake_.put_everywhere(1, usf);
    fake_.cards[0][0].load = {8, 131072, 120, 0, 3, 118, 1234};
    fake_.cards[0][1].load = {5, 200000, 88, 1000, 0, 0, 8168};
    for (auto& chassis : fake_.cards) {
      for (auto& card : chassis) {
        card.counted.groups[static_cast<std::size_t>(StatisticsGroup::tcp)] = {
            {"tcp-open-close-counters/tcp-first-pkt-not-syn", 5},
            {"tcp-sequence-error-counters/tcp-invalid-syn-ack", 2}};
        card.counted.groups[static_cast<std::size_t>(StatisticsGroup::tcp_mss)] = {{"tcp-mss-syn-received", 9}};
        card.counted.groups[static_cast<std::size_t>(StatisticsGroup::stateful_firewall)] = {
            {"total-flow-accepts", 100}, {"error-counters/tcp-errors", 8}, {"error-counters/udp-errors", 1}};
        card.counted.groups[static_cast<std::size_t>(StatisticsGroup::nat)] = {{"out-of-port-error", 4}};
      }
    }
  }

  Reply xml(const std::string& line, std::optional<std::uint16_t> only = std::nullopt) {
    const auto output = answer(fake_, line + " | display xml", only);
    EXPECT_EQ(output.error, "") << line;
    return Reply(output.out);
  }

  FakeCluster fake_;
};

TEST_F(Forms, Sessions) {
  expect_forms(fake_, "show services sessions", "sessions");
  expect_forms(fake_, "show services sessions extensive", "sessions-extensive");
  expect_forms(fake_, "show services sessions interface ms-9/0/0", "sessions-none");
}

// The model of flow-session-information (Y), with the leaves that only MX has.
TEST_F(Forms, SessionsOfVmsCardsAreFlowSessionInformation) {
  const auto reply = xml("show services sessions extensive interface vms-3/0/0");
  EXPECT_STREQ(reply.node("flow-session-information").attribute("xmlns").value(),
               "http://xml.juniper.net/junos/21.2R3/junos-flow");
  const std::string session = "flow-session-information/flow-session/";
  EXPECT_EQ(reply.value((session + "session-svc-set").c_str()), "PIC2_0");
  EXPECT_EQ(reply.value((session + "session-state").c_str()), "Active");
  EXPECT_EQ(reply.value((session + "sess-state").c_str()), "Valid");
  EXPECT_EQ(reply.value((session + "timeout").c_str()), "286");
  EXPECT_EQ(reply.value((session + "configured-timeout").c_str()), "300");
  EXPECT_EQ(reply.value((session + "duration").c_str()), "203");
  EXPECT_EQ(reply.value((session + "flow-information/direction").c_str()), "In");
  EXPECT_EQ(reply.value("flow-session-information/displayed-session-count"), "1");
  EXPECT_EQ(reply.value("flow-session-information/displayed-session-valid"), "1");
}

// Captures TT-SVC and TT-UCGN; the order of the leaves of vms- cards is exactly this one.
TEST_F(Forms, Counts) {
  expect_forms(fake_, "show services sessions count", "sessions-count");
  const auto reply = xml("show services sessions count");
  EXPECT_THAT(reply.names("service-msp-sess-count-information/service-msp-sess-count"),
              ElementsAre("interface-name", "service-set-name", "sess-count"));
  EXPECT_THAT(reply.names("usf-session-count-information/usf-session-count"),
              ElementsAre("interface-name", "service-set-name", "valid-session-count", "pending-session-count",
                          "invalid-session-count", "other-session-count"));
}

// The model of the stateful firewall (Y).
TEST_F(Forms, FlowsAndConversations) {
  expect_forms(fake_, "show services flows extensive interface ms-0/0/0", "flows-extensive");
  expect_forms(fake_, "show services flows count", "flows-count");
  expect_forms(fake_, "show services stateful-firewall conversations service-set ss1", "conversations-one");
  const auto reply = xml("show services flows interface ms-0/0/0");
  const char* flow =
      "service-sfw-flow-table-information/sfw-per-service-set-flow-table/service-sfw-flow-table/sfw-flow-entry";
  EXPECT_THAT(reply.names(flow), ElementsAre("sfw-flow-protocol", "sfw-flow-source-ip", "sfw-flow-source-port",
                                             "sfw-flow-destination-ip", "sfw-flow-destination-port", "sfw-flow-state",
                                             "sfw-flow-direction", "sfw-flow-frame-counter", "sfw-flow-nat"));
}

TEST_F(Forms, TablesOfCardsAndServiceSets) {
  expect_forms(fake_, "show services sessions utilization", "utilization");
  expect_forms(fake_, "show services service-sets summary", "service-sets-summary");
  expect_forms(fake_, "show services service-sets memory-usage", "memory-usage");
  expect_forms(fake_, "show services service-sets cpu-usage", "cpu-usage");
  expect_forms(fake_, "show services sessions analysis interface ms-0/0/0", "analysis");
  // TT-SVC: the percent sign is in one of them and not in the other, and so is the order of the names.
  EXPECT_EQ(xml("show services service-sets summary")
                .value("service-set-summary-information/service-set-summary-information-entry/"
                       "service-set-service-type-entry/service-set-cpu-utilization"),
            "12.34 %");
  EXPECT_THAT(xml("show services service-sets cpu-usage")
                  .names("service-set-cpu-statistics-information/service-set-cpu-statistics"),
              ElementsAre("service-set-name", "interface-name", "cpu-utilization-percent"));
}

TEST_F(Forms, Statistics) {
  expect_forms(fake_, "show services stateful-firewall statistics extensive interface ms-0/0/0", "firewall-statistics");
  expect_forms(fake_, "show services service-sets statistics tcp interface ms-0/0/0", "statistics-tcp");
  expect_forms(fake_, "show services service-sets statistics tcp-mss interface ms-0/0/0", "statistics-tcp-mss");
  expect_forms(fake_, "show services nat statistics interface ms-0/0/0", "nat-statistics");
  // J1 reads syn-received, although the counter of the engine has a longer name.
  EXPECT_EQ(xml("show services service-sets statistics tcp-mss")
                .value("service-set-tcp-mss-statistics/service-set-tcp-mss/syn-received"),
            "9");
}

// O1, YC: the arguments of a call are children with the names of the command line.
TEST_F(Forms, TheCallOfACommandHasItsArguments) {
  const auto rpc = answer(fake_,
                          "show services sessions extensive source-prefix 192.0.2.0/24 protocol tcp limit 10 nat "
                          "application-protocol dns interface ms-0/0/0.1 | display xml rpc");
  const Reply reply(rpc.out);
  EXPECT_THAT(reply.names("rpc/get-msp-session-table"), ElementsAre("extensive", "limit", "source-prefix", "protocol",
                                                                    "interface", "application-protocol", "nat"));
  EXPECT_EQ(reply.value("rpc/get-msp-session-table/source-prefix"), "192.0.2.0/24");
  EXPECT_EQ(reply.value("rpc/get-msp-session-table/interface"), "ms-0/0/0.1");
  EXPECT_EQ(rpc.code, cli::ExitCode::ok);
}

TEST_F(Forms, ACommandWithoutATreeSaysSo) {
  for (const std::string form : {"xml", "json"}) {
    const auto output = answer(fake_, "show system rollback compare 0 1 | display " + form);
    EXPECT_EQ(output.out, "");
    EXPECT_EQ(output.error, "error: this command has no form but text: `| display` is not possible\n");
    EXPECT_EQ(output.code, cli::ExitCode::command_error);
  }
}

// What Junos says to a request is the text of `output`.
TEST_F(Forms, RequestsSayWhatWasDone) {
  expect_forms(fake_, "request services redundancy-set id 1 switchover", "switchover");
  EXPECT_EQ(fake_.shard(0, 0).switchovers, 2) << "once for each form";
  EXPECT_EQ(xml("request services redundancy-set rs1 drain").value("output"), "drain=true");
  fake_.shard(0, 0).switchover_refusal = "the standby is cold";
  const auto refused = answer(fake_, "request services redundancy-set rs1 switchover | display xml");
  EXPECT_EQ(refused.code, cli::ExitCode::command_error);
  EXPECT_EQ(Reply(refused.out).value("rpc-error/error-message"), "chassis left: the standby is cold");
}

TEST_F(Forms, CountersThatWereClearedLeaveNothingToSay) {
  for (const char* line : {"clear services nat statistics", "clear services stateful-firewall statistics",
                           "clear services sessions analysis", "clear services service-sets statistics tcp"}) {
    const auto output = answer(fake_, std::string(line) + " | display xml");
    EXPECT_EQ(output.code, cli::ExitCode::ok) << line << output.error;
    expect_same_tree(output.out, answer(fake_, std::string(line) + " | display json").out);
  }
}

// An SRX cluster answers so, node by node; the heading of its text has exactly 74 dashes (SRX-F).
TEST_F(Forms, EachChassisByItself) {
  const std::string line = "show services sessions count member all";
  expect_forms(fake_, line, "sessions-count-member-all");
  expect_golden(fake_, line, "sessions-count-member-all");
  const auto reply = xml(line);
  const auto results = reply.node("multi-routing-engine-results");
  std::vector<std::string> names;
  for (const auto& item : results.children("multi-routing-engine-item")) {
    names.emplace_back(item.child("re-name").text().get());
  }
  EXPECT_THAT(names, ElementsAre("left", "right"));
  // One of them by itself is no list.
  EXPECT_EQ(xml("show services sessions count member right")
                .value("service-msp-sess-count-information/service-msp-sess-count/interface-name"),
            "ms-1/0/0");
  EXPECT_EQ(answer(fake_, "show services sessions member middle").error, "error: member middle not found\n");
}

TEST_F(Forms, AnErrorIsInTheItemOfItsChassis) {
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0) return fail("silence");
    return answer_from(fake_, chassis, request);
  });
  const auto output = run_line("show services sessions count member all | display xml", fake_.cluster, transport);
  EXPECT_EQ(output.code, cli::ExitCode::incomplete);
  const Reply reply(output.out);
  const auto items = reply.node("multi-routing-engine-results").children("multi-routing-engine-item");
  ASSERT_EQ(std::distance(items.begin(), items.end()), 2);
  EXPECT_FALSE(std::next(items.begin())->child("rpc-error"));
  EXPECT_STREQ(items.begin()->child("rpc-error").child("error-message").text().get(),
               "chassis left did not answer: silence");
}

TEST_F(Forms, WhatOthersShowedCanBeUsedAndWhatTheyClearedIsAPart) {
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0) return fail("silence");
    return answer_from(fake_, chassis, request);
  });
  for (const auto& [line, severity] :
       {std::pair("show services sessions count", "warning"), std::pair("clear services sessions", "error")}) {
    const auto output = run_line(fmt::format("{} | display xml", line), fake_.cluster, transport);
    EXPECT_EQ(output.code, cli::ExitCode::incomplete);
    EXPECT_THAT(output.out, HasSubstr(fmt::format("<error-severity>{}</error-severity>", severity))) << line;
  }
}

TEST_F(Forms, AChassisThatDiesInTheMiddleIsAnErrorInAWellFormedTree) {
  for (std::uint32_t slot = 10; slot < 3000; ++slot) {
    fake_.put_everywhere(
        0, make_session(slot, 0,
                        key("192.0.2.1", static_cast<std::uint16_t>(slot), "198.51.100.1", 53, ip_protocol::udp)));
  }
  for (const std::string form : {"xml", "json"}) {
    int pages = 0;
    FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      if (chassis == 0 && request.kind == QueryKind::page && ++pages > 1) return fail("its connection <broke>");
      return answer_from(fake_, chassis, request);
    });
    const auto output = run_line("show services sessions | display " + form, fake_.cluster, transport);
    EXPECT_EQ(output.code, cli::ExitCode::incomplete);
    EXPECT_EQ(output.error, "error: chassis left did not answer: its connection <broke>\n");
    if (form == "json") {
      EXPECT_THAT(output.out, HasSubstr("chassis left did not answer: its connection <broke>"));
      continue;
    }
    const Reply reply(output.out);
    EXPECT_EQ(reply.value("rpc-error/error-message"), "chassis left did not answer: its connection <broke>");
    EXPECT_TRUE(reply.node("msp-session-table/msp-session-table-per-interface/msp-session"));
    EXPECT_TRUE(reply.node("flow-session-information/flow-session")) << "of the other chassis";
  }
}

TEST(Inferred, NamesAreDocumented) {
  std::ifstream in("docs/xml.md");
  ASSERT_TRUE(in);
  std::stringstream text;
  text << in.rdbuf();
  std::string wanted;
  for (const auto& each : cli::inferred::kNames) wanted += fmt::format("| `{}` | {} |\n", each.name, each.meaning);
  EXPECT_THAT(text.str(), HasSubstr("| name | what it is |\n| --- | --- |\n" + wanted));
}

}  // namespace
}  // namespace icr::test
