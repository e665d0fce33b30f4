// The reports that a set makes of takeovers: when it makes one, and where its times come from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/set/side.h"

namespace icr::node {
namespace {

using ::testing::IsEmpty;

class FailoverTest : public PairTest {
 protected:
  FailoverTest() : left_(cluster_, 0, now_), right_(cluster_, 1, now_) {
    wall_ = 1'700'000'000'000;
    right_.steers = true;
    run(left_, right_, 2s);
  }
  /// Right runs alone for a while.
  void run_right(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      round(right_);
    }
  }
  [[nodiscard]] const FailoverReport& newest() const { return right_.core->failovers().reports().front(); }

  Side left_;
  Side right_;
};

TEST_F(FailoverTest, AMemberThatStartsAsMasterReportsNothing) {
  ASSERT_TRUE(left_.core->shard().active());
  EXPECT_THAT(left_.reports, IsEmpty());
  EXPECT_THAT(left_.core->failovers().reports(), IsEmpty());
}

TEST_F(FailoverTest, ATakeoverAfterSilenceIsReported) {
  const TimePoint heard = right_.core->member().status().peer_heard_at;
  const std::uint64_t applied = right_.core->member().status().acknowledged;
  run_right(500ms);
  ASSERT_TRUE(right_.core->shard().active());
  ASSERT_EQ(right_.reports.size(), 1U);
  const FailoverReport& report = right_.reports[0];
  EXPECT_EQ(report.set, "rs1");
  EXPECT_EQ(report.chassis, "right");
  EXPECT_EQ(report.peer, "left");
  EXPECT_EQ(report.kind, FailoverKind::takeover);
  EXPECT_EQ(report.reason, "peer is silent");
  EXPECT_EQ(report.term, right_.core->member().term());
  EXPECT_TRUE(report.hot);
  EXPECT_EQ(report.heard_since_boot, static_cast<std::uint64_t>(heard.time_since_epoch() / 1us));
  EXPECT_FALSE(report.closed);
  EXPECT_GE(*report.decided, 300'000) << "three heartbeats";
  EXPECT_EQ(report.granted, report.decided);
  EXPECT_EQ(report.active, report.decided);
  EXPECT_EQ(report.applied, applied);
  EXPECT_EQ(report.detector.floor, 300'000U);
  // The wall clock was read in the round of the takeover.
  EXPECT_EQ(report.heard, wall_ * 1000 - *report.granted);
}

TEST_F(FailoverTest, AClosedConnectionIsReportedWithItsTime) {
  const TimePoint heard = right_.core->member().status().peer_heard_at;
  now_ += 3ms;
  right_.core->on_disconnected(now_);
  const TimePoint closed = now_;
  run_right(50ms);
  ASSERT_EQ(right_.reports.size(), 1U);
  EXPECT_EQ(right_.reports[0].closed, (closed - heard) / 1us);
  EXPECT_EQ(right_.reports[0].decided, (closed + 2ms - heard) / 1us);
}

TEST_F(FailoverTest, ASwitchoverIsReportedByTheNewMasterOnly) {
  ASSERT_TRUE(left_.core->request_switchover(now_));
  run(left_, right_, 100ms);
  ASSERT_TRUE(right_.core->shard().active());
  EXPECT_THAT(left_.reports, IsEmpty());
  ASSERT_EQ(right_.reports.size(), 1U);
  EXPECT_EQ(right_.reports[0].kind, FailoverKind::switchover);
  EXPECT_EQ(right_.reports[0].reason, "switchover");
  EXPECT_EQ(right_.reports[0].sent, right_.reports[0].applied);
}

TEST_F(FailoverTest, AnIllMasterIsReportedAsSuch) {
  KernelReport report;
  report.interfaces = {"interface a1 has no carrier"};
  left_.sent.clear();
  left_.core->on_kernel_report(now_, report);
  now_ += 1ms;
  round(left_);
  // The standby hears that its master is ill, and not that it offers mastership.
  ASSERT_GE(left_.sent.size(), 2U);
  left_.sent.resize(1);
  deliver(left_, right_);
  run_right(250ms);
  ASSERT_EQ(right_.reports.size(), 1U);
  EXPECT_EQ(right_.reports[0].kind, FailoverKind::ill_master);
  EXPECT_EQ(right_.reports[0].decided, 200'000);
  EXPECT_EQ(right_.reports[0].detector.state, "hears the peer");
}

TEST_F(FailoverTest, SteeringCountsFromTheTimeAtWhichItWasDone) {
  run_right(500ms);
  ASSERT_EQ(right_.reports.size(), 1U);
  const TimePoint base(1us * static_cast<std::int64_t>(newest().heard_since_boot));
  right_.core->on_steered(base + 321ms);
  run_right(1ms);
  ASSERT_EQ(right_.reports.size(), 2U);
  EXPECT_EQ(right_.reports[1].steered, 321'000);
  EXPECT_EQ(right_.settled_reports, 0) << "there is no session, so the first new one is awaited";
  run_right(FailoverRecorder::kPatience);
  ASSERT_EQ(right_.reports.size(), 3U);
  EXPECT_TRUE(right_.reports[2].complete);
  EXPECT_EQ(right_.settled_reports, 1);
}

TEST_F(FailoverTest, AMasterThatGoesOnInAHigherTermReportsNothingNew) {
  run_right(500ms);
  const auto term = right_.core->member().term();
  // The former master comes back in a lower term, and yields.
  run(left_, right_, 2s);
  ASSERT_TRUE(right_.core->shard().active());
  EXPECT_GE(right_.core->member().term(), term);
  EXPECT_EQ(right_.core->failovers().reports().size(), 1U);
  EXPECT_THAT(left_.reports, IsEmpty());
}

TEST_F(FailoverTest, ReportsOfFormerLivesAreThere) {
  SetStart start;
  FailoverReport former;
  former.number = 12;
  start.failovers = {former};
  Side again(cluster_, 1, now_, start);
  ASSERT_EQ(again.core->failovers().reports().size(), 1U);
  EXPECT_EQ(again.core->failovers().reports()[0].number, 12U);
  EXPECT_THAT(again.reports, IsEmpty());
}

}  // namespace
}  // namespace icr::node
