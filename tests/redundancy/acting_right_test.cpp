// The right to act: two members that exchange heartbeats by hand, and a witness that the test plays.
#include "node/redundancy/acting_right.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/support/hand_key.h"

namespace icr::node {
namespace {

using replication::Heartbeat;
using ::testing::HasSubstr;

constexpr Duration kPatience = 64ms;
constexpr Duration kLongest = 1s;

struct RightSide {
  explicit RightSide(std::uint64_t its_boot) : boot(its_boot) {}

  Heartbeat beat(TimePoint now) {
    Heartbeat out;
    out.number = ++number;
    out.heard_boot = heard;
    right.on_send(now, kPatience, out);
    return out;
  }
  void hear(TimePoint now, const RightSide& from, const Heartbeat& beat) {
    heard = from.boot;
    right.on_heard(now, from.boot, beat.heard_boot == boot, beat);
  }

  std::uint64_t boot;
  std::uint64_t heard = 0;
  std::uint64_t number = 0;
  HandKey key;
  ActingRight right{key, kLongest, TimePoint(10s)};
};

class ActingRightTest : public ::testing::Test {
 protected:
  /// Each hears the other one, and the start is over.
  void SetUp() override {
    now_ += kLongest;
    exchange();
  }
  /// A heartbeat of the master, and the answer to it. Each is a millisecond on its way.
  void exchange() {
    const Heartbeat said = master_.beat(now_);
    now_ += 1ms;
    standby_.hear(now_, master_, said);
    const Heartbeat answer = standby_.beat(now_);
    now_ += 1ms;
    master_.hear(now_, standby_, answer);
  }
  void rely() { master_.right.set_reliance(true, 2); }

  TimePoint now_{10s};
  RightSide master_{11};
  RightSide standby_{22};
};

TEST_F(ActingRightTest, NobodyActsByItself) {
  rely();
  EXPECT_FALSE(master_.right.may_act(now_));
  EXPECT_FALSE(standby_.right.may_act(now_));
}

TEST_F(ActingRightTest, ThePromiseCountsFromWhenItsHeartbeatWasSent) {
  rely();
  const TimePoint sent = now_;
  exchange();
  EXPECT_EQ(master_.right.acts_until(now_), sent + kPatience - kPatience / 16);
  EXPECT_FALSE(master_.right.may_act(sent + kPatience));
}

TEST_F(ActingRightTest, WhoHasPromisedDoesNotActBeforeThatIsOverNotEvenWithTheKey) {
  rely();
  exchange();
  const TimePoint heard = now_ - 1ms;
  standby_.right.set_reliance(true, 3);
  standby_.key.ends = now_ + 1min;
  EXPECT_FALSE(standby_.right.may_act(heard + kPatience - 1ns));
  EXPECT_TRUE(standby_.right.may_act(heard + kPatience));
  EXPECT_GT(heard + kPatience, master_.right.acts_until(now_)) << "the master has stopped before";
}

TEST_F(ActingRightTest, WhoReliesPromisesNothing) {
  rely();
  standby_.right.set_reliance(true, 3);
  exchange();
  exchange();
  EXPECT_EQ(standby_.beat(now_).promise_us, 0U);
  EXPECT_EQ(master_.beat(now_).promise_us, 0U);
  EXPECT_FALSE(master_.right.may_act(now_));
  EXPECT_FALSE(standby_.right.may_act(now_));
}

TEST_F(ActingRightTest, AHeartbeatWithoutRelianceFreesTheOther) {
  rely();
  exchange();
  master_.right.set_reliance(false, 2);
  EXPECT_FALSE(master_.right.may_act(now_));
  exchange();
  // The planned switchover: the former master promises at once.
  standby_.right.set_reliance(true, 3);
  const Heartbeat asks = standby_.beat(now_);
  master_.hear(now_, standby_, asks);
  standby_.hear(now_, master_, master_.beat(now_));
  EXPECT_TRUE(standby_.right.may_act(now_));
}

TEST_F(ActingRightTest, APromiseForAnEarlierRelianceDoesNotCount) {
  rely();
  const Heartbeat said = master_.beat(now_);
  standby_.hear(now_, master_, said);
  const Heartbeat late = standby_.beat(now_);
  ASSERT_NE(late.promise_us, 0U);
  master_.right.set_reliance(false, 2);
  (void)master_.beat(now_);
  rely();
  master_.hear(now_, standby_, late);
  EXPECT_FALSE(master_.right.may_act(now_));
}

TEST_F(ActingRightTest, APromiseToAFormerProcessDoesNotCountAndStillBinds) {
  rely();
  exchange();
  RightSide next(33);
  standby_.hear(now_, next, next.beat(now_));
  standby_.right.set_reliance(true, 3);
  standby_.key.ends = now_ + 1min;
  EXPECT_FALSE(standby_.right.may_act(now_)) << "another process cannot free it of the promise to the former one";
  EXPECT_TRUE(standby_.right.may_act(now_ + kPatience));
  Heartbeat forged;
  forged.answers = 1;
  forged.promise_us = 50'000;
  next.right.set_reliance(true, 4);
  next.right.on_heard(now_, standby_.boot, false, forged);
  EXPECT_FALSE(next.right.may_act(now_ + 10ms));
}

TEST_F(ActingRightTest, AtItsStartAMemberWaitsAsLongAsAnyPromiseLasts) {
  RightSide fresh(44);
  fresh.right.set_reliance(true, 2);
  fresh.key.ends = TimePoint(1h);
  fresh.hear(TimePoint(10s), standby_, standby_.beat(TimePoint(10s)));
  EXPECT_FALSE(fresh.right.may_act(TimePoint(10s) + kLongest - 1ns));
  EXPECT_TRUE(fresh.right.may_act(TimePoint(10s) + kLongest));
}

TEST_F(ActingRightTest, APromiseForAHeartbeatThatWasNeverSentIsRefused) {
  rely();
  Heartbeat forged;
  forged.answers = 1'000'000;
  forged.promise_us = 50'000;
  master_.right.on_heard(now_, standby_.boot, true, forged);
  EXPECT_FALSE(master_.right.may_act(now_));
  CounterList counters;
  master_.right.append_to(counters);
  for (const auto& each : counters) {
    if (each.name == "promises-refused") {
      EXPECT_EQ(each.value, 1U);
    }
  }
}

TEST_F(ActingRightTest, TheKeyIsWantedWhenAPromiseIsAboutToEndAndGivenBackWhenTheyComeAgain) {
  rely();
  master_.right.tick(now_);
  EXPECT_EQ(master_.key.wanted, 2U) << "nobody has promised anything yet";
  for (int i = 0; i < 60; ++i) {
    exchange();
    now_ += 18ms;
    master_.right.tick(now_);
  }
  EXPECT_EQ(master_.key.wanted, 0U);
  EXPECT_TRUE(master_.right.may_act(now_));
  now_ = master_.right.next_tick();
  EXPECT_TRUE(master_.right.may_act(now_));
  master_.right.tick(now_);
  EXPECT_EQ(master_.key.wanted, 2U);
}

TEST_F(ActingRightTest, AClaimIsGrantedByTheKeyAndNeverRefused) {
  EXPECT_EQ((standby_.right.ask(now_, 3), standby_.right.answer(now_)), ClaimAnswer::pending);
  EXPECT_EQ(standby_.key.wanted, 3U);
  EXPECT_THAT(std::string(standby_.right.awaited()), HasSubstr("the witness (played)"));
  standby_.key.ends = now_ + 1s;
  EXPECT_EQ(standby_.right.answer(now_), ClaimAnswer::granted);
  standby_.right.set_reliance(false, 3);
  EXPECT_EQ(standby_.key.wanted, 0U);
  EXPECT_FALSE(standby_.right.may_act(now_));
}

}  // namespace
}  // namespace icr::node
