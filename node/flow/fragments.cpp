#include "node/flow/fragments.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace icr::node {

FragmentTable::FragmentTable(std::uint32_t fragment_limit, std::uint32_t reassembly_s, std::uint64_t seed)
    : limit_(std::min(fragment_limit, kMaxFragments)),
      lifetime_(reassembly_s * 10),
      seed_(seed),
      entries_(std::size_t{kSets} * kWays),
      held_(kHeld),
      // Not touched until a fragment is held.
      memory_(std::make_unique_for_overwrite<std::uint8_t[]>(std::size_t{kHeld} * 65536)) {
  for (std::uint32_t i = 0; i + 1 < kHeld; ++i) held_[i].next = i + 1;
  timed_out_.reserve(kTimedOutUnits);
}

namespace {
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

FragmentTable::Verdict FragmentTable::enter(const Headers& h, const Packet& packet, Ticks now, SessionHandle& handle) {
  Entry* entry = find(h, packet.unit);
  if (entry != nullptr && now - entry->started >= lifetime_) {
    time_out(*entry);
    entry = nullptr;
  }
  if (entry == nullptr) {
    Entry* const set = set_of(h, packet.unit);
    entry = std::find_if(set, set + kWays, [&](const Entry& e) { return !e.used || now - e.started >= lifetime_; });
    if (entry == set + kWays) return Verdict::full;
    time_out(*entry);
    entry->used = true;
    entry->protocol = protocol_of(h);
    entry->id = h.fragment_id;
    entry->unit = packet.unit;
    entry->source = h.key.source;
    entry->destination = h.key.destination;
    entry->started = now;
  }
  if (entry->refused) return Verdict::refused;
  const auto begin = static_cast<std::uint16_t>(h.fragment_offset);
  const auto end = static_cast<std::uint16_t>(h.fragment_offset + h.fragment_length);
  for (std::uint16_t i = 0; i < entry->fragments; ++i) {
    if (begin < entry->extents[i].end && entry->extents[i].begin < end) return Verdict::overlap;
  }
  if (entry->fragments == limit_) return Verdict::limit;
  if (!h.later_fragment || entry->resolved) {
    note_extent(*entry, h, {begin, end});
    handle = entry->handle;
    // Nothing more will come: make room.
    if (entry->resolved && entry->complete()) (void)forget(*entry);
    return Verdict::forward;
  }
  const std::uint32_t slot = free_held_head_;
  if (slot == kNone || h.l3_length > 65536) return Verdict::full;
  note_extent(*entry, h, {begin, end});
  free_held_head_ = held_[slot].next;
  std::memcpy(buffer(slot), packet.data, h.l3_length);
  held_[slot] = Held{h.l3_length, entry->first_held};
  entry->first_held = slot;
  return Verdict::held;
}

std::uint32_t FragmentTable::reject(const Headers& h, std::uint32_t unit) {
  Entry* entry = find(h, unit);
  if (entry == nullptr) return 0;
  const std::uint32_t dropped = drop_held(*entry);
  entry->refused = true;
  return dropped;
}

void FragmentTable::time_out(Entry& entry) {
  const std::uint32_t dropped = forget(entry);
  if (dropped == 0) return;
  for (TimedOut& t : timed_out_) {
    if (t.unit != entry.unit) continue;
    t.fragments += dropped;
    return;
  }
  timed_out_.push_back({entry.unit, dropped});
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
  return dropped;
}

void FragmentTable::free_held(std::uint32_t index) {
  held_[index].next = free_held_head_;
  free_held_head_ = index;
}

}  // namespace icr::node
