// The disk as a claimant: when it grants, when it is not waited for, and what a set core does meanwhile.
#include "node/set/store_claimant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base/log.h"
#include "tests/set/side.h"

namespace icr::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A disk that keeps claimed terms when the test says so.
class Disk final : public storage::CheckpointOutput {
 public:
  bool offer(std::uint64_t, storage::RecordBytes&&) override { return true; }
  bool commit(const storage::Manifest&) override { return true; }
  bool remember_term(std::uint64_t) override { return true; }
  bool claim_term(std::uint64_t term) override {
    ++offered;
    if (busy) return false;
    taken = term;
    return true;
  }
  std::uint64_t claimed_term() const override { return kept; }
  std::uint64_t losses() const override { return 0; }
  bool failing() const override { return fails; }

  bool busy = false;
  bool fails = false;
  int offered = 0;
  std::uint64_t taken = 0;
  std::uint64_t kept = 0;
};

class StoreClaimantTest : public ::testing::Test {
 protected:
  StoreClaimantTest() { log::set_level(log::Level::error); }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    CounterList list;
    claimant_.append_to(list);
    for (const auto& c : list) {
      if (c.name == name) return c.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  TimePoint now_{10s};
  Disk disk_;
  StoreClaimant claimant_{"rs1", disk_, 50ms};
};

TEST_F(StoreClaimantTest, GrantsWhatTheDiskKeeps) {
  claimant_.ask(now_, 4);
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::pending);
  EXPECT_EQ(disk_.taken, 4U);
  EXPECT_GT(claimant_.next_deadline(), now_);
  EXPECT_LE(claimant_.next_deadline(), now_ + 1ms);
  disk_.kept = 4;
  EXPECT_EQ(claimant_.answer(now_ + 1ms), ClaimAnswer::granted);
  EXPECT_EQ(claimant_.answer(now_ + 2ms), ClaimAnswer::granted);
  EXPECT_EQ(counter("claims-kept-on-disk"), 1U);
}

TEST_F(StoreClaimantTest, WhatTheDiskHasAlreadyIsGrantedAtOnce) {
  disk_.kept = 4;
  claimant_.ask(now_, 4);
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::granted);
  EXPECT_EQ(disk_.offered, 0);
}

TEST_F(StoreClaimantTest, AFormerTermIsNoAnswer) {
  disk_.kept = 4;
  claimant_.ask(now_, 6);
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::pending);
}

TEST_F(StoreClaimantTest, ADiskThatIsBehindIsOfferedTheTermAgain) {
  disk_.busy = true;
  claimant_.ask(now_, 4);
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::pending);
  disk_.busy = false;
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::pending);
  EXPECT_EQ(disk_.taken, 4U);
  const int offered = disk_.offered;
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::pending);
  EXPECT_EQ(disk_.offered, offered) << "once is enough";
}

TEST_F(StoreClaimantTest, ADiskThatHangsIsWaitedForUntilTheLimit) {
  claimant_.ask(now_, 4);
  EXPECT_EQ(claimant_.answer(now_ + 49ms), ClaimAnswer::pending);
  EXPECT_EQ(claimant_.answer(now_ + 50ms), ClaimAnswer::granted);
  EXPECT_EQ(claimant_.answer(now_ + 51ms), ClaimAnswer::granted);
  EXPECT_EQ(counter("claims-waived-disk-slow"), 1U);
  claimant_.ask(now_ + 60ms, 6);
  EXPECT_EQ(claimant_.answer(now_ + 60ms), ClaimAnswer::pending) << "each claim is waited for";
}

TEST_F(StoreClaimantTest, ADiskThatFailsIsNotWaitedFor) {
  disk_.fails = true;
  claimant_.ask(now_, 4);
  EXPECT_EQ(claimant_.answer(now_), ClaimAnswer::granted);
  EXPECT_EQ(disk_.taken, 4U) << "it may work again";
  EXPECT_EQ(counter("claims-waived-disk-failing"), 1U);
  EXPECT_EQ(counter("claims-kept-on-disk"), 0U);
}

TEST_F(StoreClaimantTest, WithoutALimitTheDiskIsToldOnly) {
  StoreClaimant told("rs1", disk_, 0ms);
  told.ask(now_, 4);
  EXPECT_EQ(told.answer(now_), ClaimAnswer::granted);
  EXPECT_EQ(disk_.taken, 4U);
}

// A set core whose disk takes time.

class ClaimingCore : public PairTest {
 protected:
  ClaimingCore() {
    start_.disk = &disk_;
    side_.emplace(cluster_, 0, now_, start_);
  }
  void round_at(TimePoint at) {
    now_ = at;
    round(*side_);
  }
  Disk disk_;
  SetStart start_;
  std::optional<Side> side_;
};

TEST_F(ClaimingCore, ActsWhenTheDiskHasTheTermAndNotBefore) {
  round_at(now_ + 1s);
  EXPECT_EQ(side_->core->member().role(), Role::claiming);
  EXPECT_FALSE(side_->core->shard().active());
  EXPECT_EQ(side_->core->awaited(), "its term on disk");
  EXPECT_THAT(side_->told, ElementsAre("claims 2, disk 0"));
  EXPECT_LE(side_->core->next_deadline(now_), now_ + 1ms);
  EXPECT_GT(side_->core->next_deadline(now_), now_) << "a worker that waits does not spin";
  round_at(now_ + 5ms);
  EXPECT_FALSE(side_->core->shard().active());
  disk_.kept = 2;
  round_at(now_ + 1ms);
  EXPECT_TRUE(side_->core->shard().active());
  EXPECT_EQ(side_->core->awaited(), "");
  EXPECT_THAT(side_->told, ElementsAre("claims 2, disk 0", "acquire, active, disk 0", "MASTER 2, active, disk 0"));
}

TEST_F(ClaimingCore, TellsItsClaimInTheHistory) {
  round_at(now_ + 1s);
  disk_.kept = 2;
  round_at(now_ + 1ms);
  const auto& history = side_->core->history().entries();
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[1].from, Role::initializing);
  EXPECT_EQ(history[1].to, Role::claiming);
  EXPECT_EQ(history[1].term, 2U);
  EXPECT_EQ(history[1].reason, "no peer within the hold time");
  EXPECT_EQ(history[0].from, Role::claiming);
  EXPECT_EQ(history[0].to, Role::master);
  EXPECT_EQ(history[0].term, 2U);
}

TEST_F(ClaimingCore, TellsAPeerTheRoleThatItActsInAndTheTermThatItClaims) {
  Side right(cluster_, 1, now_);
  round_at(now_ + 1s);
  ASSERT_EQ(side_->core->member().role(), Role::claiming);
  deliver(*side_, right);
  const MemberStatus status = right.core->member().status();
  EXPECT_EQ(status.peer_role, Role::claiming);
  EXPECT_EQ(right.core->member().role(), Role::standby) << "it leaves mastership to the member with the better claim";
}

TEST_F(ClaimingCore, TellsWhyItClaimsNoMore) {
  Side right(cluster_, 1, now_);
  right.connected = false;
  now_ += 1s;
  round(right);  // it becomes master at once
  round(*side_);
  ASSERT_EQ(side_->core->member().role(), Role::claiming);
  right.connected = true;
  now_ += 200ms;
  round(right);
  deliver(right, *side_);
  round(*side_);
  disk_.kept = 2;
  round(*side_);
  EXPECT_FALSE(side_->core->shard().active());
  const RoleTransition& last = side_->core->history().entries().front();
  EXPECT_EQ(last.from, Role::claiming);
  EXPECT_EQ(last.to, Role::standby);
  EXPECT_EQ(last.reason, "peer is master");
  EXPECT_EQ(side_->counter("claims-withdrawn"), 1U);
}

TEST_F(ClaimingCore, AClaimThatEndsInTheFormerRoleIsToldToo) {
  round_at(now_ + 1s);
  side_->told.clear();
  // A peer of another cluster cannot be read, and this member does not become master beside it.
  Cluster other = cluster_;
  other.stable_id ^= 1;
  Side stranger(other, 1, now_);
  round(stranger);
  deliver(stranger, *side_);
  round(*side_);
  EXPECT_THAT(side_->told, ElementsAre("claims no more, disk 0"));
  EXPECT_EQ(side_->core->awaited(), "");
}

TEST_F(ClaimingCore, AClaimThatIsMadeAgainAtOnceIsAnotherClaim) {
  Side left(cluster_, 0, now_);
  side_.emplace(cluster_, 1, now_, start_);
  run(left, *side_, 2s);
  ASSERT_EQ(side_->core->member().status().sync, Sync::hot);
  for (int i = 0; i < 1000 && side_->core->member().role() == Role::standby; ++i) round_at(now_ + 1ms);
  ASSERT_EQ(side_->core->member().role(), Role::claiming);
  side_->told.clear();
  // Before the next round the silent master is heard again, and then its connection closes.
  round(left);
  deliver(left, *side_);
  side_->core->on_disconnected(now_);
  round_at(now_ + 2ms);
  EXPECT_THAT(side_->told, ElementsAre("claims no more, disk 0", "claims 3, disk 0"));
  const auto& history = side_->core->history().entries();
  ASSERT_GE(history.size(), 3U);
  const std::vector<std::string> reasons = {history[2].reason, history[1].reason, history[0].reason};
  EXPECT_THAT(reasons, ElementsAre("peer is silent", "the master is heard again", "connection to the peer closed"));
  const std::vector<Role> roles = {history[2].from, history[1].from, history[0].from, history[0].to};
  EXPECT_THAT(roles, ElementsAre(Role::standby, Role::claiming, Role::standby, Role::claiming));
  EXPECT_EQ(history[1].to, Role::standby);
}

/// One more who must agree, besides the disk.
class Witness final : public Claimant {
 public:
  std::string_view awaited() const override { return "the witness"; }
  void ask(TimePoint, std::uint64_t) override { ++asked; }
  ClaimAnswer answer(TimePoint) override { return word; }
  void withdraw() override {}
  TimePoint next_deadline() const override { return TimePoint::max(); }
  void append_to(CounterList& out) const override { out.push_back({"witness-asked", asked}); }
  ClaimAnswer word = ClaimAnswer::refused;
  std::uint64_t asked = 0;
};

TEST_F(ClaimingCore, WhomAWitnessRefusesForwardsNothingUntilItAgrees) {
  Witness witness;
  start_.claimants = {&witness};
  side_.emplace(cluster_, 0, now_, start_);
  disk_.kept = 2;
  now_ += 1s;
  for (int i = 0; i < 1000; ++i) {
    round_at(now_ + 1ms);
    ASSERT_FALSE(side_->core->shard().active());
  }
  EXPECT_THAT(side_->told, ElementsAre("claims 2, disk 0"));
  EXPECT_EQ(side_->core->awaited(), "the witness (refused)");
  EXPECT_EQ(side_->counter("witness-asked"), 5U) << "every 200 ms";
  witness.word = ClaimAnswer::granted;
  round_at(now_ + 200ms);
  EXPECT_TRUE(side_->core->shard().active());
}

TEST_F(ClaimingCore, AWitnessThatRefusesAfterAWhileHasNotAgreed) {
  Witness witness;
  witness.word = ClaimAnswer::pending;
  start_.claimants = {&witness};
  side_.emplace(cluster_, 0, now_, start_);
  disk_.kept = 2;
  round_at(now_ + 1s);
  EXPECT_EQ(side_->core->awaited(), "the witness");
  witness.word = ClaimAnswer::refused;
  round_at(now_ + 1ms);
  EXPECT_EQ(side_->core->member().role(), Role::claiming);
  EXPECT_FALSE(side_->core->shard().active());
  EXPECT_EQ(side_->counter("claims-refused"), 1U);
}

TEST_F(ClaimingCore, WhatAFormerRunClaimedIsNotTakenAgain) {
  start_.term = 2;
  start_.claimed = 4;
  side_.emplace(cluster_, 0, now_, start_);
  disk_.kept = 6;
  round_at(now_ + 1s);
  EXPECT_THAT(side_->told, ElementsAre("acquire, active, disk 0", "MASTER 6, active, disk 0"));
}

}  // namespace
}  // namespace icr::node
