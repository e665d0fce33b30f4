// Sender and receiver: what one table holds, the other one gets, whatever happens on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/stream_bed.h"

namespace icr::replication {
namespace {

TEST_F(StreamTest, ColdStandbyBecomesHotWithEverything) {
  fill(700);
  receiver_.follow(now_, kMaster.boot, 2);
  EXPECT_TRUE(receiver_.requested());
  ASSERT_TRUE(settle());
  EXPECT_EQ(standby_.size(), 700U);
  EXPECT_EQ(sender_.counters().bulk_sessions, 700U);
  EXPECT_EQ(receiver_.counters().gaps, 0U);
  EXPECT_EQ(receiver_.counters().duplicates, 0U);
}

TEST_F(StreamTest, WhatTheMasterDoesNotHaveIsSweptAtTheEndOfTheCopy) {
  fill(10);
  for (std::uint32_t i = 5; i < 30; ++i) standby_.create(i, udp_session(2000 + i), now_);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  EXPECT_EQ(standby_.size(), 10U);
  EXPECT_EQ(receiver_.counters().swept, 20U);
}

TEST_F(StreamTest, ChangesDuringTheCopyArriveAndDeletedOnesStayDeleted) {
  fill(900);
  budget_ = 1;  // a batch at a time
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(run_until([this] { return receiver_.sync() == Sync::cold && !receiver_.requested(); }));
  for (int i = 0; i < 300; ++i) {
    churn(5);
    step();
  }
  ASSERT_TRUE(settle());
}

TEST_F(StreamTest, BirthStateAndDeathGoToTheTwin) {
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  master_.create(3, udp_session(1), now_);
  ASSERT_TRUE(settle());
  EXPECT_TRUE(standby_.live(3));
  master_.change_state(3, TcpState::established, now_);
  ASSERT_TRUE(settle());
  master_.destroy(3);
  ASSERT_TRUE(settle());
  EXPECT_FALSE(standby_.live(3));
  EXPECT_EQ(standby_.generation(3), 1U);
  master_.create(3, udp_session(2), now_);
  ASSERT_TRUE(settle());
  EXPECT_EQ(standby_.generation(3), 2U);
}

/// The tombstone of the former session is never sent: the slot is in use again when it is read.
TEST_F(StreamTest, ARefusedRecordEndsWhatItsSlotHeldBefore) {
  receiver_.expect_refusals(true);
  receiver_.follow(now_, kMaster.boot, 2);
  master_.create(3, udp_session(1), now_);
  ASSERT_TRUE(settle());
  ASSERT_TRUE(standby_.live(3));
  standby_.refuse(3);
  master_.destroy(3);
  master_.create(3, udp_session(2), now_);
  ASSERT_TRUE(run_until([this] { return receiver_.counters().refused == 1 && sender_.drained(); }));
  EXPECT_FALSE(standby_.live(3));
  EXPECT_EQ(standby_.size(), 0U);
}

/// The request for a new stream names it at once; until it begins, heartbeats speak under its name, too.
TEST_F(StreamTest, RecordsThatWereRefusedInAFormerStreamAreNotLackingInThisOne) {
  standby_.refuse(3);
  fill(10);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(run_until([this] { return receiver_.sync() == Sync::hot && sender_.drained(); }));
  run_until([] { return false; }, 40);
  EXPECT_FALSE(sender_.complete());
  standby_.refuse_nothing();
  receiver_.follow(now_, kMaster.boot, 3);
  forward_.faults.cut = true;
  ASSERT_TRUE(run_until([this] { return sender_.position().epoch == receiver_.position().epoch; }));
  EXPECT_TRUE(receiver_.requested());
  beat();
  // What a receiver of a former release says.
  const Position p = receiver_.position();
  sender_.on_ack({p.epoch, p.base, p.sequence, true});
  forward_.faults.cut = false;
  ASSERT_TRUE(settle());
  EXPECT_TRUE(run_until([this] { return sender_.complete(); }, 1000));
}

TEST_F(StreamTest, ASlotThatChangesOftenIsSentInItsNewestStateOnly) {
  receiver_.follow(now_, kMaster.boot, 2);
  master_.create(3, udp_session(1), now_);
  ASSERT_TRUE(settle());
  const auto before = sender_.counters().sessions;
  for (int i = 0; i < 50; ++i) master_.change_state(3, TcpState::established, now_);
  ASSERT_TRUE(settle());
  EXPECT_EQ(sender_.counters().sessions - before, 1U);
}

TEST_F(StreamTest, CountersFollowWithoutAStateChange) {
  receiver_.follow(now_, kMaster.boot, 2);
  master_.create(3, udp_session(1), now_);
  ASSERT_TRUE(settle());
  master_.touch(3, 1500, now_);
  const auto batches = receiver_.counters().batches;
  ASSERT_TRUE(run_until([&] { return receiver_.counters().batches > batches; }));
  EXPECT_EQ(sender_.pending_refresh(), 0U);
}

TEST_F(StreamTest, AStateThatTravelsWithCountersIsWaitedFor) {
  fill(10);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  master_.touch(3, 100, now_);
  for (int i = 0; i < 20; ++i) step();
  ASSERT_EQ(sender_.pending_refresh(), 1U) << "counters are sent with the next step";
  master_.change_state(3, TcpState::established, now_);
  step();
  ASSERT_EQ(sender_.pending_refresh() + sender_.pending_state(), 0U);
  EXPECT_EQ(sender_.lag(now_).unacknowledged, 1U);
  EXPECT_FALSE(sender_.drained());
  ASSERT_TRUE(run_until([this] { return sender_.drained(); }, 5));
  EXPECT_EQ(standby_.digest(), master_.digest());
}

TEST_F(StreamTest, DuplicatesAreCountedAndHarmless) {
  fill(500);
  lose(0, 1, 0us);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  EXPECT_GT(receiver_.counters().duplicates, 10U);
  EXPECT_EQ(receiver_.counters().gaps, 0U);
  EXPECT_EQ(sender_.counters().streams, 1U);
}

TEST_F(StreamTest, AGapIsReportedAndOnlyTheLostPartIsSentAgain) {
  fill(500);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  forward_.faults.loss = 1;
  for (std::uint32_t i = 0; i < 6; ++i) master_.change_state(i, TcpState::established, now_);
  for (int i = 0; i < 5; ++i) step();
  EXPECT_FALSE(in_step());
  forward_.faults.loss = 0;
  const auto before = sender_.counters().sessions;
  for (std::uint32_t i = 100; i < 106; ++i) master_.change_state(i, TcpState::established, now_);
  ASSERT_TRUE(settle());
  EXPECT_GE(receiver_.counters().gaps, 1U);
  EXPECT_GE(sender_.counters().rewinds, 1U);
  EXPECT_EQ(sender_.counters().streams, 1U);
  EXPECT_LE(sender_.counters().sessions - before, 24U);
}

TEST_F(StreamTest, TheLossOfTheVeryLastMessageIsNoticed) {
  fill(5);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  ASSERT_TRUE(run_until([this] { return sender_.unacknowledged_bytes() == 0; }));
  forward_.faults.loss = 1;
  master_.destroy(2);
  for (int i = 0; i < 3; ++i) step();
  forward_.faults.loss = 0;
  ASSERT_TRUE(settle());
  EXPECT_FALSE(standby_.live(2));
}

TEST_F(StreamTest, ATwinComesOutOfEveryKindOfWeather) {
  for (const double loss : {0.0, 0.02, 0.2}) {
    for (const double duplicate : {0.0, 0.3}) {
      for (const Duration jitter : {Duration(0), Duration(5ms), Duration(60ms)}) {
        SCOPED_TRACE(fmt::format("loss {} duplicate {} jitter {} ns", loss, duplicate, jitter.count()));
        lose(loss, duplicate, jitter);
        receiver_.stop();
        receiver_.follow(now_, kMaster.boot, 2);
        for (int i = 0; i < 300; ++i) {
          churn(3);
          step();
        }
        ASSERT_TRUE(settle(60000)) << "state " << sender_.pending_state() << " unacknowledged "
                                   << sender_.unacknowledged_bytes();
        EXPECT_EQ(receiver_.counters().audits_failed, 0U);
      }
    }
  }
  EXPECT_GT(receiver_.counters().gaps, 0U);
  EXPECT_GT(receiver_.counters().former_attempt, 0U);
  EXPECT_GT(receiver_.counters().audits_passed, 0U);
}

TEST_F(StreamTest, AStreamGoesOnAfterACutWithoutACopy) {
  fill(800);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  forward_.faults.cut = backward_.faults.cut = true;
  for (int i = 0; i < 100; ++i) {
    churn(2);
    step();
  }
  const auto bulk = sender_.counters().bulk_sessions;
  forward_.faults.cut = backward_.faults.cut = false;
  ASSERT_TRUE(settle());
  EXPECT_EQ(sender_.counters().bulk_sessions, bulk);
  EXPECT_EQ(sender_.counters().streams, 1U);
}

TEST_F(StreamTest, TheWindowBoundsWhatIsOnItsWay) {
  SenderLimits limits = small_limits();
  limits.window_bytes = 8192;
  Sender sender(master_, limits);
  fill(1000);
  sender.start(now_, {5});
  backward_.faults.cut = true;
  for (int i = 0; i < 50; ++i) sender.pump(now_, kMaster, out_outlet_, 1U << 20U);
  EXPECT_LT(sender.unacknowledged_bytes(), limits.window_bytes + 4096U);
  EXPECT_GT(sender.counters().window_full, 0U);
  const auto sent = sender.counters().messages;
  sender.on_ack({5, 1, sender.position().sequence});
  sender.pump(now_, kMaster, out_outlet_, 1U << 20U);
  EXPECT_GT(sender.counters().messages, sent);
}

TEST_F(StreamTest, AMessageIsNoLargerThanWhatMayBeSpent) {
  // A worker between two bursts of packets must not stand still for a batch of a thousand sessions.
  const auto largest = [this](std::size_t budget, SenderLimits limits) {
    Sender sender(master_, limits);
    sender.start(now_, {1});
    WireOutlet out(forward_, now_);
    std::size_t most = 0;
    for (int i = 0; i < 5000 && !sender.drained(); ++i) {
      sender.pump(now_, kMaster, out, budget, true);
      now_ += 1ms;
      while (const auto bytes = forward_.take(now_)) most = std::max(most, bytes->size());
      sender.on_ack({1, sender.position().base, sender.position().sequence});
    }
    EXPECT_TRUE(sender.drained());
    return most;
  };
  fill(900);
  SenderLimits limits;
  limits.audit_interval = 1h;
  EXPECT_GT(largest(512 * 1024, limits), 32U * 1024);
  EXPECT_LT(largest(4096, limits), 6000U);
}

TEST_F(StreamTest, ABlockedLinkLosesNothing) {
  fill(300);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 400; ++i) {
    out_outlet_.blocked = random_() % 2 == 0;
    churn(1);
    step();
  }
  out_outlet_.blocked = false;
  ASSERT_TRUE(settle());
  EXPECT_GT(sender_.counters().outlet_full, 10U);
  EXPECT_EQ(receiver_.counters().gaps, 0U);
}

TEST_F(StreamTest, WordsOfAnotherStreamOrAttemptHaveNoEffect) {
  fill(100);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  const Position p = sender_.position();
  const auto acked = sender_.acknowledged();
  sender_.on_ack({p.epoch + 1, p.base, p.sequence});
  sender_.on_ack({p.epoch, p.base + 1, p.sequence});
  sender_.on_ack({p.epoch, p.base, p.sequence + 1});
  sender_.on_nack({p.epoch, p.base, p.sequence + 2});
  sender_.on_nack({p.epoch + 1, p.base, p.sequence});
  EXPECT_EQ(sender_.counters().acks_ignored, 3U);
  EXPECT_EQ(sender_.counters().nacks_ignored, 2U);
  EXPECT_EQ(sender_.acknowledged(), acked);
  EXPECT_EQ(sender_.counters().rewinds, 0U);

  receiver_.on_bulk_end(now_, BulkEnd{{p.epoch + 1, 1, 1}});
  EXPECT_EQ(receiver_.counters().other_stream, 1U);
  EXPECT_EQ(receiver_.position().sequence, p.sequence);
}

TEST_F(StreamTest, ATableOfAnotherSizeIsNotCopiedIfNothingSaysWhichSlotsAreMeant) {
  FakeTable small(10);
  Receiver receiver(small, small, kReceiverBoot);
  receiver.follow(now_, kMaster.boot, 2);
  const auto epoch = receiver.position().epoch;
  receiver.on_begin(now_, StreamBegin{{epoch, 1, 1}, 1000});
  EXPECT_TRUE(receiver.requested());
  EXPECT_TRUE(receiver.capacity_differs());
  EXPECT_EQ(receiver.counters().capacity_refused, 1U);
}

TEST_F(StreamTest, ADifferenceIsFoundByTheAuditAndMended) {
  fill(200);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  standby_.destroy(77);
  ASSERT_NE(master_.digest(), standby_.digest());
  ASSERT_TRUE(run_until([this] { return receiver_.counters().audits_failed != 0; }));
  ASSERT_TRUE(settle());
  EXPECT_EQ(receiver_.counters().restarts, 1U);
  EXPECT_EQ(sender_.counters().streams, 2U);
}

TEST_F(StreamTest, WhatTheReleaseOfTheReceiverCannotReadIsWithheldAndItsSlotLooksEmpty) {
  // The receiver is one that does not know NAPT44.
  RecordSchema old = kRecordSchemas.back();
  old.nat_types = static_cast<std::uint8_t>(NatType::napt44);
  sender_.set_schema(old);
  fill(40);
  for (std::uint32_t slot = 100; slot < 110; ++slot) {
    auto plain = udp_session(2000 + slot);
    plain.nat_type = NatType::none;
    master_.create(slot, plain, now_);
  }
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(run_until([this] { return receiver_.sync() == Sync::hot && sender_.drained(); }));
  EXPECT_EQ(standby_.size(), 10U);
  EXPECT_EQ(sender_.counters().withheld, 40U);
  // Where a session that it knew is followed by one that it cannot read, the former one ends.
  master_.create(100, udp_session(3000), now_);
  ASSERT_TRUE(run_until([this] { return !standby_.live(100); }));
  const auto audits = receiver_.counters().audits_passed;
  ASSERT_TRUE(run_until([&] { return receiver_.counters().audits_passed >= audits + 20; }));
  EXPECT_EQ(receiver_.counters().audits_failed, 0U);
  EXPECT_EQ(receiver_.counters().restarts, 0U);
  // The receiver starts again as a release that knows it.
  sender_.set_schema(kRecordSchemas.back());
  receiver_.follow(now_, kMaster.boot, 4);
  ASSERT_TRUE(settle());
  EXPECT_EQ(standby_.size(), 50U);
}

TEST_F(StreamTest, InvalidRowsAreRefusedAsAWhole) {
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  BatchEncoder rows;
  for (std::uint32_t i = 0; i <= kMaxBatchRows; ++i) rows.add_tombstone({i % 900, 1});
  Position p = receiver_.position();
  ++p.sequence;
  MessageWriter writer;
  const auto bytes = writer.write(kMaster, Batch{p}, rows);
  const Message* message = from_master_.read(bytes);
  ASSERT_NE(message, nullptr);
  receiver_.on_batch(now_, std::get<Batch>(message->body));
  EXPECT_EQ(receiver_.counters().invalid_batches, 1U);
  EXPECT_EQ(receiver_.position().sequence, p.sequence - 1);
}

TEST_F(StreamTest, ANewSessionCostsAtMostTheRowAndATraceOfAnEnvelope) {
  FakeTable big(20000);
  Sender sender(big);
  Marks marks(sender);
  big.listen(&marks);
  sender.start(now_, {5});
  const auto pump = [&] {
    sender.pump(now_, kMaster, out_outlet_, 1U << 20U, true);
    sender.on_ack({5, 1, sender.position().sequence});
  };
  pump();
  const auto before = sender.counters().bytes;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    big.create(i, udp_session(i), now_);
    if (i % 256 == 255) pump();  // a burst
  }
  pump();
  pump();
  const double each = static_cast<double>(sender.counters().bytes - before) / 20000.0;
  EXPECT_EQ(sender.counters().sessions, 20000U);
  EXPECT_LE(each, static_cast<double>(sizeof(fbs::Session4)) + 1.0);
}

}  // namespace
}  // namespace icr::replication
