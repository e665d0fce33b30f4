#include "node/kernel/return_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kChassis = R"(
cluster: routes
chassis:
  - name: left
    inter-chassis: { address: 198.51.100.1, port: 7400 }
    query: { address: 198.51.100.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports:
          - { unit: 1, type: tun, device: inside, steer-from: [inside0] }
          - { unit: 2, type: tun, device: outside, steer-from: [outside0] }
service-sets:
  - name: cgn
    interface: { chassis: left, card: ms-0/0/0 }
    inside-unit: 1
    outside-unit: 2
    nat-rules: [translate]
nat:)";

std::vector<std::string> texts_of(const char* low, const char* high) {
  std::vector<std::string> out;
  for (const Prefix& prefix : prefixes_of({*IpAddress::parse(low), *IpAddress::parse(high)})) {
    out.push_back(prefix.to_string());
  }
  return out;
}

TEST(PrefixesOf, CoverExactlyTheRange) {
  EXPECT_THAT(texts_of("203.0.113.0", "203.0.113.15"), ElementsAre("203.0.113.0/28"));
  EXPECT_THAT(texts_of("203.0.113.5", "203.0.113.5"), ElementsAre("203.0.113.5/32"));
  EXPECT_THAT(texts_of("203.0.113.1", "203.0.113.6"),
              ElementsAre("203.0.113.1/32", "203.0.113.2/31", "203.0.113.4/31", "203.0.113.6/32"));
  EXPECT_THAT(texts_of("255.255.255.254", "255.255.255.255"), ElementsAre("255.255.255.254/31"));
  EXPECT_THAT(texts_of("0.0.0.0", "255.255.255.255"), ElementsAre("0.0.0.0/0"));
  EXPECT_THAT(texts_of("2001:db8::", "2001:db8::ffff"), ElementsAre("2001:db8::/112"));
  EXPECT_THAT(texts_of("203.0.113.6", "203.0.113.1"), IsEmpty());
}

/// Every range of a small block against counting.
TEST(PrefixesOf, AnyRangeIsCoveredOnceAndNothingElse) {
  for (std::uint32_t low = 0; low < 40; ++low) {
    for (std::uint32_t high = low; high < 40; ++high) {
      std::vector<int> covered(64, 0);
      for (const Prefix& prefix : prefixes_of({IpAddress::v4(low), IpAddress::v4(high)})) {
        for (std::uint32_t i = 0; i < 64; ++i) covered[i] += prefix.contains(IpAddress::v4(i)) ? 1 : 0;
      }
      for (std::uint32_t i = 0; i < 64; ++i) ASSERT_EQ(covered[i], i >= low && i <= high ? 1 : 0) << low << " " << high;
    }
  }
}

std::vector<std::string> left_of(std::vector<const char*> ranges, std::vector<const char*> removed) {
  const auto parse = [](const std::vector<const char*>& texts) {
    std::vector<AddressRange> out;
    for (const char* text : texts) out.push_back(AddressRange::of(*Prefix::parse(text)));
    return out;
  };
  std::vector<std::string> out;
  for (const AddressRange& range : without(parse(ranges), parse(removed))) out.push_back(range.to_string());
  return out;
}

TEST(Without, TakesOutWhatOverlapsAndLeavesTheRest) {
  EXPECT_THAT(left_of({"203.0.113.0/30"}, {"203.0.113.1"}), ElementsAre("203.0.113.0/32", "203.0.113.2/31"));
  EXPECT_THAT(left_of({"203.0.113.0/30"}, {"203.0.113.0/31", "203.0.113.3"}), ElementsAre("203.0.113.2/32"));
  EXPECT_THAT(left_of({"203.0.113.0/30", "203.0.113.8"}, {"203.0.113.0/29"}), ElementsAre("203.0.113.8/32"));
  EXPECT_THAT(left_of({"0.0.0.0/0"}, {"128.0.0.0/1"}), ElementsAre("0.0.0.0/1"));
  EXPECT_THAT(left_of({"::/0"}, {"203.0.113.0/24"}), ElementsAre("::/0"));
}

/// What is routed by which device, for these NAT rules in the place of those of a file.
std::vector<std::string> routes_for(const std::string& nat) {
  const auto cluster = parse_cluster(kChassis + nat, "test");
  EXPECT_TRUE(cluster) << cluster.error().message;
  if (!cluster) return {};
  const auto routes = ReturnRoutes::open(*cluster, 0, 0);
  EXPECT_TRUE(routes) << routes.error().message;
  std::vector<std::string> out;
  for (const auto& route : (*routes)->routes()) out.push_back(route.prefix.to_string() + " " + route.device);
  return out;
}

std::string rule(const std::string& direction, const std::string& terms) {
  return R"(
  rules:
    - name: translate
      match-direction: )" +
         direction + "\n      terms: [" + terms + "]\n";
}

/// A pair with signal routes, of which one is a return route as well.
TEST(ReturnRoutes, IncludeSignalRoutesBoundToAVirtualAddressInTheMainTable) {
  const auto cluster = parse_cluster(R"(
cluster: signals
chassis:
  - name: left
    inter-chassis: { address: 198.51.100.1, port: 7400 }
    query: { address: 198.51.100.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports: [{ unit: 1, type: tun, device: inside }, { unit: 2, type: tun, device: outside }]
  - name: right
    inter-chassis: { address: 198.51.100.2, port: 7400 }
    query: { address: 198.51.100.2, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports: [{ unit: 1, type: tun, device: inside }, { unit: 2, type: tun, device: outside }]
redundancy-sets:
  - name: rs1
    id: 1
    members: [{ chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-0/0/0 }]
    service-sets: [cgn]
    virtual-addresses:
      - { interface: inside0, address: "2001:db8:18::1/64" }
      - { interface: outside0, address: 198.19.0.1/24 }
    signal-routes:
      - { prefix: 203.0.113.0/28 }
      - { prefix: 203.0.113.0/28, table: 100 }
      - { prefix: 192.0.2.0/24 }
      - { prefix: "2001:db8:77::/48" }
service-sets:
  - { name: cgn, inside-unit: 1, outside-unit: 2, nat-rules: [translate] }
nat:
  pools: [{ name: pool, addresses: 203.0.113.0/28 }]
  rules:
    - name: translate
      match-direction: input
      terms: [{ name: all, then: { translated: { source-pool: pool, translation-type: napt-44 } } }]
)",
                                     "test");
  ASSERT_TRUE(cluster) << cluster.error().message;
  std::vector<std::string> out;
  for (const auto& route : return_routes_of(*cluster, 0, 1)) {
    out.push_back(fmt::format("{} {} {} {}", route.prefix.to_string(), route.device, route.table,
                              route.bound_to ? route.bound_to->to_string() : "-"));
  }
  EXPECT_THAT(out, ElementsAre("203.0.113.0/28 outside 254 -", "203.0.113.0/28 outside 100 -",
                               "192.0.2.0/24 outside 254 198.19.0.1", "2001:db8:77::/48 outside 254 2001:db8:18::1"));
}

TEST(ReturnRoutes, Rfc4787Req13aLeadToWhatADestinationRuleAnswersFor) {
  EXPECT_THAT(routes_for(R"(
  pools: [{ name: web, address: 198.18.0.10 }])" +
                         rule("output", R"(
        { name: host, from: { destination-address: 203.0.113.8 },
          then: { translated: { destination-pool: web, translation-type: dnat-44 } } },
        { name: many, from: { destination-address: [203.0.113.16/30, 203.0.113.17/32 except] },
          then: { translated: { destination-pool: web, translation-type: dnat-44 } } })")),
              ElementsAre("203.0.113.8/32 outside", "203.0.113.16/32 outside", "203.0.113.18/31 outside"));
}

TEST(ReturnRoutes, OfATwiceNatForCallersFromOutsideLeadToBothSides) {
  EXPECT_THAT(routes_for(R"(
  pools: [{ name: web, address: 198.18.0.10 }, { name: callers, address: 198.18.200.0/24 }])" +
                         rule("output", R"(
        { name: host, from: { destination-address: 203.0.113.8 }, then: { translated: {
            source-pool: callers, destination-pool: web, translation-type: twice-napt-44 } } })")),
              ElementsAre("198.18.200.0/24 inside", "203.0.113.8/32 outside"));
}

TEST(ReturnRoutes, LeaveAloneWhatHostsHaveThemselves) {
  EXPECT_THAT(routes_for(R"(
  pools: [{ name: web, address: 198.18.0.10 }, { name: resolver, address: 198.19.0.53 }])" +
                         rule("output", R"(
        { name: host, from: { destination-address: 198.18.0.10, destination-port: 80 },
          then: { translated: { destination-pool: web, translation-type: dnat-44 } } },
        { name: any, from: { destination-address: 0.0.0.0/0, destination-port: 80 },
          then: { translated: { destination-pool: web, translation-type: dnat-44 } } })")),
              IsEmpty())
      << "a host inside would no longer be reached";
  EXPECT_THAT(routes_for(R"(
  pools: [{ name: resolver, address: 198.19.0.53 }])" +
                         rule("input", R"(
        { name: dns, from: { destination-address: 192.0.2.53, destination-port: 53 },
          then: { translated: { destination-pool: resolver, translation-type: dnat-44 } } })")),
              IsEmpty())
      << "a host outside would no longer be reached";
}

class ReturnRoutesTest : public test::InNewNamespace {};

TEST_F(ReturnRoutesTest, AreThereWhileTheSetIsMasterHere) {
  auto cluster = load_cluster_file("cluster-configs/two-chassis.yaml");
  ASSERT_TRUE(cluster) << cluster.error().message;
  const std::string device = cluster->chassis[0].cards[0].port(cluster->service_sets[0].outside_unit)->device;
  output_of("ip link add " + device + " type veth peer name other && ip link set up dev other && ip link set up dev " +
            device);
  auto routes = ReturnRoutes::open(*cluster, 0, 0);
  ASSERT_TRUE(routes) << routes.error().message;
  EXPECT_EQ(output_of("ip route show"), "");
  (*routes)->acquire();
  (*routes)->acquire();
  EXPECT_EQ(output_of("ip route show"), "203.0.113.0/28 dev " + device + " proto 73 scope link metric 7300 \n");
  (*routes)->release();
  EXPECT_EQ(output_of("ip route show"), "");
  (*routes)->acquire();
  routes->reset();
  EXPECT_EQ(output_of("ip route show"), "") << "a clean end leaves nothing";
}

TEST_F(ReturnRoutesTest, WhatTheKernelRefusesIsCounted) {
  auto cluster = load_cluster_file("cluster-configs/two-chassis.yaml");
  ASSERT_TRUE(cluster);
  auto routes = ReturnRoutes::open(*cluster, 0, 0);
  ASSERT_TRUE(routes);
  (*routes)->acquire();  // there is no such device
  CounterList counters;
  (*routes)->append_to(counters);
  EXPECT_EQ(test::counter(counters, "return-routes-added"), 0U);
  EXPECT_EQ(test::counter(counters, "return-routes-refused"), 1U);
}

}  // namespace
}  // namespace icr::node
