#include "node/flow/fragments.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace icr::node {

FragmentTable::FragmentTable(std::uint64_t seed)
    : seed_(seed),
      entries_(std::size_t{kSets} * kWays),
      held_(kHeld),
      // Not touched until a fragment is held.
      memory_(std::make_unique_for_overwrite<std::uint8_t[]>(std::size_t{kHeld} * kBuffer)) {
  for (std::uint32_t i = 0; i + 1 < kHeld; ++i) held_[i].next = i + 1;
  lost_.reserve(kLostUnits);
}

namespace {
/// Buckets of sources have nothing to do with sets of packets.
constexpr std::uint64_t kSourceSalt = 0x9fb21c651e98df25ULL;

/// The protocol that names a fragmented packet: in IPv6 a later fragment does not tell it (RFC 8200 section 4.5).
std::uint8_t protocol_of(const Headers& h) { return h.v6 ? 0 : h.protocol; }
}  // namespace

FragmentTable::Entry* FragmentTable::set_of(const Headers& h, std::uint32_t unit) {
  FlowKey key = h.key;
  key.protocol = protocol_of(h);
  key.source_port = static_cast<std::uint16_t>(h.fragment_id);
  key.destination_port = static_cast<std::uint16_t>(h.fragment_id >> 16);
  return &entries_[static_cast<std::size_t>(hash_of(key, seed_ ^ unit) % kSets) * kWays];
}

bool FragmentTable::matches(const Entry& e, const Headers& h, std::uint32_t unit) const {
  return e.used && e.id == h.fragment_id && e.unit == unit && e.protocol == protocol_of(h) &&
         e.source == h.key.source && e.destination == h.key.destination;
}

FragmentTable::Entry* FragmentTable::find(const Headers& h, std::uint32_t unit) {
  Entry* const set = set_of(h, unit);
  Entry* const found = std::find_if(set, set + kWays, [&](const Entry& e) { return matches(e, h, unit); });
  return found == set + kWays ? nullptr : found;
}

FragmentTable::Entry* FragmentTable::find_current(const Headers& h, std::uint32_t unit, Ticks now) {
  Entry* const entry = find(h, unit);
  if (entry == nullptr || now - entry->started < entry->lifetime) return entry;
  time_out(*entry);
  return nullptr;
}

FragmentTable::Entry* FragmentTable::add(const Headers& h, std::uint32_t unit, Limits limits, Ticks now,
                                         bool expected) {
  Entry* const entry = make_room(h, unit, now, expected);
  if (entry == nullptr) return nullptr;
  entry->used = true;
  entry->source_bucket = bucket_of(h, unit);
  entry->limit = std::min(limits.fragments, kMaxFragments);
  entry->lifetime = limits.reassembly_s * 10;
  entry->protocol = protocol_of(h);
  entry->id = h.fragment_id;
  entry->unit = unit;
  entry->source = h.key.source;
  entry->destination = h.key.destination;
  entry->started = now;
  return entry;
}

FragmentTable::Verdict FragmentTable::enter(const Headers& h, const Packet& packet, Limits limits, Ticks now,
                                            SessionHandle& handle) {
  Entry* entry = find_current(h, packet.unit, now);
  if (entry == nullptr) {
    const std::uint32_t most_held = held_per_source(std::min(limits.fragments, kMaxFragments));
    // What cannot be held anyway takes no place.
    const bool cannot_be_held = held_of_[bucket_of(h, packet.unit)] >= most_held || h.l3_length > kBuffer;
    if (h.later_fragment && cannot_be_held) return Verdict::full;
    entry = add(h, packet.unit, limits, now, h.later_fragment);
    if (entry == nullptr) return Verdict::full;
  }
  if (entry->refused) return Verdict::refused;
  const auto begin = static_cast<std::uint16_t>(h.fragment_offset);
  const auto end = static_cast<std::uint16_t>(h.fragment_offset + h.fragment_length);
  for (std::uint16_t i = 0; i < entry->fragments; ++i) {
    if (begin == entry->extents[i].begin && end == entry->extents[i].end) return Verdict::duplicate;
  }
  if (contradicts(*entry, h, {begin, end})) return Verdict::overlap;
  if (entry->fragments == entry->limit) return Verdict::limit;
  if (!h.later_fragment || entry->resolved) {
    note_extent(*entry, h, {begin, end});
    handle = entry->handle;
    // Nothing more will come: make room.
    if (entry->resolved && entry->complete()) (void)forget(*entry);
    return Verdict::forward;
  }
  const std::uint32_t slot = h.l3_length > kBuffer ? kNone : take_held(*entry);
  if (slot == kNone) return Verdict::full;
  note_extent(*entry, h, {begin, end});
  std::memcpy(buffer(slot), packet.data, h.l3_length);
  held_[slot].length = h.l3_length;
  return Verdict::held;
}

bool FragmentTable::contradicts(const Entry& entry, const Headers& h, Extent extent) {
  if (entry.total != 0 && (extent.end > entry.total || !h.more_fragments)) return true;
  for (std::uint16_t i = 0; i < entry.fragments; ++i) {
    const Extent& other = entry.extents[i];
    if (extent.begin < other.end && other.begin < extent.end) return true;
    if (!h.more_fragments && other.end > extent.end) return true;
  }
  return false;
}

std::uint32_t FragmentTable::bucket_of(const Headers& h, std::uint32_t unit) const {
  return static_cast<std::uint32_t>(hash_of(h.key.source, seed_ ^ unit ^ kSourceSalt) % kSources);
}

FragmentTable::Entry* FragmentTable::make_room(const Headers& h, std::uint32_t unit, Ticks now, bool expected) {
  Entry* const set = set_of(h, unit);
  Entry* victim = nullptr;
  std::ptrdiff_t most = 0;
  for (Entry* e = set; e != set + kWays; ++e) {
    if (!e->used) return e;
    if (now - e->started >= e->lifetime) {
      time_out(*e);
      return e;
    }
    const std::ptrdiff_t siblings =
        std::count_if(set, set + kWays, [&](const Entry& o) { return o.unit == e->unit && o.source == e->source; });
    const bool under_way = e->resolved;
    if (expected && under_way && siblings == 1) continue;
    const bool better = victim == nullptr || siblings > most ||
                        (siblings == most && under_way != victim->resolved && !under_way) ||
                        (siblings == most && under_way == victim->resolved &&
                         static_cast<std::int32_t>(e->started - victim->started) < 0);
    if (!better) continue;
    victim = e;
    most = siblings;
  }
  if (victim != nullptr) evict(*victim);
  return victim;
}

std::uint32_t FragmentTable::take_held(Entry& entry) {
  if (held_of_[entry.source_bucket] >= held_per_source(entry.limit)) return kNone;
  if (free_held_head_ == kNone) {
    Entry& oldest = entries_[held_[oldest_held_].entry];
    // Its own fragments may be the oldest: then it has waited long enough.
    if (&oldest == &entry) return kNone;
    evict(oldest);
  }
  const std::uint32_t slot = free_held_head_;
  Held& held = held_[slot];
  free_held_head_ = held.next;
  held.next = entry.first_held;
  held.entry = static_cast<std::uint32_t>(&entry - entries_.data());
  held.older = youngest_held_;
  held.younger = kNone;
  (youngest_held_ == kNone ? oldest_held_ : held_[youngest_held_].younger) = slot;
  youngest_held_ = slot;
  entry.first_held = slot;
  ++held_of_[entry.source_bucket];
  return slot;
}

std::uint32_t FragmentTable::reject(const Headers& h, std::uint32_t unit, Limits limits, Ticks now) {
  Entry* entry = find_current(h, unit, now);
  if (entry == nullptr) entry = add(h, unit, limits, now, false);
  if (entry == nullptr) return 0;
  const std::uint32_t dropped = drop_held(*entry);
  entry->refused = true;
  return dropped;
}

void FragmentTable::time_out(Entry& entry) {
  if (const std::uint32_t dropped = forget(entry); dropped != 0) lost_on(entry.unit).timed_out += dropped;
}

void FragmentTable::evict(Entry& entry) {
  if (const std::uint32_t dropped = forget(entry); dropped != 0) lost_on(entry.unit).evicted += dropped;
}

FragmentTable::Lost& FragmentTable::lost_on(std::uint32_t unit) {
  for (Lost& lost : lost_) {
    if (lost.unit == unit) return lost;
  }
  return lost_.emplace_back(Lost{unit, 0, 0});
}

void FragmentTable::note_extent(Entry& entry, const Headers& h, Extent extent) {
  entry.extents[entry.fragments++] = extent;
  entry.covered += h.fragment_length;
  if (!h.more_fragments) entry.total = h.fragment_offset + h.fragment_length;
}

std::uint32_t FragmentTable::forget(Entry& entry) {
  const std::uint32_t dropped = drop_held(entry);
  entry.used = entry.resolved = entry.refused = false;
  entry.fragments = 0;
  entry.total = entry.covered = 0;
  return dropped;
}

std::uint32_t FragmentTable::drop_held(Entry& entry) {
  std::uint32_t dropped = 0;
  for (std::uint32_t i = entry.first_held; i != kNone; ++dropped) {
    const std::uint32_t next = held_[i].next;
    free_held(i);
    i = next;
  }
  entry.first_held = kNone;
  held_of_[entry.source_bucket] = static_cast<std::uint16_t>(held_of_[entry.source_bucket] - dropped);
  return dropped;
}

void FragmentTable::free_held(std::uint32_t index) {
  Held& held = held_[index];
  (held.older == kNone ? oldest_held_ : held_[held.older].younger) = held.younger;
  (held.younger == kNone ? youngest_held_ : held_[held.younger].older) = held.older;
  held.entry = kNone;
  held.next = free_held_head_;
  free_held_head_ = index;
}

}  // namespace icr::node
