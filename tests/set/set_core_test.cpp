// The core of a set: the order of its round, and what it gives out.
#include "node/set/set_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/set/side.h"

namespace icr::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using SetCoreTest = PairTest;

TEST_F(SetCoreTest, NothingIsDecidedBeforeTheFirstRound) {
  Side side(cluster_, 0, now_);
  EXPECT_THAT(side.told, IsEmpty());
  EXPECT_TRUE(side.sent.empty());
}

TEST_F(SetCoreTest, AMasterPersistsItsTermThenActivatesThenDrawsTheTraffic) {
  Side side(cluster_, 0, now_);
  now_ += 1s;
  round(side);
  EXPECT_THAT(side.told, ElementsAre("acquire, active, disk 2", "MASTER 2, active, disk 2"));
}

TEST_F(SetCoreTest, AMasterThatYieldsLetsGoOfTheTrafficBeforeItDeactivates) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  now_ += 1s;
  round(left);
  left.told.clear();
  left.sent.clear();
  now_ += 10ms;
  for (int i = 0; i < 2; ++i) {  // right becomes master as well, in a higher term
    round(right);
    deliver(left, right);
  }
  run(left, right, 300ms);
  Side& yielded = left.told.empty() ? right : left;
  ASSERT_GE(yielded.told.size(), 2U);
  EXPECT_THAT(yielded.told[yielded.told.size() - 2], HasSubstr("release, active"));
  EXPECT_THAT(yielded.told.back(), ::testing::StartsWith("STANDBY"));
  EXPECT_THAT(yielded.told.back(), ::testing::Not(HasSubstr("active")));
}

TEST_F(SetCoreTest, ATermThatTheDiskDoesNotTakeIsOfferedAgain) {
  Side side(cluster_, 0, now_);
  side.store.fail_writes(true);
  now_ += 1s;
  round(side);
  EXPECT_TRUE(side.core->shard().active()) << "a disk that is full keeps no takeover away";
  EXPECT_EQ(side.term_on_disk(), 0U);
  side.store.fail_writes(false);
  now_ += 1ms;
  round(side);
  EXPECT_EQ(side.term_on_disk(), 2U);
}

TEST_F(SetCoreTest, WhileItHandsOverAMasterSetsNoSessionUp) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  run(left, right, 2s);
  ASSERT_TRUE(left.core->shard().active());
  ASSERT_EQ(right.core->member().status().sync, Sync::hot);
  ASSERT_TRUE(left.core->request_switchover(now_));
  EXPECT_TRUE(left.core->shard().refuses_new_sessions());
  run(left, right, 100ms);
  EXPECT_TRUE(right.core->shard().active());
  EXPECT_FALSE(right.core->shard().refuses_new_sessions());
  EXPECT_FALSE(left.core->shard().active());
}

TEST_F(SetCoreTest, TheHistoryTellsWhyAMemberIsInItsRole) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  run(left, right, 2s);
  ASSERT_TRUE(left.core->request_switchover(now_));
  run(left, right, 100ms);
  const auto& history = left.core->history().entries();
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0].from, Role::master);
  EXPECT_EQ(history[0].to, Role::standby);
  EXPECT_EQ(history[0].term, 3U);
  EXPECT_EQ(history[0].reason, "switchover");
  EXPECT_EQ(history[1].from, Role::initializing);
  EXPECT_EQ(history[1].to, Role::master);
  EXPECT_EQ(history[1].term, 2U);
  EXPECT_LT(history[1].at, history[0].at);
}

TEST_F(SetCoreTest, TheHistoryKeepsTheNewest) {
  RoleHistory history;
  for (std::uint64_t term = 1; term <= 100; ++term) history.add({now_, Role::standby, Role::master, term, ""});
  EXPECT_EQ(history.entries().size(), RoleHistory::kEntries);
  EXPECT_EQ(history.entries().front().term, 100U);
  EXPECT_EQ(history.entries().back().term, 101U - RoleHistory::kEntries);
}

TEST_F(SetCoreTest, KernelAndSelfTestAddUpToTheHealth) {
  Side side(cluster_, 0, now_);
  KernelReport report;
  report.interfaces = {"interface a1 has no carrier"};
  side.core->on_kernel_report(now_, report);
  EXPECT_TRUE(side.core->member().status().health.ill());
  side.core->on_self_test(now_, {"packets into unit 1 do not come out"});
  EXPECT_EQ(side.core->member().status().health.weight, 510U);
}

TEST_F(SetCoreTest, ADiskThatFailsAddsToTheHealthUntilItWorks) {
  Side side(cluster_, 0, now_);
  side.store.fail_writes(true);
  for (int i = 0; i < 20; ++i) {
    now_ += 100ms;
    round(side);
  }
  EXPECT_EQ(side.core->member().status().health.weight, cluster_.redundancy_sets[0].health.store);
  EXPECT_EQ(side.core->member().status().health.reasons, "checkpoints cannot be written");
  side.store.fail_writes(false);
  for (int i = 0; i < 100; ++i) {
    now_ += 100ms;
    round(side);
  }
  EXPECT_EQ(side.core->member().status().health.weight, 0U);
}

TEST_F(SetCoreTest, AnOrderlyStopLetsGoOfTheTrafficOnceAndWritesACheckpoint) {
  Side side(cluster_, 0, now_);
  now_ += 1s;
  round(side);
  side.told.clear();
  for (int i = 0; i < 100 && !side.core->shut_down(now_, 0); ++i) {
  }
  EXPECT_TRUE(side.core->shut_down(now_, 0));
  EXPECT_THAT(side.told, ElementsAre("release, active, disk 2"));
  EXPECT_TRUE(*side.store.manifest("rs1"));
}

}  // namespace
}  // namespace icr::node
