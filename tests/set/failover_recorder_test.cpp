#include "node/set/failover_recorder.h"

#include <gtest/gtest.h>

#include "tests/support/sample_failover.h"

namespace icr::node {
namespace {

class FailoverRecorderTest : public ::testing::Test {
 protected:
  /// A standby that lost its master 40 ms after the last sign of life, and is master a millisecond later.
  static Takeover facts() {
    Takeover out;
    out.how = {RoleCause::connection_closed, true, kHeard + 40ms};
    out.heard_at = kHeard;
    out.heartbeat_at = kHeard - 5ms;
    out.closed_at = kHeard + 38ms;
    out.applied = 9;
    out.sent = 8;
    return out;
  }
  static FailoverContext context(std::uint64_t sessions = 3, bool steers = true) {
    FailoverContext out;
    out.set = "rs1";
    out.chassis = "right";
    out.peer = "left";
    out.term = 3;
    out.sessions = sessions;
    out.granted_at = kHeard + 41ms;
    out.active_at = kHeard + 42ms;
    out.wall_heard = 1'000'000;
    out.steers = steers;
    return out;
  }
  [[nodiscard]] const FailoverReport& newest() const { return recorder_.reports().front(); }

  static constexpr TimePoint kHeard{1h};
  FailoverRecorder recorder_{{}};
};

TEST_F(FailoverRecorderTest, AReportBeginsWithWhatTheMemberKnew) {
  EXPECT_FALSE(recorder_.take_news());
  recorder_.begin(facts(), context(), kHeard + 42ms);
  const auto news = recorder_.take_news();
  ASSERT_TRUE(news);
  EXPECT_FALSE(news->settled);
  const FailoverReport& report = *news->report;
  EXPECT_EQ(report.number, 1U);
  EXPECT_EQ(report.kind, FailoverKind::takeover);
  EXPECT_EQ(report.heard, 1'000'000);
  EXPECT_EQ(report.heard_since_boot, 3'600'000'000U);
  EXPECT_EQ(report.heartbeat, -5'000);
  EXPECT_EQ(report.closed, 38'000);
  EXPECT_EQ(report.decided, 40'000);
  EXPECT_EQ(report.granted, 41'000);
  EXPECT_EQ(report.active, 42'000);
  EXPECT_EQ(report.applied, 9U);
  EXPECT_EQ(report.sent, 8U);
  EXPECT_FALSE(report.steered || report.old_session || report.new_session || report.complete);
  EXPECT_EQ(report.detector.state, "peer is lost");
  EXPECT_FALSE(recorder_.take_news()) << "news are told once";
}

TEST_F(FailoverRecorderTest, ItSettlesWithSteeringAndFirstPacketAndIsCompleteWithTheFirstNewSession) {
  recorder_.begin(facts(), context(), kHeard + 42ms);
  EXPECT_TRUE(recorder_.awaits_steering() && recorder_.awaits_former_packet() && recorder_.awaits_new_session());
  recorder_.on_former_packet(kHeard + 43ms);
  EXPECT_FALSE(recorder_.take_news()->settled) << "the kernel has yet to draw the traffic";
  recorder_.on_former_packet(kHeard + 50ms);  // not the first
  recorder_.on_steered(kHeard + 44ms);
  EXPECT_TRUE(recorder_.take_news()->settled);
  EXPECT_FALSE(newest().complete);
  recorder_.on_new_session(kHeard + 60ms);
  const auto news = recorder_.take_news();
  EXPECT_FALSE(news->settled) << "it is settled once";
  EXPECT_TRUE(newest().complete);
  EXPECT_EQ(newest().old_session, 43'000);
  EXPECT_EQ(newest().steered, 44'000);
  EXPECT_EQ(newest().new_session, 60'000);
  EXPECT_EQ(recorder_.next_deadline(), TimePoint::max());
}

TEST_F(FailoverRecorderTest, WithoutSessionsTheFirstNewOneTellsHowLongTheInterruptionWas) {
  recorder_.begin(facts(), context(0, false), kHeard + 42ms);
  (void)recorder_.take_news();
  EXPECT_FALSE(recorder_.awaits_steering() || recorder_.awaits_former_packet());
  recorder_.on_new_session(kHeard + 60ms);
  EXPECT_TRUE(recorder_.take_news()->settled);
  EXPECT_TRUE(newest().complete);
  EXPECT_FALSE(newest().old_session);
}

TEST_F(FailoverRecorderTest, WhatDoesNotComeInTimeStaysUnknown) {
  const TimePoint begun = kHeard + 42ms;
  recorder_.begin(facts(), context(), begun);
  (void)recorder_.take_news();
  EXPECT_EQ(recorder_.next_deadline(), begun + FailoverRecorder::kPatience);
  recorder_.tick(begun + FailoverRecorder::kPatience - 1ns);
  EXPECT_FALSE(recorder_.take_news());
  recorder_.tick(begun + FailoverRecorder::kPatience);
  EXPECT_TRUE(recorder_.take_news()->settled);
  EXPECT_TRUE(newest().complete);
  recorder_.on_former_packet(begun + 11s);
  recorder_.on_steered(begun + 11s);
  recorder_.on_new_session(begun + 11s);
  EXPECT_FALSE(newest().old_session || newest().steered || newest().new_session);
  EXPECT_FALSE(recorder_.take_news());
}

TEST_F(FailoverRecorderTest, AMemberThatIsNotMasterAnyMoreAwaitsNothing) {
  recorder_.begin(facts(), context(), kHeard + 42ms);
  (void)recorder_.take_news();
  recorder_.on_mastership_lost();
  EXPECT_TRUE(recorder_.take_news()->settled);
  EXPECT_TRUE(newest().complete);
  recorder_.on_mastership_lost();
  EXPECT_FALSE(recorder_.take_news());
}

TEST_F(FailoverRecorderTest, WhatTheFormerMasterToldSaysWhatIsAtRisk) {
  Takeover taken = facts();
  taken.risk.told = replication::Lag{100, 2, 3, 870, false};
  taken.risk.told_of = {5, 1, 9};
  taken.risk.told_at = kHeard - 1ms;
  taken.risk.applied = {5, 1, 8};
  taken.risk.changed_at = kHeard - 3ms;
  taken.risk.lacking = 4;
  FailoverContext with_ended = context();
  with_ended.ended = 10;
  recorder_.begin(taken, with_ended, kHeard + 42ms);
  EXPECT_EQ(newest().risk.sessions, 19U) << "not sent, not acknowledged, refused and ended";
  EXPECT_EQ(newest().last_word, -1'000);
  EXPECT_EQ(newest().last_change, -3'000);
  EXPECT_EQ(newest().risk.unseen, 39'000) << "until the connection closed";
  EXPECT_EQ(newest().risk.former_sessions, 100U);
  EXPECT_EQ(newest().risk.waiting, 2U);
  EXPECT_EQ(newest().risk.unacknowledged, 3U);
  EXPECT_EQ(newest().risk.oldest_us, 870U);
  EXPECT_EQ(newest().risk.missing, 1U);

  // A message that was made after the heartbeat has the last word.
  taken.risk.applied = {5, 1, 10};
  taken.risk.word = {{5, 1, 10}, kHeard + 5ms, 1};
  taken.risk.lacking = 0;
  taken.closed_at.reset();
  recorder_.begin(taken, context(), kHeard + 42ms);
  EXPECT_EQ(newest().risk.sessions, 1U);
  EXPECT_EQ(newest().last_word, 5'000);
  EXPECT_EQ(newest().risk.unseen, 35'000) << "until the decision";
  EXPECT_EQ(newest().risk.missing, 0U);

  // All sessions are at risk if the copy is not complete.
  taken.how.hot = false;
  recorder_.begin(taken, context(), kHeard + 42ms);
  EXPECT_EQ(newest().risk.sessions, 100U);
  EXPECT_EQ(newest().last_word, -1'000);
}

TEST_F(FailoverRecorderTest, WithoutAWordOfTheFormerMasterTheRiskIsUnknown) {
  recorder_.begin(facts(), context(), kHeard + 42ms);
  EXPECT_FALSE(newest().risk.sessions || newest().last_word || newest().risk.unseen || newest().risk.former_sessions);
  EXPECT_FALSE(newest().last_change || newest().risk.missing);
}

TEST_F(FailoverRecorderTest, WhatTheFormerMasterBroughtBackIsAddedAlsoToACompleteReport) {
  replication::AdoptedCounts counts{};
  counts[static_cast<std::size_t>(Adopted::created)] = 3;
  counts[static_cast<std::size_t>(Adopted::updated)] = 4;
  counts[static_cast<std::size_t>(Adopted::known)] = 5;
  counts[static_cast<std::size_t>(Adopted::port_taken)] = 6;
  counts[static_cast<std::size_t>(Adopted::table_full)] = 1;
  recorder_.on_merged(counts);
  EXPECT_FALSE(recorder_.take_news()) << "there was no takeover";
  recorder_.begin(facts(), context(), kHeard + 42ms);
  recorder_.tick(kHeard + 1min);
  (void)recorder_.take_news();
  EXPECT_FALSE(newest().risk.merge);
  recorder_.on_merged(counts);
  const auto news = recorder_.take_news();
  ASSERT_TRUE(news);
  EXPECT_FALSE(news->settled);
  EXPECT_EQ(newest().risk.merge, (FailoverRisk::Merge{3, 4, 5, 7}));
  recorder_.on_mastership_lost();
  recorder_.on_merged({});
  EXPECT_FALSE(recorder_.take_news()) << "a merge of a later mastership of the peer is not about this takeover";
}

TEST_F(FailoverRecorderTest, EachCauseHasItsKind) {
  const auto kind_after = [this](RoleCause cause) {
    Takeover taken = facts();
    taken.how.cause = cause;
    recorder_.begin(taken, context(), kHeard + 42ms);
    return newest().kind;
  };
  EXPECT_EQ(kind_after(RoleCause::connection_closed), FailoverKind::takeover);
  EXPECT_EQ(newest().reason, "connection to the peer closed");
  EXPECT_EQ(kind_after(RoleCause::master_ill), FailoverKind::ill_master);
  EXPECT_EQ(newest().detector.state, "hears the peer");
  EXPECT_EQ(kind_after(RoleCause::peer_not_master), FailoverKind::election);
  EXPECT_EQ(kind_after(RoleCause::offered), FailoverKind::switchover);
  EXPECT_EQ(newest().number, 4U);
}

TEST_F(FailoverRecorderTest, TheNewestAreKeptAndNumbersGoOnAfterThoseOfFormerLives) {
  std::vector<FailoverReport> former;
  for (const std::uint64_t number : {3U, 41U, 40U}) former.push_back(icr::test::sample_failover(number));
  recorder_ = FailoverRecorder(former);
  ASSERT_EQ(recorder_.reports().size(), 3U);
  EXPECT_EQ(newest().number, 41U);
  EXPECT_FALSE(recorder_.take_news());
  for (std::size_t i = 0; i < kMaxFailovers; ++i) recorder_.begin(facts(), context(), kHeard);
  EXPECT_EQ(recorder_.reports().size(), kMaxFailovers);
  EXPECT_EQ(newest().number, 41 + kMaxFailovers);
  EXPECT_EQ(recorder_.reports().back().number, 42U);
}

}  // namespace
}  // namespace icr::node
