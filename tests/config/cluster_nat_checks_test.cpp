// What cluster files may say about addresses and pools although it looks like a mistake; the mistakes are in
// tests/config/wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/config/nat_file.h"

namespace icr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Ports of the address that hosts share can be forwarded to servers, and hosts inside reach them there, too: what must
/// not be an address for hosts is where packets go, not where they come to.
TEST(ClusterNat, PortsOfASharedAddressCanBeForwarded) {
  const auto c = parsed(text_of(
      R"(    - { name: shared, address: 203.0.113.0/28 }
    - { name: server, address: 198.18.9.1 })",
      R"(        - { name: hairpin, from: { destination-address: 203.0.113.1, destination-port: 80 }, then: { translated: { source-pool: shared, destination-pool: server, translation-type: twice-napt-44 } } }
        - { name: in, from: { destination-address: 203.0.113.1, destination-port: 80 }, then: { translated: { destination-pool: server, translation-type: dnat-44 } } }
        - { name: net, from: { destination-address: 203.0.113.8/29 }, then: { translated: { destination-prefix: 198.18.9.8/29, translation-type: dnat-44 } } })"));
  EXPECT_EQ(c.nat_rules.at(0).terms.size(), 3U);
}

/// Another service set may send packets on to addresses that this one gives to its hosts: they are servers there.
TEST(ClusterNat, ServersOfOtherServiceSets) {
  auto text = text_of(
      R"(    - { name: shared, address: 203.0.113.0/28 }
    - { name: server, address: 203.0.113.1 })",
      R"(        - { name: out, then: { translated: { source-pool: shared, translation-type: napt-44 } } }
    - name: other
      match-direction: input
      terms:
        - { name: in, from: { destination-address: 192.0.2.80 }, then: { translated: { destination-pool: server, translation-type: dnat-44 } } })");
  const auto refused = [&](const std::string& rules) {
    auto changed = text;
    changed.replace(changed.find("nat-rules: nat"), 14, rules);
    return !parse_cluster(changed, "f").has_value();
  };
  EXPECT_TRUE(refused("nat-rules: [nat, other]"));
  EXPECT_TRUE(refused("nat-rules: [other, nat]"));
  EXPECT_FALSE(refused("nat-rules: nat"));
  EXPECT_FALSE(refused("nat-rules: other"));
}

TEST(ClusterNat, TermsOfOneNat64PrefixShareAPool) {
  const auto c = parsed(text_of(
      "    - { name: ports, address: 203.0.113.0/28 }",
      R"(        - { name: a, from: { source-address: "2001:db8:18::/64" }, then: { translated: { source-pool: ports, destination-prefix: "64:ff9b::/96", translation-type: stateful-nat64 } } }
        - { name: b, from: { source-address: "2001:db8:19::/64" }, then: { translated: { source-pool: ports, destination-prefix: "64:ff9b::/96", translation-type: stateful-nat64 } } }
        - { name: c, then: { translated: { source-pool: ports, translation-type: napt-44 } } })"));
  EXPECT_EQ(c.nat_rules.at(0).terms.size(), 3U);
}

/// Blocks and addresses that hosts can own have slots above those of the sessions.
TEST(ClusterNat, BlocksAndAddressesNeedSlots) {
  std::string pools, names;
  for (unsigned i = 0; i < 31; ++i) {  // 2^22 blocks each
    pools += fmt::format(
        "    - {{ name: p{}, address: 10.{}.0.0/16, port: {{ range: {{ low: 1024, high: 1087 }}, "
        "secured-port-block-allocation: {{ block-size: 1 }} }} }}\n",
        i, i);
    names += fmt::format("{}p{}", i == 0 ? "" : ", ", i);
  }
  pools += "    - { name: addresses, address: 10.200.0.0/16 }\n";
  const auto with = [&](unsigned sessions) {
    auto text = text_of(
        pools, fmt::format("        - {{ name: t, then: {{ translated: {{ source-pool: [{}], translation-type: napt-44 "
                           "}} }} }}\n        - {{ name: u, then: {{ translated: {{ source-pool: addresses, "
                           "translation-type: dynamic-nat44 }} }} }}",
                           names));
    const std::string_view place = "card: ms-0/0/0 }";
    text.replace(text.find(place), place.size(), fmt::format("card: ms-0/0/0, max-sessions: {} }}", sessions));
    return parse_cluster(text, "f");
  };
  const unsigned left = (1U << 27) - (31U << 22) - (1U << 16);
  EXPECT_TRUE(with(left).has_value());
  const auto one_more = with(left + 1);
  ASSERT_FALSE(one_more.has_value());
  EXPECT_THAT(one_more.error().message,
              HasSubstr(fmt::format("f:14:16: service-sets[cgn].interface: the nat pools of cgn have {} blocks and "
                                    "addresses for hosts, and beside {} sessions there are slots for {}",
                                    (31U << 22) + (1U << 16), left + 1, (1U << 27) - left - 1)));
}

/// Mappings and paired addresses are a pool's: whoever shares one with a term that asks for them gets them.
TEST(NatWarnings, WherePoolsAreSharedByTermsThatDiffer) {
  const auto warnings = [](std::string_view first, std::string_view second, std::string_view other_pool = "p") {
    const auto term = [](char name, std::string_view pool, std::string_view options) {
      return fmt::format(
          "        - {{ name: {}, from: {{ source-address: 198.18.{}.0/24 }}, then: {{ translated: {{ source-pool: {}, "
          "translation-type: napt-44{} }} }} }}\n",
          name, name == 'a' ? 1 : 2, pool, options);
    };
    auto out = parsed(text_of("    - { name: p, address: 203.0.113.0/28 }\n    - { name: q, address: 203.0.113.16/28 }",
                              term('a', "p", first) + term('b', other_pool, second) + term('c', "q", "")))
                   .warnings;
    out.erase(std::remove_if(out.begin(), out.end(), [](const std::string& w) { return w.find("NAT pool") != 0; }),
              out.end());
    return out;
  };
  constexpr auto* kMapped = ", mapping-type: endpoint-independent";
  constexpr auto* kPaired = ", address-pooling: paired";
  EXPECT_THAT(warnings("", ""), IsEmpty());
  EXPECT_THAT(warnings(kMapped, kMapped), IsEmpty());
  EXPECT_THAT(warnings(kPaired, kPaired), IsEmpty());
  EXPECT_THAT(
      warnings(kMapped, ""),
      ElementsAre("NAT pool p: term a of nat rule nat asks for endpoint-independent mappings, so hosts of term b "
                  "of nat rule nat get them, too: give it a pool of its own."));
  EXPECT_THAT(
      warnings("", kPaired),
      ElementsAre("NAT pool p: term b of nat rule nat asks for paired addresses, so hosts of term a of nat rule "
                  "nat get them, too: give it a pool of its own."));
  EXPECT_THAT(warnings(kMapped, kPaired), testing::SizeIs(2));
  EXPECT_THAT(warnings(kMapped, kMapped, "q"), testing::SizeIs(1)) << "of pool q";
}

/// A pool inside the network outside: neighbours ask for it on the wire.
TEST(ClusterNat, NobodyAnswersForAPoolInsideTheOutsideNetwork) {
  const auto warnings = [](const std::string& pool, const std::string& port) {
    const std::string text = fmt::format(R"(cluster: lab
chassis:
  - name: left
    inter-chassis: {{ address: 192.0.2.1, port: 7400 }}
    query: {{ address: 192.0.2.1, port: 7300 }}
    cards: [ {{ name: ms-0/0/0, ports: [ {{ unit: 1, type: tun, device: t1, steer-from: [inside0] }}, {0} ] }} ]
  - name: right
    inter-chassis: {{ address: 192.0.2.2, port: 7400 }}
    query: {{ address: 192.0.2.2, port: 7300 }}
    cards: [ {{ name: ms-1/0/0, ports: [ {{ unit: 1, type: tun, device: t1, steer-from: [inside0] }}, {0} ] }} ]
redundancy-sets:
  - name: rs1
    id: 1
    members: [ {{ chassis: left, card: ms-0/0/0, priority: 200 }}, {{ chassis: right, card: ms-1/0/0 }} ]
    service-sets: [cgn]
    virtual-addresses:
      - {{ interface: inside0, address: 198.18.0.1/24 }}
      - {{ interface: outside0, address: 203.0.113.1/24 }}
service-sets:
  - {{ name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [all], nat-rules: [out] }}
stateful-firewall: {{ rules: [ {{ name: all, match-direction: input, terms: [ {{ name: all, then: accept }} ] }} ] }}
nat:
  pools: [ {{ name: pool1, address: {1} }} ]
  rules:
    - name: out
      match-direction: input
      terms: [ {{ name: t, then: {{ translated: {{ source-pool: pool1, translation-type: napt-44 }} }} }} ]
)",
                                         port, pool);
    return parsed(text).warnings;
  };
  const std::string tun = "{ unit: 2, type: tun, device: t2, steer-from: [outside0] }";
  const std::string ethernet = "{ unit: 2, type: af-packet, interface: outside0 }";
  for (const auto& port : {tun, ethernet}) {
    EXPECT_THAT(
        warnings("203.0.113.16/28", port),
        ElementsAre("NAT pool pool1: 203.0.113.16/28 lies in 203.0.113.0/24, the network on outside0: neighbours "
                    "there ask for it by ARP, and nobody answers. Take addresses of another network, and let the "
                    "neighbours route them to 203.0.113.1."));
    EXPECT_THAT(warnings("203.0.114.16/28", port), IsEmpty());
    EXPECT_THAT(warnings("198.18.0.16/28", port), IsEmpty()) << "the network inside asks for nothing of it";
  }
}

}  // namespace
}  // namespace icr
