// Hierarchical timer wheel over slots: one tick is 100 ms (kTick); 4096 buckets of a tick each reach seven minutes,
// 4096 coarser ones 19 days.
//
// Lazy: packets do not touch it. An entry sits where its deadline was when it was armed; when its bucket comes up, the
// owner says whether the deadline has moved meanwhile (then it is armed again) or has come. A bucket is a list of
// chunks of entries, so that the next sessions are known in advance and can be prefetched. One thread; about 13 bytes
// per slot, allocated once.
#pragma once

#include <array>
#include <cstdint>

#include "model/base/huge_array.h"
#include "model/base/prefetch.h"
#include "model/record/session.h"

namespace icr::node {

class TimerWheel {
 public:
  /// Starts at tick `now`.
  TimerWheel(std::uint32_t capacity, Ticks now);

  /// (Re)arms `slot` to come up at `deadline` (modulo 2^32; in the past: at the next tick).
  void arm(std::uint32_t slot, Ticks deadline);
  void disarm(std::uint32_t slot);
  /// Asks for what arm() of the slot will need.
  void prefetch(std::uint32_t slot) const { prefetch_line(&position_[slot]); }
  [[nodiscard]] bool armed(std::uint32_t slot) const { return position_[slot] != kNone; }
  [[nodiscard]] Ticks now() const { return now_; }
  /// Ticks that advance() has yet to go through until `now`; the last one may still have entries that are due.
  [[nodiscard]] Ticks lag(Ticks now) const { return static_cast<std::int32_t>(now - now_) > 0 ? now - now_ : 0; }
  [[nodiscard]] std::size_t memory() const { return chunks_.bytes() + position_.bytes() + sizeof *this; }

  /// Moves time to `now` (not back: an earlier `now` changes nothing) and calls `due(slot)` for at most `budget`
  /// entries whose bucket came up; the entry is disarmed before the call, and `due` arms it again if its deadline has
  /// moved. `far(slot)` and `near(slot)` are called for entries that will come up some calls later, to ask for what
  /// `due` will need; what far() asks for is there for near(). Returns false if the budget ended first: call again
  /// soon. Moving entries from a coarse bucket to fine ones counts as well, an eighth each.
  template <class Due, class Far, class Near>
  bool advance(Ticks now, std::uint32_t budget, Due&& due, Far&& far, Near&& near) {
    for (;;) {
      if (!cascade(budget)) return false;
      const std::uint32_t bucket = now_ & kMask;
      while (heads_[bucket] != kNone) {
        const Chunk& chunk = chunks_[heads_[bucket]];
        if (const std::uint32_t slot = upcoming(chunk, kFar); slot != kNone) {
          prefetch_line(&position_[slot]);
          far(slot);
        }
        if (const std::uint32_t slot = upcoming(chunk, kNear); slot != kNone) near(slot);
        const std::uint32_t slot = chunk.entries[chunk.count - 1].slot;
        disarm(slot);
        due(slot);
        if (--budget == 0) return false;
      }
      if (static_cast<std::int32_t>(now - now_) <= 0) return true;
      step();
    }
  }
  template <class Due>
  bool advance(Ticks now, std::uint32_t budget, Due&& due) {
    return advance(
        now, budget, due, [](std::uint32_t) {}, [](std::uint32_t) {});
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::uint32_t kBits = 12;
  static constexpr std::uint32_t kBuckets = 1U << kBits;
  static constexpr std::uint32_t kMask = kBuckets - 1;
  static constexpr std::uint32_t kReach = (1U << 2 * kBits) - kBuckets - 1;  ///< never the coarse bucket of now
  static constexpr std::uint32_t kEntries = 31;
  static constexpr std::uint32_t kFar = 16, kNear = 8;  ///< entries ahead of the one that comes up
  static constexpr std::uint32_t kCascadeShare = 8;

  struct Entry {
    std::uint32_t slot;
    Ticks deadline;  ///< as armed: what a cascade places by
  };
  /// All chunks of a bucket but its first are full.
  struct Chunk {
    std::uint32_t next;  ///< of the bucket, or of the free list
    std::uint16_t bucket;
    std::uint16_t count;
    Entry entries[kEntries];
  };
  static_assert(sizeof(Chunk) == 256);

  /// The slot that comes up so many entries after the last one of `chunk`, the first chunk of its bucket.
  [[nodiscard]] std::uint32_t upcoming(const Chunk& chunk, std::uint32_t ahead) const {
    const std::uint32_t last = chunk.count - 1U;
    if (last >= ahead) return chunk.entries[last - ahead].slot;
    return chunk.next == kNone ? kNone : chunks_[chunk.next].entries[kEntries + last - ahead].slot;
  }
  void push(std::uint32_t bucket, Entry entry);
  /// Puts an entry where it belongs: from now_ on, within reach.
  void place(std::uint32_t slot, Ticks at);
  /// One tick on.
  void step();
  /// Goes on with moving the entries of a coarse bucket that has begun to finer ones. False: the budget ended.
  bool cascade(std::uint32_t& budget);

  Ticks now_;
  std::uint32_t cascading_ = kNone;  ///< the coarse bucket whose entries are being moved
  std::uint32_t free_ = kNone;       ///< chunks that are in no bucket
  std::array<std::uint32_t, std::size_t{2} * kBuckets> heads_;
  HugeArray<Chunk> chunks_;
  HugeArray<std::uint32_t> position_;  ///< by slot: chunk * 32 + place in it; kNone: not armed
};

}  // namespace icr::node
