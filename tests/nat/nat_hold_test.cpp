// RFC 6888 REQ-8: a freed port goes to no other host for two minutes, except in the cases that the RFC names.
#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint8_t kUdp = ip_protocol::udp;

FlowKey of_host(int host, std::uint8_t protocol = kUdp, std::uint16_t port = 4000) {
  return key({"198.18.0." + std::to_string(host), port}, {"192.0.2.9", 53}, protocol);
}

/// A pool of one address, whose mappings let everybody in and end four seconds after their last session.
NatTerm& open_to_all(NatBed& bed, std::uint16_t low, std::uint16_t high) {
  bed.pool("203.0.113.1/32", low, high).mapping_timeout_s = 4;
  NatTerm& term = bed.term(NatType::napt44);
  term.endpoint_independent_mapping = term.endpoint_independent_filtering = true;
  return term;
}

/// A session of the host that ends at once, and so its mapping after four seconds; the port that it had.
std::uint16_t pass_by(NatBed& bed, int host, std::uint8_t protocol = kUdp, bool ended = false) {
  NatSession s = bed.open(of_host(host, protocol));
  s.ended = ended;
  bed.close(s);
  bed.wait(40);
  return s.responder.destination_port;
}

/// The report: sixteen ports, a host every twelve seconds.
TEST(NatHold, FieldExternalPortReusedEarly) {
  NatBed bed;
  open_to_all(bed, 5000, 5015);
  bed.start();
  std::map<std::uint16_t, Ticks> given_up;
  for (int host = 1; host < 60; ++host) {
    const Ticks begin = bed.now;
    const std::uint16_t port = pass_by(bed, host);
    if (given_up.count(port) != 0) {
      EXPECT_GE(begin - given_up[port], 1200U) << "port " << port;
    }
    given_up[port] = bed.now;
    bed.wait(80);
  }
  EXPECT_EQ(given_up.size(), 16U) << "all are used in the end";
  EXPECT_EQ(bed.status().reused_early, 0U);
  EXPECT_EQ(bed.status().ports_in_use, 0U);
}

TEST(NatHold, WhenAllIsHeldTheOldestGoesAndIsCounted) {
  NatBed bed;
  open_to_all(bed, 5000, 5002);
  bed.start();
  std::vector<std::uint16_t> order;
  for (int host = 1; host <= 3; ++host) order.push_back(pass_by(bed, host));
  EXPECT_EQ(bed.status().held, 3U);
  EXPECT_EQ(bed.status().addresses_in_use, 0U);
  EXPECT_FALSE(bed.nat->exhausted(1, of_host(9)));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(bed.open(of_host(10 + static_cast<int>(i))).responder.destination_port, order[i]);
    EXPECT_EQ(bed.status().reused_early, i + 1);
  }
  EXPECT_EQ(bed.status().addresses_in_use, 1U);
  EXPECT_EQ(bed.refused(of_host(20)), NatRefusal::out_of_ports);
}

/// Exemption A: TCP whose end was seen.
TEST(NatHold, ConnectionsThatAreOver) {
  NatBed bed;
  open_to_all(bed, 5000, 5001);
  bed.start();
  (void)pass_by(bed, 1, kTcp, true);
  EXPECT_EQ(bed.status().held, 0U);
  (void)pass_by(bed, 1, kTcp, false);
  EXPECT_EQ(bed.status().held, 1U) << "it only fell silent";
  // One that fell silent is enough, whatever the others did.
  NatSession first = bed.open(of_host(2, kTcp));
  NatSession second = bed.open(key({"198.18.0.2", 4000}, {"192.0.2.10", 53}, kTcp));
  second.ended = true;
  bed.close(first);
  bed.close(second);
  bed.wait(40);
  EXPECT_EQ(bed.status().held, 2U);
}

/// Exemption C: only those are let in whom the session itself called.
TEST(NatHold, AddressDependentFiltersNeedNoHold) {
  for (const bool asked : {false, true}) {
    NatBed bed;
    NatPool& pool = bed.pool("203.0.113.1/32", 5000, 5000);
    if (asked) pool.reuse_hold_s = 60;
    bed.term(NatType::napt44);
    bed.start();
    bed.close(bed.open(of_host(1)));
    EXPECT_EQ(bed.status().held, asked ? 1U : 0U) << "unless the pool says so";
    (void)bed.open(of_host(2));
    EXPECT_EQ(bed.status().reused_early, asked ? 1U : 0U);
  }
}

/// Exemption B, and the setting.
TEST(NatHold, NeverForDeterministicPortsNorWhereItIsSwitchedOff) {
  NatBed fixed;
  NatPool& pool = fixed.pool("203.0.113.1/32", 5000, 5003);
  pool.deterministic = NatPool::Deterministic{2, true};
  pool.reuse_hold_s = 120;
  fixed.term(NatType::deterministic_napt44, "198.18.0.0/31");
  fixed.start();
  fixed.close(fixed.open(of_host(0)));
  EXPECT_EQ(fixed.status().held, 0U);
  NatBed off;
  open_to_all(off, 5000, 5001);
  off.cluster.nat_pools[0].reuse_hold_s = 0;
  off.start();
  (void)pass_by(off, 1);
  EXPECT_EQ(off.status().held, 0U);
}

TEST(NatHold, BlocksLikewiseButNotForTheirOwnHost) {
  NatBed bed;
  open_to_all(bed, 5000, 5003);
  bed.cluster.nat_pools[0].blocks = NatPool::BlockAllocation{2, 1, 0};
  bed.start();
  const std::uint16_t first = pass_by(bed, 1);
  bed.wait(40);
  EXPECT_EQ(bed.bindings(RecordKind::port_block).size(), 0U);
  EXPECT_EQ(bed.status().held, 1U);
  const std::uint16_t second = pass_by(bed, 2);
  EXPECT_NE(first / 2, second / 2) << "the other block";
  bed.wait(40);
  EXPECT_EQ(bed.status().held, 2U);
  EXPECT_EQ(bed.open(of_host(2)).responder.destination_port / 2, second / 2) << "the same subscriber";
  EXPECT_EQ(bed.status().reused_early, 0U);
  EXPECT_EQ(bed.open(of_host(3)).responder.destination_port / 2, first / 2);
  EXPECT_EQ(bed.status().reused_early, 1U);
}

TEST(NatHold, ASetUpThatCameToNothingHoldsNothing) {
  NatBed bed;
  open_to_all(bed, 5000, 5003);
  bed.start();
  const FlowKey packet = of_host(1);
  const NatResult r = bed.nat->translate(0, bed.rule(), packet, true, bed.now);
  bed.nat->cancel({packet, r.responder, r.type, r.pool, 0, false}, bed.now);
  EXPECT_EQ(bed.status().held, 0U);
  EXPECT_EQ(bed.status().ports_in_use, 0U);
}

/// The twin hears of the end of a mapping when it ends, and begins to count then.
TEST(NatHold, ATakeoverDoesNotReuseEarly) {
  NatBed bed;
  open_to_all(bed, 5000, 5003);
  bed.start();
  NatBed twin;
  open_to_all(twin, 5000, 5003);
  twin.start(1, false);
  const NatSession s = bed.open(of_host(1));
  const auto mapping = bed.bindings(RecordKind::mapping);
  ASSERT_EQ(mapping.size(), 1U);
  ASSERT_EQ(twin.nat->apply(mapping[0].ref.slot, mapping[0], twin.now), Applied::created);
  bed.close(s);
  bed.wait(40);
  twin.now = bed.now;
  ASSERT_EQ(twin.nat->erase(mapping[0].ref.slot, mapping[0].ref.generation, twin.now), Applied::deleted);
  EXPECT_EQ(twin.status().held, 1U);
  // A new owner that the master names before that time is over here is no conflict.
  auto again = mapping[0];
  again.ref.generation = 2;
  again.binding.internal = ip("198.18.0.7");
  ASSERT_EQ(twin.nat->apply(again.ref.slot, again, twin.now), Applied::created);
  EXPECT_EQ(twin.status().held, 0U);
  EXPECT_FALSE(twin.nat->contested());
  EXPECT_EQ(twin.status().ports_in_use, 1U);
  ASSERT_EQ(twin.nat->erase(again.ref.slot, 2, twin.now), Applied::deleted);
  twin.nat->activate(3);
  for (int host = 1; host <= 3; ++host) {
    EXPECT_NE(twin.open(of_host(host)).responder.destination_port, s.responder.destination_port);
  }
  EXPECT_EQ(twin.status().reused_early, 0U);
}

}  // namespace
}  // namespace icr::node::test
