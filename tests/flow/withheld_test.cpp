// Sessions below the replication-threshold of their service set: whom the shard tells of them, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Plan with_threshold(const std::string& options) {
  Plan plan;
  plan.service_options = options;
  return plan;
}

/// Notes the slots whose state it is told of.
class Hearer final : public ChangeListener {
 public:
  explicit Hearer(std::uint32_t sessions) : sessions_(sessions) {}
  void changed(std::uint32_t slot, Change change) override {
    if (slot < sessions_) (change == Change::state ? state : refresh).push_back(slot);
  }
  std::vector<std::uint32_t> state, refresh;

 private:
  std::uint32_t sessions_;
};

class Withheld : public ::testing::Test {
 protected:
  explicit Withheld(const std::string& options = "replication-threshold: 10") : bed_(with_threshold(options)) {
    bed_.shard->add_listener(peer_);
    bed_.shard->add_observer(disk_);
  }
  void begin(std::uint16_t port) { (void)bed_.pass(kInside, udp(kClient, port, kServer, 53)); }

  Bed bed_;
  Hearer peer_{bed_.shard->table().capacity()};
  Hearer disk_{bed_.shard->table().capacity()};
};

TEST_F(Withheld, ASessionIsToldWhenItIsOldEnoughThoughNoPacketComes) {
  begin(1);
  EXPECT_THAT(peer_.state, IsEmpty());
  EXPECT_THAT(disk_.state, SizeIs(1)) << "a checkpoint has it at once";
  EXPECT_EQ(bed_.shard->digest(), 0U) << "the twin of its slot is empty";
  bed_.wait(9800ms);
  EXPECT_TRUE(bed_.shard->is_withheld(0));
  EXPECT_THAT(peer_.state, IsEmpty());
  bed_.wait(400ms);
  EXPECT_THAT(peer_.state, SizeIs(1));
  EXPECT_FALSE(bed_.shard->is_withheld(0));
  EXPECT_EQ(bed_.shard->withheld(), 0U);
  EXPECT_EQ(bed_.shard->digest(), bed_.slow_digest());
  bed_.wait(20s);
  EXPECT_EQ(bed_.shard->sessions(), 0U) << "it expires when it would have without the threshold";
  EXPECT_THAT(peer_.state, SizeIs(2));
}

TEST_F(Withheld, ASessionThatEndsBeforeIsNeverTold) {
  begin(1);
  bed_.wait(5s);
  bed_.shard->remove(0);
  bed_.wait(20s);
  EXPECT_THAT(peer_.state, IsEmpty());
  EXPECT_THAT(disk_.state, SizeIs(2));
  EXPECT_EQ(bed_.shard->withheld(), 0U);
  EXPECT_EQ(bed_.shard->counters().never_told, 1U);
}

TEST_F(Withheld, WhatChangesMeanwhileIsNotTold) {
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  bed_.wait(2s);
  begin(1);
  for (int i = 0; i < 4; ++i) {
    bed_.wait(2s);
    begin(1);
  }
  EXPECT_THAT(peer_.state, IsEmpty());
  EXPECT_THAT(peer_.refresh, IsEmpty());
  EXPECT_EQ(bed_.shard->digest(), 0U);
}

TEST_F(Withheld, BeforeAHandoverAllAreTold) {
  for (std::uint16_t i = 1; i <= 20; ++i) begin(i);
  EXPECT_EQ(bed_.shard->withheld(), 20U);
  EXPECT_FALSE(bed_.shard->share_withheld(15));
  EXPECT_EQ(bed_.shard->withheld(), 5U);
  EXPECT_TRUE(bed_.shard->share_withheld(15));
  EXPECT_THAT(peer_.state, SizeIs(20));
  EXPECT_EQ(bed_.shard->digest(), bed_.slow_digest());
  // They stay told, whatever their age is.
  bed_.wait(3s);
  EXPECT_EQ(bed_.shard->withheld(), 0U);
  begin(21);
  EXPECT_EQ(bed_.shard->withheld(), 1U) << "if the handover is called off, later sessions are withheld again";
}

TEST_F(Withheld, OneThatYieldsKeepsNothingBack) {
  begin(1);
  bed_.shard->deactivate(bed_.now);
  EXPECT_EQ(bed_.shard->withheld(), 0U);
  EXPECT_THAT(peer_.state, SizeIs(1));
  EXPECT_EQ(bed_.shard->digest(), bed_.slow_digest());
}

TEST_F(Withheld, WhatAnotherMasterHasIsNotWithheldFromIt) {
  Plan plan = with_threshold("replication-threshold: 10");
  plan.nat = false;
  Bed one(plan, 1);
  Bed other(plan, 2);
  (void)one.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)other.pass(kInside, udp(kClient, 1, kServer, 53));
  ASSERT_EQ(one.shard->withheld(), 1U);
  EXPECT_EQ(one.shard->adopt(other.record(0), one.now), Adopted::known);
  EXPECT_EQ(one.shard->withheld(), 0U);
}

TEST_F(Withheld, AShorterThresholdCountsForSessionsThatThereAre) {
  begin(1);
  bed_.wait(4s);
  bed_.take(with_threshold("replication-threshold: 6"));
  bed_.wait(1800ms);
  EXPECT_THAT(peer_.state, IsEmpty());
  bed_.wait(400ms);
  EXPECT_THAT(peer_.state, SizeIs(1));
  begin(2);
  bed_.take(with_threshold(""));
  bed_.wait(100ms);
  EXPECT_THAT(peer_.state, SizeIs(2));
}

TEST_F(Withheld, AThresholdThatComesWithACommitIsForSessionsThatBeginLater) {
  Bed bed;
  Hearer peer{bed.shard->table().capacity()};
  bed.shard->add_listener(peer);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.take(with_threshold("replication-threshold: 5"));
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 53));
  bed.wait(1s);
  EXPECT_THAT(peer.state, Each(0U));
  EXPECT_EQ(bed.shard->withheld(), 1U);
  bed.wait(5s);
  EXPECT_EQ(bed.shard->withheld(), 0U);
}

TEST_F(Withheld, AGuaranteeThatComesWithACommitBeginsWithAllSessions) {
  begin(1);
  bed_.take(with_threshold("guarantee: output-commit"));
  EXPECT_EQ(bed_.shard->withheld(), 0U);
  EXPECT_THAT(peer_.state, SizeIs(1));
}

}  // namespace
}  // namespace icr::node::test
