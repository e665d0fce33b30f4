// The core of a set takes another configuration while it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/config/arrangement.h"
#include "model/config/drain.h"
#include "model/config/reserved_endpoints.h"
#include "tests/set/side.h"

namespace icr::node {
namespace {

class LiveChangeTest : public PairTest {
 protected:
  /// The file of the pair with another text in place of one.
  static Cluster with(const std::string& what, const std::string& instead) {
    std::string text = kCluster;
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos);
    auto cluster = parse_cluster(text.replace(at, what.size(), instead), "pair");
    EXPECT_TRUE(cluster) << cluster.error().message;
    return std::move(*cluster);
  }
  void take(Side& side, const Cluster& next) {
    const Cluster& kept = *kept_.emplace_back(std::make_unique<Cluster>(arranged(side.core->cluster(), next)));
    ShardUpdate update = side.core->shard().prepare(kept, reserved_endpoints(kept));
    side.core->take(now_, kept, update);
  }
  /// Both members, settled.
  void settle() {
    left_.emplace(cluster_, std::uint16_t{0}, now_);
    right_.emplace(cluster_, std::uint16_t{1}, now_);
    run(*left_, *right_, 2s);
    ASSERT_TRUE(left_->core->shard().active());
    ASSERT_EQ(right_->core->member().status().sync, Sync::hot);
    left_->told.clear();
    right_->told.clear();
  }
  /// Nobody's role has changed, and nobody was called dead.
  void expect_calm() {
    EXPECT_THAT(left_->told, ::testing::IsEmpty());
    EXPECT_THAT(right_->told, ::testing::IsEmpty());
    EXPECT_TRUE(left_->core->member().hears_peer());
    EXPECT_TRUE(right_->core->member().hears_peer());
    EXPECT_EQ(right_->core->member().status().sync, Sync::hot);
  }

  std::vector<std::unique_ptr<Cluster>> kept_;  // outlive the sides
  std::optional<Side> left_, right_;
};

TEST_F(LiveChangeTest, ASlowerHeartbeatOnOneSideMakesNobodyBelieveTheOtherDead) {
  for (const bool standby_first : {true, false}) {
    SCOPED_TRACE(standby_first);
    settle();
    const Cluster slow = with("heartbeat-interval: 100", "heartbeat-interval: 2000");
    Side& first = standby_first ? *right_ : *left_;
    Side& second = standby_first ? *left_ : *right_;
    take(first, slow);
    run(*left_, *right_, 10s);
    expect_calm();
    take(second, slow);
    run(*left_, *right_, 20s);
    expect_calm();
    EXPECT_EQ(left_->core->member().status().detector.floor, 6s);
    EXPECT_EQ(right_->core->member().status().detector.floor, 6s);
    const auto sent = left_->counter("heartbeats-sent");
    run(*left_, *right_, 20s);
    EXPECT_LE(left_->counter("heartbeats-sent"), sent + 11) << "both send by the new interval";
    // And back.
    take(first, cluster_);
    run(*left_, *right_, 10s);
    expect_calm();
    take(second, cluster_);
    run(*left_, *right_, 3s);
    expect_calm();
    EXPECT_EQ(left_->core->member().status().detector.floor, 300ms);
    EXPECT_EQ(right_->core->member().status().detector.floor, 300ms);
  }
}

TEST_F(LiveChangeTest, AFasterHeartbeatFindsADeadPeerSooner) {
  settle();
  const Cluster fast = with("heartbeat-interval: 100", "heartbeat-interval: 20");
  take(*right_, fast);
  take(*left_, fast);
  run(*left_, *right_, 1s);
  expect_calm();
  left_->connected = false;
  left_->sent.clear();
  for (int i = 0; i < 80; ++i) {
    now_ += 1ms;
    round(*right_);
  }
  EXPECT_TRUE(right_->core->shard().active());
}

TEST_F(LiveChangeTest, APriorityIsToldToThePeerAndMovesNothingWithoutPreempt) {
  settle();
  const Cluster next = with("card: ms-1/0/0, priority: 100", "card: ms-1/0/0, priority: 250");
  take(*right_, next);
  take(*left_, next);
  run(*left_, *right_, 3s);
  expect_calm();
  EXPECT_EQ(left_->core->member().status().peer_priority, 250U);
}

TEST_F(LiveChangeTest, PreemptMovesMastershipToThePreferredMember) {
  settle();
  const Cluster next = with("card: ms-0/0/0, priority: 200 }", "card: ms-0/0/0, priority: 50 }");
  std::string text = kCluster;
  text.replace(text.find("priority: 200"), 13, "priority: 50");
  text.replace(text.find("    hold-time: 1\n"), 17, "    hold-time: 1\n    preempt: yes\n");
  auto preempting = parse_cluster(text, "pair");
  ASSERT_TRUE(preempting) << preempting.error().message;
  take(*right_, *preempting);
  take(*left_, *preempting);
  run(*left_, *right_, 3s);
  EXPECT_TRUE(right_->core->shard().active());
  EXPECT_FALSE(left_->core->shard().active());
}

TEST_F(LiveChangeTest, MembersSayThatTheirFilesDifferUntilBothHaveTakenIt) {
  settle();
  const Cluster next = with("heartbeat-count: 3", "heartbeat-count: 4");
  take(*right_, next);
  run(*left_, *right_, 3s);
  EXPECT_THAT(left_->core->member().status().configuration_difference, ::testing::HasSubstr("heartbeat-count"));
  take(*left_, next);
  run(*left_, *right_, 1s);
  EXPECT_EQ(left_->core->member().status().configuration_difference, "");
  EXPECT_EQ(right_->core->member().status().configuration_difference, "");
  expect_calm();
}

/// One file takes a pool away from hosts that the other one gave it to.
class DrainTest : public LiveChangeTest {
 protected:
  static constexpr WallMillis kSince = 1'700'000'000'000;
  DrainTest() { add_drained(before_, next_, kSince, kSince, after_); }

  static Cluster file(const std::string& first) {
    return with("stateful-firewall-rules: [outbound] }",
                fmt::format("stateful-firewall-rules: [outbound], nat-rules: [source], drain-time: 60 }}\n"
                            "nat:\n  pools: [{{ name: old, addresses: 203.0.113.1/32 }}, {{ name: new, addresses: "
                            "203.0.113.2/32 }}]\n  rules: [{{ name: source, match-direction: input, terms: [\n"
                            "    {{ name: first, from: {{ source-address: 198.18.0.0/24 }}, then: {{ translated: {{ "
                            "source-pool: {}, translation-type: napt-44 }} }} }},\n    {{ name: second, then: {{ "
                            "translated: {{ source-pool: new, translation-type: napt-44 }} }} }} ] }}]\n",
                            first));
  }
  /// A session that has a port of the pool `old`.
  static SessionRecord session() {
    SessionRecord r;
    r.ref = {9, 5};
    r.version = 3;
    r.flow[0] = {*IpAddress::parse("198.18.0.1"), *IpAddress::parse("198.19.0.1"), 1000, 53, 17};
    r.flow[1] = {*IpAddress::parse("198.19.0.1"), *IpAddress::parse("203.0.113.1"), 53, 2000, 17};
    r.nat_type = NatType::napt44;
    r.service_set = stable_id(Named::service_set, "fw");
    r.nat_pool = stable_id(Named::nat_pool, "old");
    r.timeout_s = 1000;
    return r;
  }

  const Cluster before_ = file("old");
  const Cluster next_ = file("new");
  Cluster after_ = next_;
};

TEST_F(DrainTest, LastsUntilTheWallClockSaysThatItIsOver) {
  Side side(before_, 0, now_);
  now_ += 1s;
  round(side);
  ASSERT_TRUE(side.core->shard().active());
  ASSERT_EQ(side.core->shard().adopt(session(), now_), Adopted::created);
  take(side, after_);
  const auto wait = [&](WallMillis wall) {
    for (int i = 0; i < 10; ++i) {
      now_ += 100ms;
      (void)side.core->round(now_, wall, kQuietRound);
    }
    return side.core->shard().sessions();
  };
  EXPECT_EQ(wait(kSince), 1U);
  EXPECT_EQ(wait(kSince + 59'999), 1U);
  EXPECT_EQ(wait(kSince + 60'000), 0U);
  EXPECT_EQ(side.counter("sessions-ended-by-drain-time"), 1U);
}

TEST_F(DrainTest, APeerThatHasNotTheFormerCommitRefusesTheSessionsAndIsNotCopiedToAgainAndAgain) {
  left_.emplace(before_, std::uint16_t{0}, now_);
  right_.emplace(next_, std::uint16_t{1}, now_);
  run(*left_, *right_, 2s);
  ASSERT_TRUE(left_->core->shard().active());
  take(*left_, after_);
  run(*left_, *right_, 1s);
  ASSERT_EQ(left_->core->member().status().configuration_difference, "") << "what is drained is no part of the file";
  ASSERT_EQ(left_->core->shard().adopt(session(), now_), Adopted::created);
  run(*left_, *right_, 60s);
  EXPECT_EQ(right_->core->member().status().sync, Sync::hot);
  EXPECT_EQ(right_->core->shard().sessions(), 0U);
  EXPECT_GT(right_->counter("sessions-refused"), 0U);
  EXPECT_GT(right_->counter("audits-not-compared"), 0U);
  EXPECT_EQ(right_->counter("audits-failed"), 0U);
}

}  // namespace
}  // namespace icr::node
