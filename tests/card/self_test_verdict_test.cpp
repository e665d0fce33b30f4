#include "node/card/self_test_verdict.h"

#include <gtest/gtest.h>

namespace icr::node {
namespace {

using namespace std::chrono_literals;

class SelfTestVerdictTest : public testing::Test {
 protected:
  /// Goes on to the moment at which the next packet is due, and sends it.
  std::uint32_t send() {
    now_ = verdict_.next_deadline();
    const auto number = verdict_.send_due(now_);
    EXPECT_TRUE(number.has_value());
    return number.value_or(0);
  }
  void lose_one() {
    (void)send();
    now_ += SelfTestVerdict::kWait;
    EXPECT_TRUE(verdict_.overdue(now_));
    verdict_.lost(now_);
  }

  TimePoint now_{100s};
  SelfTestVerdict verdict_{now_};
};

TEST_F(SelfTestVerdictTest, OnePacketASecondWhileAllComeOut) {
  const TimePoint begin = now_;
  for (int i = 0; i < 10; ++i) {
    const std::uint32_t number = send();
    EXPECT_FALSE(verdict_.send_due(now_)) << "one at a time";
    EXPECT_TRUE(verdict_.came_out(number, now_));
  }
  EXPECT_EQ(now_ - begin, 10s);
  EXPECT_FALSE(verdict_.broken());
}

TEST_F(SelfTestVerdictTest, ThreeLostInARowAreAFaultWithinTwoAndAHalfSeconds) {
  verdict_.came_out(send(), now_);
  const TimePoint broke = now_;
  lose_one();
  lose_one();
  EXPECT_FALSE(verdict_.broken());
  lose_one();
  EXPECT_TRUE(verdict_.broken());
  EXPECT_LE(now_ - broke, 2500ms);
}

TEST_F(SelfTestVerdictTest, LostOnesThatAreNotInARowAreNone) {
  for (int i = 0; i < 10; ++i) {
    lose_one();
    lose_one();
    EXPECT_TRUE(verdict_.came_out(send(), now_));
  }
  EXPECT_FALSE(verdict_.broken());
}

TEST_F(SelfTestVerdictTest, OneThatComesOutEndsTheFault) {
  for (int i = 0; i < 20; ++i) lose_one();
  EXPECT_TRUE(verdict_.broken());
  EXPECT_TRUE(verdict_.came_out(send(), now_));
  EXPECT_FALSE(verdict_.broken());
}

TEST_F(SelfTestVerdictTest, WhatIsExcusedNeitherCondemnsNorAcquits) {
  for (int i = 0; i < 10; ++i) {
    (void)send();
    EXPECT_TRUE(verdict_.excuse(now_));
    EXPECT_FALSE(verdict_.waiting());
  }
  EXPECT_FALSE(verdict_.broken());
  lose_one();
  lose_one();
  (void)send();
  EXPECT_TRUE(verdict_.excuse(now_));
  lose_one();
  EXPECT_TRUE(verdict_.broken()) << "those that were lost before still count";
  (void)send();
  EXPECT_TRUE(verdict_.excuse(now_));
  EXPECT_TRUE(verdict_.broken()) << "an excuse proves no recovery";
  EXPECT_FALSE(verdict_.excuse(now_)) << "nothing is on its way";
}

TEST_F(SelfTestVerdictTest, APacketThatComesTooLateOrFromElsewhereCountsForNothing) {
  const std::uint32_t late = send();
  EXPECT_FALSE(verdict_.came_out(late + 1, now_));
  now_ += SelfTestVerdict::kWait;
  verdict_.lost(now_);
  EXPECT_FALSE(verdict_.came_out(late, now_));
  const std::uint32_t next = send();
  EXPECT_FALSE(verdict_.came_out(late, now_));
  EXPECT_TRUE(verdict_.came_out(next, now_));
  EXPECT_FALSE(verdict_.came_out(next, now_)) << "a copy";
}

}  // namespace
}  // namespace icr::node
