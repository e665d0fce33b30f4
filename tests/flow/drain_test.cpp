// A NAT pool that a commit takes away from a service set is drained (drain-time): its sessions go on for a while, and
// nothing new takes from it.
#include "model/config/drain.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/config/arrangement.h"
#include "model/config/cluster_file.h"
#include "model/config/reserved_endpoints.h"
#include "node/nat/nat_rules.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr WallMillis kSince = 1'700'000'000'000;
constexpr WallMillis kUntil = kSince + 60'000;

/// Hosts of two networks have pools of their own, `old` and `new`. In the second file, all have `new`.
std::string text_of(bool both, const std::string& options = "drain-time: 60", const std::string& translated = "") {
  const auto term = [&](const char* name, const char* hosts, const char* pool) {
    return fmt::format(
        "        - {{ name: {}, from: {{ source-address: {} }}, then: {{ translated: {{ source-pool: {}, "
        "translation-type: napt-44{} }} }} }}\n",
        name, hosts, pool, translated);
  };
  return fmt::format(
             "cluster: bed\nchassis:\n  - name: left\n    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}\n"
             "    query: {{ address: 127.0.0.1, port: 7300 }}\n    cards:\n      - name: ms-0/0/0\n        ports: [{{ "
             "unit: 1, type: tun, device: a }}, {{ unit: 2, type: tun, device: b }}]\nservice-sets:\n  - name: cgn\n"
             "    interface: {{ chassis: left, card: ms-0/0/0, max-sessions: 1024 }}\n    inside-unit: 1\n"
             "    outside-unit: 2\n    nat-rules: [source]\n    {}\nnat:\n  pools:\n{}"
             "    - {{ name: new, addresses: 203.0.113.8/30 }}\n  rules:\n    - name: source\n      match-direction: "
             "input\n      terms:\n",
             options, both ? "    - { name: old, addresses: 203.0.113.0/30 }\n" : "") +
         term("first", "198.18.0.0/24", both ? "old" : "new") + term("second", "198.18.1.0/24", "new") +
         "prefix-lists: [{ name: anybody, prefixes: [198.19.0.0/16] }]\n";
}

Cluster parsed(const std::string& text) {
  auto cluster = parse_cluster(text, "bed");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return cluster.value_or(Cluster{});
}

/// The second file as a chassis runs it that ran the first one until kSince.
Cluster drained(const Cluster& before, const Cluster& after) {
  Cluster out = after;
  add_drained(before, after, kSince, kSince, out);
  return out;
}

std::string why_not(const Cluster& before, const Cluster& after) {
  const Cluster next = arranged(before, after);
  return obstacle(NatRules(before, 0, reserved_endpoints(before)), NatRules(next, 0, reserved_endpoints(next)));
}

class DrainTest : public ::testing::Test {
 protected:
  explicit DrainTest(const std::string& translated = "")
      : before_(parsed(text_of(true, "drain-time: 60", translated))),
        after_(drained(before_, parsed(text_of(false, "drain-time: 60", translated)))) {
    bed_.cluster = before_;
    bed_.shard = std::make_unique<Shard>(bed_.cluster, std::uint16_t{0}, 1, bed_.now);
    bed_.make_engine();
    bed_.shard->activate(bed_.now);
  }

  /// Takes a configuration while it runs, as a worker does.
  void take(const Cluster& next) {
    taken_.push_back(std::make_unique<Cluster>(arranged(taken_.empty() ? before_ : *taken_.back(), next)));
    const Cluster& arranged = *taken_.back();
    ShardUpdate update = bed_.shard->prepare(arranged, reserved_endpoints(arranged));
    EngineUpdate engine = bed_.engine->prepare(arranged);
    bed_.shard->take(update);
    bed_.engine->take(engine);
  }
  /// The wall clock says `at`, and the shard has time for what follows.
  void wall(WallMillis at) {
    bed_.shard->end_drains(at);
    bed_.wait(300ms);
  }
  [[nodiscard]] std::uint64_t ended(const Shard& shard) const { return shard.counters().drained; }
  static bool is_old(const Seen& seen) { return seen.source.size() == 11 && seen.source.back() < '4'; }

  Cluster before_;
  Cluster after_;
  std::vector<std::unique_ptr<Cluster>> taken_;  ///< the shard refers to the last one, and to none before it
  Bed bed_;
};

TEST_F(DrainTest, SessionsGoOnAndNewOnesHaveAnotherPool) {
  const Seen first = bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  ASSERT_TRUE(is_old(first));
  take(after_);
  const Seen again = bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  EXPECT_EQ(again.source + std::to_string(again.source_port), first.source + std::to_string(first.source_port));
  const Seen answer = bed_.pass(kOutside, udp(kServer, 53, first.source, first.source_port));
  EXPECT_EQ(answer.destination, "198.18.0.1");
  EXPECT_FALSE(is_old(bed_.pass(kInside, udp("198.18.0.1", 1001, kServer, 53))));
  EXPECT_EQ(bed_.shard->ports_in_use(), 2U);
  EXPECT_EQ(bed_.record(0).nat_pool, stable_id(Named::nat_pool, "old"));
}

TEST_F(DrainTest, ItsSessionsEndWhenTheTimeIsOverAndOthersStay) {
  (void)bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  (void)bed_.pass(kInside, udp("198.18.1.1", 1000, kServer, 53));
  take(after_);
  wall(kUntil - 1);
  EXPECT_EQ(bed_.shard->sessions(), 2U);
  wall(kUntil);
  EXPECT_EQ(bed_.shard->sessions(), 1U);
  EXPECT_EQ(bed_.record(1).nat_pool, stable_id(Named::nat_pool, "new"));
  EXPECT_EQ(ended(*bed_.shard), 1U);
  EXPECT_EQ(bed_.shard->ports_in_use(), 1U);
  // The host goes on, with a new session.
  EXPECT_FALSE(is_old(bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53))));
  // A later commit finds the place of the pool empty, and needs no restart because of it.
  EXPECT_EQ(why_not(*taken_.back(), parsed(text_of(false, "session-limit: 1000"))), "");
}

TEST_F(DrainTest, AChassisThatStartsWithTheCommitTakesSessionsOfThePoolAndEndsThemAsMaster) {
  (void)bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  take(after_);
  Bed twin;
  twin.cluster = after_;
  twin.shard = std::make_unique<Shard>(twin.cluster, std::uint16_t{0}, 2, twin.now);
  twin.make_engine();
  ASSERT_EQ(twin.shard->apply(bed_.record(0), twin.now), Applied::created);
  EXPECT_EQ(twin.shard->digest(), bed_.shard->digest());
  twin.shard->end_drains(kUntil);
  twin.wait(300ms);
  EXPECT_EQ(twin.shard->sessions(), 1U) << "only the master ends sessions";
  twin.shard->activate(twin.now, 3);
  twin.wait(300ms);
  EXPECT_EQ(twin.shard->sessions(), 0U);
  EXPECT_EQ(ended(*twin.shard), 1U);
  EXPECT_EQ(twin.shard->ports_in_use(), 0U);
  EXPECT_EQ(twin.shard->adopt(bed_.record(0), twin.now), Adopted::invalid) << "it would have to end at once";
}

TEST_F(DrainTest, APoolThatIsBroughtBackIsDrainedNoMore) {
  (void)bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  take(after_);
  take(before_);
  EXPECT_TRUE(is_old(bed_.pass(kInside, udp("198.18.0.1", 1001, kServer, 53))));
  wall(kUntil);
  EXPECT_EQ(bed_.shard->sessions(), 2U);
  // Also after its time.
  take(after_);
  wall(kUntil);
  EXPECT_EQ(bed_.shard->sessions(), 0U);
  take(before_);
  EXPECT_TRUE(is_old(bed_.pass(kInside, udp("198.18.0.1", 1002, kServer, 53))));
  wall(kUntil + 1);
  EXPECT_EQ(bed_.shard->sessions(), 1U);
}

TEST_F(DrainTest, WithoutDrainTimeThereIsNoPlaceForItsSessions) {
  EXPECT_EQ(why_not(before_, after_), "");
  EXPECT_EQ(why_not(before_, parsed(text_of(false, ""))).rfind("no rule uses the pool old any more", 0), 0U);
}

class DrainOfMappings : public DrainTest {
 protected:
  DrainOfMappings()
      : DrainTest(
            ", mapping-type: endpoint-independent, filtering-type: { endpoint-independent: { prefix-list: anybody } "
            "}") {}
};

TEST_F(DrainOfMappings, NobodyComesInAnyMoreAndTheMappingEndsWithItsSessions) {
  const Seen first = bed_.pass(kInside, udp("198.18.0.1", 1000, kServer, 53));
  const Seen in = bed_.pass(kOutside, udp("198.19.0.9", 9, first.source, first.source_port));
  ASSERT_EQ(in.destination, "198.18.0.1");
  take(after_);
  EXPECT_EQ(bed_.pass(kOutside, udp("198.19.0.9", 9, first.source, first.source_port)).destination, "198.18.0.1");
  bed_.expect_drop(kOutside, udp("198.19.0.8", 8, first.source, first.source_port), Drop::nat_no_session);
  // A new session of the same socket has a mapping of the other pool.
  const Seen other = bed_.pass(kInside, udp("198.18.0.1", 1000, "198.19.0.11", 53));
  EXPECT_FALSE(is_old(other));
  EXPECT_EQ(bed_.pass(kOutside, udp("198.19.0.8", 8, other.source, other.source_port)).destination, "198.18.0.1");
  EXPECT_EQ(bed_.shard->ports_in_use(), 2U);
  wall(kUntil);
  EXPECT_EQ(ended(*bed_.shard), 2U);
  EXPECT_EQ(bed_.shard->sessions(), 2U);
  EXPECT_EQ(bed_.shard->ports_in_use(), 1U);
}

}  // namespace
}  // namespace icr::node::test
