// A set of numbers below a capacity: slots whose newest state a consumer (peer, disk) has not taken yet, or slots that
// are free.
//
// It is a bitmap over a bitmap. mark() and take() are O(1) in practice, and memory is capacity/8 bytes whatever
// happens. A slot is in the set once, however often it is marked, so there is no queue that could overflow; and because
// a change is encoded when its slot is taken, the newest state wins. take() walks the slots round and round, so no slot
// waits longer than one round.
//
// Thread: one.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace icr {

class BitSet {
 public:
  explicit BitSet(std::uint32_t capacity)
      : capacity_(capacity), words_((capacity + 63) / 64), summary_((words_.size() + 63) / 64) {}

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool contains(std::uint32_t slot) const { return (words_[slot / 64] >> (slot % 64) & 1U) != 0; }

  /// `slot` must be below capacity(). True if it was not marked before.
  bool mark(std::uint32_t slot) {
    std::uint64_t& word = words_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    summary_[slot / 4096] |= std::uint64_t{1} << (slot / 64 % 64);
    ++size_;
    return true;
  }

  /// True if it was marked.
  bool unmark(std::uint32_t slot) {
    std::uint64_t& word = words_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if ((word & bit) == 0) return false;
    word &= ~bit;
    if (word == 0) summary_[slot / 4096] &= ~(std::uint64_t{1} << (slot / 64 % 64));
    --size_;
    return true;
  }

  /// Removes and returns the next marked slot at or after the last one taken, wrapping around.
  std::optional<std::uint32_t> take() {
    if (size_ == 0) return std::nullopt;
    std::uint32_t slot = 0;
    if (!find_from(cursor_, slot)) (void)find_from(0, slot);
    (void)unmark(slot);
    cursor_ = slot + 1 == capacity_ ? 0 : slot + 1;
    return slot;
  }

  /// Calls `each(slot)` for what the next `count` calls of take() will return, as far as the last slot (not around).
  template <class Each>
  void upcoming(std::uint32_t count, Each&& each) const {
    if (size_ == 0) return;
    for (std::uint32_t slot = cursor_; count != 0 && slot < capacity_ && find_from(slot, slot); ++slot, --count) {
      each(slot);
    }
  }

  void clear() {
    words_.assign(words_.size(), 0);
    summary_.assign(summary_.size(), 0);
    size_ = 0;
    cursor_ = 0;
  }

 private:
  [[nodiscard]] bool find_from(std::uint32_t from, std::uint32_t& slot) const {
    std::size_t word = from / 64;
    const std::uint64_t here = words_[word] & (~std::uint64_t{0} << (from % 64));
    if (here != 0) {
      slot = static_cast<std::uint32_t>(word * 64 + static_cast<unsigned>(std::countr_zero(here)));
      return true;
    }
    ++word;
    std::size_t group = word / 64;
    if (group >= summary_.size()) return false;
    std::uint64_t candidates =
        summary_[group] & (word % 64 == 0 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (word % 64));
    while (candidates == 0) {
      if (++group == summary_.size()) return false;
      candidates = summary_[group];
    }
    word = group * 64 + static_cast<unsigned>(std::countr_zero(candidates));
    slot = static_cast<std::uint32_t>(word * 64 + static_cast<unsigned>(std::countr_zero(words_[word])));
    return true;
  }

  std::uint32_t capacity_;
  std::uint32_t size_ = 0;
  std::uint32_t cursor_ = 0;
  std::vector<std::uint64_t> words_;
  std::vector<std::uint64_t> summary_;  ///< bit w of it: words_[w] is not 0
};

}  // namespace icr
