#include "node/redundancy/return_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/cluster_file.h"
#include "tests/ports/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
