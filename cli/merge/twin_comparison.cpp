#include "cli/merge/twin_comparison.h"

#include <algorithm>
#include <tuple>

namespace icr::cli {
namespace {

auto facts_of(const SessionRecord& r) {
  return std::tie(r.ref, r.version, r.kind, r.flow, r.tcp_state, r.nat_type, r.alg, r.initiated_outside, r.hairpin,
                  r.service_set, r.policy, r.nat_pool, r.timeout_s, r.lifetime_s);
}

auto facts_of(const BindingRecord& b) {
  return std::tie(b.term, b.internal, b.external, b.internal_port, b.external_port, b.last_port, b.protocol, b.pool,
                  b.service_set, b.timeout_s);
}

bool are_twins(const std::optional<SessionRecord>& a, const std::optional<SessionRecord>& b) {
  return a.has_value() == b.has_value() && (!a || cli::are_twins(*a, *b));
}

/// Returns the record of a slot, if the page has one.
std::optional<SessionRecord> at(const TwinPage& page, std::uint32_t slot) {
  const auto found =
      std::lower_bound(page.records.begin(), page.records.end(), slot,
                       [](const SessionRecord& record, std::uint32_t wanted) { return record.ref.slot < wanted; });
  if (found == page.records.end() || found->ref.slot != slot) return std::nullopt;
  return *found;
}

}  // namespace

bool are_twins(const SessionRecord& a, const SessionRecord& b) {
  return facts_of(a) == facts_of(b) && facts_of(a.binding) == facts_of(b.binding) &&
         (a.binding.flags & ~kBindingInUse) == (b.binding.flags & ~kBindingInUse);
}

std::uint32_t TwinComparison::look(std::uint32_t first, const TwinPage& master, const TwinPage& standby) {
  const std::uint32_t end = std::min(master.end, standby.end);
  const auto doubt = [this](std::uint32_t slot, const SessionRecord* of_master, const SessionRecord* of_standby) {
    if (doubts_.size() == kMostDoubts) {
      ++not_examined_;
      return;
    }
    Slot& kept = doubts_[slot];
    if (of_master != nullptr) kept.records[0] = *of_master;
    if (of_standby != nullptr) kept.records[1] = *of_standby;
  };
  auto a = master.records.begin();
  auto b = standby.records.begin();
  while (true) {
    const std::uint32_t slot_a = a == master.records.end() ? end : std::min(a->ref.slot, end);
    const std::uint32_t slot_b = b == standby.records.end() ? end : std::min(b->ref.slot, end);
    const std::uint32_t slot = std::min(slot_a, slot_b);
    if (slot == end) return end;
    const SessionRecord* const of_master = slot_a == slot ? &*a++ : nullptr;
    const SessionRecord* const of_standby = slot_b == slot ? &*b++ : nullptr;
    if (slot < first) continue;
    if (of_master != nullptr && of_standby != nullptr && cli::are_twins(*of_master, *of_standby)) {
      ++equal_;
    } else if (of_standby == nullptr && of_master->newest_state == NewestState::withheld) {
      ++withheld_;
    } else {
      doubt(slot, of_master, of_standby);
    }
  }
}

std::optional<std::uint32_t> TwinComparison::doubtful(std::uint32_t first) const {
  for (auto slot = doubts_.lower_bound(first); slot != doubts_.end(); ++slot) {
    if (!slot->second.different) return slot->first;
  }
  return std::nullopt;
}

std::uint32_t TwinComparison::look_again(std::uint32_t first, const TwinPage& master, const TwinPage& standby) {
  const std::uint32_t end = std::min(master.end, standby.end);
  for (auto slot = doubts_.lower_bound(first); slot != doubts_.end() && slot->first < end;) {
    Slot& kept = slot->second;
    std::array<std::optional<SessionRecord>, 2> now{at(master, slot->first), at(standby, slot->first)};
    const bool withheld = now[0] && !now[1] && now[0]->newest_state == NewestState::withheld;
    if (!kept.different && (withheld || are_twins(now[0], now[1]))) {
      if (now[0]) ++(withheld ? withheld_ : equal_);
      slot = doubts_.erase(slot);
      continue;
    }
    kept.different = kept.different || (are_twins(now[0], kept.records[0]) && are_twins(now[1], kept.records[1]));
    if (!kept.different) kept.records = now;
    ++slot;
  }
  return end;
}

std::uint64_t TwinComparison::different() const {
  return static_cast<std::uint64_t>(
      std::count_if(doubts_.begin(), doubts_.end(), [](const auto& slot) { return slot.second.different; }));
}

std::uint64_t TwinComparison::changing() const { return doubts_.size() - different(); }

}  // namespace icr::cli
