#include "node/nat/reuse_hold.h"

#include <algorithm>

namespace icr::node {

ReuseHold::ReuseHold(std::uint64_t numbers, std::uint32_t capacity, Ticks duration)
    : duration_(duration),
      capacity_(std::max(capacity, 1U)),
      // A quarter more: what left out of its turn keeps its place until they are moved together.
      ring_(std::size_t{capacity_} + capacity_ / 4 + 1),
      held_((numbers + 63) / 64) {}

std::optional<std::uint64_t> ReuseHold::add(std::uint64_t number, Ticks now) {
  std::optional<std::uint64_t> oldest;
  while (size_ == capacity_ && !oldest) oldest = pop();
  if (used_ == ring_.size()) compact();
  ring_[(first_ + used_++) % ring_.size()] = number << kTimeBits | (now & ((1U << kTimeBits) - 1));
  held_[number / 64] |= std::uint64_t{1} << (number % 64);
  ++size_;
  return oldest;
}

std::optional<std::uint64_t> ReuseHold::due(Ticks now) {
  while (used_ != 0) {
    const std::uint64_t entry = ring_[first_];
    // Times are compared in 24 bits: nothing is held for half of that.
    const auto since = static_cast<Ticks>(entry & ((1U << kTimeBits) - 1));
    const Ticks age = (now - since) & ((1U << kTimeBits) - 1);
    const bool over = age >= duration_ && age < 1U << (kTimeBits - 1);
    if (entry != kGone && !over) return std::nullopt;
    if (const auto number = pop()) return number;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ReuseHold::pop() {
  const std::uint64_t entry = ring_[first_];
  first_ = first_ + 1 == ring_.size() ? 0 : first_ + 1;
  --used_;
  const std::uint64_t number = entry >> kTimeBits;
  if (entry == kGone || take_stale(number)) return std::nullopt;
  clear(number);
  return number;
}

bool ReuseHold::take_stale(std::uint64_t number) {
  if (stale_.empty()) return false;
  const auto found = stale_.find(number);
  if (found == stale_.end()) return false;
  if (--found->second == 0) stale_.erase(found);
  return true;
}

void ReuseHold::forget(std::uint64_t number) {
  if (!holds(number)) return;
  clear(number);
  ++stale_[number];
}

void ReuseHold::compact() {
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < used_; ++i) {
    const std::uint64_t entry = ring_[(first_ + i) % ring_.size()];
    if (entry == kGone || take_stale(entry >> kTimeBits)) continue;
    ring_[(first_ + kept++) % ring_.size()] = entry;
  }
  used_ = kept;
}

}  // namespace icr::node
