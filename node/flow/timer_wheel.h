// Hierarchical timer wheel over slots: one tick is 100 ms (kTick), three levels of 256 buckets reach 19 days.
//
// Lazy: packets do not touch it. An entry sits where its deadline was when it was armed; when its bucket comes up, the
// owner says whether the deadline has moved meanwhile (then it is armed again) or has come. One thread; memory 14 bytes
// per slot, allocated once.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/session.h"

namespace icr::node {

class TimerWheel {
 public:
  /// Starts at tick `now`.
  TimerWheel(std::uint32_t capacity, Ticks now);

  /// (Re)arms `slot` to come up at `deadline` (modulo 2^32; in the past: at the next tick).
  void arm(std::uint32_t slot, Ticks deadline);
  void disarm(std::uint32_t slot);
  [[nodiscard]] bool armed(std::uint32_t slot) const { return bucket_[slot] != kNone16; }
  [[nodiscard]] Ticks now() const { return now_; }

  /// Moves time to `now` (not back: an earlier `now` changes nothing) and calls `due(slot)` for at most `budget`
  /// entries whose bucket came up; the entry is disarmed before the call, and `due` arms it again if its deadline has
  /// moved. Returns false if the budget ended first: call again soon.
  template <class Due>
  bool advance(Ticks now, std::uint32_t budget, Due&& due) {
    for (;;) {
      for (std::uint32_t slot = pop(now_ & 0xffU); slot != kNone; slot = pop(now_ & 0xffU)) {
        due(slot);
        if (--budget == 0) return false;
      }
      if (static_cast<std::int32_t>(now - now_) <= 0) return true;
      step();
    }
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::uint16_t kNone16 = 0xffffU;
  static constexpr std::uint32_t kBuckets = 256;

  struct Node {
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
  };

  void link(std::uint32_t slot, std::uint32_t bucket);
  /// First entry of a bucket, unlinked; kNone when empty.
  std::uint32_t pop(std::uint32_t bucket);
  /// One tick on: entries of a coarser bucket that begins now move to finer ones.
  void step();
  void cascade(std::uint32_t bucket);

  Ticks now_;
  std::array<std::uint32_t, std::size_t{3} * kBuckets> heads_;
  std::vector<Node> nodes_;
  std::vector<std::uint16_t> bucket_;
  std::vector<Ticks> deadline_;  ///< as armed: what a cascade places by
};

}  // namespace icr::node
