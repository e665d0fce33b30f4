#include "node/redundancy/takeover.h"

#include <algorithm>

namespace icr::node {

std::optional<CopyRisk::Bound> CopyRisk::bound(bool hot) const {
  if (!told) return std::nullopt;
  const std::uint64_t all = told->sessions;
  if (!hot || told_of.epoch != applied.epoch || applied.epoch == 0) return Bound{told_at, all};
  // A message that was made after the heartbeat has the last word: everything before it was applied.
  const bool same_attempt = told_of.base == word.position.base;
  const bool message_is_later =
      word.position.epoch == applied.epoch &&
      (word.position.base > told_of.base || (same_attempt && word.position.sequence > told_of.sequence));
  if (message_is_later) return Bound{word.at, std::uint64_t{word.waiting} + lacking};
  if (told->copying) return Bound{told_at, all};
  const std::uint64_t on_the_way = told_is_applied() ? 0 : told->unacknowledged;
  return Bound{told_at, std::min(all, told->waiting + on_the_way + lacking)};
}

/// Returns true if every message that the heartbeat names was applied. A standby that has heard of a later attempt, and
/// has applied nothing of it, stands before its first message, whatever it lacks of the attempt before.
bool CopyRisk::told_is_applied() const {
  if (applied.base == told_of.base) return applied.sequence >= told_of.sequence;
  if (applied.base < told_of.base) return told_of.sequence < told_of.base;
  return word.position.base == told_of.base && word.position.sequence >= told_of.sequence;
}

std::optional<std::uint64_t> CopyRisk::missing() const {
  if (told_of.epoch == 0 || told_of.epoch != applied.epoch) return std::nullopt;
  if (told_is_applied() || word.position.base > told_of.base) return 0;
  const replication::Position& last = applied.base > told_of.base ? word.position : applied;
  const std::uint64_t had = std::max(last.sequence, told_of.base - 1);
  return told_of.sequence > had ? told_of.sequence - had : 0;
}

}  // namespace icr::node
