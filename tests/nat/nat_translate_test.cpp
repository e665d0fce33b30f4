// Each kind of NAT: what a first packet becomes, and what its session holds.
#include <fmt/format.h>

#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint8_t kIcmp = ip_protocol::icmp;

TEST(NatTranslate, NaptChangesAddressAndPort) {
  NatBed bed;
  bed.pool("203.0.113.0/30");
  bed.term(NatType::napt44);
  bed.start();
  const NatSession s = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(s.type, NatType::napt44);
  EXPECT_EQ(s.pool, 1);
  EXPECT_EQ(s.responder.source, ip("192.0.2.9"));
  EXPECT_EQ(s.responder.source_port, 53);
  EXPECT_TRUE(bed.pool_has(s.responder.destination));
  EXPECT_EQ(bed.nat->ports_in_use(), 1U);
  // RFC 5508 REQ-1: a query identifier is mapped like a port, and is the same in both directions of a flow.
  const NatSession echo = bed.open(key({"198.18.0.1", 77}, {"192.0.2.9", 77}, kIcmp));
  EXPECT_EQ(echo.responder.source_port, echo.responder.destination_port);
  // Protocols without ports share an address.
  const NatSession gre = bed.open(key({"198.18.0.1", 0}, {"192.0.2.9", 0}, ip_protocol::gre));
  EXPECT_EQ(gre.responder.destination, s.responder.destination);
  EXPECT_EQ(bed.nat->ports_in_use(), 2U);
  for (const auto& each : {s, echo, gre}) bed.close(each);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
  EXPECT_EQ(bed.status().max_ports_in_use, 2U);
}

TEST(NatTranslate, PoolsAreUsedInOrder) {
  NatBed bed;
  bed.pool("203.0.113.1/32", 2000, 2001);
  bed.pool("203.0.113.2/32", 2000, 2000);
  bed.term(NatType::napt44).source_pools = {0, 1};
  bed.start();
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 3; ++i) open.push_back(bed.open(key({"198.18.0.1", i}, {"192.0.2.9", 53})));
  EXPECT_EQ(open[0].pool, 1);
  EXPECT_EQ(open[1].pool, 1);
  EXPECT_EQ(open[2].pool, 2);
  EXPECT_TRUE(bed.nat->exhausted(1, open[0].initiator));
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 9}, {"192.0.2.9", 53})), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.status(0).out_of_port_errors, 2U);
  EXPECT_EQ(bed.status(1).out_of_port_errors, 1U);
  bed.close(open[0]);
  EXPECT_EQ(bed.open(key({"198.18.0.1", 9}, {"192.0.2.9", 53})).pool, 1);
}

TEST(NatTranslate, BasicNatIsOneToOneBothWays) {
  NatBed bed;
  NatTerm& term = bed.term(NatType::basic_nat44, "198.18.4.0/24");
  term.source_prefix = Prefix::parse("203.0.113.0/24");
  bed.start();
  const NatSession out = bed.open(key({"198.18.4.7", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(out.type, NatType::basic_nat44);
  EXPECT_EQ(out.pool, 0);
  EXPECT_EQ(out.responder, key({"192.0.2.9", 53}, {"203.0.113.7", 4000}));
  const NatSession in = bed.open(key({"192.0.2.9", 999}, {"203.0.113.8", 80}, kTcp), false);
  EXPECT_EQ(in.responder, key({"198.18.4.8", 80}, {"192.0.2.9", 999}, kTcp));
  // RFC 4787 REQ-9: to a neighbour by its external address.
  const NatSession hairpin = bed.open(key({"198.18.4.7", 4001}, {"203.0.113.8", 80}));
  EXPECT_TRUE(bed.hairpin);
  EXPECT_EQ(hairpin.responder, key({"198.18.4.8", 80}, {"203.0.113.7", 4001}));
  EXPECT_EQ(bed.nat->rows(), 0U) << "arithmetic needs no memory";
}

/// The terms are found by external address, whatever their order, family and size.
TEST(NatTranslate, EachStaticTermAnswersItsOwnPrefix) {
  constexpr unsigned kTerms = 300;
  NatBed bed;
  const auto text = [](const char* format, unsigned n) {
    return fmt::format(fmt::runtime(format), n / 16, n % 16 * 16);
  };
  const auto v6 = [](unsigned n, const char* after) { return fmt::format("2001:db8:{:x}{}", n + 1, after); };
  // 7 has no divisor in common with 300: each prefix once, and not in ascending order.
  for (unsigned i = 0; i < kTerms; ++i) {
    const unsigned n = i * 7 % kTerms;
    if (n % 3 == 0) {
      bed.term(NatType::nptv6, fmt::format("fd00:0:{:x}::/48", n + 1)).source_prefix = Prefix::parse(v6(n, "::/48"));
    } else {
      bed.term(NatType::basic_nat44, text("198.18.{}.{}/28", n)).source_prefix =
          Prefix::parse(text("203.0.{}.{}/28", n));
    }
  }
  // The address before the first prefix, and those of the other family, are not external.
  bed.term(NatType::nptv6, "fd01::/48").source_prefix = Prefix::parse("::/48");
  bed.start();
  for (unsigned n = 0; n < kTerms; ++n) {
    if (n % 3 == 0) {
      const NatSession in = bed.open(key({"2001:db8:9999::9", 999}, {v6(n, ":5::8"), 80}, kTcp), false);
      EXPECT_EQ(in.type, NatType::nptv6);
      EXPECT_TRUE(Prefix::parse(fmt::format("fd00:0:{:x}::/48", n + 1))->contains(in.responder.source)) << n;
    } else {
      const IpAddress inside = IpAddress::v4(ip(text("198.18.{}.{}", n)).to_v4() + 15);
      const IpAddress outside = IpAddress::v4(ip(text("203.0.{}.{}", n)).to_v4() + 15);
      const NatSession in = bed.open(key({"192.0.2.9", 999}, {outside.to_string(), 80}, kTcp), false);
      EXPECT_EQ(in.type, NatType::basic_nat44);
      EXPECT_EQ(in.responder.source, inside) << n;
    }
  }
  EXPECT_EQ(bed.open(key({"192.0.2.9", 1}, {"203.0.255.1", 80}), false).type, NatType::none);
  EXPECT_EQ(bed.open(key({"192.0.2.9", 1}, {"1.0.0.1", 80}), false).type, NatType::none);
  EXPECT_EQ(bed.open(key({"2001:db8:9999::9", 1}, {"2001:db8:9998::1", 80}), false).type, NatType::none);
}

TEST(NatTranslate, DynamicNatGivesAWholeAddress) {
  NatBed bed;
  bed.pool("203.0.113.0/31").mapping_timeout_s = 10;
  bed.pool("203.0.113.9/32", 2000, 2010);
  NatTerm& term = bed.term(NatType::dynamic_nat44);
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  const NatSession a2 = bed.open(key({"198.18.0.1", 4001}, {"192.0.2.10", 53}));
  const NatSession b = bed.open(key({"198.18.0.2", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(a.type, NatType::dynamic_nat44);
  EXPECT_EQ(a.responder.destination_port, 4000) << "ports stay";
  EXPECT_EQ(a.responder.destination, a2.responder.destination);
  EXPECT_FALSE(a.responder.destination == b.responder.destination);
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 1}, {"192.0.2.9", 53})), NatRefusal::out_of_addresses);
  EXPECT_EQ(bed.status().out_of_address_errors, 1U);
  EXPECT_EQ(bed.status().addresses_in_use, 2U);
  EXPECT_EQ(bed.bindings(RecordKind::pairing).size(), 2U);
  // The address is the host's until the timeout after its last session.
  bed.close(a);
  bed.wait(150);
  EXPECT_EQ(bed.status().addresses_in_use, 2U);
  bed.close(a2);
  bed.wait(90);
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 1}, {"192.0.2.9", 53})), NatRefusal::out_of_addresses);
  bed.wait(20);
  EXPECT_EQ(bed.status().addresses_in_use, 1U);
  const NatSession c = bed.open(key({"198.18.0.3", 1}, {"192.0.2.9", 53}));
  EXPECT_EQ(c.responder.destination, a.responder.destination);
  // RFC 4787 REQ-8 (address-dependent filtering): nobody comes in by himself.
  EXPECT_EQ(bed.refused(key({"192.0.2.77", 53}, {c.responder.destination.to_string(), 1}), false),
            NatRefusal::no_binding);

  // With an overload pool the next host gets ports.
  NatBed second;
  second.cluster = bed.cluster;
  term = second.cluster.nat_rules[0].terms[0];
  second.cluster.nat_rules[0].terms[0].overload_pool = 1;
  second.start();
  (void)second.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  (void)second.open(key({"198.18.0.2", 4000}, {"192.0.2.9", 53}));
  const NatSession over = second.open(key({"198.18.0.3", 4000}, {"192.0.2.9", 53}));
  EXPECT_EQ(over.type, NatType::napt44);
  EXPECT_EQ(over.pool, 2);
  EXPECT_EQ(over.responder.destination, ip("203.0.113.9"));
}

TEST(NatTranslate, DeterministicPortsAreTheHosts) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/31", 1024, 1223);
  pool.deterministic = NatPool::Deterministic{100, true};
  bed.term(NatType::deterministic_napt44, "198.18.0.0/30");
  bed.start();
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 100; ++i) {
    open.push_back(bed.open(key({"198.18.0.3", static_cast<std::uint16_t>(4000 + i)}, {"192.0.2.9", 53})));
    EXPECT_EQ(open.back().responder.destination, ip("203.0.113.1"));
    EXPECT_GE(open.back().responder.destination_port, 1124);
    EXPECT_LE(open.back().responder.destination_port, 1223);
  }
  EXPECT_EQ(bed.refused(key({"198.18.0.3", 5000}, {"192.0.2.9", 53})), NatRefusal::out_of_ports);
  EXPECT_EQ(bed.status().users, 1U);
  EXPECT_EQ(bed.status().blocks, 4U);
  EXPECT_EQ(bed.status().blocks_in_use, 1U);
  EXPECT_EQ(bed.refused(key({"198.18.9.9", 5000}, {"192.0.2.9", 53})), NatRefusal::untranslatable);
  NatSession stolen = open[0];
  stolen.initiator.source = ip("198.18.0.2");
  EXPECT_FALSE(bed.nat->consistent(stolen)) << "a port of another host's block";
  for (const auto& s : open) bed.close(s);
  EXPECT_EQ(bed.status().users, 0U);
}

TEST(NatTranslate, DestinationNatAndTwiceNat) {
  NatBed bed;
  bed.pool("203.0.113.0/30");
  bed.pool("198.18.9.5/32");
  NatTerm& dnat = bed.term(NatType::dnat44, "0.0.0.0/0");
  dnat.destination_pool = 1;
  dnat.from.destination_addresses = {AddressRange::of(*Prefix::parse("192.0.2.80/32"))};
  NatTerm& twice = bed.term(NatType::twice_napt44);
  twice.destination_pool = 1;
  twice.from.destination_addresses = dnat.from.destination_addresses;
  bed.start();
  const NatResult in =
      bed.nat->translate(0, bed.rule(0), key({"192.0.2.9", 999}, {"192.0.2.80", 80}, kTcp), false, bed.now);
  EXPECT_EQ(in.responder, key({"198.18.9.5", 80}, {"192.0.2.9", 999}, kTcp));
  EXPECT_EQ(in.type, NatType::dnat44);
  const NatSession both = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.80", 80}, kTcp), true, 1);
  EXPECT_EQ(both.type, NatType::twice_napt44);
  EXPECT_EQ(both.responder.source, ip("198.18.9.5"));
  EXPECT_TRUE(bed.pool_has(both.responder.destination));
  EXPECT_EQ(bed.nat->ports_in_use(), 1U);
  bed.close(both);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
  NatSession wrong = both;
  wrong.responder.source = ip("198.18.9.6");
  EXPECT_FALSE(bed.nat->consistent(wrong));
}

/// A twin of the master must know it for one of the term's, although its type is not that of the term.
TEST(NatTranslate, TwiceDynamicNatGoesOnWithPorts) {
  NatBed bed;
  bed.pool("203.0.113.0/32");
  bed.pool("203.0.113.9/32", 2000, 2010);
  bed.pool("198.18.9.5/32");
  NatTerm& term = bed.term(NatType::twice_dynamic_nat44);
  term.overload_pool = 1;
  term.destination_pool = 2;
  term.from.destination_addresses = {AddressRange::of(*Prefix::parse("192.0.2.80/32"))};
  bed.start();
  EXPECT_EQ(bed.open(key({"198.18.0.1", 4000}, {"192.0.2.80", 80})).type, NatType::twice_dynamic_nat44);
  const NatSession over = bed.open(key({"198.18.0.2", 4000}, {"192.0.2.80", 80}));
  EXPECT_EQ(over.type, NatType::twice_napt44);
  EXPECT_EQ(over.pool, 2);
  EXPECT_EQ(over.responder.source, ip("198.18.9.5"));
  NatSession wrong = over;
  wrong.pool = 1;
  EXPECT_FALSE(bed.nat->consistent(wrong));
  bed.close(over);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
}

NatBed& with_nat64(NatBed& bed) {
  bed.pool("203.0.113.0/31").mapping_timeout_s = 10;
  NatTerm& term = bed.term(NatType::stateful_nat64, "2001:db8:18::/48");
  term.destination_prefix = Prefix::parse("64:ff9b::/96");
  term.endpoint_independent_filtering = true;
  bed.start();
  return bed;
}

/// RFC 6146 section 3.5: the BIB maps an IPv6 transport address to an IPv4 one whatever the destination.
TEST(NatTranslate, Nat64MapsEndpoints) {
  NatBed bed;
  with_nat64(bed);
  const NatSession a = bed.open(key({"2001:db8:18::1", 4000}, {"64:ff9b::192.0.2.9", 53}));
  EXPECT_EQ(a.type, NatType::stateful_nat64);
  EXPECT_EQ(a.responder.source, ip("192.0.2.9"));
  EXPECT_TRUE(a.responder.destination.is_v4());
  const NatSession b = bed.open(key({"2001:db8:18::1", 4000}, {"64:ff9b::192.0.2.10", 99}));
  EXPECT_EQ(a.responder.destination, b.responder.destination);
  EXPECT_EQ(a.responder.destination_port, b.responder.destination_port);
  EXPECT_EQ(bed.nat->ports_in_use(), 1U);
  // Section 3.4 and RFC 7915: ICMPv6 echo becomes ICMP echo.
  const NatSession echo = bed.open(key({"2001:db8:18::1", 77}, {"64:ff9b::192.0.2.9", 77}, ip_protocol::icmp6));
  EXPECT_EQ(echo.responder.protocol, kIcmp);
  EXPECT_EQ(echo.responder.source_port, echo.responder.destination_port);
  EXPECT_EQ(bed.refused(key({"2001:db8:18::1", 0}, {"64:ff9b::192.0.2.9", 0}, ip_protocol::gre)),
            NatRefusal::untranslatable);
  EXPECT_EQ(bed.refused(key({"2001:db8:18::1", 1}, {"2001:db8:99::1", 1})), NatRefusal::untranslatable);
  // From the IPv4 internet to the mapping (endpoint-independent filtering).
  const NatSession in =
      bed.open(key({"192.0.2.77", 999}, {a.responder.destination.to_string(), a.responder.destination_port}), false);
  EXPECT_EQ(in.type, NatType::stateful_nat64);
  EXPECT_EQ(in.responder, key({"2001:db8:18::1", 4000}, {"64:ff9b::192.0.2.77", 999}));
  for (const auto& s : {a, b, echo, in}) bed.close(s);
  EXPECT_EQ(bed.nat->ports_in_use(), 2U) << "mappings outlive their sessions";
  bed.wait(110);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
  EXPECT_EQ(bed.status().mappings, 0U);
}

/// RFC 6146 section 3.8: a packet of one host of NAT64 to another's IPv4 address stays inside.
TEST(NatTranslate, Nat64Hairpins) {
  NatBed bed;
  with_nat64(bed);
  const NatSession server = bed.open(key({"2001:db8:18::2", 80}, {"64:ff9b::192.0.2.9", 9}));
  const std::string external = "64:ff9b::" + server.responder.destination.to_string();
  const NatSession s = bed.open(key({"2001:db8:18::1", 4000}, {external, server.responder.destination_port}));
  EXPECT_TRUE(bed.hairpin);
  EXPECT_EQ(s.responder.source, ip("2001:db8:18::2"));
  EXPECT_EQ(s.responder.source_port, 80);
  EXPECT_TRUE(Prefix::parse("64:ff9b::203.0.113.0/127")->contains(s.responder.destination));
  EXPECT_EQ(bed.status().mappings, 2U);
  bed.close(server);
  bed.wait(200);
  EXPECT_EQ(bed.status().mappings, 2U) << "the hairpinned session holds both";
  bed.close(s);
  bed.wait(110);
  EXPECT_EQ(bed.status().mappings, 0U);
  EXPECT_EQ(bed.refused(key({"2001:db8:18::1", 4000}, {external, server.responder.destination_port})),
            NatRefusal::no_binding);
}

TEST(NatTranslate, Nptv6SwapsThePrefix) {
  NatBed bed;
  NatTerm& term = bed.term(NatType::nptv6, "fd01:203:405::/48");
  term.source_prefix = Prefix::parse("2001:db8:1::/48");
  bed.start();
  const NatSession out = bed.open(key({"fd01:203:405:1::1234", 4000}, {"2001:db8:99::1", 53}));
  EXPECT_EQ(out.type, NatType::nptv6);
  EXPECT_EQ(out.responder, key({"2001:db8:99::1", 53}, {"2001:db8:1:d550::1234", 4000}));
  const NatSession in = bed.open(key({"2001:db8:99::1", 53}, {"2001:db8:1:d550::1234", 80}, kTcp), false);
  EXPECT_EQ(in.responder, key({"fd01:203:405:1::1234", 80}, {"2001:db8:99::1", 53}, kTcp));
  EXPECT_EQ(bed.refused(key({"fd01:203:405:ffff::1", 1}, {"2001:db8:99::1", 53})), NatRefusal::untranslatable);
  EXPECT_EQ(bed.refused(key({"2001:db8:99::1", 1}, {"2001:db8:1:ffff::1", 53}), false), NatRefusal::untranslatable);
}

/// What arithmetic leaves as it was has no translation; and open() asks whether a twin believes in it.
TEST(NatTranslate, ToItselfIsNoTranslation) {
  const auto expect_plain = [](const NatSession& s) {
    EXPECT_EQ(s.type, NatType::none);
    EXPECT_EQ(s.pool, 0);
    EXPECT_EQ(s.responder, s.initiator.mirrored());
  };
  const auto to = [](NatTerm& term, const char* destinations) {
    term.from.destination_addresses = {AddressRange::of(*Prefix::parse(destinations))};
  };
  NatBed dnat;  // one server for all its addresses, of which one is its own
  dnat.pool("198.19.0.10/32");
  NatTerm& server = dnat.term(NatType::dnat44);
  server.destination_pool = 0;
  to(server, "198.19.0.8/29");
  dnat.start();
  expect_plain(dnat.open_by(dnat.rule(), key({"192.0.2.9", 4000}, {"198.19.0.10", 80}, kTcp), false));
  const NatSession other = dnat.open_by(dnat.rule(), key({"192.0.2.9", 4000}, {"198.19.0.9", 80}, kTcp), false);
  EXPECT_EQ(other.type, NatType::dnat44);
  EXPECT_EQ(other.pool, 1);

  NatBed basic;
  basic.term(NatType::basic_nat44, "198.18.0.0/24").source_prefix = Prefix::parse("198.18.0.0/24");
  basic.start();
  expect_plain(basic.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53})));
  expect_plain(basic.open(key({"192.0.2.9", 4000}, {"198.18.0.1", 53}), false));
  expect_plain(basic.open(key({"198.18.0.1", 4000}, {"198.18.0.2", 53})));
  EXPECT_TRUE(basic.hairpin);

  NatBed six;
  six.term(NatType::nptv6, "2001:db8:1::/48").source_prefix = Prefix::parse("2001:db8:1::/48");
  six.start();
  expect_plain(six.open(key({"2001:db8:1::1", 4000}, {"2001:db8:99::1", 53})));
  expect_plain(six.open(key({"2001:db8:99::1", 4000}, {"2001:db8:1::1", 53}), false));

  for (const bool source : {false, true}) {
    for (const bool destination : {false, true}) {
      NatBed twice;
      NatTerm& term = twice.term(NatType::twice_basic_nat44, "198.18.0.0/24");
      term.source_prefix = Prefix::parse(source ? "203.0.113.0/24" : "198.18.0.0/24");
      term.destination_prefix = Prefix::parse(destination ? "192.0.2.0/24" : "198.19.0.0/24");
      to(term, "198.19.0.0/24");
      twice.start();
      const NatSession s = twice.open(key({"198.18.0.1", 4000}, {"198.19.0.1", 53}));
      if (source || destination) {
        EXPECT_EQ(s.type, NatType::twice_basic_nat44);
      } else {
        expect_plain(s);
      }
    }
  }
}

TEST(NatTranslate, SubscribersAreLimited) {
  NatBed bed;
  bed.pool("203.0.113.0/30");
  bed.term(NatType::napt44);
  bed.cluster.service_sets[0].max_sessions_per_subscriber = 2;
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 1}, {"192.0.2.9", 53}));
  (void)bed.open(key({"198.18.0.1", 2}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 3}, {"192.0.2.9", 53})), NatRefusal::subscriber_limit);
  (void)bed.open(key({"198.18.0.2", 1}, {"192.0.2.9", 53}));
  bed.close(a);
  (void)bed.open(key({"198.18.0.1", 3}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.nat->ports_in_use(), 3U);
}

/// RFC 6888 REQ-4: ports of a host can be limited.
TEST(NatTranslate, PortsOfAHostAreLimited) {
  NatBed bed;
  bed.pool("203.0.113.0/30").limit_ports_per_host = 2;
  bed.term(NatType::napt44);
  bed.start();
  const NatSession a = bed.open(key({"198.18.0.1", 1}, {"192.0.2.9", 53}));
  (void)bed.open(key({"198.18.0.1", 2}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 3}, {"192.0.2.9", 53})), NatRefusal::port_limit);
  EXPECT_EQ(bed.status().app_exceed_port_limit_errors, 1U);
  EXPECT_EQ(bed.status().users, 1U);
  (void)bed.open(key({"198.18.0.2", 1}, {"192.0.2.9", 53}));
  EXPECT_EQ(bed.status().users, 2U);
  bed.close(a);
  (void)bed.open(key({"198.18.0.1", 3}, {"192.0.2.9", 53}));
}

TEST(NatConsistent, RefusesWhatTheConfigurationCouldNotHaveMade) {
  NatBed bed;
  bed.pool("203.0.113.0/30", 2000, 2999);
  bed.term(NatType::napt44);
  bed.start();
  const NatSession good = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.9", 53}));
  const auto bad = [&](const char* what, const auto& change) {
    NatSession s = good;
    change(s);
    EXPECT_FALSE(bed.nat->consistent(s)) << what;
  };
  bad("no pool", [](NatSession& s) { s.pool = 0; });
  bad("unknown pool", [](NatSession& s) { s.pool = 7; });
  bad("not translated, in a pool", [](NatSession& s) { s.type = NatType::none; });
  bad("address outside the pool", [](NatSession& s) { s.responder.destination = ip("203.0.113.9"); });
  bad("port outside the pool", [](NatSession& s) { s.responder.destination_port = 1999; });
  bad("another server", [](NatSession& s) { s.responder.source = ip("192.0.2.8"); });
  bad("another port of the server", [](NatSession& s) { s.responder.source_port = 54; });
  bad("another protocol", [](NatSession& s) { s.responder.protocol = kTcp; });
  bad("two families", [](NatSession& s) { s.responder.source = ip("2001:db8::1"); });
  bad("of another kind", [](NatSession& s) { s.type = NatType::dynamic_nat44; });
  bad("of another kind", [](NatSession& s) { s.type = NatType::basic_nat44; });
  bad("of another kind", [](NatSession& s) { s.type = NatType::dnat44; });
  bad("not changed at all", [](NatSession& s) { s.responder = s.initiator.mirrored(); });
}

}  // namespace
}  // namespace icr::node::test
