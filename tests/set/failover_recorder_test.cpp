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

TEST_F(FailoverRecorderTest, TheRiskIsWhatTheFormerMasterHadAndThisMemberHasNot) {
  Takeover taken = facts();
  taken.missing = Missing{kHeard - 1ms, 8, 500, 7, true, 250};
  recorder_.begin(taken, context(3), kHeard + 42ms);
  const FailoverReport& report = newest();
  EXPECT_EQ(report.told, -1'000);
  EXPECT_EQ(report.peer_sessions, 8U);
  EXPECT_EQ(report.missing, 7U);
  EXPECT_TRUE(report.exact);
  EXPECT_EQ(report.at_risk_least, 5U) << "it had five sessions more";
  EXPECT_EQ(report.at_risk_most, 7U) << "each change that is missing may be a session";
  EXPECT_EQ(report.unheard, 39'000U) << "until the connection closed";
  EXPECT_EQ(report.setup_rate, 250U);
  EXPECT_EQ(report.setups_unheard, 10U) << "9.75, rounded up";
}

TEST_F(FailoverRecorderTest, SessionsThatThisMemberRefusedAreAtRiskToo) {
  Takeover taken = facts();
  taken.refused = 6;  // one of them has ended since
  taken.missing = Missing{kHeard, 8, 500, 0, true, {}};
  recorder_.begin(taken, context(3), kHeard + 42ms);
  EXPECT_EQ(newest().missing, 0U);
  EXPECT_EQ(newest().at_risk_least, 5U);
  EXPECT_EQ(newest().at_risk_most, 6U);
  EXPECT_FALSE(newest().setups_unheard) << "the rate is not known";
}

TEST_F(FailoverRecorderTest, WithMoreSessionsThanTheFormerMasterOnlyChangesAreAtRisk) {
  Takeover taken = facts();
  taken.closed_at.reset();
  taken.missing = Missing{kHeard, 2, 500, 3, false, 0};
  recorder_.begin(taken, context(3), kHeard + 42ms);
  EXPECT_EQ(newest().at_risk_least, 0U);
  EXPECT_EQ(newest().at_risk_most, 3U);
  EXPECT_FALSE(newest().exact);
  EXPECT_EQ(newest().unheard, 41'000U) << "until the claim was granted, as nobody knows when it died";
  EXPECT_EQ(newest().setups_unheard, 0U);
}

TEST_F(FailoverRecorderTest, WithoutACompleteCopyThereIsNoUpperBound) {
  Takeover taken = facts();
  taken.how.hot = false;
  taken.missing = Missing{kHeard, 8, 500, {}, false, {}};
  recorder_.begin(taken, context(3), kHeard + 42ms);
  EXPECT_EQ(newest().at_risk_least, 5U);
  EXPECT_FALSE(newest().at_risk_most);
  EXPECT_FALSE(newest().missing);
  taken.missing.reset();
  recorder_.begin(taken, context(3), kHeard + 42ms);
  EXPECT_FALSE(newest().at_risk_least || newest().at_risk_most || newest().told || newest().unheard);
}

TEST_F(FailoverRecorderTest, ASwitchoverPutsNoSessionAtRiskAndHasAGap) {
  Takeover taken = facts();
  taken.how.cause = RoleCause::offered;
  taken.closed_at.reset();
  recorder_.begin(taken, context(), kHeard + 42ms);
  (void)recorder_.take_news();
  EXPECT_EQ(newest().at_risk_least, 0U);
  EXPECT_EQ(newest().at_risk_most, 0U);
  recorder_.on_steered(kHeard + 43ms);
  recorder_.on_former_packet(kHeard + 50ms);
  recorder_.on_new_session(kHeard + 51ms);
  EXPECT_FALSE(recorder_.take_news()->settled) << "the former master has not told yet when its last packet left";
  recorder_.on_peer_forwarded(kHeard + 46ms);
  EXPECT_TRUE(recorder_.take_news()->settled);
  EXPECT_EQ(newest().gap, 4'000U);
  EXPECT_FALSE(newest().complete) << "neighbours may still send packets to it";
  recorder_.on_peer_forwarded(kHeard + 46ms);
  EXPECT_FALSE(recorder_.take_news()) << "nothing new";
  recorder_.on_peer_forwarded(kHeard + 48ms);
  EXPECT_EQ(newest().gap, 2'000U);
  recorder_.on_peer_forwarded(kHeard + 55ms);
  EXPECT_EQ(newest().gap, 0U) << "both forwarded for a while";
  recorder_.tick(kHeard + 42ms + FailoverRecorder::kPatience);
  EXPECT_TRUE(newest().complete);
}

TEST_F(FailoverRecorderTest, WhatTheFormerMasterBroughtBackCompletesTheReport) {
  recorder_.on_merged(3, 1, 1);  // nothing was taken over yet
  recorder_.begin(facts(), context(), kHeard + 42ms);
  (void)recorder_.take_news();
  recorder_.on_merged(2, 5, 5);
  EXPECT_FALSE(newest().merged || newest().lost) << "it was about another term";
  recorder_.on_merged(3, 5, 2);
  EXPECT_TRUE(recorder_.take_news());
  EXPECT_EQ(newest().merged, 5U);
  EXPECT_EQ(newest().lost, 2U);
  recorder_.tick(kHeard + 1min);
  recorder_.on_merged(3, 1, 0);
  EXPECT_EQ(newest().merged, 6U) << "also when nothing else is awaited";
  EXPECT_EQ(newest().lost, 2U);
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
