// What was given back and may not go to another host yet (RFC 6888 REQ-8): ports, blocks or addresses of a pool, by
// number. First in, first out; memory is fixed at construction: 10 octets for each place and one bit for each number.
// No clock: the time is an argument. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/session.h"

namespace icr::node {

class ReuseHold {
 public:
  /// Numbers are below `numbers`, which is at most 2^40. At most `capacity` are held at a time, each for `duration`,
  /// which is below 2^23 ticks.
  ReuseHold(std::uint64_t numbers, std::uint32_t capacity, Ticks duration);

  [[nodiscard]] bool holds(std::uint64_t number) const { return (held_[number / 64] >> (number % 64) & 1U) != 0; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Holds a number that is not held. Where all places are taken, the oldest one has to go: it is returned.
  [[nodiscard]] std::optional<std::uint64_t> add(std::uint64_t number, Ticks now);
  /// The oldest number, if its time is over; it is held no longer. Ask until there is none.
  [[nodiscard]] std::optional<std::uint64_t> due(Ticks now);
  /// A number that is held has an owner after all: a peer says so. It is held no longer.
  void forget(std::uint64_t number);
  /// The oldest number for which `fits(number)`, of the kMostLooks oldest ones; it is held no longer.
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

  /// True, once for each time that the number was forgotten: its oldest entry in the ring means nothing. Those that
  /// were added later come behind it.
  [[nodiscard]] bool take_stale(std::uint64_t number);
  /// Moves the entries that mean something together, so that others have places.
  void compact();
  /// Takes the oldest entry out of the ring; its number, unless that is held no longer.
  [[nodiscard]] std::optional<std::uint64_t> pop();
  void clear(std::uint64_t number) {
    held_[number / 64] &= ~(std::uint64_t{1} << (number % 64));
    --size_;
  }

  Ticks duration_;
  std::uint64_t capacity_;
  std::vector<std::uint64_t> ring_;  ///< number << kTimeBits | time of giving back
  std::uint32_t first_ = 0;
  std::uint32_t used_ = 0;
  std::vector<std::uint64_t> held_;  ///< bits by number
  std::uint64_t size_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> stale_;  ///< number -> entries that mean nothing any more
};

}  // namespace icr::node
