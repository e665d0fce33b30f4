// External endpoints that a rule answers are given to no host, in every kind of pool (CVE-2021-3773).
#include <algorithm>

#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint8_t kUdp = ip_protocol::udp;

/// The rule forwards ports of 203.0.113.1; where to does not matter here.
NatTerm& forward(NatBed& bed, std::uint16_t low, std::uint16_t high, const std::string& address = "203.0.113.1/32") {
  NatTerm& term = bed.term(NatType::dnat44);
  term.from.source_addresses.clear();
  term.from.destination_addresses = {AddressRange::of(*Prefix::parse(address))};
  term.from.destination_ports = {{low, high}};
  term.destination_prefix = Prefix::parse("198.18.9.1/32");
  return term;
}

/// Outer ports of sessions of many hosts, until no more can be had.
std::vector<std::uint16_t> all_ports(NatBed& bed, std::uint8_t protocol, std::size_t term = 1) {
  std::vector<std::uint16_t> out;
  for (std::uint16_t i = 0; i < 200; ++i) {
    const FlowKey packet = key({"198.18.0." + std::to_string(i / 8 + 1), static_cast<std::uint16_t>(4000 + i)},
                               {"192.0.2.9", 53}, protocol);
    const NatResult r = bed.nat->translate(0, bed.rule(term), packet, true, bed.now);
    if (r.refused != NatRefusal::none) break;
    bed.nat->hold({packet, r.responder, r.type, r.pool, 0, false}, true, bed.now);
    out.push_back(r.responder.destination_port);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(NatReserved, APortOfARuleIsGivenToNobody) {
  NatBed bed;
  bed.pool("203.0.113.1/32", 2000, 2007);
  forward(bed, 2002, 2003);
  bed.term(NatType::napt44);
  bed.start();
  EXPECT_EQ(bed.status().ports, 3U * 8 - 4);
  EXPECT_EQ(all_ports(bed, kUdp), (std::vector<std::uint16_t>{2000, 2001, 2004, 2005, 2006, 2007}));
  EXPECT_TRUE(bed.nat->exhausted(1, key({"198.18.0.1", 1}, {"192.0.2.9", 53})));
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 1}, {"192.0.2.9", 53}), true, 1), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.status().addresses_in_use, 1U);
}

TEST(NatReserved, OnlyForTheProtocolsThatTheRuleAnswers) {
  NatBed bed;
  bed.cluster.applications.push_back({});
  bed.cluster.applications[0].protocol = kTcp;
  bed.pool("203.0.113.1/32", 2000, 2003);
  forward(bed, 2000, 2002).from.applications = {0};
  bed.term(NatType::napt44);
  bed.start();
  EXPECT_EQ(all_ports(bed, kTcp), (std::vector<std::uint16_t>{2003}));
  EXPECT_EQ(all_ports(bed, kUdp).size(), 4U);
}

TEST(NatReserved, InSequenceAndMapped) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.1/32", 2000, 2003);
  pool.assignment = NatPool::Assignment::sequential;
  forward(bed, 2001, 2001);
  bed.term(NatType::napt44).endpoint_independent_mapping = true;
  bed.start();
  EXPECT_EQ(all_ports(bed, kUdp), (std::vector<std::uint16_t>{2000, 2002, 2003}));
}

TEST(NatReserved, ABlockWithSuchAPortHasNoOwner) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.1/32", 2000, 2015);
  pool.blocks = NatPool::BlockAllocation{4, 8, 0};
  forward(bed, 2005, 2008);
  bed.term(NatType::napt44);
  bed.start();
  EXPECT_EQ(bed.status().blocks, 2U);
  EXPECT_EQ(all_ports(bed, kUdp), (std::vector<std::uint16_t>{2000, 2001, 2002, 2003, 2012, 2013, 2014, 2015}));
  // A peer that says otherwise has another configuration.
  SessionRecord record;
  record.ref = {1, 1};
  record.kind = RecordKind::port_block;
  record.version = 1;
  record.binding = {1, ip("198.18.0.9"), ip("203.0.113.1"), 0, 2004, 2007, 0, kBindingActiveBlock, 0, 0, 300, 0, 0};
  EXPECT_EQ(bed.nat->apply(1, record, bed.now), Applied::refused);
}

TEST(NatReserved, AnAddressOfARuleIsNobodysOwn) {
  NatBed bed;
  bed.pool("203.0.113.0/31");
  forward(bed, 80, 80);
  bed.term(NatType::dynamic_nat44);
  bed.start();
  const NatSession s = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}), true, 1);
  EXPECT_EQ(s.responder.destination, ip("203.0.113.0"));
  EXPECT_EQ(bed.refused(key({"198.18.0.2", 4000}, {"192.0.2.9", 53}), true, 1), NatRefusal::out_of_addresses);
}

TEST(NatReserved, AHoleInADeterministicBlock) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.1/32", 2000, 2007);
  pool.deterministic = NatPool::Deterministic{4, true};
  forward(bed, 2001, 2001);
  bed.term(NatType::deterministic_napt44, "198.18.0.0/31");
  bed.start();
  std::vector<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < 3; ++i) {
    ports.push_back(bed.open(key({"198.18.0.0", i}, {"192.0.2.9", 53}), true, 1).responder.destination_port);
  }
  std::sort(ports.begin(), ports.end());
  EXPECT_EQ(ports, (std::vector<std::uint16_t>{2000, 2002, 2003}));
  EXPECT_EQ(bed.refused(key({"198.18.0.0", 9}, {"192.0.2.9", 53}), true, 1), NatRefusal::out_of_ports);
}

TEST(NatReserved, ProtocolsWithoutPortsLeaveByAnotherAddress) {
  NatBed bed;
  bed.pool("203.0.113.0/31");
  forward(bed, 1, 1).from.destination_ports.clear();
  bed.term(NatType::napt44);
  bed.start();
  for (int host = 1; host < 30; ++host) {
    const FlowKey packet = key({"198.18.0." + std::to_string(host), 0}, {"192.0.2.9", 0}, ip_protocol::gre);
    EXPECT_EQ(bed.open(packet, true, 1).responder.destination, ip("203.0.113.0"));
  }
}

TEST(NatReserved, ASessionWithSuchAPortIsNotBelieved) {
  NatBed bed;
  bed.pool("203.0.113.1/32", 2000, 2007);
  forward(bed, 2002, 2003);
  bed.term(NatType::napt44);
  bed.start(1, false);
  const FlowKey out = key({"198.18.0.1", 4000}, {"192.0.2.9", 53});
  EXPECT_TRUE(bed.nat->consistent({out, key({"192.0.2.9", 53}, {"203.0.113.1", 2001}), NatType::napt44, 1, 0, false}));
  EXPECT_FALSE(bed.nat->consistent({out, key({"192.0.2.9", 53}, {"203.0.113.1", 2002}), NatType::napt44, 1, 0, false}));
}

}  // namespace
}  // namespace icr::node::test
