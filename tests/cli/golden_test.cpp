// Every layout, character by character. Those of the sessions were made from the printf formats of captured lines, not
// by this program.
#include "tests/cli/golden.h"

#include <gtest/gtest.h>

#include "tests/support/sample_failover.h"

namespace icr::test {
namespace {

ApplicationProtocol alg(const char* word) { return parse_application_protocol(word).value(); }

void add_jsf_sessions(FakeCluster& fake) {
  auto tcp = make_translated(2, 0, key("192.0.2.10", 40014, "198.51.100.20", 80, ip_protocol::tcp), 1025);
  tcp.tcp_state = TcpState::established;
  tcp.timeout_s = 3600;
  tcp.counters = {FlowCounters{7, 523}, FlowCounters{8, 78044}};
  fake.put_everywhere(0, tcp);
  auto udp = make_translated(3, 0, key("192.0.2.10", 40014, "198.51.100.20", 53, ip_protocol::udp), 1026);
  udp.alg = alg("dns");
  udp.counters = {FlowCounters{9, 414}, FlowCounters{0, 0}};
  fake.put_everywhere(0, udp);
  auto icmp = make_translated(4, 0, key("192.0.2.11", 42583, "198.51.100.20", 42583, ip_protocol::icmp), 24831);
  icmp.alg = alg("icmp");
  icmp.flag = SessionFlag::found_existing;
  icmp.lifetime_s = 100;
  icmp.age = 285;  // 28.5 s
  icmp.counters = {FlowCounters{1, 84}, FlowCounters{1, 84}};
  fake.put_everywhere(0, icmp);
  auto icmp6 = make_session(5, 1, key("2001:db8::1", 9, "2001:db8:64::9", 9, ip_protocol::icmp6));
  icmp6.alg = alg("icmpv6");
  icmp6.timeout_s = 100;
  icmp6.counters = {FlowCounters{29, 3016}, FlowCounters{28, 2352}};
  fake.put_everywhere(0, icmp6);
  auto tcp6 =
      make_session(6, 1, key("2001:db8:1111:2222:3333:4444:5555:6666", 65535, "2001:db8::2", 443, ip_protocol::tcp));
  tcp6.flag = SessionFlag::no_session_id;
  tcp6.counters = {FlowCounters{18446744073709551615ULL, 18446744073709551615ULL}, FlowCounters{1, 2}};
  fake.put_everywhere(0, tcp6);
  fake.put_everywhere(0, make_session(7, 0, key("192.0.2.12", 0, "198.51.100.21", 0, ip_protocol::gre)));
  fake.put_everywhere(0, make_session(8, 0, key("192.0.2.12", 0, "198.51.100.21", 0, 99)));
}

/// The identity of a term of PIC2_0, by its number.
StableId term_id(unsigned number) {
  return number == 1   ? stable_id(Named::firewall_term, "web", "first")
         : number == 2 ? stable_id(Named::firewall_term, "dns", "first")
                       : stable_id(Named::firewall_term, "rest", "second");
}

void add_usf_sessions(FakeCluster& fake) {
  auto tcp = make_translated(0, 2, key("192.0.2.10", 2329, "198.51.100.13", 80, ip_protocol::tcp), 48766);
  tcp.policy = term_id(2);
  tcp.tcp_state = TcpState::established;
  tcp.timeout_s = 300;
  tcp.idle = 140;
  tcp.age = 2035;
  tcp.counters = {FlowCounters{7, 523}, FlowCounters{54, 78044}};
  fake.put_everywhere(1, tcp);
  auto icmp = make_translated(1, 2, key("192.0.2.11", 77, "198.51.100.20", 77, ip_protocol::icmp), 1027);
  icmp.policy = term_id(1);
  icmp.counters = {FlowCounters{1, 84}, FlowCounters{1, 84}};
  fake.put_everywhere(1, icmp);
  auto outside = make_session(2, 2, key("2001:db8::2", 5000, "2001:db8::1", 53, ip_protocol::udp));
  outside.policy = term_id(3);
  outside.initiated_outside = true;
  outside.idle = 100000;
  fake.put_everywhere(1, outside);
  auto closed = make_session(3, 2, key("192.0.2.10", 2330, "198.51.100.13", 80, ip_protocol::tcp));
  closed.policy = term_id(1);
  closed.tcp_state = TcpState::time_wait;
  closed.timeout_s = 1;
  closed.flag = SessionFlag::limit_reached;
  closed.has_tcp = true;
  closed.tcp[0].flags = kTcpWindowFin;
  closed.tcp[0].end = 1001;
  fake.put_everywhere(1, closed);
  fake.put_everywhere(2, make_session(0, 3, key("192.0.2.77", 1, "198.51.100.77", 2, ip_protocol::udp)));
}

class Golden : public testing::Test {
 protected:
  void SetUp() override {
    add_jsf_sessions(fake_);
    add_usf_sessions(fake_);
    fake_.cards[0][0].load = {8, 131072, 120, 0, 3, 118, 1234};
    fake_.cards[0][1].load = {5, 200000, 88, 1000, 0, 0, 8168};
    fake_.cards[1][0].load = {7, 131072, 0, 0, 0, 0, 9000};
    fake_.cards[1][1].load = {4, 100, 0, 500, 0, 0, 9999};
  }

  void expect(const std::string& line, const std::string& file, std::optional<std::uint16_t> only = std::nullopt) {
    expect_golden(fake_, line, file, only);
  }

  FakeCluster fake_;
};

TEST_F(Golden, SessionsOfAnMsCard) {
  expect("show services sessions interface ms-0/0/0", "sessions-ms-brief");
  expect("show services sessions brief interface ms-0/0/0", "sessions-ms-brief");
  expect("show services sessions terse interface ms-0/0/0", "sessions-ms-brief");
  expect("show services sessions extensive interface ms-0/0/0", "sessions-ms-extensive");
}

TEST_F(Golden, SessionsOfAVmsCard) {
  expect("show services sessions interface vms-3/0/0", "sessions-vms-brief");
  expect("show services sessions brief interface vms-3/0/0", "sessions-vms-brief");
  expect("show services sessions terse interface vms-3/0/0", "sessions-vms-brief");
  expect("show services sessions extensive interface vms-3/0/0", "sessions-vms-extensive");
}

TEST_F(Golden, SessionsOfTheWholeCluster) { expect("show services sessions", "sessions-cluster"); }

TEST_F(Golden, SessionsOfOneChassisIncludeItsTwins) {
  expect("show services sessions interface vms-2/0/0", "sessions-vms-standby", 0);
}

TEST_F(Golden, FiltersSelectSessions) {
  expect("show services sessions protocol icmp interface ms-0/0/0", "sessions-ms-icmp");
  expect("show services sessions service-set ss2", "sessions-ms-ss2");
  expect("show services sessions interface ms-0/0/0.12", "sessions-ms-ss2");
  expect("show services sessions source-prefix 2001:db8::/32 interface ms-0/0/0", "sessions-ms-ss2");
  expect("show services sessions limit 2 application-protocol none", "sessions-limit");
}

TEST_F(Golden, LargestSessions) {
  expect("show services sessions top 3 by bytes", "sessions-top");
  expect("show services sessions top 2 extensive", "sessions-top-extensive");
  expect("show services sessions top 2 by age interface vms-3/0/0", "sessions-top-age");
  expect("show services sessions sort-by age limit 2 interface vms-3/0/0", "sessions-top-age");
  expect("show services sessions top 2 protocol tcp service-set nosuch", "nothing");
  expect_forms(fake_, "show services sessions top 3 by bytes", "sessions-top");
}

TEST_F(Golden, SessionGroups) {
  expect("show services sessions group-by source-prefix/24", "sessions-group-prefix");
  expect("show services sessions group-by service-set sort-by bytes", "sessions-group-service-set");
  expect("show services sessions group-by source-prefix top 2 by packets", "sessions-group-top");
  expect("show services sessions group-by nat-pool", "sessions-group-pool");
  expect_forms(fake_, "show services sessions group-by source-prefix top 2 by packets", "sessions-group-top");
}

TEST_F(Golden, NoSessionsPrintNothing) {
  expect("show services sessions service-set nosuch", "nothing");
  expect("show services sessions interface ms-9/0/0", "nothing");
  expect("show services sessions destination-port 9 protocol tcp", "nothing");
  expect("clear services sessions destination-port 9 protocol tcp interface ms-0/0/0", "clear-none");
}

TEST_F(Golden, Counts) {
  expect("show services sessions count", "count");
  expect("show services sessions count interface ms-0/0/0", "count-ms");
  expect("show services sessions interface vms-3/0/0 count", "count-vms");
  expect("show services sessions count destination-port 9", "count-zero");
  expect("show services sessions count service-set nosuch", "count-heading");
}

TEST_F(Golden, Clear) {
  expect("clear services sessions protocol tcp", "clear");
  expect("show services sessions count", "count-after-clear");
}

TEST_F(Golden, Utilization) {
  expect("show services sessions utilization", "utilization");
  expect("show services sessions utilization interface ms-0/0/0", "utilization-ms");
  for (const std::string line : {"show services sessions utilization interface ms-0/0/0.77",
                                 "show services sessions analysis interface ms-0/0/0.1",
                                 "show services service-sets summary interface ms-0/0/0.1"}) {
    const auto output = answer(fake_, line);
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << line;
    EXPECT_EQ(output.error, "error: this command is about whole cards: name interface ms-0/0/0 without a unit\n");
    EXPECT_EQ(output.out, "") << line;
  }
}

TEST_F(Golden, RedundancyGroups) {
  expect("show services redundancy-group", "redundancy-group-terse");
  expect("show services redundancy-group terse", "redundancy-group-terse");
  expect("show services redundancy-group brief", "redundancy-group-brief");
  expect("show services redundancy-group extensive", "redundancy-group-extensive");
  expect("show services redundancy-group rg-id 2", "redundancy-group-one");
  expect_forms(fake_, "show services redundancy-group", "redundancy-group-terse");
  // A master whose link is dead says so (shared case field.master-with-dead-link).
  fake_.shard(0, 0).health_weight = 255;
  fake_.shard(0, 0).health_reasons = "interface outside0 has no carrier";
  // With several paths to the peer, a lost one is named.
  fake_.shard(0, 0).paths = {{ip("198.51.100.1"), ip("198.51.100.2"), PathState::silent, false},
                             {ip("192.0.2.1"), ip("192.0.2.2"), PathState::up, true}};
  expect("show services redundancy-group brief", "redundancy-group-ill");
  // A member that is about to take over says for what it waits.
  fake_.shard(0, 1).claims = 4;
  expect("show services redundancy-group rg-id 2 extensive", "redundancy-group-claiming");
  expect_forms(fake_, "show services redundancy-group rg-id 2 extensive", "redundancy-group-claiming");
  for (const std::string number : {"3", "9"}) {  // a stand-alone set is none
    const auto output = answer(fake_, "show services redundancy-group rg-id " + number);
    EXPECT_EQ(output.code, cli::ExitCode::command_error);
    EXPECT_EQ(output.error, "error: redundancy group " + number + " not found\n");
  }
}

TEST_F(Golden, Failovers) {
  expect("show services redundancy-group failovers", "nothing");
  FailoverReport report = sample_failover();
  fake_.shard(1, 0).reports = {report, sample_failover(6)};
  fake_.shard(1, 0).reports[1].heard -= 86'400'000'000;
  report.chassis = "left";
  report.peer = "right";
  report.kind = FailoverKind::takeover;
  report.reason = "peer is silent";
  report.heard += 3'600'000'000;
  report.hot = report.complete = false;
  report.closed = report.steered = report.old_session = report.new_session = std::nullopt;
  report.sent = std::nullopt;
  report.last_word = report.last_change = std::nullopt;
  report.risk = {};
  fake_.shard(0, 0).reports = {report};
  report.set = "rs2";
  fake_.shard(0, 1).reports = {report};
  expect("show services redundancy-group failovers", "failovers");
  expect("show services redundancy-group failovers rg-id 2", "failovers-one");
  expect("show services redundancy-group failovers rg-id 1 extensive", "failovers-extensive");
  expect_forms(fake_, "show services redundancy-group failovers", "failovers");
  expect_forms(fake_, "show services redundancy-group failovers rg-id 1 extensive", "failovers-extensive");
  const auto refused = answer(fake_, "show services redundancy-group failovers rg-id 3");  // a stand-alone set is none
  EXPECT_EQ(refused.error, "error: redundancy group 3 not found\n");
}

TEST_F(Golden, PacketDrops) {
  expect("show services service-sets statistics packet-drops", "nothing");  // no service set tells of drops
  expect("show services service-sets statistics packet-drops extensive", "packet-drops-extensive");
}

}  // namespace
}  // namespace icr::test
