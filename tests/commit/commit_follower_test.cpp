// What a chassis remembers between two looks at its redundancy sets, on its way to its newest commit.
#include "node/commit/commit_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/config/cluster_file.h"

namespace icr::node {
namespace {

using testing::HasSubstr;
using Step = Turn::Step;

constexpr std::uint64_t kOld = 1, kNew = 2;

class CommitFollowerTest : public ::testing::Test {
 protected:
  CommitFollowerTest() : cluster_(*load_cluster_file("cluster-configs/two-chassis.yaml")), follower_("left") {
    follower_.note_newest(1, kOld);
  }

  /// Looks at the one set in the role, whose peer is there or not and runs the old snapshot.
  Turn look(Role role, bool peer_present, std::uint64_t peer_running = kOld) {
    facts_ = {SetFact{}};
    SetFact& fact = facts_[0];
    fact.name = "rs1";
    fact.peer = "right";
    fact.role = role;
    fact.peer_present = peer_present;
    fact.peer_hot = peer_present && role == Role::master;
    fact.peer_running = peer_present ? peer_running : 0;
    follower_.remember(now_, facts_);
    return follower_.decide(now_, cluster_, live_, facts_);
  }

  const Cluster cluster_;
  CommitFollower follower_;
  std::vector<SetFact> facts_;
  bool live_ = false;  ///< the commit needs no restart
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(CommitFollowerTest, ACommitIsPendingUntilItRunsOrHasFailed) {
  EXPECT_FALSE(follower_.pending(kOld));
  follower_.note_newest(2, kNew);
  EXPECT_TRUE(follower_.pending(kOld));
  EXPECT_FALSE(follower_.pending(kNew));
  follower_.note_failure();
  EXPECT_FALSE(follower_.pending(kOld));
  follower_.note_newest(2, kNew);
  EXPECT_FALSE(follower_.pending(kOld)) << "it is the same one";
  follower_.note_newest(3, kNew);
  EXPECT_TRUE(follower_.pending(kOld)) << "somebody committed it again";
}

TEST_F(CommitFollowerTest, WithoutARestartAMasterOnlyLetsItsStandbyGoFirst) {
  live_ = true;
  follower_.note_newest(2, kNew);
  const Turn turn = look(Role::master, true);
  EXPECT_EQ(turn.step, Step::wait);
  EXPECT_TRUE(turn.waits);
  EXPECT_THAT(turn.why, HasSubstr("right to run the commit"));
  EXPECT_EQ(look(Role::master, true, kNew).step, Step::take_live);
  EXPECT_EQ(look(Role::standby, true).step, Step::take_live);
}

TEST_F(CommitFollowerTest, AMasterWhosePeerWasSeenBeforeTheCommitWaitsForItForSomeTime) {
  (void)look(Role::master, true);
  now_ += 10s;
  follower_.note_newest(2, kNew);
  const Turn turn = look(Role::master, false);
  EXPECT_EQ(turn.step, Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("right to return"));
  EXPECT_TRUE(facts_[0].peer_heard_lately);
  now_ += 5s;
  EXPECT_EQ(look(Role::master, false).step, Step::restart);
  EXPECT_FALSE(facts_[0].peer_heard_lately);
}

TEST_F(CommitFollowerTest, AMasterWhosePeerVanishesAfterTheCommitWaitsForItForEver) {
  follower_.note_newest(2, kNew);
  (void)look(Role::master, true);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(look(Role::master, false).step, Step::wait);
  follower_.note_newest(3, kNew);
  EXPECT_EQ(look(Role::master, false).step, Step::wait) << "a confirmation changes nothing";
  follower_.note_newest(4, kNew + 1);
  EXPECT_EQ(look(Role::master, false).step, Step::restart) << "a commit of another text does not wait for it";
}

TEST_F(CommitFollowerTest, APeerThatWasNeverHeardIsNotWaitedFor) {
  follower_.note_newest(2, kNew);
  EXPECT_EQ(look(Role::master, false).step, Step::restart);
}

TEST_F(CommitFollowerTest, AfterASwitchoverTheTrafficHasTimeToMove) {
  follower_.note_newest(2, kNew);
  EXPECT_EQ(look(Role::master, true, kNew).step, Step::hand_over);
  now_ += 100ms;
  const Turn turn = look(Role::standby, true, kNew);
  EXPECT_EQ(turn.step, Step::wait);
  EXPECT_FALSE(turn.waits) << "a master whose name is lower would hand over to it, for a commit that it does not run";
  EXPECT_THAT(turn.why, HasSubstr("the traffic to move"));
  now_ += 200ms;
  EXPECT_EQ(look(Role::standby, true, kNew).step, Step::restart);
}

TEST_F(CommitFollowerTest, AStandbyThatWasNotMasterRestartsAtOnce) {
  follower_.note_newest(2, kNew);
  EXPECT_EQ(look(Role::standby, true).step, Step::restart);
}

TEST(Facts, SayWhatTheStatusSays) {
  const Cluster cluster = *load_cluster_file("cluster-configs/two-chassis.yaml");
  SetStatus status;
  status.role = Role::master;
  status.peer_role = Role::standby;
  status.sync = Sync::hot;
  status.peer.emplace();
  status.peer->commit_number = 7;
  status.peer->running_digest = kNew;
  status.peer->commit_waits = true;
  SetFact fact = fact_of(status, cluster, 0, 3);
  EXPECT_EQ(fact.name, cluster.redundancy_sets[0].name);
  EXPECT_EQ(fact.card, 3);
  EXPECT_EQ(fact.peer, cluster.chassis[1].name);
  EXPECT_TRUE(fact.peer_present && fact.peer_hot && fact.peer_waits);
  EXPECT_EQ(fact.peer_running, kNew);
  EXPECT_EQ(fact.peer_number, 7U);
  status.peer_role.reset();
  fact = fact_of(status, cluster, 1, 0);
  EXPECT_EQ(fact.peer, cluster.chassis[0].name);
  EXPECT_FALSE(fact.peer_present || fact.peer_hot);
  EXPECT_EQ(fact.peer_number, 0U) << "it may have another one by now";
}

}  // namespace
}  // namespace icr::node
