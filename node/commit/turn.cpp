#include "node/commit/turn.h"

#include <fmt/format.h>

namespace icr::node {
namespace {

/// Returns true for a set whose traffic would pause if this chassis restarted, and that a peer can take over.
bool needs_hand_over(const SetFact& fact) {
  if (fact.peer.empty() || fact.role != Role::master) return false;
  return fact.peer_present || fact.peer_was_present;
}

/// Returns why the set cannot be handed over now; empty if it can.
std::string obstacle(std::string_view own, std::uint64_t newest, const SetFact& fact) {
  if (!fact.peer_present) {
    return fmt::format("chassis {} to return: it was there when the commit came, and redundancy set {} has no standby",
                       fact.peer, fact.name);
  }
  // The peer cannot go first either: it is master of something.
  const bool own_turn = fact.peer_waits && own < fact.peer;
  if (fact.peer_running == 0 && !own_turn) {
    return fmt::format("chassis {} to say what it runs: a release without commits does not", fact.peer);
  }
  if (fact.peer_running != newest && !own_turn) return fmt::format("chassis {} to run the commit", fact.peer);
  if (!fact.peer_hot)
    return fmt::format("chassis {} to have a complete copy of redundancy set {}", fact.peer, fact.name);
  return {};
}

/// Returns true if both chassis are members of the redundancy set of that name.
bool are_members(const Cluster& cluster, std::string_view set, std::string_view one, std::string_view other) {
  const auto index = cluster.find_set(set);
  const auto first = cluster.find_chassis(one);
  const auto second = cluster.find_chassis(other);
  return index && first && second && cluster.member_on(*index, *first) && cluster.member_on(*index, *second);
}

}  // namespace

SetFact fact_of(const SetStatus& status, const Cluster& cluster, std::uint16_t own, std::uint16_t card) {
  const RedundancySet& set = cluster.redundancy_sets[status.set];
  SetFact out;
  out.name = set.name;
  out.card = card;
  out.set = status.set;
  out.role = status.role;
  out.handing_over = status.handing_over;
  for (const auto& member : set.members) {
    if (member.chassis != own) out.peer = cluster.chassis[member.chassis].name;
  }
  out.peer_present = status.peer_role.has_value();
  out.peer_hot = status.peer_role == Role::standby && status.sync == Sync::hot;
  if (status.peer) {
    out.peer_waits = status.peer->commit_waits;
    out.peer_running = status.peer->running_digest;
    if (out.peer_present) out.peer_number = status.peer->commit_number;
  }
  return out;
}

std::vector<SetFact> facts_under(const Cluster& after, std::string_view own, std::vector<SetFact> facts) {
  for (SetFact& fact : facts) {
    if (!are_members(after, fact.name, own, fact.peer)) fact.peer.clear();
  }
  return facts;
}

std::string wait_before_live(std::string_view own, std::uint64_t newest, const std::vector<SetFact>& facts) {
  for (const SetFact& fact : facts) {
    if (!needs_hand_over(fact) || fact.peer_running == newest) continue;
    // A release without commits never says what it runs, and the other master may wait for this one.
    const bool goes_first = fact.peer_present && (fact.peer_running == 0 || (fact.peer_waits && own < fact.peer));
    if (!goes_first) return fmt::format("chassis {} to run the commit", fact.peer);
  }
  return {};
}

Turn next_turn(std::string_view own, std::uint64_t newest, const std::vector<SetFact>& facts) {
  Turn out;
  bool handing_over = false;
  bool master = false;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const SetFact& fact = facts[i];
    if (!fact.peer.empty() && (fact.role == Role::initializing || fact.role == Role::claiming)) {
      // The election is about to end; whoever waits for this member must not wait for its restart as well.
      if (out.why.empty()) out.why = fmt::format("redundancy set {} to have a master", fact.name);
      master = true;
      continue;
    }
    if (!needs_hand_over(fact)) continue;
    master = true;
    if (fact.handing_over) {
      handing_over = true;
      continue;
    }
    const std::string why = obstacle(own, newest, fact);
    if (why.empty()) {
      out.sets.push_back(i);
    } else if (out.why.empty()) {
      out.why = why;
    }
  }
  out.waits = master;
  if (!master) {
    out.step = Turn::Step::restart;
  } else if (!out.sets.empty()) {
    out.step = Turn::Step::hand_over;
    out.why =
        fmt::format("chassis {} to take over redundancy set {}", facts[out.sets[0]].peer, facts[out.sets[0]].name);
  } else if (handing_over && out.why.empty()) {
    out.why = "a switchover to end";
  }
  return out;
}

}  // namespace icr::node
