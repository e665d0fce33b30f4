// A member that an operator takes out of service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/set/set_status.h"
#include "tests/set/side.h"

namespace icr::node {
namespace {

using ::testing::HasSubstr;

class MemberDrainTest : public PairTest {
 protected:
  MemberDrainTest() : left_(cluster_, 0, now_), right_(cluster_, 1, now_) {
    run(left_, right_, 2s);
    EXPECT_TRUE(left_.core->shard().active());
  }
  [[nodiscard]] SetStatus status_of(const Side& side) const {
    SetStatus out;
    describe(*side.core, now_, out);
    return out;
  }

  Side left_;
  Side right_;
};

TEST_F(MemberDrainTest, ADrainedMasterHandsOverAtOnceAndSaysWhy) {
  const std::uint64_t term = left_.core->member().term();
  left_.core->drain(now_, true);
  EXPECT_TRUE(status_of(left_).drained);
  run(left_, right_, 100ms);
  EXPECT_TRUE(right_.core->shard().active());
  EXPECT_FALSE(left_.core->shard().active());
  EXPECT_EQ(right_.core->member().term(), term + 1);
  ASSERT_EQ(right_.reports.size(), 1U);
  EXPECT_EQ(right_.reports[0].kind, FailoverKind::switchover) << "not a takeover from an ill master";
  EXPECT_EQ(status_of(left_).health_reasons, "drained by an operator");
  EXPECT_EQ(status_of(right_).peer_health_reasons, "drained by an operator");
  // It stays out, whatever its priority is, and nobody can hand over to it by mistake.
  run(left_, right_, 10s);
  EXPECT_TRUE(right_.core->shard().active());
  const auto back = right_.core->request_switchover(now_, true);
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().message, HasSubstr("health is Failed"));
}

TEST_F(MemberDrainTest, ADrainedStandbyTakesOverIfNobodyElseIsLeft) {
  right_.core->drain(now_, true);
  run(left_, right_, 1s);
  ASSERT_TRUE(left_.core->shard().active());
  for (const TimePoint end = now_ + 2s; now_ < end && !right_.core->shard().active();) {
    now_ += 1ms;
    round(right_);
  }
  EXPECT_TRUE(right_.core->shard().active());
}

TEST_F(MemberDrainTest, ADrainedMasterWaitsForAStandbyThatIsHealthy) {
  KernelReport report;
  report.interfaces = {"interface b1 has no carrier"};
  right_.core->on_kernel_report(now_, report);
  run(left_, right_, 1s);
  left_.core->drain(now_, true);
  run(left_, right_, 5s);
  ASSERT_TRUE(left_.core->shard().active()) << "two ill members do not fight";
  right_.core->on_kernel_report(now_, {});
  run(left_, right_, 5s);
  EXPECT_TRUE(right_.core->shard().active());
  EXPECT_FALSE(left_.core->shard().active());
}

TEST_F(MemberDrainTest, CancelledItIsAStandbyLikeAnyOther) {
  left_.core->drain(now_, true);
  run(left_, right_, 2s);
  ASSERT_TRUE(right_.core->shard().active());
  left_.core->drain(now_, false);
  run(left_, right_, 5s);
  EXPECT_FALSE(status_of(left_).drained);
  EXPECT_EQ(status_of(left_).health_weight, 0U);
  EXPECT_TRUE(right_.core->shard().active()) << "nothing moves by itself";
  ASSERT_TRUE(right_.core->request_switchover(now_));
  run(left_, right_, 1s);
  EXPECT_TRUE(left_.core->shard().active());
}

}  // namespace
}  // namespace icr::node
