// What is refused leaves nothing behind, and what could be had is not refused.
#include "tests/services/nat_bed.h"

namespace icr::node::test {
namespace {

TEST(NatRefusals, ANewBlockHasAPortOfTheRightRange) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/31", 1000, 1037);  // six blocks on each address, two of them above 1024
  pool.preserve_range = true;
  pool.blocks = NatPool::BlockAllocation{6, 1, 0};
  bed.term(NatType::napt44);
  bed.start();
  for (int host = 1; host <= 4; ++host) {
    const NatSession s = bed.open(key({"198.18.0." + std::to_string(host), 55210}, {"192.0.2.9", 53}));
    EXPECT_GE(s.responder.destination_port, 1024);
  }
  EXPECT_EQ(bed.refused(key({"198.18.0.5", 55210}, {"192.0.2.9", 53})), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.bindings(RecordKind::port_block).size(), 4U);
  const NatSession low = bed.open(key({"198.18.0.5", 500}, {"192.0.2.9", 53}));
  EXPECT_LT(low.responder.destination_port, 1024);
}

TEST(NatRefusals, ABlockOfOnePortHasTheRightParity) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/32", 2001, 2008);
  pool.preserve_parity = true;
  pool.blocks = NatPool::BlockAllocation{1, 8, 0};
  bed.term(NatType::napt44);
  bed.start();
  for (std::uint16_t i = 0; i < 4; ++i) {
    const NatSession s = bed.open(key({"198.18.0.1", static_cast<std::uint16_t>(40001 + 2 * i)}, {"192.0.2.9", 53}));
    EXPECT_EQ(s.responder.destination_port % 2, 1);
  }
  EXPECT_NE(bed.refused(key({"198.18.0.1", 40011}, {"192.0.2.9", 53})), NatRefusal::none);
  EXPECT_EQ(bed.bindings(RecordKind::port_block).size(), 4U);
}

TEST(NatRefusals, AHostIsPairedOnlyWithAnAddressThatHasABlockForIt) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/31", 2000, 2004);  // one block on each address, and two ports over
  pool.blocks = NatPool::BlockAllocation{3, 4, 0};
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  const NatSession b = bed.open(key({"198.18.0.2", 4000}, {"192.0.2.9", 53}));
  EXPECT_NE(a.responder.destination, b.responder.destination);
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 4000}, {"192.0.2.9", 53})), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.bindings(RecordKind::pairing).size(), 2U);
  EXPECT_EQ(bed.status().users, 2U);
}

TEST(NatRefusals, AHostThatCallsItself) {
  // Its answers would look like its questions.
  NatBed fixed;
  fixed.term(NatType::basic_nat44, "198.18.0.0/24").source_prefix = Prefix::parse("203.0.113.0/24");
  fixed.start();
  EXPECT_EQ(fixed.refused(key({"198.18.0.1", 4000}, {"203.0.113.1", 4000})), NatRefusal::untranslatable);
  EXPECT_EQ(fixed.open(key({"198.18.0.1", 4000}, {"203.0.113.2", 4000})).responder,
            key({"198.18.0.2", 4000}, {"203.0.113.1", 4000}));

  NatBed mapped;
  mapped.pool("203.0.113.0/32", 2000, 2099);
  mapped.term(NatType::napt44).endpoint_independent_mapping = true;
  mapped.start();
  const NatSession s = mapped.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  const At own{"203.0.113.0", s.responder.destination_port};
  EXPECT_EQ(mapped.refused(key({"198.18.0.1", 4000}, own)), NatRefusal::untranslatable);
  // Another of its sockets may.
  EXPECT_EQ(mapped.open(key({"198.18.0.1", 4001}, own)).responder.source_port, 4000);
}

TEST(NatRefusals, AnEchoToAStaticAddressOwnsItsIdentifier) {
  NatBed bed;
  bed.pool("203.0.113.0/32", 2000, 2001);
  bed.term(NatType::napt44, "198.18.0.0/25");
  NatTerm& fixed = bed.term(NatType::basic_nat44, "198.18.0.128/25");
  fixed.source_pools.clear();
  fixed.source_prefix = Prefix::parse("203.0.113.128/25");
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 77}, {"203.0.113.129", 77}, ip_protocol::icmp));
  EXPECT_EQ(a.responder.source, ip("198.18.0.129"));
  EXPECT_EQ(a.responder.source_port, a.responder.destination_port);
  (void)bed.open(key({"198.18.0.2", 77}, {"203.0.113.129", 77}, ip_protocol::icmp));
  EXPECT_EQ(bed.nat->ports_in_use(), 2U);
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 77}, {"203.0.113.129", 77}, ip_protocol::icmp)), NatRefusal::out_of_ports);
  bed.close(a);
  EXPECT_EQ(bed.nat->ports_in_use(), 1U);
}

TEST(NatRefusals, ASessionThatDoesNotComeToBeKeepsNoMappingAlive) {
  NatBed bed;
  bed.pool("203.0.113.0/32", 2000, 2099).mapping_timeout_s = 10;
  NatTerm& term = bed.term(NatType::napt44);
  term.endpoint_independent_mapping = term.endpoint_independent_filtering = true;
  bed.start();
  const NatSession s = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  bed.close(s);
  bed.wait(60);
  const FlowKey stranger = key({"192.0.2.8", 53}, {"203.0.113.0", s.responder.destination_port});
  const NatResult r = bed.nat->translate(0, nullptr, stranger, false, bed.now);
  ASSERT_EQ(r.refused, NatRefusal::none);
  bed.nat->cancel(NatSession{stranger, r.responder, r.type, r.pool, 0, true}, bed.now);
  bed.wait(39);
  EXPECT_EQ(bed.bindings(RecordKind::mapping).size(), 1U);
  bed.wait(1);
  EXPECT_EQ(bed.bindings(RecordKind::mapping).size(), 0U);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
}

}  // namespace
}  // namespace icr::node::test
