#include "node/commit/commit_follower.h"

#include <algorithm>
#include <utility>

namespace icr::node {
namespace {

/// How long after a switchover neighbours may still send to this chassis, which forwards what they send.
constexpr Duration kSettle = 300ms;
/// A peer that was heard within this time before a commit may be restarting, so this chassis waits for it.
constexpr Duration kRestart = 15s;

/// Returns true if `at` is a time, and less than `limit` ago.
bool lately(TimePoint at, TimePoint now, Duration limit) { return at != TimePoint::min() && now - at < limit; }

bool carries_traffic(const SetFact& fact) {
  return !fact.peer.empty() && fact.peer_present && (fact.role == Role::master || fact.handing_over);
}

}  // namespace

void CommitFollower::note_newest(std::uint64_t number, std::uint64_t digest) {
  if (number == number_) return;
  number_ = number;
  failed_ = 0;
  // A confirmation has the same text: whoever was waited for is still waited for.
  if (digest != newest_) {
    for (auto& [set, memory] : peers_) memory.since_commit = false;
  }
  newest_ = digest;
}

void CommitFollower::remember(TimePoint now, std::vector<SetFact>& facts) {
  for (SetFact& fact : facts) {
    PeerMemory& memory = peers_[fact.name];
    if (fact.peer_present) {
      memory.seen_at = now;
      memory.since_commit = true;
    }
    fact.peer_heard_lately = lately(memory.seen_at, now, kRestart);
    fact.peer_was_present = memory.since_commit || fact.peer_heard_lately;
  }
}

Turn CommitFollower::decide(TimePoint now, const Cluster& newest, bool live, const std::vector<SetFact>& facts) {
  const auto lasting = facts_under(newest, chassis_, facts);
  if (live) {
    std::string why = wait_before_live(chassis_, newest_, lasting);
    if (why.empty()) return {Turn::Step::take_live, {}, {}, false};
    return {Turn::Step::wait, {}, std::move(why), true};
  }
  Turn turn = next_turn(chassis_, newest_, lasting);
  if (std::any_of(facts.begin(), facts.end(), carries_traffic)) carried_traffic_at_ = now;
  if (turn.step == Turn::Step::restart && lately(carried_traffic_at_, now, kSettle)) {
    // The chassis is master of nothing any more, so no peer has to hand over to it first.
    return {Turn::Step::wait, {}, "the traffic to move", false};
  }
  return turn;
}

}  // namespace icr::node
