// A standby that has sessions already gets a copy of what differs, and nothing that is only there survives it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/stream_bed.h"

namespace icr::replication {
namespace {

/// A standby that was away, and comes back with what it had then.
class ComparisonTest : public StreamTest {
 protected:
  /// Both have the same sessions, and the standby does not follow any more.
  void be_equal_and_leave(std::uint32_t sessions) {
    fill(sessions);
    receiver_.follow(now_, kMaster.boot, term_);
    ASSERT_TRUE(settle());
    receiver_.stop();
    sender_.stop();
    sent_before_ = sender_.counters().bulk_sessions;
  }
  void come_back() { receiver_.follow(now_, kMaster.boot, term_ += 2); }
  std::uint64_t copied() const { return sender_.counters().bulk_sessions - sent_before_; }

  std::uint64_t term_ = 2;
  std::uint64_t sent_before_ = 0;
};

TEST_F(ComparisonTest, NothingIsCopiedToAStandbyThatHasAll) {
  be_equal_and_leave(800);
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 0U);
  EXPECT_EQ(sender_.compared().compared, 200U);
  EXPECT_EQ(sender_.compared().equal, 200U);
  EXPECT_EQ(receiver_.counters().ranges_kept, 200U);
  EXPECT_EQ(receiver_.counters().swept, 0U);
}

TEST_F(ComparisonTest, OnlyRangesThatDifferAreCopied) {
  be_equal_and_leave(800);
  for (std::uint32_t slot = 100; slot < 200; slot += 20) master_.change_state(slot, TcpState::established, now_);
  master_.destroy(400);
  master_.create(400, udp_session(3000), now_);
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 6U * 4U);
  EXPECT_EQ(sender_.compared().compared - sender_.compared().equal, 6U);
}

TEST_F(ComparisonTest, WhatIsOnlyAtTheStandbyIsRemoved) {
  be_equal_and_leave(400);
  standby_.create(900, udp_session(3000), now_);  // where the master has nothing near
  for (std::uint32_t slot = 80; slot < 90; ++slot) master_.destroy(slot);
  master_.destroy(399);
  for (int i = 0; i < 3; ++i) {  // in a later generation than the master's
    standby_.destroy(200);
    standby_.create(200, udp_session(3001 + static_cast<std::uint32_t>(i)), now_);
  }
  master_.destroy(200);
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_FALSE(standby_.live(900));
  EXPECT_FALSE(standby_.live(200));
  EXPECT_EQ(standby_.size(), master_.size());
  EXPECT_EQ(receiver_.counters().swept, 13U);
  EXPECT_LT(copied(), 16U);
}

TEST_F(ComparisonTest, ASlotThatIsEmptyAtBothLearnsOfAnOlderGeneration) {
  be_equal_and_leave(8);
  for (int i = 0; i < 5; ++i) {
    standby_.create(3, udp_session(3001), now_);
    standby_.destroy(3);
  }
  master_.destroy(3);
  come_back();
  ASSERT_TRUE(settle());
  master_.create(3, udp_session(3002), now_);
  ASSERT_LT(master_.generation(3), 5U);
  ASSERT_TRUE(settle());
  EXPECT_TRUE(standby_.live(3));
}

TEST_F(ComparisonTest, ChangesDuringTheComparisonArrive) {
  be_equal_and_leave(900);
  churn(20);
  budget_ = 1;  // a message at a time
  come_back();
  ASSERT_TRUE(run_until([this] { return sender_.compared().compared != 0; }));
  ASSERT_NE(receiver_.sync(), Sync::hot);
  for (int i = 0; i < 100; ++i) {
    churn(1);
    step();
  }
  ASSERT_TRUE(settle());
  EXPECT_EQ(receiver_.counters().audits_failed, 0U);
  EXPECT_GT(receiver_.counters().ranges_kept, 100U);
}

TEST_F(ComparisonTest, ItComesOutOfEveryKindOfWeather) {
  std::uint64_t kept = 0;
  for (const double loss : {0.0, 0.05, 0.3}) {
    for (const Duration jitter : {Duration(0), Duration(20ms)}) {
      for (int round = 0; round < 10; ++round) {
        SCOPED_TRACE(fmt::format("loss {} jitter {} ns round {}", loss, jitter.count(), round));
        lose(loss, loss, jitter);
        churn(10);
        come_back();
        for (int i = 0; i < 30; ++i) {
          churn(2);
          step();
        }
        ASSERT_TRUE(settle(60000));
        EXPECT_EQ(standby_.size(), master_.size());
        EXPECT_EQ(receiver_.counters().audits_failed, 0U);
        kept += sender_.compared().equal;
      }
    }
  }
  EXPECT_GT(kept, 1000U);
  EXPECT_GT(sender_.counters().rewinds, 0U);
}

TEST_F(ComparisonTest, WithoutAnswersEverythingIsCopied) {
  be_equal_and_leave(800);
  drop_answers_ = true;
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 800U);
  EXPECT_EQ(sender_.counters().not_compared, 200U);
  EXPECT_EQ(sender_.compared().equal, 0U);
}

TEST_F(ComparisonTest, AReleaseThatDoesNotCompareGetsEverything) {
  be_equal_and_leave(800);
  former_request_ = true;
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 800U);
  EXPECT_EQ(receiver_.counters().ranges_compared, 0U);
}

TEST_F(ComparisonTest, AReceiverThatCannotReadSomeRecordsGetsEverythingElse) {
  be_equal_and_leave(800);
  RecordSchema lesser = kRecordSchemas.back();
  --lesser.nat_types;
  sender_.set_schema(lesser);
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 800U);
}

TEST_F(ComparisonTest, AnEmptyStandbyDoesNotAsk) {
  fill(800);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  EXPECT_EQ(receiver_.counters().digest_messages, 0U);
}

TEST_F(ComparisonTest, CountersThatMayHaveChangedAreSentAgain) {
  be_equal_and_leave(800);
  receiver_.table_is_of(now_);
  now_ += 5s;
  for (std::uint32_t slot = 0; slot < 10; ++slot) master_.touch(slot, 1000, now_);
  now_ += 100s;
  come_back();
  ASSERT_TRUE(settle());
  ASSERT_TRUE(run_until([this] { return sender_.pending_refresh() == 0 && sender_.unacknowledged_bytes() == 0; }));
  EXPECT_EQ(copied(), 0U);
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < 10; ++slot) {
    ASSERT_TRUE(standby_.read(slot, now_, record));
    EXPECT_EQ(record.counters[0].bytes, 1000U);
  }
  // All others were last used when the copy was right. That is within what a session tells late.
  EXPECT_EQ(sender_.counters().refreshed, 800U);
}

TEST_F(ComparisonTest, CountersOfSessionsThatWereIdleAreNot) {
  be_equal_and_leave(800);
  now_ += 60s;
  receiver_.table_is_of(now_);
  now_ += 5s;
  for (std::uint32_t slot = 0; slot < 10; ++slot) master_.touch(slot, 1000, now_);
  now_ += 100s;
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(sender_.counters().refreshed, 10U);
}

TEST_F(ComparisonTest, AllCountersAreSentIfNobodyKnowsHowOldTheyAre) {
  be_equal_and_leave(800);
  now_ += 1h;
  come_back();
  ASSERT_TRUE(settle());
  EXPECT_EQ(copied(), 0U);
  EXPECT_EQ(sender_.counters().refreshed, 800U);
}

TEST_F(ComparisonTest, AfterAFailedAuditWhatDiffersIsCopiedAndAfterAnotherOneEverything) {
  fill(800);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  const auto spoil = [this] {
    standby_.change_state(77, TcpState::closed, now_);
    const auto before = receiver_.counters().audits_failed;
    ASSERT_TRUE(run_until([&] { return receiver_.counters().audits_failed > before; }));
    sent_before_ = sender_.counters().bulk_sessions;
    ASSERT_TRUE(settle());
  };
  spoil();
  EXPECT_EQ(copied(), 4U);
  now_ += 61s;
  spoil();
  EXPECT_EQ(copied(), 800U) << "the comparison may have kept what was wrong";
  now_ += 61s;
  spoil();
  EXPECT_EQ(copied(), 4U);
}

TEST_F(ComparisonTest, AnswersToNothingAreIgnored) {
  be_equal_and_leave(800);
  come_back();
  ASSERT_TRUE(run_until([this] { return sender_.unacknowledged_bytes() != 0 && sender_.position().sequence > 2; }));
  const Position last = sender_.position();
  const auto ignored = [&](Position at, std::size_t octets) {
    const auto before = sender_.counters().answers_ignored;
    sender_.on_compared({at, std::vector<std::uint8_t>(octets, 0xff)});
    return sender_.counters().answers_ignored - before == 1;
  };
  EXPECT_TRUE(ignored({last.epoch + 1, last.base, 2}, 2));
  EXPECT_TRUE(ignored({last.epoch, last.base + 1, 2}, 2));
  EXPECT_TRUE(ignored({last.epoch, last.base, last.sequence + 1}, 2));
  EXPECT_TRUE(ignored({last.epoch, last.base, 2}, 1));
  EXPECT_TRUE(ignored({last.epoch, last.base, 2}, 3));
  EXPECT_TRUE(ignored({last.epoch, last.base, 1}, 2)) << "the beginning of the stream";
  EXPECT_FALSE(ignored({last.epoch, last.base, 2}, 2));
  ASSERT_TRUE(settle());
  EXPECT_TRUE(ignored({last.epoch, last.base, 2}, 2)) << "it was answered and acknowledged";
  sender_.stop();
  EXPECT_TRUE(ignored({last.epoch, last.base, 2}, 2));
}

TEST_F(ComparisonTest, DigestsOfSlotsThatATableDoesNotHaveAreDifferent) {
  be_equal_and_leave(800);
  come_back();
  receiver_.pump(now_, kStandby, standby_writer_, back_outlet_);
  const Position name = receiver_.position();
  receiver_.on_begin(now_, {{name.epoch, 1, 1}, 1000, {}});
  receiver_.on_digests(now_, {{name.epoch, 1, 2}, kMaxRecordSlots - 4, 4, {1, 0}});
  EXPECT_EQ(receiver_.position().sequence, 2U);
  EXPECT_EQ(receiver_.counters().ranges_compared, 2U);
  EXPECT_LE(receiver_.counters().ranges_kept, 1U) << "an empty range is as good as none";
}

TEST(Comparison, EmptyRangesAreNotTold) {
  FakeTable table(10'000);
  const TimePoint now{1s};
  table.create(1000, udp_session(1), now);
  table.create(1009, udp_session(2), now);
  table.create(9000, udp_session(3), now);
  Comparison comparison(table.high_water(), 4);
  std::vector<std::uint64_t> digests;
  std::vector<Comparison::Piece> pieces;
  while (!comparison.all_sent()) {
    const auto piece = comparison.next(table, 4096, 1000, digests);
    EXPECT_EQ(digests.size(), piece.ranges);
    if (piece.ranges != 0) pieces.push_back(piece);
  }
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].first, 1000U);
  EXPECT_EQ(pieces[0].ranges, 3U);
  EXPECT_EQ(pieces[1].first, 9000U);
  EXPECT_EQ(pieces[1].ranges, 1U);
  EXPECT_FALSE(comparison.done());
  EXPECT_EQ(comparison.known_to(), 0U);
  comparison.answered(pieces[0], {0b101});
  EXPECT_EQ(comparison.known_to(), 1012U);
  EXPECT_FALSE(comparison.differs(0));
  EXPECT_FALSE(comparison.differs(1000));
  EXPECT_TRUE(comparison.differs(1004));
  EXPECT_FALSE(comparison.differs(1008));
  comparison.lost(pieces[1]);
  EXPECT_FALSE(comparison.all_sent());
  EXPECT_LE(comparison.known_to(), 9000U);
  while (!comparison.all_sent()) {
    const auto piece = comparison.next(table, 4096, 1000, digests);
    if (piece.ranges != 0) comparison.answered(piece, {});
  }
  EXPECT_TRUE(comparison.done());
  EXPECT_TRUE(comparison.differs(9000));
  EXPECT_TRUE(comparison.differs(9004)) << "slots that were not in use when the copy began";
  EXPECT_FALSE(comparison.differs(5000));
}

}  // namespace
}  // namespace icr::replication
