// What NAT, conditions, screens and the options of service sets come to.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/config/nat_file.h"

namespace icr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<AddressRange>& ranges) {
  std::vector<std::string> out;
  for (const auto& range : ranges) out.push_back(range.to_string());
  return out;
}

TEST(ClusterNat, PoolsAreReadInJunosWords) {
  const auto c = parsed(text_of(R"(    - name: a
      address: [203.0.113.0/28, 203.0.113.32/31]
      address-range: [{ low: 203.0.113.64, high: 203.0.113.70 }]
      address-allocation: round-robin
      mapping-timeout: 600
      limit-ports-per-address: 500
      port:
        automatic: sequential
        range: { low: 512, high: 60415 }
        preserve-parity: yes
        preserve-range: yes
        secured-port-block-allocation: { block-size: 64, max-blocks-per-address: 4, active-block-timeout: 120 }
    - { name: b, addresses: 203.0.113.128/32 })",
                                "        - { name: t, then: { translated: { source-pool: [a, b], "
                                "translation-type: napt-44, address-pooling: paired, mapping-type: "
                                "endpoint-independent, filtering-type: { endpoint-independent: { prefix-list: peers } "
                                "}, secure-nat-mapping: { eif-flow-limit: 9 } } } }",
                                "", "prefix-lists: [{ name: peers, prefixes: [192.0.2.0/24, 198.51.100.7] }]"));
  const auto& a = c.nat_pools.at(0);
  EXPECT_THAT(texts(a.addresses), ElementsAre("203.0.113.0/28", "203.0.113.32/31", "203.0.113.64-203.0.113.70"));
  EXPECT_EQ(a.address_count(), 16U + 2 + 7);
  EXPECT_TRUE(a.contains(*IpAddress::parse("203.0.113.70")));
  EXPECT_FALSE(a.contains(*IpAddress::parse("203.0.113.71")));
  EXPECT_EQ(a.port_low, 512);
  EXPECT_EQ(a.port_high, 60415);
  EXPECT_EQ(a.assignment, NatPool::Assignment::sequential);
  EXPECT_TRUE(a.preserve_parity);
  EXPECT_TRUE(a.preserve_range);
  EXPECT_TRUE(a.round_robin);
  ASSERT_TRUE(a.blocks);
  EXPECT_EQ(a.blocks->block_size, 64);
  EXPECT_EQ(a.blocks->max_blocks_per_address, 4);
  EXPECT_EQ(a.blocks->active_block_timeout_s, 120U);
  EXPECT_EQ(a.mapping_timeout_s, 600U);
  EXPECT_EQ(a.limit_ports_per_host, 500U);
  const auto& b = c.nat_pools.at(1);
  EXPECT_FALSE(b.blocks);
  EXPECT_FALSE(b.deterministic);
  EXPECT_EQ(b.assignment, NatPool::Assignment::random);
  EXPECT_EQ(b.mapping_timeout_s, 300U);
  const auto& term = c.nat_rules.at(0).terms.at(0);
  EXPECT_EQ(term.type, NatType::napt44);
  EXPECT_THAT(term.source_pools, ElementsAre(0, 1));
  EXPECT_TRUE(term.address_pooling_paired);
  EXPECT_TRUE(term.endpoint_independent_mapping);
  EXPECT_TRUE(term.endpoint_independent_filtering);
  EXPECT_THAT(term.filtering_prefixes, ElementsAre(*Prefix::parse("192.0.2.0/24"), *Prefix::parse("198.51.100.7")));
  EXPECT_EQ(term.eif_flow_limit, 9U);
  EXPECT_EQ(c.chassis.at(0).cards.at(0).workers, 4U);
}

constexpr std::string_view kPools = R"(    - { name: ports, address: 203.0.113.0/28 }
    - { name: addresses, address: 203.0.113.16/28 }
    - { name: static, address: 203.0.113.32/28 }
    - { name: servers, address: 198.18.9.1 }
    - { name: six, address: "2001:db8:99::/48" }
    - { name: fixed, address: 203.0.113.64/31, port: { deterministic-port-block-allocation: {} } })";

NatTerm term_of(std::string_view from, std::string_view translated) {
  const auto c = parsed(
      text_of(kPools, fmt::format("        - {{ name: t, from: {}, then: {{ translated: {} }} }}", from, translated)));
  return c.nat_rules.empty() ? NatTerm{} : c.nat_rules[0].terms.at(0);
}

TEST(ClusterNat, StaticMappingsAreOfPrefixes) {
  const auto by_prefix =
      term_of("{ source-address: 198.18.0.0/24 }", "{ source-prefix: 203.0.114.0/24, translation-type: basic-nat44 }");
  EXPECT_EQ(by_prefix.type, NatType::basic_nat44);
  EXPECT_EQ(by_prefix.source_prefix, Prefix::parse("203.0.114.0/24"));
  EXPECT_THAT(by_prefix.source_pools, IsEmpty());
  const auto by_pool =
      term_of("{ source-address: 198.18.0.16/28 }", "{ source-pool: static, translation-type: basic-nat44 }");
  EXPECT_EQ(by_pool.source_prefix, Prefix::parse("203.0.113.32/28"));
  EXPECT_THAT(by_pool.source_pools, ElementsAre(2));
  const auto six = term_of("{ source-address: \"2001:db8:18::/48\" }", "{ source-pool: six, translation-type: nptv6 }");
  EXPECT_EQ(six.type, NatType::nptv6);
  EXPECT_EQ(six.source_prefix, Prefix::parse("2001:db8:99::/48"));
}

TEST(ClusterNat, DynamicAndTwice) {
  const auto dynamic = term_of("{ source-address: 198.18.0.0/24 }",
                               "{ source-pool: addresses, overload-pool: ports, translation-type: dynamic-nat44 }");
  EXPECT_EQ(dynamic.type, NatType::dynamic_nat44);
  EXPECT_THAT(dynamic.source_pools, ElementsAre(1));
  EXPECT_EQ(dynamic.overload_pool, 0);
  const auto twice = term_of("{ destination-address: 203.0.114.0/24 }",
                             "{ source-pool: ports, destination-pool: servers, translation-type: twice-napt-44 }");
  EXPECT_EQ(twice.type, NatType::twice_napt44);
  EXPECT_EQ(twice.destination_pool, 3);
  const auto basic = term_of("{ source-address: 198.18.0.0/24, destination-address: 203.0.114.0/24 }",
                             "{ source-prefix: 203.0.115.0/24, destination-prefix: 198.19.0.0/24, translation-type: "
                             "twice-basic-nat-44 }");
  EXPECT_EQ(basic.type, NatType::twice_basic_nat44);
  EXPECT_EQ(basic.destination_prefix, Prefix::parse("198.19.0.0/24"));
  const auto both = term_of("{ destination-address: 203.0.114.7 }",
                            "{ source-pool: addresses, destination-pool: servers, translation-type: "
                            "twice-dynamic-nat-44 }");
  EXPECT_EQ(both.type, NatType::twice_dynamic_nat44);
  const auto in = term_of(
      "{ destination-address: 203.0.114.7, destination-port: [80, 8000-8099, { range: { low: 443, "
      "high: 444 } }] }",
      "{ destination-pool: servers, translation-type: dnat-44 }");
  EXPECT_EQ(in.type, NatType::dnat44);
  EXPECT_THAT(in.from.destination_ports, ElementsAre(PortRange{80, 80}, PortRange{8000, 8099}, PortRange{443, 444}));
}

TEST(ClusterNat, Nat64MatchesItsPrefixOnly) {
  const auto term = term_of("{ source-address: \"2001:db8:18::/64\" }",
                            "{ source-pool: ports, destination-prefix: \"64:ff9b::/96\", translation-type: "
                            "stateful-nat64 }");
  EXPECT_EQ(term.type, NatType::stateful_nat64);
  EXPECT_EQ(term.destination_prefix, Prefix::parse("64:ff9b::/96"));
  EXPECT_THAT(texts(term.from.destination_addresses), ElementsAre("64:ff9b::/96"));
}

TEST(ClusterNat, DeterministicBlocksAreComputed) {
  const auto block_size = [](std::string_view from, std::string_view options) {
    const auto c = parsed(text_of(
        fmt::format(
            "    - {{ name: p, address: 203.0.113.64/31, port: {{ deterministic-port-block-allocation: {} }} }}",
            options),
        fmt::format("        - {{ name: t, from: {}, then: {{ translated: {{ source-pool: p, translation-type: "
                    "deterministic-napt44 }} }} }}",
                    from)));
    return c.nat_pools.empty() ? 0U : unsigned{c.nat_pools[0].deterministic->block_size};
  };
  // 254 hosts on 2 addresses of 64512 ports: 127 on each.
  EXPECT_EQ(block_size("{ source-address: 198.18.0.0/24 }", "{ block-size: 0 }"), 64512U / 127);
  EXPECT_EQ(block_size("{ source-address: 198.18.0.0/24 }", "{ include-boundary-addresses: yes }"), 64512U / 128);
  EXPECT_EQ(block_size("{ source-address-range: { low: 198.18.0.1, high: 198.18.0.3 } }", "{}"), 64512U / 2);
  EXPECT_EQ(block_size("{ source-address: 198.18.0.0/24 }", "{ block-size: 500 }"), 500U);
}

TEST(ClusterNat, DeterministicHosts) {
  NatPool pool;
  pool.deterministic = NatPool::Deterministic{};
  NatTerm term;
  const auto range = [](const char* low, const char* high) {
    return AddressRange{*IpAddress::parse(low), *IpAddress::parse(high)};
  };
  term.from.source_addresses = {range("198.18.0.0", "198.18.0.7"), range("198.18.1.0", "198.18.1.1")};
  EXPECT_THAT(texts(deterministic_hosts(term, pool)), ElementsAre("198.18.0.1-198.18.0.6", "198.18.1.0/31"));
  pool.deterministic->include_boundary_addresses = true;
  EXPECT_THAT(texts(deterministic_hosts(term, pool)), ElementsAre("198.18.0.0/29", "198.18.1.0/31"));
}

TEST(ClusterNat, ConditionsAreFlattened) {
  const auto c = parsed(text_of(kPools, R"(        - name: t
          from:
            application-sets: [office, mail]
            applications: [web]
            source-prefix-list: [homes, guests except]
            source-address: [198.18.7.0/24, 198.18.7.9 except]
            source-address-range: [{ low: 198.18.8.1, high: 198.18.8.9 }, { low: 198.18.8.4, high: 198.18.8.5, except: yes }]
            destination-prefix-list: homes except
            source-port: 1024-65535
          then: no-translation)",
                                "", R"(prefix-lists:
  - { name: homes, prefixes: [198.18.0.0/24, 198.18.1.0/24] }
  - { name: guests, prefixes: 198.18.1.128/25 }
applications:
  - { name: web, protocol: tcp, destination-port: 80 }
  - { name: ping, protocol: icmp, icmp-type: echo-request, icmp-code: 0, inactivity-timeout: never }
  - { name: smtp, protocol: tcp, destination-port: 25 }
application-sets:
  - { name: mail, applications: smtp }
  - { name: office, applications: [web, ping], application-sets: mail }
)"));
  const auto& from = c.nat_rules.at(0).terms.at(0).from;
  EXPECT_THAT(texts(from.source_addresses),
              ElementsAre("198.18.7.0/24", "198.18.8.1-198.18.8.9", "198.18.0.0/24", "198.18.1.0/24"));
  EXPECT_THAT(texts(from.source_except), ElementsAre("198.18.7.9/32", "198.18.8.4/31", "198.18.1.128/25"));
  EXPECT_THAT(from.destination_addresses, IsEmpty());
  EXPECT_THAT(texts(from.destination_except), ElementsAre("198.18.0.0/24", "198.18.1.0/24"));
  EXPECT_THAT(from.source_ports, ElementsAre(PortRange{1024, 65535}));
  EXPECT_THAT(from.applications, ElementsAre(0, 1, 2));
  EXPECT_EQ(c.applications.at(1).inactivity_timeout_s, kNeverSeconds);

  FlowKey key{*IpAddress::parse("198.18.1.5"), *IpAddress::parse("192.0.2.1"), 2000, 80, ip_protocol::tcp};
  EXPECT_TRUE(from.matches_addresses_and_ports(key));
  key.source_port = 1023;
  EXPECT_FALSE(from.matches_addresses_and_ports(key));
  key.source_port = 2000;
  key.source = *IpAddress::parse("198.18.1.200");
  EXPECT_FALSE(from.matches_addresses_and_ports(key)) << "a guest";
  key.source = *IpAddress::parse("198.18.8.4");
  EXPECT_FALSE(from.matches_addresses_and_ports(key)) << "an excepted range";
  key.source = *IpAddress::parse("198.18.8.6");
  EXPECT_TRUE(from.matches_addresses_and_ports(key));
  key.destination = *IpAddress::parse("198.18.0.9");
  EXPECT_FALSE(from.matches_addresses_and_ports(key)) << "goes home";
  key = {*IpAddress::parse("198.18.7.5"), *IpAddress::parse("192.0.2.1"), 2000, 2000, ip_protocol::icmp};
  EXPECT_FALSE(from.matches_addresses_and_ports(key)) << "an echo has no ports";
  EXPECT_TRUE(c.applications.at(1).matches(key));
  EXPECT_FALSE(c.applications.at(0).matches(key));
}

TEST(ClusterNat, TimestampRequestsAreTypeThirteenOfIcmp) {
  Application application;
  application.protocol = ip_protocol::icmp;
  FlowKey key{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2"), 7, 7, ip_protocol::icmp};
  EXPECT_TRUE(application.matches(key, IcmpQuery::timestamp)) << "no type is any type";
  application.icmp_type = 13;
  EXPECT_TRUE(application.matches(key, IcmpQuery::timestamp));
  EXPECT_FALSE(application.matches(key, IcmpQuery::echo));
  application.icmp_type = 8;
  EXPECT_FALSE(application.matches(key, IcmpQuery::timestamp));
  application.protocol = key.protocol = ip_protocol::icmp6;
  application.icmp_type = 13;
  EXPECT_FALSE(application.matches(key, IcmpQuery::timestamp)) << "ICMPv6 has none";
}

TEST(ClusterNat, EchoRepliesBeginNoSession) {
  Application application;
  application.protocol = ip_protocol::icmp6;
  application.icmp_type = 129;
  const FlowKey key{*IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::2"), 7, 7, ip_protocol::icmp6};
  EXPECT_FALSE(application.matches(key));
  application.icmp_type = 128;
  EXPECT_TRUE(application.matches(key));
  application.icmp_code = 1;
  EXPECT_FALSE(application.matches(key));
}

TEST(ClusterNat, OptionsOfAServiceSet) {
  const auto c = parsed(text_of(kPools, "        - { name: t, then: no-translation }",
                                R"(    max-flows: 20k
    tcp-non-syn: drop-flow-send-rst
    tcp-mss: 1400
    screen: edge
    nat-options: { max-sessions-per-subscriber: 100, stateful-nat64: { ipv6-mtu: 1400, clear-dont-fragment-bit: yes } })",
                                R"(screens:
  - name: edge
    limit-session: { source-ip-based: 10, destination-ip-based: 20 }
    tcp: { syn-flood: { attack-threshold: 100, timeout: 5 }, land: yes, winnuke: yes, syn-frag: yes, syn-fin: yes, tcp-no-flag: yes, fin-no-ack: yes }
    icmp: { flood: { threshold: 30 }, fragment: yes, large: yes, ping-death: yes }
    udp: { flood: { threshold: 40 } }
    ip: { bad-option: yes, source-route-option: yes, block-frag: no, tear-drop: yes, unknown-protocol: yes })"));
  const auto& set = c.service_sets.at(0);
  EXPECT_EQ(set.max_flows, 20'000U);
  EXPECT_EQ(set.tcp_non_syn, TcpNonSyn::drop_flow_send_rst);
  EXPECT_EQ(set.tcp_mss, 1400);
  EXPECT_EQ(set.max_sessions_per_subscriber, 100U);
  EXPECT_EQ(set.nat64.ipv6_mtu, 1400U);
  EXPECT_TRUE(set.nat64.clear_dont_fragment);
  ASSERT_EQ(set.screen, 0);
  const auto& screen = c.screens.at(0);
  EXPECT_EQ(screen.sessions_per_source, 10U);
  EXPECT_EQ(screen.sessions_per_destination, 20U);
  ASSERT_TRUE(screen.syn_flood);
  EXPECT_EQ(screen.syn_flood->attack_threshold, 100U);
  EXPECT_EQ(screen.syn_flood->source_threshold, 4000U);
  EXPECT_EQ(screen.syn_flood->timeout_s, 5U);
  EXPECT_EQ(screen.icmp_flood_threshold, 30U);
  EXPECT_EQ(screen.udp_flood_threshold, 40U);
  EXPECT_TRUE(screen.tcp_land && screen.tcp_winnuke && screen.tcp_syn_frag && screen.tcp_syn_fin &&
              screen.tcp_no_flag && screen.tcp_fin_no_ack && screen.icmp_fragment && screen.icmp_large &&
              screen.icmp_ping_death && screen.ip_bad_option && screen.ip_source_route_option && screen.ip_tear_drop &&
              screen.ip_unknown_protocol);
  EXPECT_FALSE(screen.ip_block_frag);
}

TEST(ClusterNat, ServersMayBeInSeveralDestinationPools) {
  const auto c = parsed(text_of(
      R"(    - { name: one, address: 198.18.9.1 }
    - { name: two, address: 198.18.9.1 })",
      R"(        - { name: a, from: { destination-address: 203.0.113.1 }, then: { translated: { destination-pool: one, translation-type: dnat-44 } } }
        - { name: b, from: { destination-address: 203.0.113.2 }, then: { translated: { destination-pool: two, translation-type: dnat-44 } } })"));
  EXPECT_EQ(c.nat_pools.size(), 2U);
}

TEST(ClusterNat, ConditionsAreBounded) {
  // One prefix list of 1,000 entries, used by 300 terms: more entries than the model may hold.
  std::string prefixes;
  for (unsigned i = 0; i < 1000; ++i) prefixes += fmt::format("{}10.{}.{}.0/24", i == 0 ? "" : ",", i / 256, i % 256);
  std::string terms;
  for (unsigned i = 0; i < 300; ++i) {
    terms += fmt::format("        - {{ name: t{}, from: {{ source-prefix-list: p }}, then: no-translation }}\n", i);
  }
  const auto cluster =
      parse_cluster(text_of(kPools, terms, "", "prefix-lists: [{ name: p, prefixes: [" + prefixes + "] }]"), "f");
  ASSERT_FALSE(cluster);
  EXPECT_THAT(cluster.error().message, HasSubstr("terms[t262].from.source-prefix-list: the conditions of all terms"));
  EXPECT_EQ(std::count(cluster.error().message.begin(), cluster.error().message.end(), '\n'), 0);
}

TEST(ClusterNat, TheDigestDependsOnEveryValue) {
  const std::string whole = text_of(
      R"(    - { name: a, address: 203.0.113.0/28, address-allocation: round-robin, mapping-timeout: 600, limit-ports-per-address: 500, port: { automatic: sequential, preserve-parity: yes, secured-port-block-allocation: { block-size: 64, max-blocks-per-address: 4, active-block-timeout: 120 } } }
    - { name: b, address: 203.0.113.16/28 }
    - { name: c, address: 203.0.113.32/28, port: { deterministic-port-block-allocation: { block-size: 1000 } } }
    - { name: d, address: 198.18.9.1 })",
      R"(        - { name: napt, from: { source-address: [198.18.0.0/24, 198.18.0.9 except], destination-port: 80 }, then: { translated: { source-pool: a, translation-type: napt-44, address-pooling: paired, mapping-type: endpoint-independent, filtering-type: { endpoint-independent: { prefix-list: peers } }, secure-nat-mapping: { eif-flow-limit: 9 } } } }
        - { name: fixed, from: { source-address: 198.18.1.0/28 }, then: { translated: { source-pool: c, translation-type: deterministic-napt44 } } }
        - { name: dynamic, from: { source-port: 1-9 }, then: { translated: { source-pool: b, translation-type: dynamic-nat44 } } }
        - { name: in, from: { destination-address: 203.0.114.1 }, then: { translated: { destination-pool: d, translation-type: dnat-44 } } }
        - { name: basic, from: { source-address: 198.18.2.0/24 }, then: { translated: { source-prefix: 203.0.115.0/24, translation-type: basic-nat44 } } })",
      "    tcp-mss: 1400\n    max-flows: 2000\n    screen: s\n    nat-options: { max-sessions-per-subscriber: 7, "
      "stateful-nat64: { ipv6-mtu: 1300, clear-dont-fragment-bit: yes } }",
      R"(prefix-lists: [{ name: peers, prefixes: 192.0.2.0/24 }]
applications: [{ name: ping, protocol: icmp, icmp-type: 8, icmp-code: 0, inactivity-timeout: never }]
screens: [{ name: s, limit-session: { source-ip-based: 10, destination-ip-based: 20 }, tcp: { syn-flood: { attack-threshold: 100, source-threshold: 101, destination-threshold: 102, timeout: 5 }, land: yes, winnuke: yes, syn-frag: yes, syn-fin: yes, tcp-no-flag: yes, fin-no-ack: yes }, icmp: { flood: { threshold: 30 }, fragment: yes, large: yes, ping-death: yes }, udp: { flood: { threshold: 40 } }, ip: { bad-option: yes, source-route-option: yes, block-frag: yes, tear-drop: yes, unknown-protocol: yes } }])");
  std::vector<std::pair<std::string, std::string>> changes = {
      {"address-allocation: round-robin, ", ""},
      {"mapping-timeout: 600", "mapping-timeout: 601"},
      {"limit-ports-per-address: 500", "limit-ports-per-address: 501"},
      {"automatic: sequential", "automatic: random-allocation"},
      {"preserve-parity: yes", "preserve-parity: no"},
      {"preserve-parity: yes", "preserve-parity: yes, preserve-range: yes"},
      {"block-size: 64,", "block-size: 63,"},
      {"max-blocks-per-address: 4", "max-blocks-per-address: 5"},
      {"active-block-timeout: 120", "active-block-timeout: 121"},
      {"block-size: 1000", "block-size: 1001"},
      {"block-size: 1000", "block-size: 1000, include-boundary-addresses: yes"},
      {"198.18.0.9 except", "198.18.0.10 except"},
      {"198.18.0.9 except", "198.18.0.9"},
      {"destination-port: 80", "destination-port: 81"},
      {"destination-port: 80", "source-port: 80"},
      {"source-port: 1-9", "source-port: 1-8"},
      {"address-pooling: paired, ", ""},
      {"filtering-type: { endpoint-independent: { prefix-list: peers } }", "filtering-type: endpoint-independent"},
      {"prefixes: 192.0.2.0/24", "prefixes: 192.0.2.0/25"},
      {"eif-flow-limit: 9", "eif-flow-limit: 10"},
      {"source-pool: b, translation-type: dynamic-nat44", "source-pool: b, translation-type: napt-44"},
      {"source-pool: b, translation-type: dynamic-nat44",
       "source-pool: b, overload-pool: a, translation-type: dynamic-nat44"},
      {"destination-pool: d", "destination-prefix: 198.18.9.1/32"},
      {"source-prefix: 203.0.115.0/24", "source-prefix: 203.0.116.0/24"},
      {"tcp-mss: 1400", "tcp-mss: 1401"},
      {"max-flows: 2000", "max-flows: 2001"},
      {"    screen: s\n", ""},
      {"max-sessions-per-subscriber: 7", "max-sessions-per-subscriber: 8"},
      {"ipv6-mtu: 1300", "ipv6-mtu: 1301"},
      {"clear-dont-fragment-bit: yes", "clear-dont-fragment-bit: no"},
      {"icmp-type: 8", "icmp-type: 9"},
      {"icmp-code: 0", "icmp-code: 1"},
      {"inactivity-timeout: never", "inactivity-timeout: 4"},
      {"source-ip-based: 10", "source-ip-based: 11"},
      {"destination-ip-based: 20", "destination-ip-based: 21"},
      {"attack-threshold: 100", "attack-threshold: 99"},
      {"source-threshold: 101", "source-threshold: 99"},
      {"destination-threshold: 102", "destination-threshold: 99"},
      {"timeout: 5 }", "timeout: 6 }"},
      {"threshold: 30", "threshold: 31"},
      {"threshold: 40", "threshold: 41"},
  };
  for (const char* check :
       {"land", "winnuke", "syn-frag", "syn-fin", "tcp-no-flag", "fin-no-ack", ", fragment", "large", "ping-death",
        "bad-option", "source-route-option", "block-frag", "tear-drop", "unknown-protocol"}) {
    changes.emplace_back(std::string(check) + ": yes", std::string(check) + ": no");
  }
  const auto digest_of_all = [](const Cluster& cluster) {
    std::uint64_t sum = cluster.digest;
    for (std::uint16_t i = 0; i < cluster.redundancy_sets.size(); ++i) sum = sum * 31 + cluster.digest_for_peers(i);
    return sum;
  };
  std::set<std::uint64_t> digests = {digest_of_all(parsed(whole))};
  for (const auto& change : changes) {
    std::string text = whole;
    const auto at = text.find(change.first);
    ASSERT_NE(at, std::string::npos) << change.first;
    text.replace(at, change.first.size(), change.second);
    EXPECT_TRUE(digests.insert(digest_of_all(parsed(text))).second) << change.first << " -> " << change.second;
  }
}

TEST(AddressRange, PrefixesAndBack) {
  for (const char* text : {"198.18.0.0/15", "203.0.113.9/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"}) {
    const auto range = AddressRange::of(*Prefix::parse(text));
    EXPECT_EQ(range.to_string(), text);
    EXPECT_EQ(range.as_prefix(), Prefix::parse(text));
  }
  const AddressRange odd{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.4")};
  EXPECT_EQ(odd.to_string(), "192.0.2.1-192.0.2.4");
  EXPECT_FALSE(odd.as_prefix());
  EXPECT_EQ(odd.count(), 4U);
  EXPECT_EQ(AddressRange::of(*Prefix::parse("0.0.0.0/0")).count(), std::uint64_t{1} << 32);
  EXPECT_EQ(AddressRange::of(*Prefix::parse("2001:db8::/64")).count(), ~std::uint64_t{0});
  EXPECT_EQ(AddressRange::of(*Prefix::parse("2001:db8::/32")).count(), ~std::uint64_t{0});
  const auto all_six = AddressRange::of(*Prefix::parse("::/0"));
  EXPECT_FALSE(all_six.contains(*IpAddress::parse("192.0.2.1"))) << "IPv4 is in no IPv6 range";
  EXPECT_FALSE(all_six.overlaps(odd));
  EXPECT_TRUE(all_six.contains(*IpAddress::parse("2001:db8::1")));
}

}  // namespace
}  // namespace icr
