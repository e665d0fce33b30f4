#include "node/redundancy/claimant.h"

#include <algorithm>

namespace icr::node {

ClaimAnswer Claims::ask(TimePoint now, std::uint64_t term) {
  term_ = term;
  for (Claimant* const claimant : claimants_) claimant->ask(now, term);
  return answer(now);
}

ClaimAnswer Claims::answer(TimePoint now) {
  bool refused = false;
  awaited_.clear();
  pending_.clear();
  for (Claimant* const claimant : claimants_) {
    const ClaimAnswer answer = claimant->answer(now);
    if (answer == ClaimAnswer::granted) continue;
    if (!awaited_.empty()) awaited_ += "; ";
    awaited_ += claimant->awaited();
    if (answer == ClaimAnswer::refused) awaited_ += " (refused)";
    if (answer == ClaimAnswer::pending) pending_.push_back(claimant);
    refused = refused || answer == ClaimAnswer::refused;
  }
  if (!refused && !pending_.empty()) return ClaimAnswer::pending;
  term_ = 0;
  return refused ? ClaimAnswer::refused : ClaimAnswer::granted;
}

void Claims::withdraw() {
  term_ = 0;
  awaited_.clear();
  for (Claimant* const claimant : claimants_) claimant->withdraw();
}

std::string Claims::awaited() const { return awaited_; }

TimePoint Claims::next_deadline() const {
  TimePoint next = TimePoint::max();
  if (term_ == 0) return next;
  for (const Claimant* const claimant : pending_) next = std::min(next, claimant->next_deadline());
  return next;
}

void Claims::append_to(CounterList& out) const {
  for (const Claimant* const claimant : claimants_) claimant->append_to(out);
}

}  // namespace icr::node
