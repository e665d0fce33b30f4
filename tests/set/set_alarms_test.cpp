// What an operator should look at in a redundancy set, and since when.
#include "node/set/set_alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/set/side.h"
#include "tests/support/hand_key.h"

namespace icr::node {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class SetAlarms : public PairTest {
 protected:
  void settle(Side& left, Side& right) {
    left.core->on_connected(now_);
    right.core->on_connected(now_);
    run(left, right, 3s);
  }
  static std::vector<Trouble> troubles(Side& side, const std::vector<PathStatus>& paths = {},
                                       const std::string& steering = {}) {
    return troubles_of(*side.core, paths, steering);
  }
};

TEST_F(SetAlarms, APairThatIsWellHasNone) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  settle(left, right);
  EXPECT_THAT(troubles(left), IsEmpty());
  EXPECT_THAT(troubles(right), IsEmpty());
}

TEST_F(SetAlarms, APeerThatIsSilentIsMajor) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  settle(left, right);
  for (int i = 0; i < 3000; ++i) {
    now_ += 1ms;
    round(left);
  }
  EXPECT_THAT(troubles(left), ElementsAre(Trouble{true, "rs1: peer right is not connected"}));
}

TEST_F(SetAlarms, HealthIsOneAlarmForEachReason) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  settle(left, right);
  left.core->on_self_test(now_, {"test packets do not come out", "nor do others"});
  const bool ill = left.core->member().status().health.ill();
  EXPECT_THAT(troubles(left), Contains(Trouble{ill, "rs1: test packets do not come out"}));
  EXPECT_THAT(troubles(left), Contains(Trouble{ill, "rs1: nor do others"}));
}

TEST_F(SetAlarms, WhatAnOperatorDrainedIsMinor) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  settle(left, right);
  left.core->drain(now_, true);
  EXPECT_THAT(troubles(left), Contains(Trouble{false, "rs1: drained by an operator"}));
}

TEST_F(SetAlarms, PathsAndSteeringAreMinor) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  settle(left, right);
  std::vector<PathStatus> paths(2);
  paths[0].state = PathState::up;
  EXPECT_THAT(
      troubles(left, paths, "address 192.0.2.9 is missing"),
      ElementsAre(Trouble{false, "rs1: path 1 to right is down"}, Trouble{false, "rs1: address 192.0.2.9 is missing"}));
  paths.resize(1);
  paths[0].state = PathState::silent;
  EXPECT_THAT(troubles(left, paths), IsEmpty()) << "one path is what the connection is about";
}

TEST_F(SetAlarms, AGuaranteeThatIsNotMetIsMajorWherePacketsAreDropped) {
  for (const WithoutPeer without : {WithoutPeer::go_alone, WithoutPeer::stop}) {
    cluster_.service_sets[0].guarantee = Guarantee::output_commit;
    cluster_.service_sets[0].without_peer = without;
    const Trouble expected{without == WithoutPeer::stop,
                           "rs1: the guarantee of service set fw is not met: no peer has a complete copy"};
    Side left(cluster_, 0, now_);
    for (int i = 0; i < 3000; ++i) {
      now_ += 1ms;
      round(left);
    }
    ASSERT_TRUE(left.core->shard().active());
    EXPECT_THAT(troubles(left), Contains(expected));
    Side right(cluster_, 1, now_);
    settle(left, right);
    EXPECT_THAT(troubles(left), IsEmpty());
    EXPECT_THAT(troubles(right), Not(Contains(expected)));
  }
}

TEST_F(SetAlarms, AWitnessThatDoesNotAnswerIsSaid) {
  HandKey key;
  SetStart start;
  start.key = &key;
  Side left(cluster_, 0, now_, start);
  const Trouble expected{false, "rs1: the witness does not answer"};
  EXPECT_THAT(troubles(left), Not(Contains(expected)));
  key.silent = true;
  EXPECT_THAT(troubles(left), Contains(expected));
}

TEST(AlarmBook, AnAlarmKeepsItsTimeAsLongAsItIsThere) {
  AlarmBook book;
  const TimePoint start{std::chrono::hours(5)};
  constexpr WallMillis kWall = 1'000'000'000;
  book.note(start, {{true, "a"}});
  book.note(start + 10s, {{false, "b"}, {true, "a"}});
  EXPECT_THAT(book.alarms(start + 60s, kWall),
              ElementsAre(Alarm{kWall - 60'000, true, "a"}, Alarm{kWall - 50'000, false, "b"}));
  book.note(start + 61s, {{false, "b"}});
  book.note(start + 62s, {{false, "b"}, {true, "a"}});
  EXPECT_THAT(book.alarms(start + 62s, kWall), ElementsAre(Alarm{kWall - 52'000, false, "b"}, Alarm{kWall, true, "a"}))
      << "one that was away begins anew";
  book.note(start + 70s, {{true, "b"}});
  EXPECT_THAT(book.alarms(start + 70s, kWall), ElementsAre(Alarm{kWall, true, "b"})) << "it has become worse";
}

}  // namespace
}  // namespace icr::node
