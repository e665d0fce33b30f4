// A pair whose service set has a replication-threshold: what the standby has of sessions that are too young for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/set/side.h"
#include "tests/support/packets.h"

namespace icr::node {
namespace {

class ReplicationThreshold : public PairTest {
 protected:
  ReplicationThreshold() {
    std::string text = kCluster;
    const std::string rules = "stateful-firewall-rules: [outbound]";
    text.replace(text.find(rules), rules.size(), rules + ", replication-threshold: 10");
    auto cluster = parse_cluster(text, "pair");
    EXPECT_TRUE(cluster) << cluster.error().message;
    file_ = std::move(*cluster);
    left_.emplace(file_, std::uint16_t{0}, now_);
    right_.emplace(file_, std::uint16_t{1}, now_);
    run(*left_, *right_, 2s);
    EXPECT_TRUE(left_->core->shard().active());
    EXPECT_EQ(right_->core->member().status().sync, Sync::hot);
  }
  std::uint32_t begin(Side& side, std::uint16_t port) {
    test::Bytes packet = test::build(test::udp("198.18.0.10", port, "198.19.0.10", 53));
    Headers headers;
    EXPECT_EQ(read_headers(packet.data(), static_cast<std::uint32_t>(packet.size()), headers), HeaderError::none);
    Shard& shard = side.core->shard();
    const auto made = shard.set_up(headers, 0, shard.table().hash(0, headers.key), true, Shard::ticks_of(now_));
    EXPECT_TRUE(made.slot);
    return made.slot.value_or(0);
  }
  /// The same as run(), under load: a round tells the peer of a few sessions only.
  void run_busy(Duration time) {
    RoundLimits limits = kBusyRound;
    limits.shared = 8;
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      deliver(*left_, *right_);
      deliver(*right_, *left_);
      round(*left_, limits);
      round(*right_, limits);
    }
  }
  void run_alone(Side& side, Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      round(side);
      side.sent.clear();
    }
  }
  [[nodiscard]] static std::uint32_t sessions(const Side& side) { return side.core->shard().sessions(); }
  void expect_no_audit_failed() {
    for (const Side* side : {&*left_, &*right_}) EXPECT_EQ(side->counter("audits-failed"), 0U);
  }

  Cluster file_;
  std::optional<Side> left_, right_;
};

TEST_F(ReplicationThreshold, TheStandbyHearsOfASessionWhenItIsOldEnough) {
  begin(*left_, 1);
  run(*left_, *right_, 9800ms);
  EXPECT_EQ(sessions(*right_), 0U);
  EXPECT_EQ(left_->core->shard().digest(), right_->core->shard().digest());
  EXPECT_EQ(left_->counter("sessions-below-replication-threshold"), 1U);
  const auto passed = right_->counter("audits-passed");
  run(*left_, *right_, 500ms);
  EXPECT_EQ(sessions(*right_), 1U);
  EXPECT_EQ(left_->core->shard().digest(), right_->core->shard().digest());
  EXPECT_EQ(left_->counter("sessions-below-replication-threshold"), 0U);
  run(*left_, *right_, 1s);
  EXPECT_GT(right_->counter("audits-passed"), passed);
  expect_no_audit_failed();
}

TEST_F(ReplicationThreshold, OneThatEndsBeforeCostsNoRecord) {
  const auto sent = left_->counter("sessions-sent") + left_->counter("tombstones-sent");
  for (std::uint16_t i = 1; i <= 50; ++i) {
    const std::uint32_t slot = begin(*left_, i);
    run(*left_, *right_, 20ms);
    left_->core->shard().remove(slot);
  }
  run(*left_, *right_, 1s);
  EXPECT_EQ(left_->counter("sessions-sent") + left_->counter("tombstones-sent"), sent);
  EXPECT_EQ(left_->counter("sessions-ended-below-replication-threshold"), 50U);
  expect_no_audit_failed();
}

TEST_F(ReplicationThreshold, TheEndOfAnElderSessionIsToldThoughAYoungOneHasItsSlot) {
  const std::uint32_t slot = begin(*left_, 1);
  run(*left_, *right_, 11s);
  ASSERT_EQ(sessions(*right_), 1U);
  left_->core->shard().remove(slot);
  // Slots are used in turn: the whole table goes round before the same one is free again.
  for (std::uint16_t port = 2;; ++port) {
    const std::uint32_t next = begin(*left_, port);
    if (next == slot) break;
    left_->core->shard().remove(next);
  }
  run(*left_, *right_, 1s);
  EXPECT_EQ(sessions(*left_), 1U);
  EXPECT_EQ(sessions(*right_), 0U);
  EXPECT_EQ(left_->core->shard().digest(), right_->core->shard().digest());
  expect_no_audit_failed();
}

TEST_F(ReplicationThreshold, ASwitchoverLosesNothing) {
  for (std::uint16_t i = 1; i <= 200; ++i) begin(*left_, i);
  run(*left_, *right_, 1s);
  ASSERT_EQ(sessions(*right_), 0U);
  ASSERT_TRUE(left_->core->request_switchover(now_));
  run_busy(500ms);
  ASSERT_TRUE(right_->core->shard().active());
  EXPECT_EQ(sessions(*right_), 200U);
  EXPECT_EQ(right_->counter("merge-created"), 0U) << "they came before the handover, not after it";
  expect_no_audit_failed();
}

TEST_F(ReplicationThreshold, ADrainLosesNothing) {
  for (std::uint16_t i = 1; i <= 200; ++i) begin(*left_, i);
  left_->core->drain(now_, true);
  run_busy(500ms);
  ASSERT_TRUE(right_->core->shard().active());
  EXPECT_EQ(sessions(*right_), 200U);
  EXPECT_EQ(right_->counter("merge-created"), 0U);
}

TEST_F(ReplicationThreshold, ACopyLeavesYoungSessionsOut) {
  left_.emplace(file_, std::uint16_t{0}, now_);
  run_alone(*left_, 2s);
  ASSERT_TRUE(left_->core->shard().active());
  for (std::uint16_t i = 1; i <= 10; ++i) begin(*left_, i);
  run_alone(*left_, 6s);
  for (std::uint16_t i = 11; i <= 30; ++i) begin(*left_, i);
  run_alone(*left_, 5s);
  right_.emplace(file_, std::uint16_t{1}, now_);
  run(*left_, *right_, 3s);
  ASSERT_EQ(right_->core->member().status().sync, Sync::hot);
  EXPECT_EQ(sessions(*right_), 10U);
  run(*left_, *right_, 3s);
  EXPECT_EQ(sessions(*right_), 30U);
  expect_no_audit_failed();
}

TEST_F(ReplicationThreshold, AMasterThatYieldsTellsItsYoungSessions) {
  begin(*left_, 1);
  left_->connected = right_->connected = false;
  run(*left_, *right_, 2s);
  ASSERT_TRUE(left_->core->shard().active() && right_->core->shard().active()) << "two masters";
  EXPECT_EQ(sessions(*right_), 0U);
  left_->connected = right_->connected = true;
  run(*left_, *right_, 3s);
  ASSERT_FALSE(left_->core->shard().active());
  EXPECT_EQ(sessions(*right_), 1U);
  EXPECT_EQ(right_->counter("merge-created"), 1U);
}

}  // namespace
}  // namespace icr::node
