// Tests that sessions of a master that yields live on at the other master.
#include <gtest/gtest.h>

#include "tests/redundancy/member_pair.h"

namespace icr::node {
namespace {

using test::Node;
using test::udp_session;

class MergeTest : public test::MemberPairTest {
 protected:
  /// A pair with 300 sessions is split until both are master; `meanwhile` is what happens then. The link is up again.
  template <class Meanwhile>
  void split_with(Meanwhile meanwhile) {
    bring_up();
    fill(left_, 300);
    ASSERT_TRUE(run_until([this] {
      return equal() && left_.member->status().pending_state == 0 && left_.member->status().unacknowledged_bytes == 0;
    }));
    cut(true);
    ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
    ASSERT_EQ(left_.role, "master");
    meanwhile();
    cut(false);
  }
};

TEST_F(MergeTest, AfterASplitTheHigherTermHasWhatBothSetUpAndBothAreTwinsAgain) {
  split_with([this] {
    left_.table->destroy(5);
    left_.table->create(400, udp_session(9000), now_);
    right_.table->destroy(6);
    right_.table->create(401, udp_session(9001), now_);
    right_.table->create(400, udp_session(9002), now_);
  });
  ASSERT_TRUE(run_until([this] { return left_.role == "standby" && left_.hot(); }));
  EXPECT_EQ(right_.role, "master");
  EXPECT_GE(right_.reasserted, 1);
  EXPECT_TRUE(equal());
  EXPECT_EQ(right_.table->size(), 302U) << "300, one of them ended, and three more";
  EXPECT_TRUE(right_.table->find(udp_session(9000)));
  EXPECT_TRUE(left_.table->find(udp_session(9001)));
  EXPECT_TRUE(left_.table->find(udp_session(9002)));
  EXPECT_TRUE(right_.table->live(5)) << "it may only have idled where its traffic did not come by";
  EXPECT_FALSE(left_.table->find(udp_session(6))) << "nobody used it at the other master";
  EXPECT_EQ(left_.counter("merge-sent-created"), 1U);
  EXPECT_EQ(right_.counter("merge-created"), 1U);
  EXPECT_EQ(left_.counter("merge-not-sent"), 0U);
  const auto merged = right_.member->take_merged();
  ASSERT_TRUE(merged);
  EXPECT_EQ((*merged)[static_cast<std::size_t>(Adopted::created)], 1U);
  EXPECT_FALSE(right_.member->take_merged()) << "it is told once";
  EXPECT_FALSE(left_.member->take_merged());
}

TEST_F(MergeTest, OfASessionThatBothKnowTheStateThatWasUsedLastWins) {
  split_with([this] {
    run_for(1s);
    right_.table->change_state(7, TcpState::fin_wait, now_);
    left_.table->change_state(8, TcpState::fin_wait, now_);
    run_for(1s);
    left_.table->change_state(7, TcpState::closed, now_);
    right_.table->change_state(8, TcpState::closed, now_);
    left_.table->touch(9, 500, now_);
  });
  ASSERT_TRUE(run_until([this] { return left_.hot(); }));
  SessionRecord r;
  ASSERT_TRUE(right_.table->read(7, now_, r));
  EXPECT_EQ(r.tcp_state, TcpState::closed);
  ASSERT_TRUE(right_.table->read(8, now_, r));
  EXPECT_EQ(r.tcp_state, TcpState::closed);
  ASSERT_TRUE(right_.table->read(9, now_, r));
  EXPECT_EQ(r.counters[0].bytes, 500U);
  EXPECT_EQ(right_.counter("merge-updated"), 2U);
  EXPECT_EQ(right_.counter("merge-known"), 1U);
  EXPECT_TRUE(equal());
}

TEST_F(MergeTest, WhatContradictsIsCountedOnBothSidesByItsReason) {
  split_with([this] {
    SessionRecord mine = udp_session(9000);
    left_.table->create(400, mine, now_);
    mine.flow[0].source_port ^= 1U;  // another client has the translated endpoint
    right_.table->create(420, mine, now_);
    for (std::uint32_t slot = 301; slot < 500; ++slot) right_.table->create(slot, udp_session(10'000 + slot), now_);
    right_.table->create(420, mine, now_);
    left_.table->create(401, udp_session(9500), now_);
  });
  ASSERT_TRUE(run_until([this] { return left_.hot(); }));
  EXPECT_EQ(right_.counter("merge-refused-flow-taken"), 1U);
  EXPECT_EQ(left_.counter("merge-sent-refused-flow-taken"), 1U);
  EXPECT_EQ(right_.counter("merge-created"), 1U) << "the last free slot";
  EXPECT_TRUE(equal());
}

TEST_F(MergeTest, AMasterThatWasAloneAllTheTimeTellsAllOfItsTable) {
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }));
  fill(left_, 300);
  right_.start();
  cut(true);
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  right_.table->create(400, udp_session(9000), now_);
  cut(false);
  ASSERT_TRUE(run_until([this] { return left_.hot() || right_.hot(); }));
  EXPECT_TRUE(equal());
  EXPECT_EQ(left_.table->size(), 301U);
}

TEST_F(MergeTest, AMergeThatNobodyAnswersIsGivenUpAndCounted) {
  split_with([this] { left_.table->create(400, udp_session(9000), now_); });
  ASSERT_TRUE(run_until([this] { return left_.role == "standby"; }));
  left_.data.faults.cut = true;  // what it tells is lost
  left_.data.clear();
  EXPECT_TRUE(left_.member->status().merging);
  ASSERT_TRUE(run_until([this] { return left_.hot(); }, 4s));
  EXPECT_EQ(left_.counter("merges-given-up"), 1U);
  EXPECT_EQ(left_.counter("merge-not-sent"), 1U);
  EXPECT_FALSE(right_.table->find(udp_session(9000)));
  EXPECT_TRUE(equal());
}

TEST_F(MergeTest, WhatIsLostOnTheWayIsToldAgain) {
  split_with([this] {
    for (std::uint32_t slot = 301; slot < 500; ++slot) left_.table->create(slot, udp_session(9000 + slot), now_);
  });
  ASSERT_TRUE(run_until([this] { return left_.data.in_flight() > 1; }));
  ASSERT_EQ(left_.role, "standby");
  ASSERT_TRUE(left_.data.take(now_ + 1s)) << "the first message is lost, others arrive";
  ASSERT_TRUE(run_until([this] { return left_.hot(); }));
  for (std::uint32_t slot = 301; slot < 500; ++slot) EXPECT_TRUE(right_.table->find(udp_session(9000 + slot))) << slot;
  EXPECT_EQ(left_.counter("merge-not-sent"), 0U);
  EXPECT_TRUE(equal());
}

TEST_F(MergeTest, AMergeSurvivesTheDeathOfEitherSide) {
  for (const bool master_dies : {true, false}) {
    SCOPED_TRACE(master_dies);
    for (Node* node : {&left_, &right_}) {
      node->crash();
      node->persisted = 0;
    }
    split_with([this] {
      for (std::uint32_t i = 0; i < 150; ++i) left_.table->create(320 + i, udp_session(9000 + i), now_);
    });
    // The master has taken over what it was told, and its acknowledgements do not arrive.
    ASSERT_TRUE(run_until([this] { return left_.role == "standby"; }, 2s));
    right_.control.faults.cut = true;
    right_.control.clear();
    ASSERT_TRUE(run_until([this] { return right_.table->size() > 300; }, 100ms));
    EXPECT_TRUE(left_.member->status().merging);
    right_.control.faults.cut = false;
    (master_dies ? right_ : left_).crash();
    run_for(2s);
    (master_dies ? right_ : left_).start();
    ASSERT_TRUE(run_until([this] { return left_.hot() || right_.hot(); }));
    EXPECT_TRUE(equal());
    EXPECT_EQ(left_.table->size(), 450U)
        << "the old master goes on with what it had, or the new one with what it was told";
  }
}

TEST_F(MergeTest, AdoptMessagesThatAreNotAStandbysInTheTermInForceChangeNothing) {
  bring_up();
  fill(left_, 3);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  replication::Header header{0x5eed,
                             0,
                             left_.member->term(),
                             cluster_.redundancy_sets[0].stable_id,
                             1,
                             cluster_.stable_id,
                             cluster_.chassis[1].stable_id};
  header.boot = 1 * 0x1000000001ULL + 1;  // the boot of the standby that is known
  replication::MessageWriter writer;
  const auto adopt = [&](const replication::Header& from, bool data_link) {
    BatchEncoder rows;
    SessionRecord record = udp_session(77);
    record.ref = {7, 1};
    rows.add(record);
    const auto bytes = writer.write(from, replication::Adopt{1, 1, true, nullptr}, rows);
    data_link ? left_.member->on_data(now_, bytes) : left_.member->on_control(now_, bytes);
  };
  replication::Header other = header;
  other.term = 1 + header.term;
  adopt(other, true);
  EXPECT_EQ(left_.counter("refused-higher-term"), 1U);
  other = header;
  other.boot = 999;
  adopt(other, true);
  EXPECT_EQ(left_.counter("refused-other-boot"), 1U);
  adopt(header, false);
  EXPECT_EQ(left_.counter("refused-wrong-link"), 1U);
  // A standby without a merge ignores an AdoptAck of its master.
  const auto bytes =
      writer.write({0x5eed, 0x1000000001ULL, left_.member->term(), 0, 0}, replication::AdoptAck{1, 1, {}});
  right_.member->on_control(now_, bytes);
  EXPECT_EQ(left_.table->size(), 3U);
  // The master accepts one of its standby, as in every merge.
  adopt(header, true);
  EXPECT_EQ(left_.table->size(), 4U);
  adopt(header, true);
  EXPECT_EQ(left_.counter("merge-messages-duplicate"), 1U);
}

}  // namespace
}  // namespace icr::node
