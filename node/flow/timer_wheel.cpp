#include "node/flow/timer_wheel.h"

#include <algorithm>

namespace icr::node {

// Chunks: full ones, one that is not in each bucket; never more than there are entries, and one to take first.
TimerWheel::TimerWheel(std::uint32_t capacity, Ticks now)
    : now_(now),
      chunks_(std::min<std::size_t>(capacity, capacity / kEntries + 2 * kBuckets) + 1),
      position_(capacity, kNone) {
  heads_.fill(kNone);
  for (std::size_t i = chunks_.size(); i-- != 0;) {
    chunks_[i].next = free_;
    free_ = static_cast<std::uint32_t>(i);
  }
}

void TimerWheel::arm(std::uint32_t slot, Ticks deadline) {
  disarm(slot);
  // A deadline in the past (difference negative modulo 2^32) comes up at the next tick.
  const auto delta = std::clamp<std::int32_t>(static_cast<std::int32_t>(deadline - now_), 1, kReach);
  place(slot, now_ + static_cast<Ticks>(delta));
}

void TimerWheel::place(std::uint32_t slot, Ticks at) {
  push(at - now_ < kBuckets ? at & kMask : kBuckets + (at >> kBits & kMask), {slot, at});
}

void TimerWheel::push(std::uint32_t bucket, Entry entry) {
  std::uint32_t head = heads_[bucket];
  if (head == kNone || chunks_[head].count == kEntries) {
    const std::uint32_t fresh = free_;
    free_ = chunks_[fresh].next;
    chunks_[fresh].next = head;
    chunks_[fresh].bucket = static_cast<std::uint16_t>(bucket);
    chunks_[fresh].count = 0;
    heads_[bucket] = head = fresh;
  }
  Chunk& chunk = chunks_[head];
  position_[entry.slot] = head * 32 + chunk.count;
  chunk.entries[chunk.count++] = entry;
}

void TimerWheel::disarm(std::uint32_t slot) {
  const std::uint32_t position = position_[slot];
  if (position == kNone) return;
  position_[slot] = kNone;
  // The last entry of the bucket's first chunk fills the gap.
  const std::uint32_t bucket = chunks_[position / 32].bucket;
  const std::uint32_t head = heads_[bucket];
  Chunk& first = chunks_[head];
  const Entry last = first.entries[--first.count];
  if (last.slot != slot) {
    chunks_[position / 32].entries[position % 32] = last;
    position_[last.slot] = position;
  }
  if (first.count == 0) {
    heads_[bucket] = first.next;
    first.next = free_;
    free_ = head;
  }
}

void TimerWheel::step() {
  ++now_;
  if ((now_ & kMask) == 0) cascading_ = kBuckets + (now_ >> kBits & kMask);
}

bool TimerWheel::cascade(std::uint32_t& budget) {
  if (cascading_ == kNone) return true;
  for (std::uint32_t moved = 0; heads_[cascading_] != kNone;) {
    const Chunk& chunk = chunks_[heads_[cascading_]];
    if (const std::uint32_t next = upcoming(chunk, kNear); next != kNone) prefetch_line(&position_[next]);
    const Entry entry = chunk.entries[chunk.count - 1];
    disarm(entry.slot);
    place(entry.slot, entry.deadline);
    if (++moved % kCascadeShare == 0 && --budget == 0) return false;
  }
  cascading_ = kNone;
  return true;
}

}  // namespace icr::node
