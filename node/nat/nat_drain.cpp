// Ends the sessions of pools that a commit took away, when their drain-time is over (model/config/drain.h).
#include <algorithm>
#include <limits>

#include "node/nat/nat_state.h"

namespace icr::node {

WallMillis NatState::end_drains(WallMillis now) {
  WallMillis next = std::numeric_limits<WallMillis>::max();
  for (const auto& each : pools_) {
    if (!each) continue;
    for (PoolRules::Drain& drain : each->drains) {
      drain.over = drain.until <= now;
      any_over_ |= drain.over;
      if (!drain.over) next = std::min(next, drain.until);
    }
  }
  return next;
}

bool NatState::is_over(const NatSession& s) const {
  if (!any_over_) return false;
  const auto over = [&](const Pool* p) {
    const PoolRules::Drain* const drain = p == nullptr ? nullptr : p->drain_of(s.service_set);
    return drain != nullptr && drain->over;
  };
  if (over(pool(s.pool))) return true;
  const Ends ends = ends_of(s);
  return ends.target && over(ends.target->pool);
}

}  // namespace icr::node
