// Which NAT pools a chassis drains, from the configurations before and after a commit.
#include "model/config/drain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "model/config/arrangement.h"
#include "model/config/cluster_file.h"
#include "model/config/difference.h"
#include "model/config/settings.h"
#include "model/record/stable_id.h"

namespace icr {
namespace {

constexpr WallMillis kSince = 1'700'000'000'000;

/// `cgn` uses `old` and, when that is exhausted, `spare`; `other` uses `shared`, as `cgn` does.
constexpr std::string_view kText = R"(cluster: lab
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }, { unit: 3, type: tun, device: a3 }, { unit: 4, type: tun, device: a4 }] }]
  - name: right
    inter-chassis: { address: 127.0.0.2, port: 7400 }
    query: { address: 127.0.0.2, port: 7300 }
    cards: [{ name: ms-1/0/0, ports: [{ unit: 1, type: tun, device: b1 }, { unit: 2, type: tun, device: b2 }, { unit: 3, type: tun, device: b3 }, { unit: 4, type: tun, device: b4 }] }]
redundancy-sets:
  - { name: rs1, id: 1, members: [{ chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-1/0/0 }], service-sets: [cgn, other] }
service-sets:
  - { name: cgn, inside-unit: 1, outside-unit: 2, nat-rules: [source], drain-time: 60 }
  - { name: other, inside-unit: 3, outside-unit: 4, nat-rules: [second] }
nat:
  pools:
    - { name: old, addresses: 203.0.113.0/30 }
    - { name: new, addresses: 203.0.113.4/30 }
    - { name: shared, addresses: 203.0.113.8/30 }
  rules:
    - name: source
      match-direction: input
      terms:
        - { name: first, from: { source-address: 198.18.0.0/24 }, then: { translated: { source-pool: old, translation-type: napt-44 } } }
        - { name: second, from: { source-address: 198.18.1.0/24 }, then: { translated: { source-pool: shared, translation-type: napt-44 } } }
    - name: second
      match-direction: input
      terms:
        - { name: all, then: { translated: { source-pool: shared, translation-type: napt-44 } } }
)";

std::string replaced(std::string_view what, std::string_view by, std::string text = std::string(kText)) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

Cluster parsed(const std::string& text) {
  auto cluster = parse_cluster(text, "f");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return cluster.value_or(Cluster{});
}

const std::string kWithoutOld =
    replaced("    - { name: old, addresses: 203.0.113.0/30 }\n", "", replaced("source-pool: old", "source-pool: new"));

/// What is drained a second after the commit of `after`.
Cluster drained(const std::string& after, const std::string& before = std::string(kText)) {
  Cluster out = parsed(after);
  const Cluster next = out;
  add_drained(parsed(before), next, kSince, kSince + 1000, out);
  return out;
}

TEST(Drain, APoolThatIsRemovedStaysForItsServiceSet) {
  const Cluster after = drained(kWithoutOld);
  ASSERT_EQ(after.drained.size(), 1U);
  EXPECT_EQ(after.service_sets[after.drained[0].service_set].name, "cgn");
  EXPECT_EQ(after.drained[0].until, kSince + 60'000);
  ASSERT_EQ(after.drained[0].term.source_pools.size(), 1U);
  const NatPool& pool = after.nat_pools[after.drained[0].term.source_pools[0]];
  EXPECT_EQ(pool.name, "old");
  EXPECT_TRUE(pool.drained_only);
  EXPECT_EQ(after.pool_ids.find(stable_id(Named::nat_pool, "old")), after.drained[0].term.source_pools[0]);
  // It is no part of the file.
  const Cluster plain = parsed(kWithoutOld);
  Cluster again = after;
  compute_digests(again);
  EXPECT_EQ(again.digest, plain.digest);
  EXPECT_TRUE(difference(plain, after).empty());
}

TEST(Drain, APoolThatIsInTheFileStillIsDrainedOfTheServiceSetThatDoesNotUseIt) {
  const Cluster unused = drained(replaced("source-pool: old", "source-pool: new"));
  ASSERT_EQ(unused.drained.size(), 1U);
  EXPECT_FALSE(unused.nat_pools[unused.drained[0].term.source_pools[0]].drained_only);
  // Another service set goes on with it.
  const Cluster shared = drained(replaced("source-pool: shared", "source-pool: new"));
  ASSERT_EQ(shared.drained.size(), 1U);
  EXPECT_EQ(shared.service_sets[shared.drained[0].service_set].name, "cgn");
}

TEST(Drain, NothingIsDrainedWithoutDrainTimeOrAfterIt) {
  EXPECT_TRUE(drained(replaced(", drain-time: 60", "", kWithoutOld)).drained.empty());
  EXPECT_TRUE(drained(std::string(kText)).drained.empty());
  const Cluster before = parsed(std::string(kText));
  const Cluster next = parsed(kWithoutOld);
  Cluster after = next;
  add_drained(before, next, kSince, kSince + 60'000, after);
  EXPECT_TRUE(after.drained.empty());
  add_drained(before, next, kSince, kSince + 59'999, after);
  EXPECT_EQ(after.drained.size(), 1U);
  add_drained(before, next, kSince + 1, kSince + 2, after);
  EXPECT_EQ(after.drained.size(), 1U) << "it is drained already";
}

TEST(Drain, APoolThatALaterCommitBringsBackIsDrainedNoMore) {
  Cluster after = parsed(std::string(kText));
  add_drained(parsed(std::string(kText)), parsed(kWithoutOld), kSince, kSince + 1000, after);
  EXPECT_TRUE(after.drained.empty());
}

TEST(Drain, NoAddressHasTwoOwners) {
  const auto ends_at_once = [](const std::string& after) {
    const Cluster cluster = drained(after);
    return std::none_of(cluster.drained.begin(), cluster.drained.end(), [&](const DrainedUse& each) {
      return cluster.nat_pools[each.term.source_pools[0]].name == "old";
    });
  };
  EXPECT_TRUE(ends_at_once(replaced("203.0.113.4/30", "203.0.113.0/30", kWithoutOld))) << "another pool has them";
  EXPECT_TRUE(ends_at_once(replaced("203.0.113.4/30", "203.0.113.2/31", kWithoutOld))) << "another pool has some";
  EXPECT_TRUE(
      ends_at_once(replaced("203.0.113.0/30", "203.0.113.0/31", replaced("source-pool: old", "source-pool: new"))))
      << "it has others";
  EXPECT_TRUE(ends_at_once(
      replaced("198.18.1.0/24 }, then: { translated: { source-pool: shared, translation-type: napt-44",
               "198.18.1.0/30 }, then: { translated: { source-prefix: 203.0.113.0/30, translation-type: basic-nat44",
               kWithoutOld)))
      << "arithmetic gives them to hosts";
}

TEST(Drain, OnlyWhatFollowsFromItsPoolAloneIsDrained) {
  const auto with = [](std::string_view type, std::string_view text) {
    return replaced("source-pool: old, translation-type: napt-44",
                    "source-pool: old, translation-type: " + std::string(type), std::string(text));
  };
  EXPECT_EQ(drained(kWithoutOld, with("dynamic-nat44", kText)).drained.size(), 1U);
  const std::string twice =
      replaced("from: { source-address: 198.18.0.0/24 }",
               "from: { source-address: 198.18.0.0/24, destination-address: 192.0.2.1/32 }",
               replaced("source-pool: old, translation-type: napt-44",
                        "source-pool: old, destination-prefix: 192.0.2.9/32, translation-type: twice-napt-44"));
  EXPECT_TRUE(drained(kWithoutOld, twice).drained.empty());
}

TEST(Drain, AnArrangedClusterNamesTheSameThings) {
  const Cluster before = parsed(std::string(kText));
  const Cluster next = arranged(before, drained(kWithoutOld));
  ASSERT_EQ(next.drained.size(), 1U);
  EXPECT_EQ(next.drained[0].service_set, *before.service_set_ids.find(stable_id(Named::service_set, "cgn")));
  EXPECT_EQ(next.drained[0].term.source_pools[0], *before.pool_ids.find(stable_id(Named::nat_pool, "old")));
  // A chassis that runs keeps the place, unless somebody else has the addresses.
  EXPECT_EQ(arranged(next, parsed(kWithoutOld)).drained.size(), 1U);
  EXPECT_TRUE(arranged(next, parsed(std::string(kText))).drained.empty());
  EXPECT_TRUE(arranged(next, parsed(replaced("203.0.113.4/30", "203.0.113.0/30", kWithoutOld))).drained.empty());
}

}  // namespace
}  // namespace icr
