// The role machine alone: what it is told, and what it decides.
#include "node/redundancy/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr::node {
namespace {

using ::testing::HasSubstr;

class Decisions : public RoleOutput {
 public:
  ClaimAnswer claim(std::uint64_t term) override {
    claimed = term;
    return answer;
  }
  void on_claiming(std::uint64_t term) override { last = "claiming " + std::to_string(term); }
  void withdraw_claim() override { claimed = 0; }
  void persist_term(std::uint64_t term) override { persisted = term; }
  void on_master(std::uint64_t term) override {
    EXPECT_EQ(persisted, term) << "acts before the term is on disk";
    last = "master " + std::to_string(term);
  }
  void on_standby(std::uint64_t term) override { last = "standby " + std::to_string(term); }
  void on_reassert(std::uint64_t) override { ++reasserted; }
  void on_handing_over(bool active) override { handing_over = active; }

  ClaimAnswer answer = ClaimAnswer::granted;  ///< what is known at once
  std::uint64_t claimed = 0;                  ///< the term that is claimed; 0 after a withdrawal
  std::uint64_t persisted = 0;
  std::string last;
  int reasserted = 0;
  bool handing_over = false;
};

class RoleTest : public ::testing::Test {
 protected:
  RoleMachine machine(std::uint8_t index, std::uint64_t restored = 0, std::uint32_t priority = 100) {
    RoleConfig config;
    config.index = index;
    config.priority = priority;
    config.preempt = preempt_;
    return RoleMachine(config, restored, out_, now_);
  }
  static PeerReport peer(Role role, std::uint64_t term, Sync sync = Sync::off) {
    PeerReport report;
    report.role = role;
    report.term = term;
    report.sync = sync;
    report.priority = 100;
    report.state_term = role == Role::master || sync == Sync::hot ? term : 0;
    return report;
  }
  /// A machine that became master on its own, with a hot standby.
  RoleMachine master_with_hot_standby() {
    RoleMachine m = machine(0);
    now_ += 3s;
    m.tick(now_);
    m.on_peer(now_, peer(Role::standby, m.term(), Sync::hot));
    return m;
  }
  /// A machine that follows a master in term 1 and is hot.
  RoleMachine hot_standby(std::uint32_t priority = 100) {
    RoleMachine m = machine(0, 0, priority);
    m.on_peer(now_, peer(Role::master, 1));
    m.on_sync(now_, Sync::hot);
    return m;
  }

  TimePoint now_{10s};
  Decisions out_;
  bool preempt_ = false;
};

TEST_F(RoleTest, AloneItWaitsForTheHoldTime) {
  RoleMachine m = machine(0);
  now_ += 2999ms;
  m.tick(now_);
  EXPECT_EQ(m.role(), Role::initializing);
  EXPECT_EQ(m.next_deadline(), now_ + 1ms);
  now_ += 1ms;
  m.tick(now_);
  EXPECT_EQ(m.role(), Role::master);
  EXPECT_EQ(out_.last, "master 2");
}

TEST_F(RoleTest, TermsAreOfOnesOwnParityAndAboveAllOthers) {
  for (const std::uint8_t index : {std::uint8_t{0}, std::uint8_t{1}}) {
    for (std::uint64_t restored = 0; restored < 8; ++restored) {
      RoleMachine m = machine(index, restored);
      m.tick(now_ + 3s);
      EXPECT_GT(m.term(), restored);
      EXPECT_LE(m.term(), restored + 2);
      EXPECT_EQ(m.term() % 2, index);
    }
  }
}

TEST_F(RoleTest, AStandAloneSetIsMasterAtOnce) {
  RoleConfig config;
  config.stand_alone = true;
  RoleMachine m(config, 7, out_, now_);
  m.tick(now_);
  EXPECT_EQ(out_.last, "master 8");
  EXPECT_FALSE(m.request_switchover(now_));
}

TEST_F(RoleTest, AMasterIsFollowed) {
  RoleMachine m = machine(0);
  m.on_peer(now_, peer(Role::master, 1));
  EXPECT_EQ(m.role(), Role::standby);
  EXPECT_EQ(m.sync(), Sync::cold);
  EXPECT_TRUE(m.follows_peer());
}

TEST_F(RoleTest, ElectionPrefersTheNewerStateThenPriorityThenTheFirstMember) {
  const auto elected = [this](std::uint8_t index, std::uint64_t state, std::uint32_t priority, std::uint64_t peer_state,
                              std::uint32_t peer_priority) {
    RoleMachine m = machine(index, state, priority);
    PeerReport report = peer(Role::initializing, peer_state);
    report.state_term = peer_state;
    report.priority = peer_priority;
    m.on_peer(now_, report);
    EXPECT_NE(m.role(), Role::initializing);
    return m.role() == Role::master;
  };
  EXPECT_TRUE(elected(0, 4, 100, 3, 200));
  EXPECT_FALSE(elected(1, 3, 200, 4, 100));
  EXPECT_TRUE(elected(1, 0, 200, 0, 100));
  EXPECT_FALSE(elected(0, 0, 100, 0, 200));
  EXPECT_TRUE(elected(0, 0, 100, 0, 100));
  EXPECT_FALSE(elected(1, 0, 100, 0, 100));
  // The same state on both sides: who was master in that term has the newest of it.
  EXPECT_TRUE(elected(1, 5, 1, 5, 200));
  EXPECT_FALSE(elected(0, 5, 200, 5, 1));
}

/// Of a damaged checkpoint only the term is worth something: it must not be used again.
TEST_F(RoleTest, WhoLostStateOnDiskDoesNotBeatWhoHasIt) {
  RoleConfig config;
  config.index = 1;
  RoleMachine damaged(config, 5, out_, now_, false);
  EXPECT_EQ(damaged.state_term(), 0U);
  PeerReport report = peer(Role::initializing, 5);
  report.state_term = 5;
  damaged.on_peer(now_, report);
  EXPECT_EQ(damaged.role(), Role::standby);
  // Alone it is master all the same, above all that it has heard of.
  RoleMachine alone(config, 5, out_, now_, false);
  alone.tick(now_ + config.hold_time);
  EXPECT_EQ(alone.role(), Role::master);
  EXPECT_EQ(alone.term(), 7U);
}

TEST_F(RoleTest, AHotStandbyTakesOverWhenTheConnectionCloses) {
  RoleMachine m = hot_standby();
  m.on_peer_lost(now_, false);
  EXPECT_EQ(out_.last, "master 2");
  EXPECT_EQ(m.counters().took_over_hot, 1U);
}

TEST_F(RoleTest, AColdStandbyWaitsUntilTheMasterIsSurelyGone) {
  RoleMachine m = machine(0);
  m.on_peer(now_, peer(Role::master, 1));
  m.on_peer_lost(now_, false);
  EXPECT_EQ(m.role(), Role::standby);
  m.on_peer_lost(now_, true);
  EXPECT_EQ(m.role(), Role::master);
  EXPECT_EQ(m.counters().took_over_cold, 1U);
}

TEST_F(RoleTest, AHotStandbyTakesOverFromAMasterThatRestarted) {
  RoleMachine m = hot_standby();
  m.on_peer(now_, peer(Role::initializing, 1));
  EXPECT_EQ(m.role(), Role::master);
}

TEST_F(RoleTest, AColdStandbyLeavesItToAMasterThatRestartedWithItsState) {
  RoleMachine m = machine(0);
  m.on_peer(now_, peer(Role::master, 1));
  PeerReport restarted = peer(Role::initializing, 1);
  restarted.state_term = 1;
  m.on_peer(now_, restarted);
  EXPECT_EQ(m.role(), Role::standby);
  m.on_peer(now_, peer(Role::master, 3));
  EXPECT_TRUE(m.follows_peer());
}

TEST_F(RoleTest, OfTwoMastersTheLowerTermYieldsAndTheOtherDrawsTheTrafficAgain) {
  RoleMachine m = machine(0);
  m.tick(now_ + 3s);
  m.on_peer(now_, peer(Role::master, 1));
  EXPECT_EQ(m.role(), Role::master);
  EXPECT_EQ(out_.reasserted, 1);
  m.on_peer(now_, peer(Role::master, 1));
  EXPECT_EQ(out_.reasserted, 1);
  m.on_peer(now_, peer(Role::master, 3));
  EXPECT_EQ(m.role(), Role::standby);
  EXPECT_EQ(m.sync(), Sync::cold);
  EXPECT_EQ(out_.last, "standby 3");
}

TEST_F(RoleTest, AMasterDrawsTheTrafficAgainWhenItsPeerIsBack) {
  RoleMachine m = master_with_hot_standby();
  const int before = out_.reasserted;
  m.on_peer_lost(now_, true);
  // What it did meanwhile is not known: it may have been master and have yielded already.
  m.on_peer(now_, peer(Role::standby, m.term(), Sync::cold));
  EXPECT_EQ(out_.reasserted, before + 1);
  m.on_peer(now_, peer(Role::standby, m.term(), Sync::hot));
  EXPECT_EQ(out_.reasserted, before + 1);
}

TEST_F(RoleTest, AMasterGoesOnAboveATermThatOnlyItsPeerKnew) {
  RoleMachine m = machine(0);
  m.tick(now_ + 3s);
  m.on_peer(now_, peer(Role::initializing, 9));
  EXPECT_EQ(out_.last, "master 10");
}

TEST_F(RoleTest, SwitchoverIsRefusedWithTheReason) {
  RoleMachine m = machine(0);
  EXPECT_THAT(m.request_switchover(now_).error().message, HasSubstr("INITIALIZING"));
  m.tick(now_ + 3s);
  EXPECT_THAT(m.request_switchover(now_).error().message, HasSubstr("not connected"));
  m.on_peer(now_, peer(Role::standby, 2, Sync::cold));
  EXPECT_THAT(m.request_switchover(now_).error().message, HasSubstr("Cold"));
  PeerReport warned = peer(Role::standby, 2, Sync::hot);
  warned.warned = true;
  m.on_peer(now_, warned);
  EXPECT_THAT(m.request_switchover(now_).error().message, HasSubstr("warned"));
  EXPECT_EQ(m.counters().switchovers_refused, 3U);
  EXPECT_FALSE(out_.handing_over);
}

TEST_F(RoleTest, ForceHandsOverToAWarnedStandbyOnly) {
  RoleMachine m = master_with_hot_standby();
  PeerReport report = peer(Role::standby, 2, Sync::hot);
  report.warned = true;
  report.ill = true;
  m.on_peer(now_, report);
  EXPECT_THAT(m.request_switchover(now_, true).error().message, HasSubstr("health is Failed"));
  report.ill = false;
  report.sync = Sync::cold;
  m.on_peer(now_, report);
  EXPECT_THAT(m.request_switchover(now_, true).error().message, HasSubstr("Cold"));
  report.sync = Sync::hot;
  m.on_peer(now_, report);
  EXPECT_FALSE(m.request_switchover(now_));
  ASSERT_TRUE(m.request_switchover(now_, true));
  EXPECT_TRUE(m.draining());

  RoleMachine standby = machine(1);
  standby.on_peer(now_, peer(Role::master, 2));
  standby.on_sync(now_, Sync::hot);
  EXPECT_THAT(standby.request_switchover(now_, true).error().message, HasSubstr("only the master can be forced"));
  EXPECT_TRUE(standby.request_switchover(now_)) << "without force it asks its master";
}

TEST_F(RoleTest, SwitchoverOffersWhenDrainedAndYieldsToTheNewMaster) {
  RoleMachine m = master_with_hot_standby();
  ASSERT_TRUE(m.request_switchover(now_));
  EXPECT_TRUE(out_.handing_over);
  EXPECT_TRUE(m.draining());
  m.tick(now_);
  EXPECT_FALSE(m.take_offer(now_));
  m.on_drained(now_);
  m.tick(now_);
  EXPECT_TRUE(m.take_offer(now_));
  EXPECT_FALSE(m.take_offer(now_));
  now_ += 50ms;
  m.tick(now_);
  EXPECT_TRUE(m.take_offer(now_)) << "an offer may be lost";
  m.on_peer(now_, peer(Role::master, 3));
  EXPECT_EQ(out_.last, "standby 3");
  EXPECT_FALSE(out_.handing_over);
  EXPECT_EQ(m.counters().switchovers_done, 1U);
}

TEST_F(RoleTest, ASwitchoverThatIsNotTakenUpIsCalledOff) {
  RoleMachine m = master_with_hot_standby();
  ASSERT_TRUE(m.request_switchover(now_));
  EXPECT_FALSE(m.request_switchover(now_)) << "one at a time";
  now_ += 2s;
  m.tick(now_);
  EXPECT_EQ(m.role(), Role::master);
  EXPECT_FALSE(out_.handing_over);
  EXPECT_EQ(m.counters().switchovers_called_off, 1U);
}

TEST_F(RoleTest, AnOfferIsTakenByAHotStandbyOfThatTermOnly) {
  RoleMachine m = machine(0);
  m.on_peer(now_, peer(Role::master, 1));
  m.on_offer(now_, 1);
  EXPECT_EQ(m.role(), Role::standby);
  m.on_sync(now_, Sync::hot);
  m.on_offer(now_, 3);
  EXPECT_EQ(m.role(), Role::standby);
  EXPECT_EQ(m.counters().offers_refused, 2U);
  m.on_offer(now_, 1);
  EXPECT_EQ(out_.last, "master 2");
}

TEST_F(RoleTest, APreferredStandbyAsksWhenItHasBeenHotForTheHoldTime) {
  preempt_ = true;
  RoleMachine m = hot_standby(200);
  m.tick(now_);
  EXPECT_FALSE(m.asks_switchover());
  now_ += 3s;
  m.tick(now_);
  EXPECT_TRUE(m.asks_switchover());
  RoleMachine lower = hot_standby(50);
  lower.tick(now_ + 10s);
  EXPECT_FALSE(lower.asks_switchover());
}

TEST_F(RoleTest, AMasterHearsTheWishOfItsStandby) {
  RoleMachine m = master_with_hot_standby();
  PeerReport asking = peer(Role::standby, 2, Sync::hot);
  asking.asks_switchover = true;
  m.on_peer(now_, asking);
  EXPECT_TRUE(m.draining());
}

TEST_F(RoleTest, AStandbyRemembersTheTermOfWhichItHoldsTheState) {
  RoleMachine m = hot_standby();
  EXPECT_EQ(m.state_term(), 1U);
  EXPECT_EQ(out_.persisted, 1U);
}

}  // namespace
}  // namespace icr::node
