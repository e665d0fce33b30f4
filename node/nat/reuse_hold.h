// Holds ports, blocks or addresses of a pool that were freed and may not go to another host yet (RFC 6888 REQ-8). Each
// is identified by a number. First in, first out. Memory is fixed at construction: 10 octets for each place and one bit
// for each number. The time is an argument.
// Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/record/session.h"

namespace icr::node {

class ReuseHold {
 public:
  /// Numbers are below `numbers`, which is at most 2^40. At most `capacity` are held at a time, each for `duration`,
  /// which is below 2^23 ticks.
  ReuseHold(std::uint64_t numbers, std::uint32_t capacity, Ticks duration);

  /// Holds every number for another time from when it was added.
  void set_duration(Ticks duration) { duration_ = duration; }
  [[nodiscard]] bool holds(std::uint64_t number) const { return (held_[number / 64] >> (number % 64) & 1U) != 0; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Holds a number. If all places are taken, releases the oldest number and returns it. REQUIRES: !holds(number).
  [[nodiscard]] std::optional<std::uint64_t> add(std::uint64_t number, Ticks now);
  /// Releases the oldest number and returns it, if its time is over. Call this until it returns nullopt.
  [[nodiscard]] std::optional<std::uint64_t> due(Ticks now);
  /// Releases a number because a peer reports that it has an owner after all. Does nothing if it is not held.
  void forget(std::uint64_t number);
  /// Releases and returns the oldest number for which `fits(number)` is true, among the kMostLooks oldest ones.
  template <class Fits>
  [[nodiscard]] std::optional<std::uint64_t> take_oldest(Fits&& fits) {
    std::uint32_t looks = 0;
    for (std::uint32_t i = 0; i < used_ && looks < kMostLooks; ++i) {
      std::uint64_t& entry = ring_[(first_ + i) % ring_.size()];
      if (entry == kGone) continue;
      ++looks;
      const std::uint64_t number = entry >> kTimeBits;
      const bool stale = take_stale(number);
      if (!stale && !fits(number)) continue;
      entry = kGone;
      if (stale) continue;
      clear(number);
      return number;
    }
    return std::nullopt;
  }
  static constexpr std::uint32_t kMostLooks = 4096;
  [[nodiscard]] std::size_t memory() const { return ring_.size() * 8 + held_.size() * 8; }

 private:
  static constexpr unsigned kTimeBits = 24;
  static constexpr std::uint64_t kGone = ~std::uint64_t{0};

  /// Returns true if the oldest ring entry of the number is void because of forget(), and counts that entry as handled.
  /// Entries that were added after forget() come behind it.
  [[nodiscard]] bool take_stale(std::uint64_t number);
  /// Removes void entries from the ring, so that there is room for others.
  void compact();
  /// Removes the oldest entry of the ring. Returns its number, or nullopt if the entry was void.
  [[nodiscard]] std::optional<std::uint64_t> pop();
  void clear(std::uint64_t number) {
    held_[number / 64] &= ~(std::uint64_t{1} << (number % 64));
    --size_;
  }

  Ticks duration_;
  std::uint64_t capacity_;
  std::vector<std::uint64_t> ring_;  ///< number << kTimeBits | time at which it was freed
  std::uint32_t first_ = 0;
  std::uint32_t used_ = 0;
  std::vector<std::uint64_t> held_;  ///< bits by number
  std::uint64_t size_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> stale_;  ///< number -> number of its void entries
};

}  // namespace icr::node
