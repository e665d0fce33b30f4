// Tests when health counts, and how it changes the roles of two members (shared case field.master-with-dead-link; Junos
// SRX interface-monitor, keepalived track_interface, CARP demotion).
#include "node/redundancy/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/redundancy/role.h"
#include "tests/redundancy/ignored_decisions.h"

namespace icr::node {
namespace {

using ::testing::HasSubstr;

const Health kWell;
const Health kDeadLink{255, "interface inside0 has no carrier"};

TEST(SteadyHealthTest, IllAtOnceAndWellAfterTheHoldTime) {
  TimePoint now{1h};
  SteadyHealth health(3s);
  health.measured(now, kWell);
  health.measured(now, kDeadLink);
  EXPECT_TRUE(health.health().ill());
  health.measured(now += 1s, kWell);
  EXPECT_TRUE(health.health().ill());
  EXPECT_THAT(health.health().reasons, HasSubstr("inside0 has no carrier"));
  EXPECT_EQ(health.next_deadline(), now + 3s);
  health.tick(now += 2999ms);
  EXPECT_TRUE(health.health().ill());
  health.tick(now += 1ms);
  EXPECT_EQ(health.health(), kWell);
}

TEST(SteadyHealthTest, ALinkThatFlapsEverySecondIsNeverWell) {
  TimePoint now{1h};
  SteadyHealth health(3s);
  health.measured(now, kWell);
  for (int i = 0; i < 60; ++i) {
    health.measured(now += 500ms, kDeadLink);
    health.tick(now);
    ASSERT_TRUE(health.health().ill());
    health.measured(now += 500ms, kWell);
    health.tick(now);
    ASSERT_TRUE(health.health().ill());
  }
  EXPECT_EQ(health.illnesses(), 1U);
}

/// With flaps that are slower than the hold time, the wait doubles with each relapse.
TEST(SteadyHealthTest, ARelapseWaitsTwiceAsLong) {
  TimePoint now{1h};
  SteadyHealth health(1s);
  health.measured(now, kWell);
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 32s}) {
    health.measured(now += 100ms, kDeadLink);
    health.measured(now += 100ms, kWell);
    EXPECT_EQ(health.next_deadline() - now, wait);
    health.tick(now += wait);
    ASSERT_FALSE(health.health().ill());
  }
  // A member that was well for long starts again with the shortest wait.
  health.measured(now += 1h, kDeadLink);
  health.measured(now, kWell);
  EXPECT_EQ(health.next_deadline() - now, 1s);
}

TEST(SteadyHealthTest, AMemberThatWasNeverWellIsWellAtOnce) {
  TimePoint now{1h};
  SteadyHealth health(3s);
  health.measured(now, kDeadLink);  // its interfaces come late
  EXPECT_TRUE(health.health().ill());
  health.measured(now + 100ms, kWell);
  EXPECT_FALSE(health.health().ill());
}

TEST(SteadyHealthTest, WhatIsWrongBelowTheLimitIsToldAtOnceAndIsNoIllness) {
  TimePoint now{1h};
  SteadyHealth health(3s);
  health.measured(now, {100, "disk is full"});
  EXPECT_FALSE(health.health().ill());
  EXPECT_EQ(health.health().reasons, "disk is full");
  health.measured(now, kWell);
  EXPECT_EQ(health.health(), kWell);
}

class Decisions : public IgnoredDecisions {
 public:
  ClaimAnswer claim(std::uint64_t) override { return ClaimAnswer::granted; }
};

class RoleHealthTest : public ::testing::Test {
 protected:
  static RoleConfig config(std::uint8_t index = 0, bool preempt = false, std::uint32_t priority = 100) {
    RoleConfig out;
    out.index = index;
    out.preempt = preempt;
    out.priority = priority;
    return out;
  }
  static PeerReport peer(Role role, std::uint64_t term, Sync sync, bool ill = false) {
    PeerReport report;
    report.role = role;
    report.term = term;
    report.sync = sync;
    report.priority = 100;
    report.state_term = role == Role::master || sync == Sync::hot ? term : 0;
    report.ill = ill;
    return report;
  }
  /// Term 2.
  void become_master() {
    machine_.tick(now_ += 3s);
    ASSERT_EQ(machine_.role(), Role::master);
  }
  /// Of a master in term 1.
  void become_hot_standby() {
    machine_.on_peer(now_, peer(Role::master, 1, Sync::off));
    machine_.on_sync(now_, Sync::hot);
  }

  TimePoint now_{10s};
  Decisions out_;
  RoleMachine machine_{config(), 0, out_, now_};
};

TEST_F(RoleHealthTest, AMasterThatFallsIllHandsOverToAHotHealthyStandbyAtOnce) {
  become_master();
  machine_.on_peer(now_, peer(Role::standby, 2, Sync::hot));
  machine_.on_condition(now_, true, false);
  EXPECT_TRUE(machine_.draining());
  machine_.on_drained(now_);
  machine_.tick(now_);
  EXPECT_TRUE(machine_.take_offer(now_));
  machine_.on_peer(now_, peer(Role::master, 3, Sync::off));
  EXPECT_EQ(machine_.role(), Role::standby);
  EXPECT_EQ(machine_.counters().given_up_ill, 1U);
  EXPECT_EQ(machine_.counters().dual_master, 0U);
}

TEST_F(RoleHealthTest, AnIllMasterWaitsForItsStandbyToBeHot) {
  become_master();
  machine_.on_peer(now_, peer(Role::standby, 2, Sync::cold));
  machine_.on_condition(now_, true, false);
  EXPECT_FALSE(machine_.handing_over());
  machine_.on_peer(now_ += 1s, peer(Role::standby, 2, Sync::hot));
  EXPECT_TRUE(machine_.handing_over());
}

TEST_F(RoleHealthTest, OfTwoIllMembersTheMasterStays) {
  become_master();
  machine_.on_condition(now_, true, false);
  for (int i = 0; i < 100; ++i) {
    machine_.on_peer(now_ += 100ms, peer(Role::standby, 2, Sync::hot, true));
    machine_.tick(now_);
  }
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_FALSE(machine_.handing_over());
  EXPECT_EQ(machine_.counters().given_up_ill, 0U);
}

TEST_F(RoleHealthTest, AnIllStandbyDoesNotClaimFromAnIllMaster) {
  become_hot_standby();
  machine_.on_condition(now_, true, false);
  for (int i = 0; i < 100; ++i) {
    machine_.on_peer(now_ += 100ms, peer(Role::master, 1, Sync::off, true));
    machine_.tick(now_);
  }
  EXPECT_EQ(machine_.role(), Role::standby);
}

TEST_F(RoleHealthTest, AHotHealthyStandbyClaimsWhatAnIllMasterDoesNotHandOver) {
  become_hot_standby();
  machine_.on_peer(now_, peer(Role::master, 1, Sync::off, true));
  EXPECT_EQ(machine_.next_deadline(), now_ + 200ms);
  machine_.tick(now_ += 199ms);
  EXPECT_EQ(machine_.role(), Role::standby);
  machine_.tick(now_ += 1ms);
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.counters().taken_from_ill, 1U);
  EXPECT_THAT(machine_.reason(), HasSubstr("health"));
}

TEST_F(RoleHealthTest, AMasterThatRecoversInTimeKeepsMastership) {
  become_hot_standby();
  machine_.on_peer(now_, peer(Role::master, 1, Sync::off, true));
  machine_.on_peer(now_ += 100ms, peer(Role::master, 1, Sync::off, false));
  machine_.tick(now_ += 1s);
  EXPECT_EQ(machine_.role(), Role::standby);
}

TEST_F(RoleHealthTest, AColdOrWarnedStandbyClaimsNothing) {
  machine_.on_peer(now_, peer(Role::master, 1, Sync::off, true));
  machine_.on_sync(now_, Sync::cold);
  machine_.tick(now_ += 1s);
  EXPECT_EQ(machine_.role(), Role::standby);
  machine_.on_sync(now_, Sync::hot);
  machine_.on_condition(now_, false, true);
  machine_.tick(now_ += 1s);
  EXPECT_EQ(machine_.role(), Role::standby);
  machine_.on_condition(now_, false, false);
  machine_.tick(now_ += 200ms);
  EXPECT_EQ(machine_.role(), Role::master);
}

TEST_F(RoleHealthTest, ASwitchoverToAnIllStandbyIsRefusedAndAnOfferToItIsNotTaken) {
  become_master();
  machine_.on_peer(now_, peer(Role::standby, 2, Sync::hot, true));
  const auto begun = machine_.request_switchover(now_);
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().message, HasSubstr("health"));

  RoleMachine standby(config(), 0, out_, now_);
  standby.on_peer(now_, peer(Role::master, 1, Sync::off));
  standby.on_sync(now_, Sync::hot);
  standby.on_condition(now_, true, false);
  standby.on_offer(now_, 1);
  EXPECT_EQ(standby.role(), Role::standby);
  EXPECT_FALSE(standby.request_switchover(now_));
}

TEST_F(RoleHealthTest, ASwitchoverIsCalledOffWhenTheStandbyFallsIll) {
  become_master();
  machine_.on_peer(now_, peer(Role::standby, 2, Sync::hot));
  ASSERT_TRUE(machine_.request_switchover(now_));
  machine_.on_peer(now_, peer(Role::standby, 2, Sync::hot, true));
  EXPECT_FALSE(machine_.handing_over());
  EXPECT_EQ(machine_.role(), Role::master);
}

TEST_F(RoleHealthTest, PreemptionWaitsUntilThePreferredMemberHasBeenWellForTheHoldTime) {
  RoleMachine preferred(config(0, true, 200), 0, out_, now_);
  preferred.on_peer(now_, peer(Role::master, 1, Sync::off));
  preferred.on_sync(now_, Sync::hot);
  preferred.on_condition(now_, true, false);
  preferred.tick(now_ += 10s);
  EXPECT_FALSE(preferred.asks_switchover()) << "it is ill";
  preferred.on_condition(now_, false, false);
  preferred.tick(now_ += 2999ms);
  EXPECT_FALSE(preferred.asks_switchover());
  preferred.tick(now_ += 1ms);
  EXPECT_TRUE(preferred.asks_switchover());
  preferred.on_condition(now_, true, false);
  EXPECT_FALSE(preferred.asks_switchover());
}

TEST_F(RoleHealthTest, AnElectionGoesByStateThenByHealth) {
  const auto elected = [this](std::uint64_t state, bool ill, std::uint64_t peer_state, bool peer_ill) {
    RoleMachine m(config(0, false, 200), state, out_, now_);
    m.on_condition(now_, ill, false);
    PeerReport report = peer(Role::initializing, peer_state, Sync::off, peer_ill);
    report.state_term = peer_state;
    m.on_peer(now_, report);
    return m.role() == Role::master;
  };
  EXPECT_TRUE(elected(4, true, 3, false)) << "sessions come first; it hands over when the other has them";
  EXPECT_FALSE(elected(0, true, 0, false));
  EXPECT_TRUE(elected(0, true, 0, true)) << "of two that are ill, priority decides";
  EXPECT_FALSE(elected(4, true, 4, false)) << "the same state on both";
  EXPECT_TRUE(elected(3, false, 3, true));
}

}  // namespace
}  // namespace icr::node
