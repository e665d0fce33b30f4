// Tests the failure detector alone: which silences it tolerates, and for how long.
#include "node/redundancy/detector.h"

#include <gtest/gtest.h>

namespace icr::node {
namespace {

/// A detector with heartbeats of 3 x 20 ms, and a thread that runs a round every millisecond unless it is delayed.
class DetectorTest : public ::testing::Test, public ProbeOutput {
 protected:
  void probe(const IpAddress& address, std::uint64_t nonce) override {
    EXPECT_EQ(address, kPeer);
    nonce_ = nonce;
    ++probes_;
    if (machine_lives_) answer_at_ = now_ + 200us;
  }
  /// Lets the thread sleep for `time`, as it wanted, and run a round.
  bool round(Duration time, Duration held_up = {}) {
    detector_.sleep(now_ + time);
    now_ += time + held_up;
    detector_.wake(now_);
    if (now_ >= answer_at_) {
      detector_.on_probe_answer(now_, nonce_);
      answer_at_ = TimePoint::max();
    }
    if (beats_ && now_ >= next_beat_) {
      detector_.on_heard(now_);
      next_beat_ = now_ + 20ms;
    }
    return detector_.judge(now_);
  }
  void live_for(Duration time) {
    beats_ = true;
    next_beat_ = now_;
    for (const TimePoint end = now_ + time; now_ < end;) ASSERT_FALSE(round(1ms));
  }
  /// Returns how long the detector tolerates silence from here on, or `limit` if it still does then.
  Duration silence_borne(Duration limit = 5s) {
    beats_ = false;
    detector_.on_heard(now_);
    const TimePoint begin = now_;
    while (now_ - begin < limit && !round(1ms)) {
    }
    return now_ - begin;
  }
  /// Delivers a heartbeat that is `late`.
  void a_late_one(Duration late) {
    live_for(100ms);
    beats_ = false;
    for (const TimePoint end = now_ + 20ms + late; now_ < end;) ASSERT_FALSE(round(1ms)) << late / 1ms;
    live_for(100ms);
  }
  std::uint64_t counter(std::string_view name) const {
    CounterList list;
    detector_.append_to(list);
    for (const auto& each : list) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  void can_be_asked() {
    detector_.on_connection(true);
    detector_.on_condition({}, {kPeer});
  }

  static constexpr Duration kFloor = 60ms;
  static constexpr Duration kLimit = 1s;
  const IpAddress kPeer = *IpAddress::parse("198.18.0.3");
  TimePoint now_{1h};
  Detector detector_{{20ms, 3, kLimit, 7}, *this, now_};
  bool beats_ = true;
  bool machine_lives_ = false;
  TimePoint next_beat_;
  TimePoint answer_at_ = TimePoint::max();
  std::uint64_t nonce_ = 0;
  int probes_ = 0;
};

TEST_F(DetectorTest, OnAQuietMachineDeathIsNoticedAfterTheConfiguredTime) {
  live_for(5s);
  EXPECT_LE(silence_borne(), kFloor + 1ms);
  EXPECT_EQ(counter("peer-silences"), 1U);
  EXPECT_EQ(counter("takeovers-avoided"), 0U);
}

TEST_F(DetectorTest, OnAQuietMachineADeadMachineThatIsAskedInVainIsNoticedAsSoon) {
  can_be_asked();
  live_for(5s);
  EXPECT_EQ(probes_, 0) << "nobody is asked while heartbeats come";
  EXPECT_LE(silence_borne(), kFloor + 1ms);
  EXPECT_GT(probes_, 1);
  EXPECT_EQ(detector_.status(now_).probe, Probe::unanswered);
}

TEST_F(DetectorTest, WhoWasLateByEightyMillisecondsTwiceIsNotDeadAfterSixty) {
  machine_lives_ = true;
  can_be_asked();
  a_late_one(80ms);
  a_late_one(80ms);
  EXPECT_EQ(counter("takeovers-avoided"), 2U);
  // Its machine no longer answers, so the tolerance decides.
  machine_lives_ = false;
  const Duration borne = silence_borne();
  EXPECT_GT(borne, 160ms);
  EXPECT_LT(borne, 350ms);
}

TEST_F(DetectorTest, PatienceGrowsWithTheFirstDelayOfTheOwnThread) {
  live_for(1s);
  ASSERT_FALSE(round(1ms, 90ms));
  EXPECT_EQ(counter("own-pauses"), 1U);
  live_for(100ms);
  const Duration borne = silence_borne();
  EXPECT_GT(borne, 180ms);
  EXPECT_LT(borne, 320ms);
}

TEST_F(DetectorTest, PatienceGrowsWithWhatThePeerSaysOfItself) {
  live_for(1s);
  detector_.on_condition(100ms, {});
  EXPECT_GT(silence_borne(), 250ms);
}

TEST_F(DetectorTest, PatienceShrinksWhenAMinuteHasPassed) {
  live_for(1s);
  ASSERT_FALSE(round(1ms, 90ms));
  EXPECT_GT(detector_.status(now_).threshold, 180ms);
  live_for(50s);
  EXPECT_GT(detector_.status(now_).threshold, 180ms);
  live_for(11s);
  EXPECT_EQ(detector_.status(now_).threshold, kFloor);
  EXPECT_LE(silence_borne(), kFloor + 1ms);
}

TEST_F(DetectorTest, PatienceIsBounded) {
  live_for(1s);
  detector_.on_condition(10s, {});
  EXPECT_EQ(detector_.status(now_).threshold, kLimit);
  EXPECT_LE(silence_borne(), kLimit + 1ms);
}

TEST_F(DetectorTest, APauseOfTheOwnThreadIsNoSilenceOfThePeer) {
  live_for(1s);
  beats_ = false;
  // Its heartbeats wait in the socket; the detector is asked before they are handed in.
  EXPECT_FALSE(round(1ms, 3s));
  // The peer has an interval at least, even though its silence was nearly over before.
  live_for(1s);
  beats_ = false;
  for (int i = 0; i < 58; ++i) ASSERT_FALSE(round(1ms));
  ASSERT_FALSE(round(1ms, 500ms));
  for (int i = 0; i < 18; ++i) ASSERT_FALSE(round(1ms)) << i;
  EXPECT_EQ(counter("own-pauses"), 2U);
}

TEST_F(DetectorTest, APauseBeyondTheLimitIsNoSilenceEither) {
  live_for(1s);
  beats_ = false;
  ASSERT_FALSE(round(1ms, 3 * kLimit));
  EXPECT_LE(detector_.status(now_).silence, 40ms);
  // Nothing has come an interval later, and the patience of a thread that was late is the limit.
  for (int i = 0; i < 900; ++i) ASSERT_FALSE(round(1ms)) << i;
}

/// A thread that is held up again and again still comes to a decision.
TEST_F(DetectorTest, AStarvedThreadNoticesADeadPeerToo) {
  live_for(1s);
  beats_ = false;
  const TimePoint begin = now_;
  while (!round(1ms, 40ms) && now_ - begin < 60s) {
  }
  EXPECT_LT(now_ - begin, 10s);
}

TEST_F(DetectorTest, AProcessThatHangsIsDeposedAtTheLimitAlthoughItsKernelAnswers) {
  machine_lives_ = true;
  can_be_asked();
  live_for(1s);
  const Duration borne = silence_borne();
  EXPECT_GE(borne, kLimit);
  EXPECT_LE(borne, kLimit + 1ms);
  EXPECT_EQ(detector_.status(now_).probe, Probe::answered);
  EXPECT_GT(counter("probes-answered"), 10U);
}

TEST_F(DetectorTest, AMachineThatDiesWhileItsProcessIsLateIsNoticed) {
  machine_lives_ = true;
  can_be_asked();
  live_for(1s);
  beats_ = false;
  const TimePoint begin = now_;
  while (now_ - begin < 300ms) ASSERT_FALSE(round(1ms));
  machine_lives_ = false;
  answer_at_ = TimePoint::max();
  while (!round(1ms)) {
  }
  EXPECT_LE(now_ - begin, 300ms + kFloor + 2ms);
}

TEST_F(DetectorTest, NoWitnessSpeaksForAProcessWhoseConnectionIsClosed) {
  machine_lives_ = true;
  can_be_asked();
  live_for(1s);
  detector_.on_connection(false);
  EXPECT_LE(silence_borne(), kFloor + 1ms);
  EXPECT_EQ(probes_, 0);
}

TEST_F(DetectorTest, AnAnswerThatNobodyAskedForProvesNothing) {
  can_be_asked();
  live_for(1s);
  beats_ = false;
  detector_.on_probe_answer(now_, 99);
  const TimePoint begin = now_;
  while (!round(1ms)) {
    detector_.on_probe_answer(now_, nonce_ + 1);
  }
  EXPECT_LE(now_ - begin, kFloor + 1ms);
  EXPECT_GT(counter("probes-answered-late"), 30U);
  // An answer to a probe of an earlier silence does not count either.
  const std::uint64_t old = nonce_;
  live_for(1s);
  beats_ = false;
  const TimePoint again = now_;
  while (!round(1ms)) detector_.on_probe_answer(now_, old);
  EXPECT_LE(now_ - again, detector_.status(now_).threshold + 1ms);
}

TEST_F(DetectorTest, WhoWasAwayForLongWasNotLate) {
  live_for(1s);
  EXPECT_LE(silence_borne(), kFloor + 1ms);
  beats_ = false;
  for (int i = 0; i < 3000; ++i) (void)round(1ms);
  live_for(1s);
  EXPECT_EQ(detector_.status(now_).threshold, kFloor);
  EXPECT_EQ(counter("takeovers-avoided"), 0U);
}

TEST_F(DetectorTest, AnotherProcessStartsWithoutTheRecordOfTheFormer) {
  machine_lives_ = true;
  can_be_asked();
  a_late_one(80ms);
  EXPECT_GT(detector_.status(now_).threshold, 200ms);
  detector_.on_other_process();
  detector_.on_heard(now_);
  EXPECT_EQ(detector_.status(now_).threshold, kFloor);
}

TEST_F(DetectorTest, ItSleepsUntilSomethingIsToBeDone) {
  can_be_asked();
  live_for(1s);
  detector_.on_heard(now_);
  EXPECT_EQ(detector_.next_deadline(), now_ + kFloor / 2);
  beats_ = false;
  int rounds = 0;
  const TimePoint begin = now_;
  for (; rounds < 1000; ++rounds) {
    const TimePoint wanted = detector_.next_deadline();
    detector_.sleep(wanted);
    now_ = wanted;
    detector_.wake(now_);
    if (detector_.judge(now_)) break;
  }
  EXPECT_LT(rounds, 8);
  EXPECT_EQ(now_ - begin, kFloor);
}

}  // namespace
}  // namespace icr::node
