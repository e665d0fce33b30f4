// Two members of a set: roles, replication, and what makes them change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/redundancy/member_pair.h"

namespace icr::node {
namespace {

using test::Node;
using test::two_chassis;
using test::udp_session;
using test::VirtualWire;
using ::testing::HasSubstr;

class MemberTest : public test::MemberPairTest {};

TEST_F(MemberTest, TheOneWithTheHigherPriorityIsElectedAtOnce) {
  const TimePoint begin = now_;
  bring_up();
  EXPECT_LT(now_ - begin, 300ms) << "two members that hear each other need no hold time";
  EXPECT_EQ(right_.role, "standby");
  EXPECT_EQ(left_.member->status().peer_role, Role::standby);
}

TEST_F(MemberTest, SessionsGoToTheTwin) {
  bring_up();
  fill(left_, 400);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  for (std::uint32_t i = 0; i < 100; ++i) left_.table->destroy(i);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  EXPECT_EQ(right_.table->size(), 300U);
}

TEST_F(MemberTest, AClosedConnectionMakesAHotStandbyMasterWithinMilliseconds) {
  bring_up();
  fill(left_, 400);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  left_.crash();
  const TimePoint begin = now_;
  right_.member->on_peer_disconnected(now_);
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_LE(now_ - begin, 5ms);
  EXPECT_EQ(right_.table->size(), 400U);
  EXPECT_EQ(right_.member->term() % 2, 1U);
}

TEST_F(MemberTest, WhatArrivesWithTheLossStillCounts) {
  bring_up();
  left_.data.faults.delay_min = left_.data.faults.delay_max = 1ms;
  left_.table->create(7, udp_session(7), now_);
  run_for(1ms);
  left_.member->tick(now_ + 1ms, 1U << 16U);
  left_.crash();
  right_.member->on_peer_disconnected(now_);
  right_.member->tick(now_, 1U << 16U);
  EXPECT_EQ(right_.role, "standby") << "more may wait in the socket";
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_TRUE(right_.table->live(7));
}

TEST_F(MemberTest, SilenceMakesAHotStandbyMasterAfterTheConfiguredTime) {
  bring_up();
  left_.crash();
  const TimePoint begin = now_;
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_GE(now_ - begin, detection() - 100ms);
  EXPECT_LE(now_ - begin, detection() + 10ms);
}

TEST_F(MemberTest, WhoTakesOverKnowsWhatItsMasterToldLast) {
  bring_up();
  fill(left_, 200);
  run_for(1s);
  cut(true);
  fill(left_, 210);  // ten new ones, and all others changed
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  ASSERT_TRUE(right_.member->takeover());
  const CopyRisk& risk = right_.member->takeover()->risk;
  ASSERT_TRUE(risk.told);
  EXPECT_EQ(risk.told->sessions, 200U);
  EXPECT_EQ(risk.missing(), 0U);
  const auto bound = risk.bound(true);
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->slots, 0U) << "what was changed after its last word is not known";
  EXPECT_LE(bound->at, right_.member->takeover()->heard_at);
  EXPECT_GE(bound->at, right_.member->takeover()->heard_at - 100ms);
}

TEST_F(MemberTest, WhatTheMasterCannotSendIsAtRisk) {
  bring_up();
  fill(left_, 200);
  run_for(1s);
  left_.data.faults.cut = true;
  for (std::uint32_t slot = 200; slot < 210; ++slot) left_.table->create(slot, udp_session(slot), now_);
  run_for(150ms);  // a heartbeat says so
  cut(true);
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  const CopyRisk& risk = right_.member->takeover()->risk;
  EXPECT_EQ(risk.bound(true)->slots, 10U);
  EXPECT_EQ(risk.told->sessions, 210U);
  EXPECT_GE(risk.missing(), 1U);
  EXPECT_GE(risk.told->oldest_us, 40'000U);
}

TEST_F(MemberTest, AMasterSaysHowLongAChangeWaitsForItsAcknowledgement) {
  bring_up();
  fill(left_, 10);
  ASSERT_TRUE(run_until([this] { return equal() && left_.member->status().unacknowledged_bytes == 0; }));
  EXPECT_EQ(left_.member->status().oldest_change_us, 0U);
  cut(true);
  left_.table->create(10, udp_session(10), now_);
  run_for(30ms);
  const std::uint32_t first = left_.member->status().oldest_change_us;
  EXPECT_GE(first, 29'000U);
  EXPECT_LE(first, 31'000U);
  left_.table->create(11, udp_session(11), now_);
  run_for(20ms);
  EXPECT_GE(left_.member->status().oldest_change_us, first + 19'000U) << "the older one counts";
  EXPECT_EQ(right_.member->status().oldest_change_us, 0U) << "a standby owes nothing";
}

TEST_F(MemberTest, AColdStandbyDoesNotBelieveAClosedConnectionAlone) {
  left_.start();
  right_.start();
  right_.data.faults.cut = left_.data.faults.cut = true;  // the copy cannot come
  ASSERT_TRUE(run_until([this] { return left_.role == "master" && right_.role == "standby"; }));
  right_.member->on_peer_disconnected(now_);
  run_for(100ms);
  EXPECT_EQ(right_.role, "standby");
  run_for(2s);
  EXPECT_EQ(right_.role, "standby") << "the master is still heard";
  left_.crash();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
}

TEST_F(MemberTest, AMasterThatWasKilledComesBackAsAStandbyAndBecomesHot) {
  bring_up();
  fill(left_, 300);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  left_.crash();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "standby" && left_.hot(); }));
  EXPECT_TRUE(equal());
  EXPECT_EQ(right_.masterships, 1);
}

TEST_F(MemberTest, AHotStandbyTakesOverFromAMasterThatRestartedFasterThanAnybodyNoticed) {
  bring_up();
  fill(left_, 300);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  left_.crash();
  left_.start();
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }, 2s));
  EXPECT_EQ(right_.table->size(), 300U);
  EXPECT_TRUE(equal());
}

TEST_F(MemberTest, SwitchoverMovesMastershipWithoutLosingASession) {
  bring_up();
  fill(left_, 300);
  ASSERT_TRUE(left_.member->request_switchover(now_));
  step();
  EXPECT_TRUE(left_.handing);
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.role == "standby"; }, 1s));
  EXPECT_FALSE(left_.handing);
  EXPECT_EQ(right_.table->size(), 300U);
  ASSERT_TRUE(run_until([this] { return left_.hot() && right_.member->status().peer_sync == Sync::hot; }));
  EXPECT_TRUE(equal());
  // And back, asked for on the standby.
  ASSERT_TRUE(left_.member->request_switchover(now_));
  ASSERT_TRUE(run_until([this] { return left_.role == "master" && right_.hot(); }, 2s));
  EXPECT_EQ(left_.table->size(), 300U);
}

TEST_F(MemberTest, SwitchoverIsRefusedWithoutAHotPeer) {
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }));
  EXPECT_THAT(left_.member->request_switchover(now_).error().message, HasSubstr("not connected"));
  right_.start();
  left_.data.faults.cut = true;
  ASSERT_TRUE(run_until([this] { return right_.role == "standby"; }));
  run_for(200ms);
  EXPECT_THAT(left_.member->request_switchover(now_).error().message, HasSubstr("Cold"));
}

TEST_F(MemberTest, ASwitchoverWhoseOfferDoesNotArriveIsCalledOff) {
  bring_up();
  ASSERT_TRUE(left_.member->request_switchover(now_));
  left_.control.faults.loss = 0.999;
  right_.member->tick(now_, 0);
  run_for(300ms);
  left_.control.faults.loss = 0;
  ASSERT_TRUE(run_until([this] { return !left_.handing; }, 5s));
  const int masters = (left_.role == "master" ? 1 : 0) + (right_.role == "master" ? 1 : 0);
  EXPECT_EQ(masters, 1);
}

/// What is on its way comes later than an offer, which takes another connection.
TEST_F(MemberTest, AnOfferStandsWhileStatesChangeAndTheDiskOfTheStandbyIsSlow) {
  bring_up();
  fill(left_, 100);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  left_.data.faults.delay_min = left_.data.faults.delay_max = 5ms;
  right_.claim_answer = ClaimAnswer::pending;
  ASSERT_TRUE(left_.member->request_switchover(now_));
  ASSERT_TRUE(run_until([this] { return right_.role == "claiming"; }, 100ms));
  for (std::uint32_t i = 0; i < 500; ++i) {
    left_.table->create(i % 100, udp_session(i % 100), now_);
    step();
    ASSERT_EQ(right_.role, "claiming") << "after " << i << " ms";
  }
  EXPECT_EQ(right_.counter("offers-too-early"), 0U);
  right_.member->on_claim(now_, right_.claimed, true);
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }, 2s));
  EXPECT_EQ(right_.table->size(), 100U);
  ASSERT_TRUE(run_until([this] { return equal(); }, 1s));
}

TEST_F(MemberTest, ASwitchoverWaitsForSessionsThatAreHeldBack) {
  bring_up();
  left_.table->held_back = 3;
  ASSERT_TRUE(left_.member->request_switchover(now_));
  run_for(300ms);
  EXPECT_TRUE(left_.handing);
  ASSERT_EQ(right_.role, "standby");
  left_.table->held_back = 0;
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 20ms));
}

TEST_F(MemberTest, ASwitchoverWaitsForCountersButNotForLong) {
  bring_up();
  fill(left_, 100);
  ASSERT_TRUE(run_until([this] { return equal() && left_.member->status().unacknowledged_bytes == 0; }));
  left_.data.faults.delay_min = left_.data.faults.delay_max = 20ms;
  left_.table->touch(7, 100, now_);
  ASSERT_TRUE(left_.member->request_switchover(now_));
  TimePoint begin = now_;
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 1s));
  EXPECT_GE(now_ - begin, 20ms);
  EXPECT_LE(now_ - begin, 30ms);
  ASSERT_TRUE(run_until([this] { return left_.hot() && right_.member->status().peer_sync == Sync::hot; }, 2s));
  run_for(200ms);
  right_.data.faults.cut = true;
  right_.table->touch(7, 100, now_);
  ASSERT_TRUE(right_.member->request_switchover(now_));
  begin = now_;
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }, 1s));
  EXPECT_GE(now_ - begin, 50ms);
  EXPECT_LE(now_ - begin, 60ms);
}

TEST_F(MemberTest, APreferredStandbyTakesMastershipBack) {
  cluster_ = two_chassis(true);
  bring_up();
  fill(left_, 100);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  left_.crash();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "master" && right_.hot(); }, 10s));
  EXPECT_EQ(left_.table->size(), 100U);
}

TEST_F(MemberTest, APauseOfItsOwnIsNotSilenceOfThePeer) {
  bring_up();
  now_ += 3s;  // nobody runs, as in a stopped machine
  right_.member->tick(now_, 0);
  EXPECT_EQ(right_.role, "standby");
  EXPECT_EQ(right_.counter("own-pauses"), 1U);
  run_for(1s);
  EXPECT_EQ(left_.role, "master");
  EXPECT_EQ(right_.role, "standby");
}

TEST_F(MemberTest, MessagesOfAFormerBootAreRefused) {
  bring_up();
  std::vector<VirtualWire::Bytes> old;
  left_.table->create(1, udp_session(1), now_);
  now_ += 150ms;
  left_.member->tick(now_, 1U << 16U);
  now_ += 2ms;
  left_.member->tick(now_, 1U << 16U);
  while (const auto bytes = left_.control.take(now_ + 1s)) old.push_back(*bytes);
  ASSERT_FALSE(old.empty());
  left_.crash();
  left_.start();
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }));
  const auto before = right_.counter("refused-other-boot");
  for (const auto& bytes : old) right_.member->on_control(now_, bytes);
  EXPECT_EQ(right_.counter("refused-other-boot"), before + old.size());
  EXPECT_EQ(right_.role, "master");
}

TEST_F(MemberTest, APairLivesWhileItsMembersHaveDifferentClusterFiles) {
  bring_up();
  fill(left_, 50);
  right_.crash();
  Cluster other = two_chassis(false);
  other.digest = 0x0dd;
  right_.read(other);
  right_.start();
  ASSERT_TRUE(run_until([this] { return right_.hot() && equal(); }));
  EXPECT_GT(right_.counter("heartbeats-of-another-configuration"), 0U);
  EXPECT_GT(left_.counter("heartbeats-of-another-configuration"), 0U);
  EXPECT_EQ(right_.counter("refused-wrong-cluster") + left_.counter("refused-wrong-cluster"), 0U);
  ASSERT_TRUE(run_until([this] { return left_.member->status().peer_sync == Sync::hot; }));
  ASSERT_TRUE(left_.member->request_switchover(now_));
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot() && equal(); }));
  EXPECT_EQ(right_.table->size(), 50U);
  // The other one is restarted with the new file, too: nothing differs any more.
  left_.crash();
  left_.read(other);
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.hot() && equal(); }));
  EXPECT_EQ(left_.counter("heartbeats-of-another-configuration"), 0U);
}

TEST_F(MemberTest, OneOfAnotherClusterDoesNotBecomeMasterBesideAMaster) {
  bring_up();
  right_.crash();
  Cluster other = two_chassis(false);
  other.name = "another";
  ASSERT_TRUE(assign_identities(other).empty());
  right_.read(other);
  right_.start();
  run_for(20s);
  EXPECT_EQ(left_.role, "master");
  EXPECT_EQ(right_.member->role(), Role::initializing);
  EXPECT_EQ(right_.member->status().reason, "peer belongs to another cluster");
  EXPECT_GT(right_.counter("refused-wrong-cluster"), 0U);
  EXPECT_GT(left_.counter("refused-wrong-cluster"), 0U);

  // The other one is restarted with the new file, too: whoever is first becomes master.
  left_.crash();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 3s));
  left_.read(other);
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.hot(); }));
  EXPECT_EQ(right_.role, "master");
}

TEST_F(MemberTest, ALateHeartbeatOfADeadProcessDoesNotMakeItDeafToTheLivingOne) {
  // Left lives twice; right hears the second life first.
  left_.start();
  now_ += 1ms;
  left_.member->tick(now_, 0);
  const auto late = left_.control.take(now_ + 1s);
  ASSERT_TRUE(late);
  left_.crash();
  bring_up();
  right_.member->on_control(now_, *late);
  ASSERT_TRUE(run_until([this] { return left_.role == "standby" || right_.role == "standby"; }));
  fill(left_.role == "master" ? left_ : right_, 50);
  ASSERT_TRUE(run_until([this] { return equal() && left_.table->size() == 50; }));
}

TEST_F(MemberTest, AStandbyThatRefusedARecordOfItsCopyTakesNoSwitchover) {
  bring_up();
  right_.table->refuse(7);
  left_.table->create(7, udp_session(7), now_);
  ASSERT_TRUE(run_until([this] { return right_.counter("sessions-refused") == 1; }));
  run_for(200ms);
  EXPECT_THAT(left_.member->request_switchover(now_).error().message, HasSubstr("warned"));
}

/// The standby has a heartbeat to send before the new stream begins.
TEST_F(MemberTest, WhatAStandbyRefusedOfAFormerCopyIsForgottenWithIt) {
  bring_up();
  right_.table->refuse(7);
  left_.table->create(7, udp_session(7), now_);
  ASSERT_TRUE(run_until([this] { return right_.counter("sessions-refused") == 1; }));
  run_for(200ms);
  EXPECT_FALSE(left_.member->complete());
  right_.table->refuse_nothing();
  left_.crash();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_EQ(right_.member->status().warnings, 0U) << "of a master nobody has a copy that it refused";
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.hot() && right_.member->status().peer_sync == Sync::hot; }));
  ASSERT_TRUE(right_.member->request_switchover(now_));
  left_.data.faults = right_.data.faults = {0, 0, 150ms, 160ms, false};
  ASSERT_TRUE(run_until([this] { return left_.role == "master" && right_.role == "standby"; }));
  ASSERT_TRUE(run_until([this] { return right_.hot() && left_.member->status().peer_sync == Sync::hot; }));
  run_for(1s);
  EXPECT_TRUE(left_.member->complete());
}

TEST_F(MemberTest, ALateRequestForACopyStartsNoStream) {
  bring_up();
  replication::MessageWriter writer;
  replication::Header header;
  header.cluster = cluster_.stable_id;
  header.set = cluster_.redundancy_sets[0].stable_id;
  header.sender = cluster_.chassis[1].stable_id;
  header.member = 1;
  header.boot = left_.member->peer_boot();
  header.term = left_.member->term();
  left_.member->on_control(now_, writer.write(header, replication::SyncRequest{1}));
  EXPECT_EQ(left_.counter("refused-late-request"), 1U);
}

TEST_F(MemberTest, AMessageOnTheWrongLinkIsRefused) {
  bring_up();
  left_.table->create(1, udp_session(1), now_);
  now_ += 2ms;
  left_.member->tick(now_, 1U << 16U);
  now_ += 2ms;
  left_.member->tick(now_, 1U << 16U);
  const auto batch = left_.data.take(now_ + 1s);
  ASSERT_TRUE(batch);
  right_.member->on_control(now_, *batch);
  EXPECT_EQ(right_.counter("refused-wrong-link"), 1U);
  EXPECT_FALSE(right_.table->live(1));
}

TEST_F(MemberTest, DamagedMessagesChangeNothingAndAreAllCounted) {
  bring_up();
  fill(left_, 100);
  ASSERT_TRUE(run_until([this] { return equal(); }));
  const auto digest = right_.table->digest();
  replication::MessageWriter writer;
  for (std::uint64_t boot = 1; boot < 300; ++boot) {
    replication::Header header;
    header.cluster = boot % 3 == 0 ? cluster_.stable_id : static_cast<StableId>(boot);
    header.set = cluster_.redundancy_sets[0].stable_id;
    header.sender = cluster_.chassis[0].stable_id;
    header.boot = boot;
    header.term = 2;
    header.member = static_cast<std::uint8_t>(boot % 3 == 0 ? 0 : 1);
    right_.member->on_data(now_, writer.write(header, replication::BulkEnd{{1, 1, 1}}));
    right_.member->on_control(now_, writer.write(header, replication::Handover{1, 1}));
  }
  EXPECT_EQ(right_.role, "standby");
  EXPECT_EQ(right_.table->digest(), digest);
  EXPECT_EQ(right_.counter("refused-wrong-cluster") + right_.counter("refused-other-boot"), 598U);
}

TEST_F(MemberTest, BadWeatherEndsInTwins) {
  for (Node* node : {&left_, &right_}) {
    node->control.faults = {0.1, 0.1, 100us, 20ms, false};
    node->data.faults = {0.1, 0.1, 100us, 20ms, false};
  }
  left_.start();
  right_.start();
  ASSERT_TRUE(run_until([this] { return (left_.role == "master" && right_.hot()); }));
  for (int i = 0; i < 500; ++i) {
    const auto slot = static_cast<std::uint32_t>(random_() % 500);
    if (left_.table->live(slot)) {
      left_.table->destroy(slot);
    } else {
      left_.table->create(slot, udp_session(static_cast<std::uint32_t>(random_() % 1000)), now_);
    }
    step();
  }
  ASSERT_TRUE(run_until([this] { return equal(); }));
  EXPECT_EQ(left_.role, "master");
  EXPECT_GT(right_.counter("gaps"), 0U);
}

TEST_F(MemberTest, DeadlinesAreKeptSoThatAnIdleWorkerMaySleep) {
  bring_up();
  run_for(100ms);
  int ticks = 0;
  for (const TimePoint end = now_ + 1s; now_ < end && ticks < 10000; ++ticks) {
    const TimePoint next =
        std::min({left_.member->next_deadline(), right_.member->next_deadline(), left_.control.next(),
                  right_.control.next(), left_.data.next(), right_.data.next()});
    now_ = std::max(now_, next);
    step(Duration(0));
  }
  EXPECT_LT(ticks, 400);
  EXPECT_EQ(left_.role, "master");
  EXPECT_TRUE(right_.hot());
}

}  // namespace
}  // namespace icr::node
