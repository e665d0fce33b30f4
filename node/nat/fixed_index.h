// An index from a hash to a small number, with a fixed capacity: open addressing with linear probing, allocated at
// construction, at most half full. The owner defines what the numbers mean and when two are equal. Thread: one.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "model/base/guilt.h"

namespace icr::node {

class FixedIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  explicit FixedIndex(std::uint32_t capacity)
      : entries_(capacity == 0 ? 0 : std::bit_ceil(std::size_t{capacity} * 2)), mask_(entries_.size() - 1) {}

  /// Returns the value with this hash for which `same(value)` is true, or kNone.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same&& same) const {
    if (entries_.empty()) return kNone;
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::size_t at = tag & mask_; entries_[at].value != kNone; at = (at + 1) & mask_) {
      if (entries_[at].tag == tag && same(entries_[at].value)) return entries_[at].value;
    }
    return kNone;
  }
  /// Adds a value. REQUIRES: the value is not in the index, and fewer than `capacity` values are.
  void insert(std::uint64_t hash, std::uint32_t value) {
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & mask_;
    while (entries_[at].value != kNone) at = (at + 1) & mask_;
    entries_[at] = {value, tag};
  }
  /// Removes a value. REQUIRES: the value is in the index; otherwise it counts a fault and changes nothing.
  void erase(std::uint64_t hash, std::uint32_t value) {
    std::size_t at = static_cast<std::uint32_t>(hash) & mask_;
    while (entries_[at].value != value) {
      if (!ICR_SHOULD(entries_[at].value != kNone)) return;
      at = (at + 1) & mask_;
    }
    // Shift later entries of the probe run back into the hole.
    for (std::size_t next = (at + 1) & mask_; entries_[next].value != kNone; next = (next + 1) & mask_) {
      const std::size_t home = entries_[next].tag & mask_;
      if (((next - home) & mask_) < ((next - at) & mask_)) continue;
      entries_[at] = entries_[next];
      at = next;
    }
    entries_[at] = {};
  }
  [[nodiscard]] std::size_t memory() const { return entries_.size() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint32_t value = kNone;
    std::uint32_t tag = 0;
  };
  std::vector<Entry> entries_;
  std::size_t mask_;
};

}  // namespace icr::node
