#include "node/flow/timer_wheel.h"

#include <algorithm>

namespace icr::node {

TimerWheel::TimerWheel(std::uint32_t capacity, Ticks now)
    : now_(now), nodes_(capacity), bucket_(capacity, kNone16), deadline_(capacity, 0) {
  heads_.fill(kNone);
}

void TimerWheel::arm(std::uint32_t slot, Ticks deadline) {
  disarm(slot);
  // A deadline in the past (difference negative modulo 2^32) comes up at the next tick.
  auto delta = static_cast<std::int32_t>(deadline - now_);
  delta = std::clamp(delta, 1, (1 << 24) - 1);
  const Ticks at = now_ + static_cast<Ticks>(delta);
  deadline_[slot] = at;
  if (delta < 256) {
    link(slot, at & 0xffU);
  } else if (delta < 65536) {
    link(slot, kBuckets + (at >> 8 & 0xffU));
  } else {
    link(slot, 2 * kBuckets + (at >> 16 & 0xffU));
  }
}

void TimerWheel::disarm(std::uint32_t slot) {
  const std::uint16_t bucket = bucket_[slot];
  if (bucket == kNone16) return;
  const Node node = nodes_[slot];
  if (node.previous != kNone) {
    nodes_[node.previous].next = node.next;
  } else {
    heads_[bucket] = node.next;
  }
  if (node.next != kNone) nodes_[node.next].previous = node.previous;
  bucket_[slot] = kNone16;
}

void TimerWheel::link(std::uint32_t slot, std::uint32_t bucket) {
  const std::uint32_t head = heads_[bucket];
  nodes_[slot] = Node{head, kNone};
  if (head != kNone) nodes_[head].previous = slot;
  heads_[bucket] = slot;
  bucket_[slot] = static_cast<std::uint16_t>(bucket);
}

std::uint32_t TimerWheel::pop(std::uint32_t bucket) {
  const std::uint32_t slot = heads_[bucket];
  if (slot != kNone) disarm(slot);
  return slot;
}

void TimerWheel::step() {
  ++now_;
  if ((now_ & 0xffffU) == 0) cascade(2 * kBuckets + (now_ >> 16 & 0xffU));
  if ((now_ & 0xffU) == 0) cascade(kBuckets + (now_ >> 8 & 0xffU));
}

void TimerWheel::cascade(std::uint32_t bucket) {
  // Detach the list first: an entry due exactly now goes into the finest bucket of this very tick.
  std::uint32_t slot = heads_[bucket];
  heads_[bucket] = kNone;
  while (slot != kNone) {
    const std::uint32_t next = nodes_[slot].next;
    bucket_[slot] = kNone16;
    if (deadline_[slot] == now_) {
      link(slot, now_ & 0xffU);
    } else {
      arm(slot, deadline_[slot]);
    }
    slot = next;
  }
}

}  // namespace icr::node
