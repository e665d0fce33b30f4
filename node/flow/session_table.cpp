#include "node/flow/session_table.h"

#include <algorithm>
#include <bit>

#include "model/base/guilt.h"

namespace icr::node {

SessionTable::SessionTable(std::uint32_t capacity, std::uint64_t seed)
    : capacity_(capacity),
      seed_(seed),
      // Two flows a session, eight ways a bucket, half full at capacity: overflow is then a matter of the side list at
      // most.
      bucket_count_(std::max<std::uint64_t>(2, (std::uint64_t{capacity} + 1) / 2)),
      free_(capacity),
      slab_(capacity),
      buckets_(bucket_count_) {
  side_.reserve(kSideEntries);
  for (std::uint32_t slot = 0; slot < capacity; ++slot) free_.mark(slot);
}

std::size_t SessionTable::memory() const { return slab_.bytes() + buckets_.bytes() + capacity_ / 8; }

std::optional<std::uint32_t> SessionTable::find_in(std::size_t bucket, std::uint16_t tag, const Wanted& wanted) const {
  const Bucket& line = buckets_[bucket];
  unsigned mask = ways_with(line, tag);
  while (mask != 0) {
    const unsigned way = static_cast<unsigned>(__builtin_ctz(mask)) / 2;
    if (is(line.references[way], wanted)) return line.references[way];
    mask &= ~(3U << (way * 2));
  }
  return std::nullopt;
}

std::optional<FlowRef> SessionTable::find(std::uint16_t service_set, const FlowKey& key, std::uint64_t hash) const {
  const std::uint16_t tag = tag_of(hash);
  const Wanted wanted{service_set, key, key.is_v4()};
  auto reference = find_in(first_bucket(hash), tag, wanted);
  if (!reference) reference = find_in(second_bucket(hash), tag, wanted);
  if (!reference && !side_.empty()) {
    for (const SideEntry& entry : side_) {
      if (entry.hash == hash && is(entry.reference, wanted)) reference = entry.reference;
    }
  }
  if (!reference) return std::nullopt;
  return flow_of(*reference);
}

std::optional<std::uint32_t> SessionTable::allocate() {
  const auto slot = free_.take();
  if (slot) high_water_ = std::max(high_water_, *slot + 1);
  return slot;
}

void SessionTable::claim(std::uint32_t slot) {
  const bool was_free = free_.unmark(slot);
  (void)ICR_SHOULD(was_free);
  high_water_ = std::max(high_water_, slot + 1);
}

void SessionTable::release(std::uint32_t slot) { (void)free_.mark(slot); }

bool SessionTable::insert(std::uint32_t slot) {
  const FlowKey key = slab_[slot].initiator();
  const std::uint16_t set = slab_[slot].service_set;
  const std::uint64_t initiator = hash(set, key);
  return !find(set, key, initiator) && insert_first(slot, initiator);
}

bool SessionTable::insert_first(std::uint32_t slot, std::uint64_t initiator) {
  Session& session = slab_[slot];
  const FlowKey key = session.responder();
  const std::uint64_t responder = hash(session.service_set, key);
  // A packet to oneself (key equal to its mirror) cannot be told apart by direction; the header check refuses those
  // before.
  if (find(session.service_set, key, responder)) return false;
  if (!enter(initiator, slot << 1)) return false;
  if (!enter(responder, slot << 1 | 1U)) {
    leave(initiator, slot << 1);
    return false;
  }
  session.live = true;
  return true;
}

void SessionTable::remove(std::uint32_t slot) {
  Session& session = slab_[slot];
  leave(hash(session.service_set, session.initiator()), slot << 1);
  leave(hash(session.service_set, session.responder()), slot << 1 | 1U);
  session.live = false;
}

bool SessionTable::enter(std::uint64_t hash, std::uint32_t reference) {
  Bucket* best = &buckets_[first_bucket(hash)];
  unsigned empty = empty_ways(*best);
  // A look-up reads the first bucket first: only a rather full one is left for the emptier of the two.
  if (crowded(empty)) {
    Bucket* const second = &buckets_[second_bucket(hash)];
    const unsigned there = empty_ways(*second);
    if (std::popcount(there) > std::popcount(empty)) {
      best = second;
      empty = there;
    }
  }
  if (empty == 0) {
    if (side_.size() == kSideEntries) return false;
    side_.push_back({hash, reference});
    return true;
  }
  const auto way = static_cast<unsigned>(std::countr_zero(empty));
  best->tags[way] = tag_of(hash);
  best->references[way] = reference;
  return true;
}

void SessionTable::leave(std::uint64_t hash, std::uint32_t reference) {
  const std::uint16_t tag = tag_of(hash);
  for (const std::size_t bucket : {first_bucket(hash), second_bucket(hash)}) {
    Bucket& line = buckets_[bucket];
    for (unsigned mask = ways_with(line, tag); mask != 0;) {
      const unsigned way = static_cast<unsigned>(__builtin_ctz(mask)) / 2;
      if (line.references[way] == reference) {
        line.tags[way] = 0;
        return;
      }
      mask &= ~(3U << (way * 2));
    }
  }
  const auto found =
      std::find_if(side_.begin(), side_.end(), [&](const SideEntry& e) { return e.reference == reference; });
  if (found != side_.end()) side_.erase(found);
}

}  // namespace icr::node
