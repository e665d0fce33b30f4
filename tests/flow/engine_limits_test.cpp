// Limits, timeouts, rejects and the Flags of sessions.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

TEST(EngineLimits, SessionLimitOfTheServiceSet) {
  Plan plan;
  plan.service_options = "session-limit: 2";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  EXPECT_EQ(bed.record(0).flag, SessionFlag::none);
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 53));
  EXPECT_EQ(bed.record(1).flag, SessionFlag::limit_reached);
  bed.expect_drop(kInside, udp(kClient, 3, kServer, 53), Drop::session_limit);
  bed.wait(31s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  (void)bed.pass(kInside, udp(kClient, 3, kServer, 53));
}

TEST(EngineLimits, AWorkerThatIsBehindServesTheSessionsThereAreAndSetsUpNone) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.engine->refuse_new_sessions(true);
  bed.expect_drop(kInside, udp(kClient, 2, kServer, 53), Drop::overload_new_session);
  bed.expect_drop(kInside, tcp(kClient, 3, kServer, 80, kSyn, 1, 0), Drop::overload_new_session);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  EXPECT_EQ(bed.shard->sessions(), 1U);
  bed.engine->refuse_new_sessions(false);
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 53));
}

TEST(EngineLimits, SetUpRateRefillsWithTime) {
  Plan plan;
  plan.service_options = "max-session-setup-rate: 5";
  Bed bed(plan);
  std::uint16_t port = 1;
  for (int i = 0; i < 5; ++i) (void)bed.pass(kInside, udp(kClient, port++, kServer, 53));
  bed.expect_drop(kInside, udp(kClient, port++, kServer, 53), Drop::session_setup_rate);
  bed.wait(200ms);
  (void)bed.pass(kInside, udp(kClient, port++, kServer, 53));
  bed.expect_drop(kInside, udp(kClient, port++, kServer, 53), Drop::session_setup_rate);
  bed.wait(20s);
  for (int i = 0; i < 5; ++i) (void)bed.pass(kInside, udp(kClient, port++, kServer, 53));
  bed.expect_drop(kInside, udp(kClient, port++, kServer, 53), Drop::session_setup_rate);
  // An established flow is not limited.
  for (int i = 0; i < 20; ++i) (void)bed.pass(kInside, udp(kClient, 7, kServer, 53));
}

TEST(EngineLimits, NatPoolRunsOut) {
  Plan plan;
  plan.pool = "203.0.113.1/32";
  plan.port_low = 2000;
  plan.port_high = 2003;
  Bed bed(plan);
  std::set<std::uint16_t> ports;
  for (std::uint16_t i = 1; i <= 4; ++i) ports.insert(bed.pass(kInside, udp(kClient, i, kServer, 53)).source_port);
  EXPECT_EQ(ports, (std::set<std::uint16_t>{2000, 2001, 2002, 2003}));
  EXPECT_EQ(bed.record(2).flag, SessionFlag::none);
  EXPECT_EQ(bed.record(3).flag, SessionFlag::no_memory);
  bed.expect_drop(kInside, udp(kClient, 5, kServer, 53), Drop::out_of_ports);
  EXPECT_EQ(bed.shard->sessions(), 4U);
  // Other protocols have ports of their own.
  (void)bed.pass(kInside, tcp(kClient, 5, kServer, 53, kSyn, 1, 0));
  (void)bed.pass(kInside, echo(kClient, kServer, 5));
  EXPECT_EQ(bed.shard->ports_in_use(), 6U);
  bed.wait(31s);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  (void)bed.pass(kInside, udp(kClient, 5, kServer, 53));
}

TEST(EngineLimits, SlotsRunOut) {
  Plan plan;
  Bed bed(plan);
  for (std::uint16_t i = 0; i < 1024; ++i) {
    ASSERT_EQ(bed.send(kInside, udp(kClient, static_cast<std::uint16_t>(i + 1), kServer, 53)).size(), 1U);
  }
  EXPECT_EQ(bed.record(1022).flag, SessionFlag::none);
  EXPECT_EQ(bed.record(1023).flag, SessionFlag::no_session_id);
  bed.expect_drop(kInside, udp(kClient, 2000, kServer, 53), Drop::no_session_id);
  EXPECT_EQ(bed.shard->ports_in_use(), 1024U);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.shard->remove(5);
  (void)bed.pass(kInside, udp(kClient, 2000, kServer, 53));
  EXPECT_EQ(bed.record(5).ref.generation, 2U);
  bed.expect_accounted();
}

TEST(EngineLimits, FirewallDiscardsAndRejects) {
  Plan plan;
  plan.firewall_terms =
      "      - { name: web, from: { source-address: [198.18.0.0/24] , destination-address: [198.19.0.10/32]}, then: "
      "accept }\n"
      "      - { name: no, from: { destination-address: [198.19.0.66/32, \"2001:db8:19::66/128\"] }, then: reject }\n"
      "      - { name: quiet, from: { destination-address: [198.19.0.67/32] }, then: discard }\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  EXPECT_EQ(bed.record().policy, stable_id(Named::firewall_term, "web", "rule"));
  bed.expect_drop(kInside, udp(kClient, 1, "198.19.0.67", 53), Drop::firewall_discard);
  bed.expect_drop(kInside, udp(kClient, 1, "198.19.0.99", 53), Drop::firewall_discard);  // no term matches

  // UDP: ICMP administratively prohibited, to the sender, on the side it came from, quoting the packet.
  const Bytes asked = build(udp(kClient, 1, "198.19.0.66", 53, 1000));
  auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kInside);
  Seen seen = look(sent[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "198.19.0.66");
  EXPECT_EQ(seen.destination, kClient);
  EXPECT_EQ(seen.icmp_type, 3);
  EXPECT_EQ(seen.icmp_code, 13);
  EXPECT_LE(sent[0].bytes.size(), 576U);
  EXPECT_TRUE(std::equal(seen.payload.begin(), seen.payload.end(), asked.begin()));
  EXPECT_EQ(bed.drops(Drop::firewall_reject), 1U);

  // TCP: RST that the sender believes.
  seen = look(bed.send(kInside, tcp(kClient, 9, "198.19.0.66", 80, kSyn, 700, 0)).at(0).bytes);
  EXPECT_EQ(seen.flags, kRst | kAck);
  EXPECT_EQ(seen.ack, 701U);
  EXPECT_EQ(seen.seq, 0U);
  EXPECT_EQ(seen.destination_port, 9);
  EXPECT_TRUE(seen.checksums);
  seen = look(bed.send(kInside, tcp(kClient, 9, "198.19.0.66", 80, kAck, 700, 4711, 5)).at(0).bytes);
  EXPECT_EQ(seen.flags, kRst);
  EXPECT_EQ(seen.seq, 4711U);
  EXPECT_TRUE(bed.send(kInside, tcp(kClient, 9, "198.19.0.66", 80, kRst, 700, 0)).empty()) << "no RST for a RST";

  // IPv6
  sent = bed.send(kInside, udp("2001:db8:18::1", 1, "2001:db8:19::66", 53, 1400));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_LE(sent[0].bytes.size(), 1280U);
  seen = look(sent[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.icmp_type, 1);
  EXPECT_EQ(seen.icmp_code, 1);
  EXPECT_EQ(seen.destination, "2001:db8:18::1");
  seen = look(bed.send(kInside, tcp("2001:db8:18::1", 1, "2001:db8:19::66", 80, kSyn, 9, 0)).at(0).bytes);
  EXPECT_EQ(seen.flags, kRst | kAck);
  EXPECT_TRUE(seen.checksums);
  bed.expect_accounted();
}

TEST(EngineLimits, RejectsAreAnsweredAtALimitedRate) {
  Plan plan;
  plan.firewall_terms = "      - { name: no, then: reject }\n";
  Bed bed(plan);
  for (std::uint16_t i = 1; i <= 150; ++i) (void)bed.send(kInside, udp(kClient, i, kServer, 53));
  EXPECT_EQ(bed.engine->counters().rejects_sent, 100U);
  EXPECT_EQ(bed.engine->counters().rejects_suppressed, 50U);
  EXPECT_EQ(bed.drops(Drop::firewall_reject), 150U);
  bed.wait(1s);
  (void)bed.send(kInside, udp(kClient, 1, kServer, 53));
  EXPECT_EQ(bed.engine->counters().rejects_sent, 101U);
  bed.expect_accounted();
}

TEST(EngineLimits, IdleTimeoutsPerProtocolAndApplication) {
  Plan plan;
  plan.timeouts =
      "  inactivity-timeout: 30\n  inactivity-tcp-timeout: 100\n  inactivity-non-tcp-timeout: 10\n  open-timeout: 5\n"
      "  close-timeout: 2\n";
  plan.applications =
      "  - { name: dns, protocol: udp, destination-port: 53, inactivity-timeout: 4 }\n"
      "  - { name: web, protocol: tcp, destination-port: 8080, inactivity-timeout: 200, application-protocol: http }\n";
  plan.firewall_terms =
      "      - { name: apps, from: { applications: [dns, web] }, then: accept }\n"
      "      - { name: all, then: accept }\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 54));
  EXPECT_EQ(bed.record(0).timeout_s, 4U);
  EXPECT_EQ(bed.record(0).policy, stable_id(Named::firewall_term, "apps", "rule"));
  EXPECT_EQ(bed.record(1).timeout_s, 10U);
  EXPECT_EQ(bed.record(1).policy, stable_id(Named::firewall_term, "all", "rule"));
  bed.wait(3900ms);
  EXPECT_EQ(bed.shard->sessions(), 2U);
  bed.wait(300ms);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  bed.wait(5s);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 54));  // keeps it alive
  bed.wait(9900ms);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  bed.wait(300ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  EXPECT_EQ(bed.shard->counters().expired, 2U);

  // A handshake that is never answered goes after the open timeout; an established connection has its application's.
  const Seen syn = bed.pass(kInside, tcp(kClient, 1, kServer, 8080, kSyn, 1, 0));
  SessionRecord r;
  std::uint32_t slot = 0;
  while (!bed.shard->read(slot, bed.now, r)) ++slot;
  EXPECT_EQ(r.timeout_s, 5U);
  EXPECT_EQ(application_protocol_keyword(r.alg), "http");
  bed.wait(4800ms);
  (void)bed.pass(kOutside, tcp(kServer, 8080, syn.source, syn.source_port, kSyn | kAck, 10, 2));
  (void)bed.pass(kInside, tcp(kClient, 1, kServer, 8080, kAck, 2, 11));
  EXPECT_EQ(bed.record(slot).timeout_s, 200U);
  bed.wait(199s);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  // After RST the close timeout, at once.
  (void)bed.pass(kInside, tcp(kClient, 1, kServer, 8080, kRst, 2, 0));
  EXPECT_EQ(bed.record(slot).timeout_s, 2U);
  bed.wait(2200ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  (void)bed.pass(kInside, tcp(kClient, 2, kServer, 80, kSyn, 1, 0));
  bed.wait(5200ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

TEST(EngineLimits, SessionTimeoutIsAbsolute) {
  Plan plan;
  plan.timeouts = "  inactivity-timeout: 10\n  session-timeout: 20\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  for (int i = 0; i < 19; ++i) {
    bed.wait(1s);
    (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  }
  EXPECT_EQ(bed.record().lifetime_s, 20U);
  bed.wait(1200ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

TEST(EngineLimits, ATakeoverDoesNotExtendTheSessionTimeout) {
  Plan plan;
  plan.timeouts = "  inactivity-timeout: 60\n  session-timeout: 20\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.wait(19s);
  Bed twin(plan, 2, false);
  twin.wait(19s);
  EXPECT_EQ(twin.shard->apply(bed.record(), twin.now), Applied::created);
  twin.shard->activate(twin.now);
  twin.wait(500ms);
  EXPECT_EQ(twin.shard->sessions(), 1U);
  twin.wait(700ms);
  EXPECT_EQ(twin.shard->sessions(), 0U);
}

TEST(EngineLimits, AnotherSynOfALiveConnectionIsFlagged) {
  Bed bed;
  (void)bed.pass(kInside, tcp(kClient, 1, kServer, 80, kSyn, 1, 0));
  EXPECT_EQ(bed.record().flag, SessionFlag::none);
  (void)bed.pass(kInside, tcp(kClient, 1, kServer, 80, kSyn, 1, 0));
  EXPECT_EQ(bed.record().flag, SessionFlag::found_existing);
}

TEST(EngineLimits, AnApplicationMayNeverTimeOut) {
  Plan plan;
  plan.applications = "  - { name: beacon, protocol: udp, destination-port: 9, inactivity-timeout: never }\n";
  plan.firewall_terms =
      "      - { name: beacons, from: { applications: [beacon] }, then: accept }\n"
      "      - { name: all, then: accept }\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp("198.18.0.10", 1000, "198.19.0.10", 9));
  (void)bed.pass(kInside, udp("198.18.0.10", 1001, "198.19.0.10", 10));
  EXPECT_EQ(bed.record(0).timeout_s, kNeverSeconds);
  bed.wait(std::chrono::hours(2));
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.record(0).idle, 2U * 3600 * 10);
}

TEST(EngineLimits, AFullIndexRefusesASessionAndGivesItsPortBack) {
  // Slots are left, but the two buckets of the index where a flow may lie are full, and the side list as well. That
  // takes flows that were searched for: with the seed unknown, as it is outside of a test, nobody can.
  Plan plan;
  plan.max_sessions = 1024;
  Bed bed(plan);
  const std::uint64_t buckets = plan.max_sessions / 2;
  const auto bucket = [&](std::uint64_t hash) { return (hash >> 32) * buckets >> 32; };
  const SessionTable& table = bed.shard->table();
  std::uint32_t sent = 0;
  std::uint32_t next = 0;
  FlowKey key;
  while (bed.drops(Drop::flow_index_full) == 0 && sent < 200) {
    key = FlowKey{IpAddress::v4(0xc6120000U), *IpAddress::parse("198.19.0.10"), 0, 0, 17};
    for (std::uint64_t hash = ~std::uint64_t{0}; bucket(hash) >= 1 || bucket(hash * 0x9e3779b97f4a7c15ULL) >= 4;
         ++next) {
      key.source_port = static_cast<std::uint16_t>(1 + next % 60000);
      key.destination_port = static_cast<std::uint16_t>(1 + next / 60000);
      hash = table.hash(0, key);
    }
    const auto out = bed.send(kInside, udp("198.18.0.0", key.source_port, "198.19.0.10", key.destination_port));
    sent += static_cast<std::uint32_t>(out.size());
  }
  EXPECT_EQ(bed.drops(Drop::flow_index_full), 1U);
  EXPECT_GE(sent, 8U * 2 + 64) << "two buckets and the side list";
  EXPECT_EQ(bed.shard->sessions(), sent);
  EXPECT_EQ(bed.shard->ports_in_use(), sent) << "the refused one has no port";
  EXPECT_FALSE(table.find(0, key).has_value()) << "nothing of the refused one stays in the index";
  EXPECT_EQ(bed.engine->counters().dropped(), 1U);
  bed.expect_accounted();
  // All end, and the index has room again.
  bed.wait(40s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  bed.pass(kInside, udp("198.18.0.0", 1, "198.19.0.10", 2));
}

/// A connection of kClient to kServer, established; the server as its client is seen there.
Seen connect(Bed& bed) {
  const Seen syn = bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0));
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 5000, 1001));
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001));
  return syn;
}

TEST(EngineLimits, TheEndOfATransferMayBeLostAndSentAgain) {
  for (const std::uint32_t idle : {20U, 1000U}) {
    Plan plan;
    plan.timeouts = "  inactivity-timeout: " + std::to_string(idle) + "\n  open-timeout: 5\n  close-timeout: 1\n";
    Bed bed(plan);
    const Seen syn = connect(bed);
    (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck | kFin, 1001, 5001));
    const Spec last = tcp(kServer, 80, syn.source, syn.source_port, kAck | kFin, 5001, 1002, 1000);
    (void)bed.pass(kOutside, last);  // lost behind us
    EXPECT_EQ(bed.record().tcp_state, TcpState::closing);
    EXPECT_EQ(bed.record().timeout_s, std::min(idle, 240U));
    bed.wait(1500ms);
    (void)bed.pass(kOutside, last);
    bed.wait(3s);
    (void)bed.pass(kOutside, last);
    (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1002, 6002));
    EXPECT_EQ(bed.record().timeout_s, 1U);
    bed.wait(1300ms);
    EXPECT_EQ(bed.shard->sessions(), 0U);
  }
}

TEST(EngineLimits, AResetBesideTheExpectedNumberEndsNothing) {
  Bed bed;
  const Seen syn = connect(bed);
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kRst, 5001 + 40000, 0));
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001));
  bed.wait(10s);
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kAck, 5001, 1001, 100));
  EXPECT_EQ(bed.record().tcp_state, TcpState::established);
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kRst, 5101, 0));
  bed.wait(1300ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

}  // namespace
}  // namespace icr::node::test
