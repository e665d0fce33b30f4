// The table of changes of role, docs/roles.md, and the machine say the same.
#include "node/redundancy/role_transitions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include "model/base/counters.h"
#include "model/base/guilt.h"
#include "node/redundancy/role.h"
#include "tests/redundancy/ignored_decisions.h"

namespace icr::node {
namespace {

const std::string kRolePage = "docs/roles.md";
constexpr std::string_view kRolesBegin =
    "<!-- The changes of role begin. tests/redundancy/role_transitions_test.cpp writes them. -->\n";
constexpr std::string_view kRolesEnd = "<!-- The changes of role end. -->\n";

constexpr const char* kStranger = "peer belongs to another cluster";

/// Returns the diagram and the table of docs/roles.md.
std::string written_rules() {
  std::string out = "\n```mermaid\nstateDiagram-v2\n  [*] --> INITIALIZING : started\n";
  for (const RoleRule& rule : role_rules()) {
    const bool claimed = rule.to == Role::master && rule.from != Role::master;
    out += fmt::format("  {} --> {} : {}\n", to_string(rule.from), to_string(claimed ? Role::claiming : rule.to),
                       reason_of(rule.cause));
  }
  out +=
      "  CLAIMING --> MASTER : the claim is granted\n```\n\n| from | to | reason | when |\n| --- | --- | --- | --- |\n";
  for (const RoleRule& rule : role_rules()) {
    out += fmt::format("| {} | {} | `{}` | {} |\n", to_string(rule.from), to_string(rule.to), reason_of(rule.cause),
                       rule.when);
  }
  return out + "\n";
}

TEST(RoleTransitions, ThePageHasTheTable) {
  std::ifstream stream(kRolePage, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto begin = text.find(kRolesBegin);
  const auto end = text.find(kRolesEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << kRolePage << " has no place for the table";
  const auto from = begin + kRolesBegin.size();
  const std::string rules = written_rules();
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) {
    text.replace(from, end - from, rules);
    std::ofstream(kRolePage, std::ios::binary) << text;
  }
  EXPECT_EQ(text.substr(from, text.find(kRolesEnd) - from), rules) << "run this test with ICR_UPDATE_GOLDEN=1";
}

TEST(RoleTransitions, EachRuleIsThereOnceAndEachCauseHasARule) {
  std::set<std::tuple<Role, Role, RoleCause>> seen;
  std::set<RoleCause> causes;
  for (const RoleRule& rule : role_rules()) {
    EXPECT_TRUE(seen.emplace(rule.from, rule.to, rule.cause).second) << reason_of(rule.cause);
    EXPECT_FALSE(rule.when.empty());
    EXPECT_FALSE(reason_of(rule.cause).empty());
    causes.insert(rule.cause);
  }
  EXPECT_EQ(causes.size(), kRoleCauses);
}

std::uint64_t internal_faults() {
  CounterList counters;
  guilt::append_to(counters);
  return counters.front().value;
}

/// Gives a machine inputs at random, and answers its claims at random.
class Walk : private IgnoredDecisions {
 public:
  Walk(std::uint32_t seed, std::set<const RoleRule*>& made) : random_(seed), made_(made) {
    config_.index = static_cast<std::uint8_t>(seed % 2);
    config_.stand_alone = seed % 16 == 0;
    config_.preempt = any(2) == 0;
    RoleOutput& output = *this;
    machine_ = std::make_unique<RoleMachine>(config_, any(3), output, now_, any(2) == 0, any(3));
  }

  void step() {
    static constexpr std::array kWaits = {1ms, 10ms, 60ms, 250ms, 3100ms};
    now_ += kWaits[any(kWaits.size())];
    const Role acted = machine_->acting_role();
    const Role was = machine_->role();
    act();
    if (machine_->changed_at() == now_) note(acted, was);
  }

 private:
  std::uint32_t any(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }

  PeerReport report() {
    PeerReport out;
    out.role = static_cast<Role>(any(3));
    out.term = machine_->term() + any(4);
    if (any(4) == 0 && out.term > 0) --out.term;
    if (out.role == Role::standby) out.sync = any(2) == 0 ? Sync::hot : Sync::cold;
    out.priority = 50 + any(100);
    out.state_term = out.role == Role::initializing ? any(3) : out.term;
    out.warned = any(4) == 0;
    out.ill = any(3) == 0;
    out.asks_switchover = any(3) == 0;
    return out;
  }

  void act() {
    // Time must pass while a master is ill and heard, and while nobody is heard at all.
    switch (any(14)) {
      case 0:
      case 1:
      case 2:
        last_ = report();
        [[fallthrough]];
      case 3:
      case 4:
        machine_->on_peer(now_, last_);
        return;
      case 5:
        machine_->on_peer_lost(now_, any(2) == 0);
        return;
      case 6:
        machine_->hold(now_, now_ + 100ms, kStranger);
        return;
      case 7:
        machine_->on_sync(now_, any(4) == 0 ? Sync::cold : Sync::hot);
        return;
      case 8:
        machine_->on_offer(now_, machine_->term());
        return;
      case 9:
        machine_->on_condition(now_, any(3) == 0, any(4) == 0);
        return;
      case 10:
        if (const std::uint64_t term = machine_->claimed_term(); term != 0) {
          machine_->on_claim(now_, term, any(2) == 0);
        }
        return;
      case 11:
        (void)machine_->request_switchover(now_);
        return;
      case 12:
        machine_->on_drained(now_);
        return;
      default:
        machine_->tick(now_);
        (void)machine_->take_offer(now_);
        return;
    }
  }

  void note(Role acted, Role was) {
    const Role is = machine_->role();
    for (const RoleRule& rule : role_rules()) {
      const std::string_view reason = rule.cause == RoleCause::stranger_heard ? kStranger : reason_of(rule.cause);
      if (reason != machine_->reason()) continue;
      const bool claimed =
          rule.to == Role::master && rule.from == acted && (is == Role::claiming || is == Role::master);
      const bool withdrawn = rule.from == Role::claiming && was == Role::claiming && rule.to == is && acted == is;
      if (claimed || withdrawn || (rule.from == acted && rule.to == is)) made_.insert(&rule);
    }
  }

  ClaimAnswer claim(std::uint64_t) override { return static_cast<ClaimAnswer>(any(3)); }

  std::mt19937 random_;
  std::set<const RoleRule*>& made_;
  TimePoint now_{10s};
  RoleConfig config_;
  PeerReport last_;
  std::unique_ptr<RoleMachine> machine_;
};

TEST(RoleTransitions, TheMachineMakesEachChangeOfTheTableAndNoOther) {
  const std::uint64_t faults = internal_faults();
  std::set<const RoleRule*> made;
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    Walk walk(seed, made);
    for (int i = 0; i < 200; ++i) walk.step();
  }
  EXPECT_EQ(internal_faults(), faults) << "the log above names the change";
  for (const RoleRule& rule : role_rules()) {
    EXPECT_TRUE(made.count(&rule) == 1) << to_string(rule.from) << " to " << to_string(rule.to) << ": "
                                        << reason_of(rule.cause);
  }
}

}  // namespace
}  // namespace icr::node
