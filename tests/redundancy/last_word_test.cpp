#include "node/redundancy/last_word.h"

#include <gtest/gtest.h>

namespace icr::node {
namespace {

namespace rep = icr::replication;

class LastWordTest : public ::testing::Test {
 protected:
  static rep::Position at(std::uint64_t sequence) { return {9, 1, sequence}; }
  static rep::Backlog backlog(std::uint32_t waiting, std::uint32_t unacknowledged = 0, std::uint64_t acknowledged = 0) {
    return {100, 500, waiting, unacknowledged, acknowledged};
  }

  TimePoint now_{1h};
  LastWord word_;
};

TEST_F(LastWordTest, OfAMasterThatSaidNothingNothingIsKnown) {
  EXPECT_FALSE(word_.missing(at(5), true));
  EXPECT_FALSE(word_.missing({}, false));
}

TEST_F(LastWordTest, WhatWaitedBehindTheLastAppliedMessageIsMissing) {
  word_.on_heartbeat(now_, backlog(1), at(4));
  word_.on_applied(now_ + 7ms, {101, 503, 3, 0, 0}, at(5));
  const auto missing = word_.missing(at(5), true);
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->changes, 3U);
  EXPECT_TRUE(missing->exact);
  EXPECT_EQ(missing->told_at, now_ + 7ms);
  EXPECT_EQ(missing->sessions, 101U);
  EXPECT_EQ(missing->set_up, 503U);
}

TEST_F(LastWordTest, AHeartbeatAfterThatMessageCountsInstead) {
  word_.on_applied(now_, backlog(3), at(5));
  word_.on_heartbeat(now_ + 7ms, backlog(8, 2, 4), at(5));
  const auto missing = word_.missing(at(5), true);
  EXPECT_EQ(missing->changes, 8U) << "the rows on their way have been applied";
  EXPECT_TRUE(missing->exact);
  EXPECT_EQ(missing->told_at, now_ + 7ms);
}

TEST_F(LastWordTest, RowsOnTheirWayAreMissing) {
  word_.on_applied(now_, backlog(3), at(5));
  word_.on_heartbeat(now_, backlog(8, 20, 5), at(7));
  const auto missing = word_.missing(at(5), true);
  EXPECT_EQ(missing->changes, 28U);
  EXPECT_TRUE(missing->exact) << "all behind the last acknowledged message, which was the last that was applied";
}

TEST_F(LastWordTest, OfRowsThatWerePerhapsAppliedOnlyABoundIsKnown) {
  word_.on_applied(now_, backlog(3), at(5));
  word_.on_heartbeat(now_, backlog(8, 20, 4), at(7));
  const auto missing = word_.missing(at(5), true);
  EXPECT_EQ(missing->changes, 28U);
  EXPECT_FALSE(missing->exact);
}

TEST_F(LastWordTest, OfALaterAttemptOnlyWhatWasAppliedIsThere) {
  word_.on_applied(now_, {100, 500, 3, 0, 0}, {9, 1, 5});
  // The master has noticed that messages 6 to 8 were lost, and goes on with 9.
  word_.on_heartbeat(now_, backlog(8, 20, 5), {9, 9, 9});
  auto missing = word_.missing(at(5), true);
  EXPECT_EQ(missing->changes, 28U);
  EXPECT_TRUE(missing->exact) << "nothing was applied after what it knows to be acknowledged";
  // Message 10 came and message 9 did not: the place moves, and nothing was applied.
  missing = word_.missing({9, 9, 8}, true);
  EXPECT_EQ(missing->changes, 28U);
  EXPECT_FALSE(missing->exact);
  word_.on_applied(now_ + 1ms, {100, 500, 7, 0, 0}, {9, 9, 9});
  missing = word_.missing({9, 9, 9}, true);
  EXPECT_EQ(missing->changes, 8U) << "the heartbeat was sent after message 9";
}

TEST_F(LastWordTest, AHeartbeatOfAFormerAttemptIsOlderThanAMessageOfTheNext) {
  word_.on_heartbeat(now_, backlog(0, 3, 14), {9, 15, 17});
  auto missing = word_.missing({9, 18, 17}, true);  // 18 was lost, and 19 came
  EXPECT_EQ(missing->changes, 3U) << "none of 15 to 17 was applied, as far as is known";
  EXPECT_FALSE(missing->exact);
  word_.on_applied(now_, {100, 500, 2, 0, 0}, {9, 18, 18});
  missing = word_.missing({9, 18, 18}, true);
  EXPECT_EQ(missing->changes, 2U);
  EXPECT_TRUE(missing->exact);
}

TEST_F(LastWordTest, ACopyThatIsNotCompleteLacksNobodyKnowsWhat) {
  word_.on_heartbeat(now_, backlog(8, 20, 4), at(7));
  const auto missing = word_.missing(at(5), false);
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->changes);
  EXPECT_FALSE(missing->exact);
  EXPECT_EQ(missing->sessions, 100U);
}

TEST_F(LastWordTest, AWordAboutAnotherStreamTellsOnlyOfTheTable) {
  word_.on_heartbeat(now_, backlog(8), {10, 1, 7});
  EXPECT_FALSE(word_.missing(at(5), true)->changes);
  word_.on_heartbeat(now_, backlog(8), {});
  EXPECT_FALSE(word_.missing(at(5), true)->changes);
  EXPECT_FALSE(word_.missing({}, true)->changes);
}

TEST_F(LastWordTest, AMessageWithoutAWordLeavesTheChangesUnknown) {
  word_.on_heartbeat(now_, backlog(8), at(4));
  const auto missing = word_.missing(at(5), true);
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->changes) << "message 5 came after the heartbeat, and did not say what waits behind it";
}

TEST_F(LastWordTest, TheRateIsThatOfTheLastSecond) {
  EXPECT_FALSE(word_.missing(at(1), true));
  for (std::uint64_t i = 0; i <= 30; ++i) {
    // A thousand per second for two seconds, then nothing for half a second, then 4,000 per second.
    const std::uint64_t set_up = i <= 20 ? 100 * i : i <= 25 ? 2000 : 2000 + 400 * (i - 25);
    word_.on_heartbeat(now_ + i * 100ms, {100, set_up, 0, 0, 0}, at(1));
    if (i == 0) {
      EXPECT_FALSE(word_.missing(at(1), true)->setups_per_second) << "one word tells no rate";
    }
    if (i == 20) {
      EXPECT_EQ(word_.missing(at(1), true)->setups_per_second, 1000U);
    }
    if (i == 30) {
      EXPECT_EQ(word_.missing(at(1), true)->setups_per_second, 2000U);
    }
  }
}

TEST_F(LastWordTest, WordsInQuickSuccessionDoNotMakeTheRateJump) {
  for (std::uint64_t i = 0; i <= 1000; ++i) word_.on_applied(now_ + i * 1ms, {100, i, 0, 0, 0}, at(i + 1));
  word_.on_applied(now_ + 1001ms, {100, 1011, 0, 0, 0}, at(1002));
  const auto rate = word_.missing(at(1002), true)->setups_per_second;
  ASSERT_TRUE(rate);
  EXPECT_GE(*rate, 1000U);
  EXPECT_LE(*rate, 1020U);
}

TEST_F(LastWordTest, ARateIsNotComputedAcrossProcesses) {
  for (std::uint64_t i = 0; i < 5; ++i) word_.on_heartbeat(now_ + i * 100ms, {100, 5000, 0, 0, 0}, at(1));
  word_.on_heartbeat(now_ + 500ms, {100, 10, 0, 0, 0}, at(1));
  EXPECT_FALSE(word_.missing(at(1), true)->setups_per_second);
  word_.on_heartbeat(now_ + 600ms, {100, 20, 0, 0, 0}, at(1));
  EXPECT_EQ(word_.missing(at(1), true)->setups_per_second, 100U);
}

TEST_F(LastWordTest, AnotherMasterIsNotJudgedByTheFormerOne) {
  word_.on_heartbeat(now_, backlog(8), at(4));
  word_.on_applied(now_, backlog(8), at(4));
  word_.forget();
  EXPECT_FALSE(word_.missing(at(4), true));
}

}  // namespace
}  // namespace icr::node
