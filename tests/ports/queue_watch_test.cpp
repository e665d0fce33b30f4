// Tests that the time for which packets wait in front of a port is bounded, whether the worker has no processor for a
// while or is too slow. A queue in virtual time takes the place of the kernel's.
#include "node/ports/queue_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace icr::node {
namespace {

/// Packets arrive at one rate into a queue, and a worker forwards at another; what it drops costs it a tenth.
class Bed {
 public:
  Bed(std::uint64_t arrivals_per_second, std::uint64_t forwards_per_second)
      : between_(Duration(1s) / arrivals_per_second), cost_(Duration(1s) / forwards_per_second) {}

  /// Lets the worker work for `time`.
  void work(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      burst();
      if (queue_.empty()) now_ += 50us;  // it sleeps
    }
  }
  /// Keeps the worker from working for `time`.
  void away(Duration time) {
    now_ += time;
    watch_.away(time, now_);
  }
  /// Changes the rate of arrival from now on.
  void arrive_at(std::uint64_t per_second) { between_ = Duration(1s) / per_second; }
  /// A sender that keeps as many packets in the queue, and sends one for each that is forwarded.
  void keep_in_queue(std::size_t packets) { kept_ = packets; }

  /// Lets the worker work for a second, and counts from then on.
  void warm_up() {
    work(1s);
    forwarded = dropped = 0;
    oldest = {};
  }

  std::uint64_t forwarded = 0, dropped = 0, markers = 0;
  Duration oldest{};  ///< wait of a packet that was forwarded
  [[nodiscard]] Duration waited() const { return watch_.waited(); }

 private:
  struct Waiting {
    TimePoint since;
    bool marker;
  };

  void arrivals() {
    if (kept_ != 0) {
      while (queue_.size() < kept_) queue_.push_back({now_, false});
      next_ = now_;
      return;
    }
    for (; next_ <= now_; next_ += between_) {
      if (queue_.size() < 10'000) queue_.push_back({next_, false});
    }
  }

  void burst() {
    for (int i = 0; i < 64; ++i) {
      arrivals();
      if (queue_.empty()) {
        watch_.empty(now_);
        return;
      }
      const Waiting head = queue_.front();
      queue_.pop_front();
      if (head.marker) {
        watch_.head(head.since, now_);
        continue;
      }
      if (watch_.too_old(now_)) {
        ++dropped;
        now_ += cost_ / 10;
        continue;
      }
      ++forwarded;
      oldest = std::max(oldest, now_ - head.since);
      now_ += cost_;
    }
    if (watch_.mark_due(now_)) {
      ++markers;
      queue_.push_back({now_, true});
    }
  }

  QueueWatch watch_;
  std::deque<Waiting> queue_;
  TimePoint now_{1s};
  TimePoint next_{1s};
  Duration between_;
  Duration cost_;
  std::size_t kept_ = 0;
};

TEST(QueueWatch, AWorkerThatKeepsUpDropsNothingAndSendsNoMarkers) {
  Bed bed(50'000, 200'000);
  bed.work(2s);
  EXPECT_NEAR(static_cast<double>(bed.forwarded), 100'000, 100);
  EXPECT_EQ(bed.dropped, 0U);
  EXPECT_EQ(bed.markers, 0U);
  EXPECT_EQ(bed.waited(), 0ns);
}

TEST(QueueWatch, AnAbsenceThatTheWorkerCatchesUpWithDropsNothing) {
  Bed bed(10'000, 400'000);
  bed.warm_up();
  bed.away(150ms);  // 1,500 packets, which take the worker 4 ms
  EXPECT_EQ(bed.waited(), 0ns) << "sessions are set up as well";
  bed.work(1s);
  EXPECT_EQ(bed.dropped, 0U);
  EXPECT_GE(bed.oldest, 149ms);
  bed.away(150ms);  // the queue was empty meanwhile
  bed.work(1s);
  EXPECT_EQ(bed.dropped, 0U);
}

TEST(QueueWatch, WhatItsSenderHasSentAgainIsDroppedAndNothingElse) {
  Bed bed(10'000, 400'000);
  bed.warm_up();
  bed.away(300ms);
  bed.work(1s);
  // 3,000 came meanwhile, 1,000 of them more than 200 ms ago.
  EXPECT_NEAR(static_cast<double>(bed.dropped), 1000, 30);
  EXPECT_LE(bed.oldest, 205ms);
}

TEST(QueueWatch, AWorkerThatDoesNotCatchUpInItsGraceDropsWhatIsTooOld) {
  Bed bed(10'000, 25'000);
  bed.warm_up();
  bed.away(150ms);
  bed.work(1s);
  // 1,100 of 1,500 came more than 40 ms ago, and 20 ms are enough for 500 of them.
  EXPECT_NEAR(static_cast<double>(bed.dropped), 600, 30);
}

TEST(QueueWatch, AWorkerThatIsAwayAgainBeforeItCaughtUpGetsNoFurtherGrace) {
  Bed bed(10'000, 25'000);
  bed.warm_up();
  bed.away(100ms);
  bed.work(10ms);  // 250 of 1,000
  EXPECT_EQ(bed.dropped, 0U);
  bed.away(50ms);
  EXPECT_GT(bed.waited(), QueueWatch::kRelief) << "no sessions are set up until it is known how old the queue is";
  bed.work(1s);
  // Of 1,600 packets 250 were forwarded, and 400 came in the last 40 ms.
  EXPECT_NEAR(static_cast<double>(bed.dropped), 950, 30);
}

TEST(QueueWatch, SessionsAreRefusedWhenTheGraceIsOverAndTheAgeOfTheQueueNotKnown) {
  QueueWatch watch;
  watch.empty(TimePoint(1s));
  watch.away(500ms, TimePoint(2s));
  EXPECT_FALSE(watch.too_old(TimePoint(2s))) << "no rate was measured yet";
  (void)watch.mark_due(TimePoint(2s));
  EXPECT_EQ(watch.waited(), 0ns);
  (void)watch.mark_due(TimePoint(2s) + QueueWatch::kGrace);
  EXPECT_GT(watch.waited(), QueueWatch::kRelief);
}

TEST(QueueWatch, AShortAbsenceDropsNothing) {
  Bed bed(10'000, 100'000);
  bed.work(1s);
  bed.away(30ms);
  bed.work(1s);
  EXPECT_EQ(bed.dropped, 0U);
  EXPECT_LE(bed.oldest, 31ms);
}

TEST(QueueWatch, TwiceTheLoadThatTheWorkerBearsMakesNoStandingQueue) {
  Bed bed(50'000, 100'000);
  bed.warm_up();
  bed.arrive_at(200'000);
  bed.work(5s);
  EXPECT_LE(bed.oldest, 60ms);
  // A packet that is dropped costs a tenth: x forwarded and 200,000 - x dropped in a second is 88,889 forwarded.
  EXPECT_GE(bed.forwarded, 5U * 80'000);
  EXPECT_GE(bed.dropped, 5U * 90'000);
  bed.arrive_at(50'000);
  bed.warm_up();
  bed.work(1s);
  EXPECT_EQ(bed.dropped, 0U) << "what is over is over";
  EXPECT_EQ(bed.waited(), 0ns);
}

TEST(QueueWatch, AWorkerOfATenthOfTheSpeedStaysInTimeAsWell) {
  // 10,000 packets are a second for it: the length of the queue bounds nothing here.
  Bed bed(5'000, 10'000);
  bed.warm_up();
  bed.arrive_at(30'000);
  bed.work(5s);
  EXPECT_LE(bed.oldest, 60ms);
  EXPECT_GE(bed.forwarded, 5U * 6'000);
}

TEST(QueueWatch, AQueueThatNeverEmptiesButMovesFastIsLeftAlone) {
  // TCP keeps a window in the queue: it is never empty, and nothing in it is old.
  Bed bed(1'000, 200'000);
  bed.keep_in_queue(2'000);  // 10 ms
  bed.work(3s);
  EXPECT_EQ(bed.dropped, 0U);
  EXPECT_GT(bed.markers, 1'000U);
  EXPECT_LE(bed.waited(), 12ms);
}

TEST(QueueWatch, WhatIsKnownOfBeforeAnAbsenceSaysNothingOfAfter) {
  QueueWatch watch;
  watch.empty(TimePoint(1s));
  watch.away(500ms, TimePoint(2s));
  watch.head(TimePoint(1400ms), TimePoint(2s));
  EXPECT_FALSE(watch.too_old(TimePoint(2s)));
  EXPECT_TRUE(watch.mark_due(TimePoint(2s)));
  watch.head(TimePoint(2s), TimePoint(2010ms));
  EXPECT_EQ(watch.waited(), 10ms);
}

}  // namespace
}  // namespace icr::node
