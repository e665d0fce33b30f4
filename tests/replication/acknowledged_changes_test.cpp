// What a sender says that the receiver knows: the receiver knows it, whatever happens on the way.
#include <gtest/gtest.h>

#include "tests/replication/stream_bed.h"

namespace icr::replication {
namespace {

/// Notes which change of state made what.
class Log : public ChangeListener {
 public:
  Log(const Sender& sender, const FakeTable& table) : sender_(sender), table_(table) {}
  void changed(std::uint32_t slot, Change change) override {
    if (change != Change::state) return;
    SessionRecord record;
    const bool live = table_.read(slot, TimePoint{}, record);
    made_.push_back({sender_.last_change(), record.ref, record.version, live});
  }
  /// Checks that `twin` has every change up to this one, or a newer state.
  void expect_known(const FakeTable& twin, std::uint64_t up_to) {
    for (; checked_ < made_.size() && made_[checked_].number <= up_to; ++checked_) {
      const Made& made = made_[checked_];
      SessionRecord there;
      SessionRecord here;
      const bool live = twin.read(made.ref.slot, TimePoint{}, there);
      const bool lives_on = table_.read(made.ref.slot, TimePoint{}, here) && here.ref == made.ref;
      if (made.live && lives_on) {
        EXPECT_TRUE(live && there.ref == made.ref && there.version >= made.version) << "change " << made.number;
      } else {
        EXPECT_TRUE(!live || there.ref != made.ref || made.live) << "change " << made.number;
      }
    }
  }
  [[nodiscard]] std::size_t checked() const { return checked_; }

 private:
  struct Made {
    std::uint64_t number = 0;
    SessionRef ref;
    std::uint32_t version = 0;
    bool live = false;
  };
  const Sender& sender_;
  const FakeTable& table_;
  std::vector<Made> made_;
  std::size_t checked_ = 0;
};

/// Whatever happens on the way, the twin has what the sender says that it has acknowledged: all changes up to a number,
/// and the newest state of a slot.
TEST_F(StreamTest, WhatIsAcknowledgedIsThere) {
  Log log(sender_, master_);
  master_.listen(&log);
  sender_.remember_slots(true);
  std::uint64_t newest = 0;
  SessionRecord here;
  SessionRecord there;
  for (const double loss : {0.0, 0.02, 0.2}) {
    for (const Duration jitter : {Duration(0), Duration(5ms), Duration(60ms)}) {
      SCOPED_TRACE(fmt::format("loss {} jitter {} ns", loss, jitter.count()));
      lose(loss, 0.1, jitter);
      receiver_.stop();
      receiver_.follow(now_, kMaster.boot, 2);
      for (int i = 0; i < 400; ++i) {
        churn(i % 3);
        if (i % 7 == 0) sender_.await(sender_.last_change());
        step();
        if (!sender_.complete()) continue;
        log.expect_known(standby_, sender_.acknowledged_changes());
        for (std::uint32_t slot = 0; slot < master_.capacity(); slot += 13) {
          if (!sender_.has_newest(slot)) continue;
          ++newest;
          const bool live = master_.read(slot, now_, here);
          EXPECT_EQ(standby_.read(slot, now_, there), live) << "slot " << slot;
          if (!live) continue;
          EXPECT_EQ(there.version, here.version) << "slot " << slot;
        }
      }
      ASSERT_TRUE(settle(60000));
      ASSERT_TRUE(run_until([this] { return sender_.acknowledged_changes() == sender_.last_change(); }));
      log.expect_known(standby_, sender_.acknowledged_changes());
    }
  }
  EXPECT_GT(log.checked(), 2000U);
  EXPECT_GT(newest, 1000U);
}

/// Under changes that never end there is always something that waits; what came before is acknowledged all the same.
TEST_F(StreamTest, AChangeIsAcknowledgedThoughOthersFollowAllTheTime) {
  fill(500);
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  budget_ = 1;  // a batch at a time, which is less than what changes meanwhile
  const std::uint64_t change = sender_.last_change();
  const auto step_and_change = [this] {
    for (std::uint32_t i = 0; i < 40; ++i) master_.change_state(i * 7 % 500, TcpState::established, now_);
    step();
    return sender_.pending_state() != 0;
  };
  for (int i = 0; i < 20; ++i) step_and_change();
  const std::uint64_t middle = sender_.last_change();
  ASSERT_LT(sender_.acknowledged_changes(), middle);
  for (int i = 0; i < 400 && sender_.acknowledged_changes() < middle; ++i) EXPECT_TRUE(step_and_change());
  EXPECT_GE(sender_.acknowledged_changes(), middle);
  EXPECT_GT(middle, change);
}

TEST_F(StreamTest, WhoeverWaitsForAChangeHasItSentAtOnce) {
  receiver_.follow(now_, kMaster.boot, 2);
  ASSERT_TRUE(settle());
  master_.create(3, udp_session(1), now_);
  sender_.pump(now_, kMaster, out_outlet_, budget_);
  EXPECT_EQ(sender_.pending_state(), 1U) << "it waits for more";
  sender_.await(sender_.last_change());
  EXPECT_LE(sender_.next_deadline(), now_);
  sender_.pump(now_, kMaster, out_outlet_, budget_);
  EXPECT_EQ(sender_.pending_state(), 0U);
  EXPECT_LT(sender_.acknowledged_changes(), sender_.last_change());
}

}  // namespace
}  // namespace icr::replication
