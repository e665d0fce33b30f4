// What is refused leaves nothing behind, and what could be had is not refused.
#include "tests/nat/nat_bed.h"

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
  EXPECT_EQ(bed.refused(key({"198.18.0.5", 55210}, {"192.0.2.9", 53})), NatRefusal::out_of_blocks);
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
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 4000}, {"192.0.2.9", 53})), NatRefusal::out_of_blocks);
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

/// Every way in which a pool gives sources, each with a pool 203.0.113.0/31 and a term that uses it.
struct Kind {
  const char* name;
  NatType one_way;  ///< and with a destination
  NatType twice;
  void (*options)(NatPool& pool, NatTerm& term);
};

const Kind kKinds[] = {
    {"ports", NatType::napt44, NatType::twice_napt44, [](NatPool&, NatTerm&) {}},
    {"limited", NatType::napt44, NatType::twice_napt44, [](NatPool& p, NatTerm&) { p.limit_ports_per_host = 9; }},
    {"mapped", NatType::napt44, NatType::twice_napt44,
     [](NatPool&, NatTerm& t) { t.endpoint_independent_mapping = true; }},
    {"paired", NatType::napt44, NatType::twice_napt44, [](NatPool&, NatTerm& t) { t.address_pooling_paired = true; }},
    {"blocks", NatType::napt44, NatType::twice_napt44,
     [](NatPool& p, NatTerm&) {
       p.blocks = NatPool::BlockAllocation{8, 8, 0};
     }},
    {"blocks, mapped, paired", NatType::napt44, NatType::twice_napt44,
     [](NatPool& p, NatTerm& t) {
       p.blocks = NatPool::BlockAllocation{8, 8, 0};
       t.endpoint_independent_mapping = t.address_pooling_paired = true;
     }},
    {"addresses", NatType::dynamic_nat44, NatType::twice_dynamic_nat44, [](NatPool&, NatTerm&) {}},
};

NatTerm& configure(NatBed& bed, const Kind& kind, bool twice) {
  bed.pool("203.0.113.0/31", 2000, 2031);
  NatTerm& term = bed.term(twice ? kind.twice : kind.one_way);
  kind.options(bed.cluster.nat_pools[0], term);
  return term;
}

const std::initializer_list<std::uint8_t> kProtocols = {ip_protocol::udp, ip_protocol::icmp, ip_protocol::gre};

/// A session to a server whose address is one of the pool would have one address twice as soon as the pool gives that
/// one.
TEST(NatRefusals, ServersAtAddressesOfThePool) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    NatBed bed;
    NatTerm& term = configure(bed, kind, true);
    bed.pool("203.0.113.0/31");
    term.destination_pool = 1;
    term.from.destination_addresses = {AddressRange::of(*Prefix::parse("192.0.2.0/31"))};
    bed.start();
    for (std::uint16_t i = 0; i < 8; ++i) {
      for (const std::uint8_t protocol : kProtocols) {
        EXPECT_EQ(bed.refused(key({"198.18.0.1", i}, {"192.0.2." + std::to_string(i % 2), i}, protocol)),
                  NatRefusal::untranslatable);
      }
    }
    bed.expect_untouched();
  }
}

/// Twice NAT lets hosts inside reach a server by an address that hosts share; the server, too: but not a socket itself,
/// since its answers would look like its questions if the pool gave it the endpoint that it calls.
TEST(NatRefusals, ASocketThatCallsItselfByAnAddressOfThePool) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    NatBed bed;
    NatTerm& term = configure(bed, kind, true);
    bed.pool("198.18.0.1/32");
    term.destination_pool = 1;
    term.from.destination_addresses = {AddressRange::of(*Prefix::parse("203.0.113.0/31"))};
    bed.start();
    for (std::uint16_t port = 2000; port < 2032; ++port) {
      EXPECT_EQ(bed.refused(key({"198.18.0.1", port}, {"203.0.113.1", port})), NatRefusal::untranslatable);
    }
    bed.expect_untouched();
    const NatSession s = bed.open(key({"198.18.0.1", 2000}, {"203.0.113.1", 2001}));
    EXPECT_EQ(s.responder.source, ip("198.18.0.1"));
    bed.close(s);
  }
}

/// What a session holds follows from its keys: of one whose source is an address of the pool nobody could tell whether
/// it has been translated.
TEST(NatRefusals, HostsThatWriteAnAddressOfThePoolAsTheirOwn) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    NatBed bed;
    configure(bed, kind, false).from.source_addresses.clear();
    bed.start();
    for (std::uint16_t i = 0; i < 8; ++i) {
      for (const std::uint8_t protocol : kProtocols) {
        EXPECT_EQ(bed.refused(key({"203.0.113." + std::to_string(i % 2), i}, {"192.0.2.9", i}, protocol)),
                  NatRefusal::untranslatable);
      }
    }
    bed.expect_untouched();
    // Nor can a twin be told of such a session, or of such a host's binding.
    NatSession s = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
    const std::vector<std::uint32_t> rows = bed.changed;
    for (const std::uint32_t row : rows) {
      SessionRecord r;
      ASSERT_TRUE(bed.nat->read(row, bed.now, r));
      ++r.ref.generation;
      EXPECT_EQ(bed.nat->apply(row, r, bed.now), Applied::created);
      ++r.ref.generation;
      r.binding.internal = ip("203.0.113.0");
      EXPECT_EQ(bed.nat->apply(row, r, bed.now), Applied::refused);
    }
    s.initiator.source = ip(s.responder.destination == ip("203.0.113.0") ? "203.0.113.1" : "203.0.113.0");
    EXPECT_FALSE(bed.nat->consistent(s));
  }
}

/// A host of NAT64 has one external endpoint for everybody; a rule that gives those who come in an IPv4 source would
/// need another one of IPv6.
TEST(NatRefusals, ThoseWhoComeInToNat64AreNotTranslatedToIpv4) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    NatBed bed;
    configure(bed, kind, false).from.source_addresses.clear();
    bed.pool("192.0.2.128/32", 2000, 2031);
    NatTerm& six = bed.term(NatType::stateful_nat64, "2001:db8:18::/48");
    six.source_pools = {1};
    six.destination_prefix = Prefix::parse("64:ff9b::/96");
    six.endpoint_independent_filtering = true;
    bed.start();
    const NatSession out = bed.open(key({"2001:db8:18::1", 4000}, {"64:ff9b::192.0.2.9", 53}), true, 1);
    const At mapped{"192.0.2.128", out.responder.destination_port};
    for (std::uint16_t i = 0; i < 8; ++i) {
      EXPECT_EQ(bed.refused_by(bed.rule(), key({"192.0.2.77", i}, mapped), false), NatRefusal::untranslatable);
    }
    EXPECT_EQ(bed.nat->ports_in_use(), 1U);
    EXPECT_EQ(bed.bindings(RecordKind::mapping).size(), 1U);
    EXPECT_TRUE(bed.bindings(RecordKind::port_block).empty());
    EXPECT_TRUE(bed.bindings(RecordKind::pairing).empty());
  }
}

/// 58 in IPv4 is no ICMP: it shares an address by its flow keys, like any protocol without ports, and owns nothing.
TEST(NatRefusals, Icmpv6InsideIpv4HasNoIdentifier) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    NatBed bed;
    configure(bed, kind, false);
    bed.start();
    const NatSession s = bed.open(key({"198.18.0.1", 0}, {"192.0.2.9", 0}, ip_protocol::icmp6));
    EXPECT_EQ(s.responder.destination_port, 0) << "as its answers will arrive";
    EXPECT_EQ(s.responder.source_port, 0);
    EXPECT_EQ(s.responder.protocol, ip_protocol::icmp6);
    EXPECT_EQ(bed.nat->ports_in_use(), 0U);
    EXPECT_TRUE(bed.bindings(RecordKind::mapping).empty());
    EXPECT_FALSE(bed.nat->exhausted(1, s.initiator));
    // Nor is there a mapping for it from outside, whatever else is mapped.
    (void)bed.open(key({"198.18.0.1", 7}, {"192.0.2.9", 7}, ip_protocol::icmp));
    const std::string external = s.responder.destination.to_string();
    EXPECT_FALSE(bed.nat->waits_for(0, key({"192.0.2.9", 0}, {external, 0}, ip_protocol::icmp6)));
  }
}

void start_nat64(NatBed& bed, const std::string& hosts, const char* prefix = "64:ff9b::/96") {
  bed.pool("203.0.113.0/31", 2000, 2031);
  bed.term(NatType::stateful_nat64, hosts).destination_prefix = Prefix::parse(prefix);
  bed.start();
}

/// IPv4's ICMP in an IPv6 packet has no equal in IPv4, and is refused before anything is taken.
TEST(NatRefusals, Nat64OfIcmpInsideIpv6) {
  NatBed bed;
  start_nat64(bed, "2001:db8:18::/48");
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    const auto p = static_cast<std::uint8_t>(protocol);
    if (p == ip_protocol::tcp || p == ip_protocol::udp || p == ip_protocol::icmp6) continue;
    EXPECT_EQ(bed.refused(key({"2001:db8:18::1", 0}, {"64:ff9b::192.0.2.9", 0}, p)), NatRefusal::untranslatable)
        << protocol;
  }
  bed.expect_untouched();
  // Nor does a twin believe in such a mapping.
  (void)bed.open(key({"2001:db8:18::1", 7}, {"64:ff9b::192.0.2.9", 7}, ip_protocol::icmp6));
  SessionRecord r = bed.bindings(RecordKind::mapping).at(0);
  ++r.ref.generation;
  EXPECT_EQ(bed.nat->apply(r.ref.slot, r, bed.now), Applied::created);
  ++r.ref.generation;
  r.binding.protocol = ip_protocol::icmp;
  EXPECT_EQ(bed.nat->apply(r.ref.slot, r, bed.now), Applied::refused);
}

/// What no IPv4 packet may be sent to (RFC 1122 section 3.2.1.3) cannot be reached by NAT64 either.
TEST(NatRefusals, Nat64ToAddressesThatAreNoHosts) {
  NatBed bed;
  start_nat64(bed, "2001:db8:18::/48");
  for (const char* to : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255",
                         "240.0.0.1", "255.255.255.255"}) {
    for (const std::uint8_t protocol : {ip_protocol::udp, ip_protocol::tcp, ip_protocol::icmp6}) {
      EXPECT_EQ(bed.refused(key({"2001:db8:18::1", 7}, {std::string("64:ff9b::") + to, 7}, protocol)),
                NatRefusal::untranslatable)
          << to;
    }
  }
  bed.expect_untouched();
  for (const char* to : {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"}) {
    (void)bed.open(key({"2001:db8:18::1", 7}, {std::string("64:ff9b::") + to, 7}));
  }
}

/// RFC 6052 section 3.1: below the well-known prefix there is no address that means something to one network only. An
/// operator's own prefix says which network is meant.
TEST(NatRefusals, Nat64ToPrivateAddressesByTheWellKnownPrefix) {
  const std::initializer_list<const char*> special = {
      "10.0.0.1",        "10.255.255.255", "172.16.0.1", "172.31.255.255",  "192.168.0.1",
      "192.168.255.255", "169.254.1.1",    "100.64.0.1", "100.127.255.255", "192.0.0.8"};
  const auto packet = [](const std::string& to) { return key({"2001:db8:18::1", 7}, {to, 7}); };
  NatBed known;
  start_nat64(known, "2001:db8:18::/48");
  for (const char* to : special) {
    EXPECT_EQ(known.refused(packet(std::string("64:ff9b::") + to)), NatRefusal::untranslatable) << to;
  }
  known.expect_untouched();
  // What is beside them, and what is kept for documentation and measurements.
  for (const char* to :
       {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "100.63.255.255",
        "100.128.0.0", "192.0.1.0", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.200"}) {
    (void)known.open(packet(std::string("64:ff9b::") + to));
  }
  NatBed own;
  start_nat64(own, "2001:db8:18::/48", "2001:db8:64::/96");
  for (const char* to : special) (void)own.open(packet(std::string("2001:db8:64::") + to));
  for (const char* to : {"127.0.0.1", "0.0.0.1", "224.0.0.1"}) {
    EXPECT_EQ(own.refused(packet(std::string("2001:db8:64::") + to)), NatRefusal::untranslatable) << to;
  }
}

/// And from outside nobody comes in by such an address.
TEST(NatRefusals, PrivateAddressesComeInToNat64ByItsOwnPrefixOnly) {
  for (const bool known : {true, false}) {
    SCOPED_TRACE(known);
    NatBed bed;
    const std::string prefix = known ? "64:ff9b::" : "2001:db8:64::";
    bed.pool("203.0.113.0/32", 2000, 2031);
    NatTerm& term = bed.term(NatType::stateful_nat64, "2001:db8:18::/48");
    term.destination_prefix = Prefix::parse(prefix + "/96");
    term.endpoint_independent_filtering = true;
    bed.start();
    const NatSession out = bed.open(key({"2001:db8:18::1", 7}, {prefix + "192.0.2.9", 7}));
    const At mapped{"203.0.113.0", out.responder.destination_port};
    (void)bed.open(key({"192.0.2.10", 9}, mapped), false);
    if (known) {
      EXPECT_EQ(bed.refused(key({"10.0.0.1", 9}, mapped), false), NatRefusal::untranslatable);
    } else {
      EXPECT_EQ(bed.open(key({"10.0.0.1", 9}, mapped), false).responder.destination, ip("2001:db8:64::10.0.0.1"));
    }
  }
}

/// RFC 6146 section 3.5: packets from below the prefix are dropped, or hairpinning would never end.
TEST(NatRefusals, Nat64FromBelowItsPrefix) {
  NatBed bed;
  start_nat64(bed, "::/0");
  EXPECT_EQ(bed.refused(key({"64:ff9b::192.0.2.8", 7}, {"64:ff9b::192.0.2.9", 7})), NatRefusal::untranslatable);
  EXPECT_EQ(bed.refused(key({"64:ff9b::203.0.113.1", 7}, {"64:ff9b::192.0.2.9", 7})), NatRefusal::untranslatable);
  bed.expect_untouched();
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

TEST(NatRefusals, ASessionThatDoesNotComeToBeLeavesNothing) {
  for (const bool addresses : {false, true}) {
    NatBed bed;
    NatPool& pool = bed.pool("203.0.113.0/31", 2000, 2031);
    if (!addresses) pool.blocks = NatPool::BlockAllocation{8, 2, 0};
    NatTerm& term = bed.term(addresses ? NatType::dynamic_nat44 : NatType::napt44);
    term.endpoint_independent_mapping = term.address_pooling_paired = !addresses;
    bed.start();
    const FlowKey packet = key({"198.18.0.1", 4000}, {"192.0.2.9", 53});
    const NatResult r = bed.nat->translate(0, bed.rule(), packet, true, bed.now);
    ASSERT_EQ(r.refused, NatRefusal::none);
    bed.nat->cancel(NatSession{packet, r.responder, r.type, r.pool, 0, false}, bed.now);
    for (const RecordKind kind : {RecordKind::mapping, RecordKind::port_block, RecordKind::pairing}) {
      EXPECT_EQ(bed.bindings(kind).size(), 0U) << addresses;
    }
    EXPECT_EQ(bed.nat->ports_in_use(), 0U);
    EXPECT_EQ(bed.status().users, 0U);
  }
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
