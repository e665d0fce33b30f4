// Endpoint-independent mappings and filtering, pairing and hairpinning: RFC 4787, 5382, 5508, 6888.
#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint8_t kIcmp = ip_protocol::icmp;

void configure(NatBed& bed, bool filtering = false) {
  bed.pool("203.0.113.0/30", 2000, 2999).mapping_timeout_s = 300;
  NatTerm& term = bed.term(NatType::napt44);
  term.endpoint_independent_mapping = true;
  term.endpoint_independent_filtering = filtering;
}

At external(const NatSession& s) { return {s.responder.destination.to_string(), s.responder.destination_port}; }

/// RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1: one internal endpoint has one external one, whatever it talks to.
TEST(Eim, MappingsDoNotDependOnTheDestination) {
  NatBed bed;
  configure(bed);
  bed.start();
  for (const std::uint8_t protocol : {kTcp, ip_protocol::udp, kIcmp}) {
    const std::uint16_t there = protocol == kIcmp ? 4000 : 53;
    const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", there}, protocol));
    const NatSession b = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.10", there}, protocol));
    EXPECT_EQ(a.responder.destination, b.responder.destination);
    EXPECT_EQ(a.responder.destination_port, b.responder.destination_port);
    const NatSession other = bed.open(key({"198.18.0.2", 4000}, {"192.0.2.9", there}, protocol));
    EXPECT_FALSE(external(a).address == external(other).address && external(a).port == external(other).port);
  }
  EXPECT_EQ(bed.status().mappings, 6U);
  EXPECT_EQ(bed.nat->ports_in_use(), 6U) << "a mapping has the port, its sessions share it";
}

/// RFC 4787 REQ-5: a mapping outlives its last packet by its timeout, and REQ-6: what goes out renews it.
TEST(Eim, MappingsTimeOutAfterTheLastSession) {
  NatBed bed;
  configure(bed);
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  bed.wait(10'000);
  EXPECT_EQ(bed.status().mappings, 1U) << "in use";
  bed.close(a);
  bed.wait(2000);
  const NatSession b = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.10", 53}));
  EXPECT_EQ(external(a).port, external(b).port);
  bed.wait(2000);
  EXPECT_EQ(bed.status().mappings, 1U);
  bed.close(b);
  bed.wait(2990);
  EXPECT_EQ(bed.status().mappings, 1U);
  bed.wait(20);
  EXPECT_EQ(bed.status().mappings, 0U);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
}

TEST(Eim, NoRowForAnotherMappingIsARefusal) {
  NatBed bed;
  configure(bed);
  bed.cluster.redundancy_sets[0].max_sessions = 4;
  bed.start();
  for (std::uint16_t i = 0; i < 4; ++i) bed.close(bed.open(key({"198.18.0.1", i}, {"192.0.2.9", 53})));
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 9}, {"192.0.2.9", 53})), NatRefusal::no_memory);
  EXPECT_EQ(bed.status().memory_allocation_errors, 1U);
  EXPECT_EQ(bed.nat->ports_in_use(), 4U);
}

/// RFC 4787 REQ-8, RFC 5382 REQ-3: filtering is address-and-port-dependent unless configured otherwise.
TEST(Eif, WithoutItNobodyComesIn) {
  NatBed bed;
  configure(bed, false);
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.refused(key({"192.0.2.77", 1}, external(a)), false), NatRefusal::filtered);
  EXPECT_EQ(bed.status().eif_refused, 1U);
  EXPECT_TRUE(bed.nat->waits_for(0, key({"192.0.2.77", 1}, external(a))));
  EXPECT_FALSE(bed.nat->waits_for(0, key({"192.0.2.77", 1}, {external(a).address, 1})));
}

/// RFC 4787 REQ-8: endpoint-independent filtering, where transparency to applications matters most.
TEST(Eif, LetsInToAMappedEndpoint) {
  NatBed bed;
  configure(bed, true);
  bed.cluster.nat_rules[0].terms[0].filtering_prefixes = {*Prefix::parse("192.0.2.64/26")};
  bed.cluster.nat_rules[0].terms[0].eif_flow_limit = 2;
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.refused(key({"192.0.2.9", 1}, external(a)), false), NatRefusal::filtered);
  const NatSession in = bed.open(key({"192.0.2.77", 1}, external(a)), false);
  EXPECT_EQ(in.responder, key({"198.18.0.1", 4000}, {"192.0.2.77", 1}));
  EXPECT_EQ(in.type, NatType::napt44);
  const NatSession second = bed.open(key({"192.0.2.78", 1}, external(a)), false);
  EXPECT_EQ(bed.refused(key({"192.0.2.79", 1}, external(a)), false), NatRefusal::flow_limit);
  EXPECT_EQ(bed.status().eif_sessions, 2U);
  EXPECT_EQ(bed.status().eif_limit_exceeded, 1U);
  EXPECT_EQ(bed.nat->ports_in_use(), 1U);
  bed.close(a);
  bed.close(second);
  bed.wait(5000);
  EXPECT_EQ(bed.status().mappings, 1U) << "sessions from outside keep it too";
  (void)bed.open(key({"192.0.2.79", 1}, external(a)), false);
  bed.close(in);
  EXPECT_EQ(bed.status().eif_sessions, 1U);
  EXPECT_EQ(bed.status().eif_sessions_created, 3U);
  // RFC 5508 REQ-1: the same for echo requests.
  const NatSession ping = bed.open(key({"198.18.0.1", 5}, {"192.0.2.9", 5}, kIcmp));
  const NatSession pong = bed.open(key({"192.0.2.77", external(ping).port}, external(ping), kIcmp), false);
  EXPECT_EQ(pong.responder, key({"198.18.0.1", 5}, {"192.0.2.77", 5}, kIcmp));
}

/// Who comes in to a mapping may be translated himself, by a rule for packets from outside: his session has two ends.
/// An echo has one identifier, and that is the mapping's.
TEST(Eif, AndTheSenderIsTranslatedAsWell) {
  for (const std::uint8_t protocol : {kTcp, ip_protocol::udp, kIcmp}) {
    SCOPED_TRACE(int{protocol});
    NatBed bed;
    configure(bed, true);
    bed.pool("192.0.2.128/31", 2000, 2001).mapping_timeout_s = 300;
    NatTerm& inbound = bed.term(NatType::napt44, "192.0.2.0/25");
    inbound.source_pools = {1};
    bed.start();
    const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 4000}, protocol));
    const std::uint16_t from = protocol == kIcmp ? external(a).port : std::uint16_t{999};
    const NatSession in = bed.open_by(bed.rule(1), key({"192.0.2.77", from}, external(a), protocol), false);
    EXPECT_FALSE(bed.hairpin);
    EXPECT_EQ(in.responder.source, ip("198.18.0.1"));
    EXPECT_EQ(in.responder.source_port, 4000);
    EXPECT_TRUE(Prefix::parse("192.0.2.128/31")->contains(in.responder.destination));
    if (protocol == kIcmp) {
      EXPECT_EQ(in.responder.destination_port, 4000);
    }
    EXPECT_EQ(bed.status(0).eif_sessions, 1U);
    EXPECT_EQ(bed.status(1).ports_in_use, protocol == kIcmp ? 0U : 1U);

    // A twin that has not heard of the bindings makes them again.
    NatBed twin;
    twin.cluster = bed.cluster;
    twin.start(0, false, 3);
    for (const NatSession& s : {a, in}) twin.nat->hold(s, false, twin.now);
    twin.nat->activate(2);
    for (const NatSession& s : {a, in}) EXPECT_TRUE(twin.nat->reconcile(s, twin.now));
    twin.nat->finish_reconcile(twin.now);
    EXPECT_FALSE(twin.nat->must_reconcile());

    for (NatBed* each : {&bed, &twin}) {
      each->close(a);
      each->wait(3010);
      EXPECT_EQ(each->status(0).ports_in_use, 1U) << "who came in keeps the mapping";
      each->close(in);
      EXPECT_EQ(each->status(0).eif_sessions, 0U);
      each->wait(3010);
      EXPECT_EQ(each->nat->ports_in_use(), 0U);
      EXPECT_TRUE(each->bindings(RecordKind::mapping).empty());
    }
  }
}

/// RFC 4787 REQ-9: hairpinning, and a): with the external source address and port.
TEST(Hairpin, ComesFromTheExternalAddressAndPort) {
  NatBed bed;
  configure(bed);
  bed.start();
  const NatSession server = bed.open(key({"198.18.0.2", 80}, {"192.0.2.9", 53}));
  const NatSession client = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  const NatSession s = bed.open(key({"198.18.0.1", 4000}, external(server)));
  EXPECT_TRUE(bed.hairpin);
  EXPECT_EQ(s.responder.source, ip("198.18.0.2"));
  EXPECT_EQ(s.responder.source_port, 80);
  EXPECT_EQ(s.responder.destination, client.responder.destination);
  EXPECT_EQ(s.responder.destination_port, client.responder.destination_port);
  bed.close(server);
  bed.close(client);
  bed.wait(4000);
  EXPECT_EQ(bed.status().mappings, 2U) << "it holds both mappings";
  bed.close(s);
  bed.wait(4000);
  EXPECT_EQ(bed.status().mappings, 0U);
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 4000}, external(server))), NatRefusal::no_binding)
      << "what is mapped to nobody is dropped, not sent outside";
}

/// RFC 5508 REQ-7: ICMP queries hairpin; the one identifier is the target's.
TEST(Hairpin, EchoRequests) {
  NatBed bed;
  configure(bed);
  bed.start();
  const NatSession target = bed.open(key({"198.18.0.2", 9}, {"192.0.2.9", 9}, kIcmp));
  const auto id = external(target).port;
  const NatSession s = bed.open(key({"198.18.0.1", id}, {external(target).address, id}, kIcmp));
  EXPECT_EQ(s.responder.source, ip("198.18.0.2"));
  EXPECT_EQ(s.responder.source_port, 9);
  EXPECT_EQ(s.responder.destination_port, 9);
  EXPECT_TRUE(bed.pool_has(s.responder.destination));
  EXPECT_EQ(bed.status().mappings, 1U);
  bed.close(s);
  bed.close(target);
}

/// RFC 4787 REQ-2, RFC 6888 REQ-2: paired address pooling, for all sessions of a host.
TEST(App, AHostHasOneAddress) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/28", 2000, 2001);
  pool.mapping_timeout_s = 10;
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 2; ++i) open.push_back(bed.open(key({"198.18.0.1", i}, {"192.0.2.9", 53})));
  open.push_back(bed.open(key({"198.18.0.1", 1}, {"192.0.2.9", 53}, kTcp)));
  open.push_back(bed.open(key({"198.18.0.1", 0}, {"192.0.2.9", 0}, ip_protocol::gre)));
  for (const auto& s : open) EXPECT_EQ(s.responder.destination, open[0].responder.destination);
  // It is strict: fifteen addresses are free, and are not for this host.
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 9}, {"192.0.2.9", 53})), NatRefusal::paired_out_of_ports);
  EXPECT_EQ(bed.status().app_port_errors, 1U);
  EXPECT_EQ(bed.status().pairings, 1U);
  const auto before = bed.bindings(RecordKind::pairing);
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].binding.internal, ip("198.18.0.1"));
  EXPECT_EQ(before[0].binding.external, open[0].responder.destination);
  for (const auto& s : open) bed.close(s);
  bed.wait(90);
  EXPECT_EQ(bed.status().pairings, 1U);
  bed.wait(20);
  EXPECT_EQ(bed.status().pairings, 0U);
  EXPECT_EQ(bed.status().users, 0U);
}

TEST(App, TheNextHostGetsAnAddressWithPorts) {
  NatBed bed;
  bed.pool("203.0.113.0/31", 2000, 2000);
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 1}, {"192.0.2.9", 53}));
  const NatSession b = bed.open(key({"198.18.0.2", 1}, {"192.0.2.9", 53}));
  EXPECT_FALSE(a.responder.destination == b.responder.destination);
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 1}, {"192.0.2.9", 53})), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.status().users, 2U) << "a host that was refused is forgotten";
}

}  // namespace
}  // namespace icr::node::test
