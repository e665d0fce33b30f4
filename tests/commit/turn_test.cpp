// When a chassis takes its newest commit, decided from what it sees.
#include "node/commit/turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace icr::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kOld = 1, kNew = 2;

/// A set of which this chassis is master, with a hot standby that runs the old snapshot.
SetFact master_of(std::string peer) {
  SetFact out;
  out.name = "rs1";
  out.peer = std::move(peer);
  out.role = Role::master;
  out.peer_present = out.peer_was_present = out.peer_hot = true;
  out.peer_running = kOld;
  return out;
}

SetFact standby_of(std::string peer) {
  SetFact out = master_of(std::move(peer));
  out.role = Role::standby;
  out.peer_hot = false;
  return out;
}

TEST(Turn, AStandbyRestartsAtOnce) {
  const Turn turn = next_turn("left", kNew, {standby_of("right")});
  EXPECT_EQ(turn.step, Turn::Step::restart);
  EXPECT_FALSE(turn.waits);
}

TEST(Turn, AMasterWaitsForItsPeerToRunTheCommit) {
  const Turn turn = next_turn("left", kNew, {master_of("right")});
  EXPECT_EQ(turn.step, Turn::Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("right to run the commit"));
  EXPECT_TRUE(turn.waits);
}

TEST(LiveTurn, TheStandbyGoesFirst) {
  EXPECT_EQ(wait_before_live("left", kNew, {standby_of("right")}), "");
  EXPECT_THAT(wait_before_live("left", kNew, {standby_of("right"), master_of("right")}), HasSubstr("right to run"));
  SetFact ready = master_of("right");
  ready.peer_running = kNew;
  ready.peer_hot = false;
  EXPECT_EQ(wait_before_live("left", kNew, {ready}), "") << "nothing is handed over, so no copy is needed";
}

TEST(LiveTurn, AMasterWaitsForAStandbyThatVanishedWithTheCommit) {
  SetFact fact = master_of("right");
  fact.peer_present = false;
  EXPECT_THAT(wait_before_live("left", kNew, {fact}), HasSubstr("right to run the commit"));
  fact.peer_was_present = false;
  EXPECT_EQ(wait_before_live("left", kNew, {fact}), "");
}

TEST(LiveTurn, NobodyWaitsForWhatWillNotBeSaid) {
  SetFact old_release = master_of("right");
  old_release.peer_running = 0;
  EXPECT_EQ(wait_before_live("left", kNew, {old_release}), "");
  SetFact alone = master_of("right");
  alone.peer.clear();
  EXPECT_EQ(wait_before_live("left", kNew, {alone}), "");
}

TEST(LiveTurn, OfTwoMastersThatWaitForEachOtherTheLowerNameGoesFirst) {
  SetFact fact = master_of("right");
  fact.peer_waits = true;
  EXPECT_EQ(wait_before_live("left", kNew, {fact}), "");
  fact.peer = "left";
  EXPECT_THAT(wait_before_live("right", kNew, {fact}), HasSubstr("left to run the commit"));
}

TEST(Turn, AMasterSaysThatItsPeerKnowsNoCommits) {
  SetFact fact = master_of("right");
  fact.peer_running = 0;
  const Turn turn = next_turn("left", kNew, {fact});
  EXPECT_EQ(turn.step, Turn::Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("right to say what it runs: a release without commits does not"));
}

TEST(Turn, AMasterWaitsForTheCopyOfItsPeer) {
  SetFact fact = master_of("right");
  fact.peer_running = kNew;
  fact.peer_hot = false;
  const Turn turn = next_turn("left", kNew, {fact});
  EXPECT_EQ(turn.step, Turn::Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("complete copy"));
}

TEST(Turn, AMasterHandsOverToAPeerThatRunsTheCommitAndIsHot) {
  SetFact fact = master_of("right");
  fact.peer_running = kNew;
  const Turn turn = next_turn("left", kNew, {standby_of("right"), fact});
  EXPECT_EQ(turn.step, Turn::Step::hand_over);
  EXPECT_THAT(turn.sets, ElementsAre(1));
}

TEST(Turn, AMasterWaitsWhileTheSwitchoverLasts) {
  SetFact fact = master_of("right");
  fact.peer_running = kNew;
  fact.handing_over = true;
  const Turn turn = next_turn("left", kNew, {fact});
  EXPECT_EQ(turn.step, Turn::Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("switchover"));
}

TEST(Turn, AMasterWaitsForAPeerThatVanishedAfterTheCommit) {
  SetFact fact = master_of("right");
  fact.peer_present = fact.peer_hot = false;
  const Turn turn = next_turn("left", kNew, {fact});
  EXPECT_EQ(turn.step, Turn::Step::wait);
  EXPECT_THAT(turn.why, HasSubstr("right to return"));
}

TEST(Turn, AMasterWhosePeerWasDeadBeforeTheCommitRestarts) {
  SetFact fact = master_of("right");
  fact.peer_present = fact.peer_was_present = fact.peer_hot = false;
  EXPECT_EQ(next_turn("left", kNew, {fact}).step, Turn::Step::restart);
}

TEST(Turn, NobodyWaitsForAPeerThatDoesNotStayInTheSet) {
  SetFact fact = master_of("right");
  fact.peer_present = false;
  // A cluster file without this set.
  const auto lasting = facts_under(Cluster(), "left", {fact});
  ASSERT_EQ(lasting.size(), 1U);
  EXPECT_EQ(lasting[0].peer, "");
  EXPECT_EQ(lasting[0].name, "rs1");
  EXPECT_EQ(next_turn("left", kNew, {fact}).step, Turn::Step::wait);
  EXPECT_EQ(next_turn("left", kNew, lasting).step, Turn::Step::restart);
}

TEST(Turn, AStandAloneSetDoesNotKeepAChassisFromRestarting) {
  SetFact alone;
  alone.name = "alone";
  alone.role = Role::master;
  EXPECT_EQ(next_turn("left", kNew, {alone, standby_of("right")}).step, Turn::Step::restart);
  EXPECT_EQ(next_turn("left", kNew, {}).step, Turn::Step::restart);
}

TEST(Turn, AnElectionEndsBeforeARestart) {
  SetFact fact = standby_of("right");
  for (const Role role : {Role::initializing, Role::claiming}) {
    fact.role = role;
    EXPECT_EQ(next_turn("left", kNew, {fact}).step, Turn::Step::wait);
  }
}

TEST(Turn, OfTwoMastersThatWaitForEachOtherTheOneWithTheLowerNameBegins) {
  SetFact fact = master_of("right");
  fact.peer_waits = true;
  EXPECT_EQ(next_turn("left", kNew, {fact, standby_of("right")}).step, Turn::Step::hand_over);
  fact.peer = "left";
  const Turn other = next_turn("right", kNew, {fact, standby_of("left")});
  EXPECT_EQ(other.step, Turn::Step::wait);
  EXPECT_TRUE(other.waits);
}

// A cluster in which every chassis decides for itself, step by step in a random order. Whatever the sets are, all take
// the commit, and no set is ever without a running member that holds its state.
class Rollout {
 public:
  Rollout(std::uint32_t seed, std::size_t chassis, std::size_t sets) : dice_(seed), running_(chassis, kOld) {
    for (std::size_t i = 0; i < sets; ++i) {
      const std::size_t a = dice_() % chassis;
      const std::size_t b = (a + 1 + dice_() % (chassis - 1)) % chassis;
      sets_.push_back({a, b, true});
    }
    waits_.resize(chassis);
    present_.assign(chassis, true);
  }

  /// Returns false if a master had to restart.
  bool step() {
    if (dice_() % 4 == 0) return settle(dice_() % sets_.size());
    const std::size_t own = dice_() % running_.size();
    if (!present_[own]) {
      present_[own] = true;  // it is back, and cold everywhere
      return true;
    }
    if (running_[own] == kNew) return true;
    const Turn turn = next_turn(name(own), kNew, facts(own));
    waits_[own] = turn.waits;
    if (turn.step == Turn::Step::hand_over) {
      for (const std::size_t i : turn.sets) hand_over(own, i);
    }
    if (turn.step != Turn::Step::restart) return true;
    for (Set& set : sets_) {
      if (set.master == own) return false;
      if (set.standby == own) set.hot = false;
    }
    running_[own] = kNew;
    waits_[own] = false;
    present_[own] = false;
    return true;
  }
  [[nodiscard]] bool done() const {
    return std::all_of(running_.begin(), running_.end(), [](std::uint64_t each) { return each == kNew; });
  }

 private:
  struct Set {
    std::size_t master, standby;
    bool hot;
  };
  static std::string name(std::size_t chassis) { return std::string(1, static_cast<char>('a' + chassis)); }
  std::vector<std::size_t> sets_of(std::size_t own) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (sets_[i].master == own || sets_[i].standby == own) out.push_back(i);
    }
    return out;
  }
  std::vector<SetFact> facts(std::size_t own) const {
    std::vector<SetFact> out;
    for (const std::size_t i : sets_of(own)) {
      const Set& set = sets_[i];
      const std::size_t peer = set.master == own ? set.standby : set.master;
      SetFact fact;
      fact.name = std::to_string(i);
      fact.peer = name(peer);
      fact.role = set.master == own ? Role::master : Role::standby;
      fact.peer_present = present_[peer];
      fact.peer_was_present = true;
      fact.peer_hot = set.master == own && set.hot && present_[peer];
      fact.peer_waits = waits_[peer];
      fact.peer_running = running_[peer];
      out.push_back(fact);
    }
    return out;
  }
  void hand_over(std::size_t own, std::size_t place) {
    Set& set = sets_[sets_of(own)[place]];
    if (set.hot && present_[set.standby]) std::swap(set.master, set.standby);
  }
  bool settle(std::size_t i) {
    if (present_[sets_[i].standby]) sets_[i].hot = true;
    return true;
  }

  std::mt19937 dice_;
  std::vector<std::uint64_t> running_;
  std::vector<Set> sets_;
  std::vector<bool> waits_;
  std::vector<bool> present_;
};

TEST(Turn, EveryClusterTakesACommitWithoutAPause) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rollout rollout(seed, 2 + seed % 5, 1 + seed % 7);
    int steps = 0;
    while (!rollout.done()) {
      ASSERT_TRUE(rollout.step()) << "a master restarted";
      ASSERT_LT(++steps, 5000) << "the chassis wait for each other";
    }
  }
}

}  // namespace
}  // namespace icr::node
