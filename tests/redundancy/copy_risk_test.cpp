// What a standby says that it may lack, when its master is suddenly gone, is never less than what it lacks.
#include <gtest/gtest.h>

#include <map>

#include "node/redundancy/takeover.h"
#include "tests/replication/stream_bed.h"

namespace icr::replication {
namespace {

using node::CopyRisk;

/// A stream and heartbeats, and what the master's table was when each of them was made.
class CopyRiskTest : public StreamTest {
 protected:
  struct Row {
    SessionRef ref;
    std::uint32_t version = 0;
    bool live = false;
  };
  using Rows = std::vector<Row>;
  struct Beat {
    TimePoint arrives;
    Lag lag;
    Position position;
    Rows rows;
  };

  static Rows rows_of(const FakeTable& table) {
    Rows out;
    SessionRecord record;
    for (std::uint32_t slot = 0; slot < table.capacity(); ++slot) {
      const bool live = table.read(slot, TimePoint{}, record);
      out.push_back({record.ref, record.version, live});
    }
    return out;
  }
  /// One millisecond: changes, the stream, and now and then a heartbeat, which takes its time.
  void live_on(int changes) {
    churn(changes);
    const std::uint64_t before = sender_.position().sequence;
    const std::uint64_t epoch = sender_.position().epoch;
    step();
    if (sender_.position().epoch != epoch) made_.clear();
    const std::uint64_t first = sender_.position().epoch == epoch ? before + 1 : 1;
    const bool beats = ++lived_ % 10 == 0 && random_() % 4 != 0;
    if (first > sender_.position().sequence && !beats) {
      hear();
      return;
    }
    const Rows rows = rows_of(master_);
    for (std::uint64_t n = first; n <= sender_.position().sequence; ++n) made_[n] = rows;
    if (beats) {
      on_the_way_.push_back({now_ + random_() % 4 * 1ms, sender_.lag(now_), sender_.position(), rows});
    }
    hear();
  }
  void hear() {
    while (!on_the_way_.empty() && on_the_way_.front().arrives <= now_) {
      heard_ = std::move(on_the_way_.front());
      heard_->arrives = now_ + 1us;  // so that it is not taken for a message
      on_the_way_.pop_front();
    }
  }
  [[nodiscard]] CopyRisk risk() const {
    CopyRisk out;
    if (heard_) {
      out.told = heard_->lag;
      out.told_of = heard_->position;
      out.told_at = heard_->arrives;
    }
    out.applied = receiver_.position();
    out.word = receiver_.word();
    out.lacking = receiver_.lacking();
    return out;
  }
  /// Returns how many slots of `rows` the standby has not, or in another state.
  [[nodiscard]] std::uint64_t lacked(const Rows& rows) const {
    std::uint64_t out = 0;
    SessionRecord there;
    for (std::uint32_t slot = 0; slot < standby_.capacity(); ++slot) {
      const bool live = standby_.read(slot, TimePoint{}, there);
      const Row& row = rows[slot];
      if (live != row.live || (live && (there.ref != row.ref || there.version < row.version))) ++out;
    }
    return out;
  }
  /// Checks the bound as if the master were gone now.
  void check() {
    const bool hot = receiver_.sync() == Sync::hot;
    const auto bound = risk().bound(hot);
    if (!heard_) {
      EXPECT_FALSE(bound);
      return;
    }
    ASSERT_TRUE(bound);
    const bool by_heartbeat = bound->at == heard_->arrives;
    const std::uint64_t truth = lacked(by_heartbeat ? heard_->rows : made_.at(receiver_.word().position.sequence));
    if (hot) {
      EXPECT_LE(truth, bound->slots) << "at " << now_.time_since_epoch() / 1ms << " ms";
      ++(by_heartbeat ? by_heartbeat_ : by_message_);
      allowed_ += bound->slots;
      lacked_ += truth;
    } else {
      EXPECT_EQ(bound->slots, heard_->lag.sessions) << "all of them are at risk";
    }
  }

  std::map<std::uint64_t, Rows> made_;  ///< by number of the message
  std::deque<Beat> on_the_way_;
  std::optional<Beat> heard_;
  int lived_ = 0;
  int by_heartbeat_ = 0, by_message_ = 0;
  std::uint64_t allowed_ = 0, lacked_ = 0;
};

TEST_F(CopyRiskTest, NothingIsAtRiskWhenTheMasterWasQuiet) {
  fill(300);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 500; ++i) live_on(0);
  ASSERT_EQ(receiver_.sync(), Sync::hot);
  const auto bound = risk().bound(true);
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->slots, 0U);
  EXPECT_EQ(risk().missing(), 0U);
  EXPECT_EQ(heard_->lag.sessions, 300U);
}

TEST_F(CopyRiskTest, ItIsNeverLessThanWhatIsLacking) {
  fill(300);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 1000; ++i) {
    live_on(static_cast<int>(random_() % 8));
    check();
  }
  EXPECT_GT(by_message_, 500);
  EXPECT_GT(lacked_, 100U);
  // Almost every slot that it counts differs indeed.
  EXPECT_LT(allowed_, lacked_ + lacked_ / 2);
}

TEST_F(CopyRiskTest, NorIsItUnderLoss) {
  fill(300);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 200; ++i) live_on(0);
  ASSERT_EQ(receiver_.sync(), Sync::hot);
  lose(0.02, 0.02, 0ms);
  for (int i = 0; i < 1500; ++i) {
    live_on(static_cast<int>(random_() % 4));
    check();
  }
  EXPECT_GT(by_message_, 100);
  EXPECT_GT(by_heartbeat_, 100);
  EXPECT_GT(sender_.counters().rewinds, 5U);
  EXPECT_GT(lacked_, 200U);
}

TEST_F(CopyRiskTest, WhatALinkDoesNotTakeIsAtRisk) {
  fill(300);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  for (int i = 0; i < 300; ++i) {
    out_outlet_.blocked = i > 100;
    live_on(2);
    check();
  }
  EXPECT_GT(by_heartbeat_, 100);
  EXPECT_GT(heard_->lag.waiting, 50U);
  EXPECT_GE(heard_->lag.oldest_us, 150'000U);
}

TEST_F(CopyRiskTest, RecordsThatWereRefusedAreLackingUntilTheyAreTaken) {
  fill(300);
  standby_.refuse(7);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 500; ++i) live_on(0);
  ASSERT_EQ(receiver_.sync(), Sync::hot);
  EXPECT_EQ(risk().bound(true)->slots, 1U);
  for (int i = 0; i < 3; ++i) {
    master_.change_state(7, TcpState::established, now_);
    for (int each = 0; each < 50; ++each) live_on(0);
  }
  EXPECT_EQ(risk().bound(true)->slots, 1U) << "each slot counts once";
  master_.destroy(7);
  for (int i = 0; i < 50; ++i) live_on(0);
  EXPECT_EQ(risk().bound(true)->slots, 0U);
}

TEST_F(CopyRiskTest, RecordsThatAreWithheldAreAtRisk) {
  const RecordSchema former{8, 10, 4};
  sender_.set_schema(former);
  fill(10);
  SessionRecord later = udp_session(50);
  later.nat_type = NatType::nptv6;
  ASSERT_FALSE(former.admits(later));
  master_.create(20, later, now_);
  receiver_.follow(now_, kMaster.boot, 2);
  for (int i = 0; i < 500; ++i) live_on(0);
  ASSERT_EQ(receiver_.sync(), Sync::hot);
  EXPECT_EQ(risk().bound(true)->slots, 1U);
  master_.destroy(20);
  for (int i = 0; i < 50; ++i) live_on(0);
  EXPECT_EQ(risk().bound(true)->slots, 0U);
}

TEST_F(CopyRiskTest, AMasterThatTellsNothingLeavesItUnknown) {
  fill(10);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  CopyRisk nothing;
  nothing.applied = receiver_.position();
  nothing.word = receiver_.word();
  EXPECT_FALSE(nothing.bound(true));
  EXPECT_FALSE(nothing.missing());
}

/// What the standby stands before then is the first message of the later attempt, whatever it lacks of the former one.
TEST(CopyRisk, AnAttemptOfWhichNothingWasAppliedProvesNothing) {
  CopyRisk risk;
  risk.told = Lag{100, 2, 28, 0, false};
  risk.told_of = {5, 1, 50};
  risk.word = {{5, 1, 40}, TimePoint(1s), 0};
  risk.applied = {5, 60, 59};
  EXPECT_EQ(risk.bound(true)->slots, 30U);
  EXPECT_EQ(risk.missing(), 10U);
  risk.word.position.sequence = 50;
  EXPECT_EQ(risk.bound(true)->slots, 2U) << "all of the former attempt had come";
  EXPECT_EQ(risk.missing(), 0U);
  risk.word = {{5, 60, 60}, TimePoint(1s), 1};
  EXPECT_EQ(risk.bound(true)->slots, 1U) << "a message of the later attempt has the last word";
  EXPECT_EQ(risk.missing(), 0U);
}

TEST(ChangeAges, TheOldestChangeThatIsNotAcknowledgedCounts) {
  ChangeAges ages;
  EXPECT_FALSE(ages.oldest(0));
  ages.see(TimePoint(1s), 10, 0);
  ages.see(TimePoint(2s), 20, 0);
  ages.see(TimePoint(3s), 20, 0);
  EXPECT_EQ(ages.oldest(0), TimePoint(1s));
  EXPECT_EQ(ages.oldest(9), TimePoint(1s));
  EXPECT_EQ(ages.oldest(10), TimePoint(2s));
  EXPECT_FALSE(ages.oldest(20));
  ages.see(TimePoint(4s), 20, 20);
  EXPECT_FALSE(ages.oldest(0)) << "what was acknowledged is forgotten";
}

TEST(ChangeAges, AnyNumberOfChangesTakesLittleMemoryAndNoneSeemsYounger) {
  ChangeAges ages;
  constexpr std::uint64_t kChanges = 100'000;
  for (std::uint64_t n = 1; n <= kChanges; ++n) ages.see(TimePoint(1ms * n), n, 0);
  EXPECT_EQ(ages.oldest(0), TimePoint(1ms));
  for (std::uint64_t n = 0; n < kChanges; n += 777) {
    const auto since = ages.oldest(n);
    ASSERT_TRUE(since);
    EXPECT_LE(*since, TimePoint(1ms * (n + 1)));
    EXPECT_GE(*since, TimePoint(1ms * n) - 7s);
  }
}

}  // namespace
}  // namespace icr::replication
