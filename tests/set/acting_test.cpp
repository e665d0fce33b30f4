// With a witness: a pair of set cores of which one acts, whatever happens to the time of its peer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/set/side.h"
#include "tests/support/hand_key.h"

namespace icr::node {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

/// The left side is master by the promise of the right one, which is a hot standby. Nobody has the key.
class ActingTest : public PairTest {
 protected:
  void SetUp() override {
    left_.core->on_connected(now_);
    right_.core->on_connected(now_);
    run(left_, right_, 5s);
    ASSERT_TRUE(acts(left_));
    ASSERT_EQ(right_.core->member().status().sync, Sync::hot);
  }
  static SetStart with(WitnessKey& key) {
    SetStart start;
    start.key = &key;
    return start;
  }
  [[nodiscard]] bool acts(const Side& side) const { return side.core->shard().acts(now_); }
  /// Only this side runs, and nothing that it sends arrives.
  void run_alone(Side& side, Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      round(side);
    }
  }

  HandKey left_key_;
  HandKey right_key_;
  Side left_{cluster_, 0, now_, with(left_key_)};
  Side right_{cluster_, 1, now_, with(right_key_)};
};

TEST_F(ActingTest, AProcessThatIsStoppedBeforeItReadsAHeartbeatPromisesFromWhenItReadIt) {
  const TimePoint stopped_at = now_;
  run_alone(left_, 2s);
  ASSERT_FALSE(acts(left_));
  // The right side goes on with the time that it had taken, and finds what has come meanwhile.
  right_.now_is = now_;
  for (; !left_.sent.empty(); left_.sent.pop_front()) {
    right_.core->on_message(stopped_at, left_.sent.front().first, left_.sent.front().second);
  }
  (void)right_.core->round(stopped_at, wall_, kQuietRound);
  deliver(right_, left_);
  round(left_);
  ASSERT_TRUE(acts(left_));
  right_key_.ends = TimePoint::max();
  right_.core->on_disconnected(now_);
  for (const TimePoint end = now_ + 5s; now_ < end && !acts(right_);) {
    now_ += 1ms;
    round(right_);
    ASSERT_FALSE(acts(left_) && acts(right_));
  }
  EXPECT_TRUE(acts(right_));
}

TEST_F(ActingTest, AMasterThatIsFencedDrawsNoTrafficWhenItHearsItsPeerAgain) {
  left_.told.clear();
  run_alone(left_, 2s);
  ASSERT_TRUE(left_.core->fenced());
  EXPECT_THAT(left_.told, Contains(HasSubstr("release")));
  // The right side has heard nothing for so long that it promises nothing.
  left_.sent.clear();
  run_alone(right_, 200ms);
  ASSERT_FALSE(right_.sent.empty());
  left_.told.clear();
  deliver(right_, left_);
  round(left_);
  EXPECT_TRUE(left_.core->member().hears_peer());
  EXPECT_TRUE(left_.core->fenced());
  EXPECT_EQ(left_.announced, 0);
  EXPECT_TRUE(left_.told.empty());
  run(left_, right_, 1s);
  EXPECT_TRUE(acts(left_));
  EXPECT_THAT(left_.told, Contains(HasSubstr("acquire")));
}

TEST_F(ActingTest, TheKeyIsWantedInTheTermThatIsClaimedAlsoInTheFirstOne) {
  HandKey key;
  Side alone(cluster_, 0, now_, with(key));
  for (const TimePoint end = now_ + 20s; now_ < end && key.wanted == 0;) run_alone(alone, 1ms);
  const std::uint64_t claimed = key.wanted;
  ASSERT_NE(claimed, 0U);
  for (int i = 0; i < 100; ++i) {
    run_alone(alone, 1ms);
    ASSERT_EQ(alone.core->member().role(), Role::claiming);
    ASSERT_EQ(key.wanted, claimed);
  }
  key.ends = now_ + 1s;
  run_alone(alone, 10ms);
  EXPECT_TRUE(acts(alone));
  EXPECT_EQ(alone.core->member().term(), claimed);
  EXPECT_EQ(key.wanted, claimed);
}

}  // namespace
}  // namespace icr::node
