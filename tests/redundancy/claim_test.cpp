// Claims of mastership: the role machine while an answer is awaited, and the claimants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "node/redundancy/claimant.h"
#include "node/redundancy/role.h"

namespace icr::node {
namespace {

using ::testing::ElementsAre;

/// Writes down what the machine decides, and answers its claims as the test says.
class Decisions : public RoleOutput {
 public:
  ClaimAnswer claim(std::uint64_t term) override {
    tell("claim", term);
    return answer;
  }
  void on_claiming(std::uint64_t term) override { tell("claiming", term); }
  void withdraw_claim() override { told.emplace_back("withdraw"); }
  void persist_term(std::uint64_t term) override { tell("persist", term); }
  void on_master(std::uint64_t term) override { tell("master", term); }
  void on_standby(std::uint64_t term) override { tell("standby", term); }
  void on_reassert(std::uint64_t term) override { tell("reassert", term); }
  void on_handing_over(bool active) override { told.emplace_back(active ? "handing over" : "not handing over"); }

  ClaimAnswer answer = ClaimAnswer::pending;
  std::vector<std::string> told;

 private:
  void tell(const char* what, std::uint64_t term) { told.push_back(std::string(what) + " " + std::to_string(term)); }
};

class ClaimTest : public ::testing::Test {
 protected:
  static RoleConfig config() {
    RoleConfig out;
    out.index = 0;
    return out;
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
  /// The machine follows a master in term 1 and is hot.
  void make_hot() {
    machine_.on_peer(now_, peer(Role::master, 1));
    machine_.on_sync(now_, Sync::hot);
    out_.told.clear();
  }
  /// The machine is master in term 2.
  void make_master() {
    out_.answer = ClaimAnswer::granted;
    now_ += 3s;
    machine_.tick(now_);
    ASSERT_EQ(machine_.role(), Role::master);
    out_.answer = ClaimAnswer::pending;
    out_.told.clear();
  }

  TimePoint now_{10s};
  Decisions out_;
  RoleMachine machine_{config(), 0, out_, now_};
};

TEST_F(ClaimTest, AHotStandbyClaimsAndActsWhenTheClaimIsGranted) {
  make_hot();
  machine_.on_peer_lost(now_, false);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2"));
  EXPECT_EQ(machine_.role(), Role::claiming);
  EXPECT_EQ(machine_.acting_role(), Role::standby);
  EXPECT_EQ(machine_.sync(), Sync::hot);
  EXPECT_EQ(machine_.term(), 1U) << "a term that is only claimed is not announced";
  EXPECT_EQ(machine_.reason(), "connection to the peer closed");
  machine_.on_claim(now_ + 1ms, 2, true);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "persist 2", "master 2"));
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.counters().took_over_hot, 1U);
  EXPECT_EQ(machine_.reason(), "connection to the peer closed");
  EXPECT_FALSE(machine_.claiming());
}

TEST_F(ClaimTest, WhatIsGrantedAtOnceIsNotClaiming) {
  make_hot();
  out_.answer = ClaimAnswer::granted;
  machine_.on_peer_lost(now_, true);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "persist 2", "master 2"));
}

TEST_F(ClaimTest, AStandAloneSetAsksNobody) {
  RoleConfig alone = config();
  alone.stand_alone = true;
  RoleMachine machine(alone, 0, out_, now_);
  machine.tick(now_);
  EXPECT_THAT(out_.told, ElementsAre("persist 2", "master 2"));
}

TEST_F(ClaimTest, TheClaimIsWithdrawnWhenTheMasterIsHeardAgainAndTheCopyIsStillHot) {
  make_hot();
  machine_.on_peer_lost(now_, false);
  machine_.on_peer(now_ += 1ms, peer(Role::master, 1));
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "withdraw"));
  EXPECT_EQ(machine_.role(), Role::standby);
  EXPECT_EQ(machine_.sync(), Sync::hot);
  EXPECT_TRUE(machine_.follows_peer());
  EXPECT_EQ(machine_.reason(), "the master is heard again");
  machine_.on_claim(now_, 2, true);
  EXPECT_EQ(machine_.role(), Role::standby) << "the answer comes too late";
  EXPECT_EQ(machine_.counters().claims_answered_late, 1U);
  EXPECT_EQ(machine_.counters().claims_withdrawn, 1U);
  EXPECT_EQ(machine_.counters().took_over_hot, 0U);
}

TEST_F(ClaimTest, ARefusedClaimIsMadeAgainAfterAnInterval) {
  make_hot();
  machine_.on_peer_lost(now_, true);
  machine_.on_claim(now_, 2, false);
  EXPECT_EQ(machine_.role(), Role::claiming);
  EXPECT_EQ(machine_.next_deadline(), now_ + 200ms);
  out_.told.clear();
  machine_.tick(now_ + 199ms);
  EXPECT_TRUE(out_.told.empty());
  machine_.on_claim(now_ + 199ms, 2, true);
  EXPECT_EQ(machine_.role(), Role::claiming) << "a refusal is not taken back";
  machine_.tick(now_ + 200ms);
  EXPECT_THAT(out_.told, ElementsAre("claim 2"));
  machine_.on_claim(now_ + 201ms, 2, true);
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.counters().claims_refused, 1U);
  EXPECT_EQ(machine_.counters().claims, 2U);
}

TEST_F(ClaimTest, ARefusalThatIsKnownAtOnceIsNoMastership) {
  make_hot();
  out_.answer = ClaimAnswer::refused;
  machine_.on_peer_lost(now_, true);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2"));
  EXPECT_EQ(machine_.role(), Role::claiming);
  out_.answer = ClaimAnswer::granted;
  machine_.tick(now_ + 200ms);
  EXPECT_EQ(machine_.role(), Role::master);
}

TEST_F(ClaimTest, AHigherTermReplacesTheClaim) {
  make_hot();
  machine_.on_peer_lost(now_, true);
  // It restarted, had heard of term 5, and holds less than this member.
  machine_.on_peer(now_, peer(Role::initializing, 5));
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "claim 6"));
  machine_.on_claim(now_, 2, true);
  EXPECT_EQ(machine_.role(), Role::claiming) << "nobody acts in a term below one that is known";
  machine_.on_claim(now_, 6, true);
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.term(), 6U);
}

TEST_F(ClaimTest, AStartingMemberStopsClaimingWhenAPeerAppears) {
  now_ += 3s;
  machine_.tick(now_);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2"));
  EXPECT_EQ(machine_.acting_role(), Role::initializing);
  machine_.tick(now_ += 1s);
  EXPECT_EQ(out_.told.size(), 2U) << "one claim is enough";
  machine_.on_peer(now_, peer(Role::master, 1));
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "withdraw", "standby 1"));
  EXPECT_EQ(machine_.role(), Role::standby);
}

TEST_F(ClaimTest, AStartingMemberLeavesItToAPeerThatItCannotRead) {
  now_ += 3s;
  machine_.tick(now_);
  machine_.hold(now_, now_ + 1s, "peer runs another cluster file");
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "withdraw"));
  machine_.on_claim(now_, 2, true);
  EXPECT_EQ(machine_.role(), Role::initializing);
}

TEST_F(ClaimTest, AStartingMemberLeavesItToAHotStandby) {
  now_ += 3s;
  machine_.tick(now_);
  machine_.on_peer(now_, peer(Role::standby, 1, Sync::hot));
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "withdraw"));
}

TEST_F(ClaimTest, ClaimsFromAnIllMasterEndWhenItIsWell) {
  make_hot();
  PeerReport ill = peer(Role::master, 1);
  ill.ill = true;
  machine_.on_peer(now_, ill);
  machine_.tick(now_ += 200ms);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2"));
  machine_.on_peer(now_, ill);
  EXPECT_EQ(machine_.role(), Role::claiming) << "that the ill master is heard is no news";
  EXPECT_TRUE(machine_.follows_peer()) << "and what it sends is taken meanwhile";
  machine_.on_peer(now_, peer(Role::master, 1));
  EXPECT_EQ(out_.told.back(), "withdraw");
  EXPECT_EQ(machine_.role(), Role::standby);
  EXPECT_EQ(machine_.counters().taken_from_ill, 0U);
}

TEST_F(ClaimTest, AnOfferCountsAsLongAsItIsRepeated) {
  make_hot();
  machine_.on_offer(now_, 1);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2"));
  machine_.on_offer(now_ += 150ms, 1);
  machine_.tick(now_ += 199ms);
  EXPECT_EQ(machine_.role(), Role::claiming);
  EXPECT_EQ(machine_.next_deadline(), now_ + 1ms);
  machine_.tick(now_ += 1ms);
  EXPECT_THAT(out_.told, ElementsAre("claim 2", "claiming 2", "withdraw"));
  EXPECT_EQ(machine_.role(), Role::standby);
  machine_.on_offer(now_, 1);
  machine_.on_claim(now_, 2, true);
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.reason(), "switchover");
}

TEST_F(ClaimTest, WhoFallsIllWhileItClaimsAnOfferDoesNotTakeIt) {
  make_hot();
  machine_.on_offer(now_, 1);
  machine_.on_condition(now_, true, false);
  EXPECT_EQ(out_.told.back(), "withdraw");
}

TEST_F(ClaimTest, WhoseCopyIsNoMoreCompleteDoesNotTakeAnOffer) {
  make_hot();
  machine_.on_offer(now_, 1);
  machine_.on_sync(now_, Sync::cold);
  EXPECT_EQ(out_.told.back(), "withdraw");
  machine_.on_claim(now_, 2, true);
  EXPECT_EQ(machine_.role(), Role::standby);
}

TEST_F(ClaimTest, AMasterActsInItsTermUntilAHigherOneIsGranted) {
  make_master();
  machine_.on_peer(now_, peer(Role::initializing, 9));
  // It may have been master unnoticed, so the traffic is drawn again; there is no change of role to tell of.
  EXPECT_THAT(out_.told, ElementsAre("claim 10", "reassert 2"));
  EXPECT_EQ(machine_.role(), Role::master);
  EXPECT_EQ(machine_.term(), 2U);
  EXPECT_EQ(machine_.claimed_term(), 10U);
  machine_.on_claim(now_, 10, true);
  EXPECT_EQ(machine_.term(), 10U);
  EXPECT_EQ(machine_.counters().term_raised, 1U);
}

TEST_F(ClaimTest, AMasterThatYieldsClaimsNoMore) {
  make_master();
  machine_.on_peer(now_, peer(Role::initializing, 9));
  machine_.on_peer(now_, peer(Role::master, 11));
  machine_.on_claim(now_, 10, true);
  EXPECT_EQ(machine_.role(), Role::standby);
  EXPECT_EQ(machine_.term(), 11U);
}

TEST_F(ClaimTest, WhatAFormerLifeClaimedIsNotTakenAgainAndProvesNoState) {
  RoleMachine restarted(config(), 2, out_, now_, true, 6);
  EXPECT_EQ(restarted.term(), 2U);
  EXPECT_EQ(restarted.state_term(), 2U);
  out_.answer = ClaimAnswer::granted;
  restarted.tick(now_ + 3s);
  EXPECT_EQ(restarted.term(), 8U);
}

TEST_F(ClaimTest, ASwitchoverIsRefusedMeanwhile) {
  make_hot();
  machine_.on_peer_lost(now_, true);
  const auto asked = machine_.request_switchover(now_);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().message, "this member is CLAIMING");
}

/// A claimant that says what the test says.
class Says final : public Claimant {
 public:
  explicit Says(std::string_view name) : name_(name) {}
  std::string_view awaited() const override { return name_; }
  void ask(TimePoint, std::uint64_t term) override { asked.push_back(term); }
  ClaimAnswer answer(TimePoint) override { return word; }
  void withdraw() override { asked.push_back(0); }
  TimePoint next_deadline() const override { return due; }
  void append_to(CounterList&) const override {}

  ClaimAnswer word = ClaimAnswer::pending;
  TimePoint due = TimePoint::max();
  std::vector<std::uint64_t> asked;

 private:
  std::string_view name_;
};

class ClaimsTest : public ::testing::Test {
 protected:
  ClaimsTest() {
    claims_.add(disk_);
    claims_.add(witness_);
  }
  const TimePoint now_{10s};
  Says disk_{"its term on disk"};
  Says witness_{"the witness"};
  Claims claims_;
};

TEST_F(ClaimsTest, AllMustAgree) {
  EXPECT_EQ(claims_.ask(now_, 4), ClaimAnswer::pending);
  EXPECT_EQ(claims_.awaited(), "its term on disk; the witness");
  EXPECT_EQ(claims_.term(), 4U);
  disk_.word = ClaimAnswer::granted;
  EXPECT_EQ(claims_.answer(now_), ClaimAnswer::pending);
  EXPECT_EQ(claims_.awaited(), "the witness");
  witness_.word = ClaimAnswer::granted;
  EXPECT_EQ(claims_.answer(now_), ClaimAnswer::granted);
  EXPECT_EQ(claims_.term(), 0U);
  EXPECT_EQ(claims_.awaited(), "");
  EXPECT_THAT(disk_.asked, ElementsAre(4U));
  EXPECT_THAT(witness_.asked, ElementsAre(4U));
}

TEST_F(ClaimsTest, OnlyThoseAreLookedAtThatHaveNotAnswered) {
  disk_.due = now_ + 1ms;
  witness_.due = now_ + 5ms;
  EXPECT_EQ(claims_.ask(now_, 4), ClaimAnswer::pending);
  EXPECT_EQ(claims_.next_deadline(), now_ + 1ms);
  // A moment that has passed would keep the worker of a set awake, at real-time priority, for as long as the claim
  // takes.
  disk_.word = ClaimAnswer::granted;
  EXPECT_EQ(claims_.answer(now_ + 1ms), ClaimAnswer::pending);
  EXPECT_EQ(claims_.next_deadline(), now_ + 5ms);
}

TEST_F(ClaimsTest, WhoeverIsLateIsWaitedFor) {
  witness_.word = ClaimAnswer::granted;
  EXPECT_EQ(claims_.ask(now_, 4), ClaimAnswer::pending);
  EXPECT_EQ(claims_.awaited(), "its term on disk");
  disk_.word = ClaimAnswer::granted;
  EXPECT_EQ(claims_.answer(now_), ClaimAnswer::granted);
}

TEST_F(ClaimsTest, OneRefusalIsEnough) {
  (void)claims_.ask(now_, 4);
  witness_.word = ClaimAnswer::refused;
  EXPECT_EQ(claims_.answer(now_), ClaimAnswer::refused);
  EXPECT_EQ(claims_.awaited(), "its term on disk; the witness (refused)");
  EXPECT_EQ(claims_.term(), 0U);
}

TEST_F(ClaimsTest, TheFirstOfTheirDeadlinesCountsWhileAClaimIsOpen) {
  disk_.due = now_ + 2ms;
  witness_.due = now_ + 1ms;
  EXPECT_EQ(claims_.next_deadline(), TimePoint::max());
  (void)claims_.ask(now_, 4);
  EXPECT_EQ(claims_.next_deadline(), now_ + 1ms);
  claims_.withdraw();
  EXPECT_EQ(claims_.next_deadline(), TimePoint::max());
  EXPECT_THAT(witness_.asked, ElementsAre(4U, 0U));
}

TEST(ClaimsWithoutClaimants, AreGrantedAtOnce) {
  Claims nobody;
  EXPECT_EQ(nobody.ask(TimePoint(10s), 4), ClaimAnswer::granted);
}

}  // namespace
}  // namespace icr::node
