// An index from a hash to a small number, of a fixed capacity: open addressing with linear probing, allocated at
// construction, at most half full. What the numbers mean, and when two are the same, the owner knows. One thread.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace icr::node {

class FixedIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  explicit FixedIndex(std::uint32_t capacity)
      : entries_(capacity == 0 ? 0 : std::bit_ceil(std::size_t{capacity} * 2)), mask_(entries_.size() - 1) {}

  /// The value with this hash for which `same(value)`; kNone if there is none.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same&& same) const {
    if (entries_.empty()) return kNone;
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::size_t at = tag & mask_; entries_[at].value != kNone; at = (at + 1) & mask_) {
      if (entries_[at].tag == tag && same(entries_[at].value)) return entries_[at].value;
    }
    return kNone;
  }
  /// At most `capacity` values are in it at a time; none is in it twice.
  void insert(std::uint64_t hash, std::uint32_t value) {
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & mask_;
    while (entries_[at].value != kNone) at = (at + 1) & mask_;
    entries_[at] = {value, tag};
  }
  /// It must be there.
  void erase(std::uint64_t hash, std::uint32_t value) {
    std::size_t at = static_cast<std::uint32_t>(hash) & mask_;
    while (entries_[at].value != value) at = (at + 1) & mask_;
    // What follows moves up, as far as its own place allows.
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
