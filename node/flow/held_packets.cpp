#include "node/flow/held_packets.h"

#include <algorithm>
#include <cstring>

#include "model/base/guilt.h"
#include "model/record/flow_key.h"

namespace icr::node {

HeldPackets::HeldPackets(std::size_t shards)
    : entries_(kMostPackets),
      next_chunk_(kChunks),
      bytes_(std::make_unique<std::uint8_t[]>(kMostBytes)),
      scratch_(kPacketHeadroom + kMaxPacketBytes),
      lists_(shards),
      heads_(kMostPackets) {
  for (std::uint32_t i = 0; i < kMostPackets; ++i) entries_[i].next = i + 1 == kMostPackets ? kNone : i + 1;
  for (std::uint32_t i = 0; i < kChunks; ++i) next_chunk_[i] = i + 1 == kChunks ? kNone : i + 1;
}

std::uint64_t HeldPackets::hash_of(const Owner& owner) {
  const std::uint64_t session = std::uint64_t{owner.session.slot} << 32U | owner.session.generation;
  return icr::detail::mix(session ^ 0xe7037ed1a0b428dbULL, owner.shard ^ 0x8ebc6af09c88c6e3ULL);
}

std::uint32_t HeldPackets::head_of(const Owner& owner) const {
  return heads_.find(hash_of(owner), [&](std::uint32_t each) { return entries_[each].head.owner == owner; });
}

void HeldPackets::add(const Packet& packet, Head head) {
  const std::uint32_t at = store(packet);
  const std::uint64_t hash = hash_of(head.owner);
  if (const std::uint32_t former = head_of(head.owner); former != kNone) {
    head.until = std::max(head.until, entries_[former].head.until);
    heads_.erase(hash, former);
  }
  heads_.insert(hash, at);
  List& list = lists_[head.owner.shard];
  list.limited += head.until == TimePoint::max() ? 0U : 1U;
  entries_[at].head = head;
  entries_[at].last = at;
  entries_[at].next_head = kNone;
  (list.first == kNone ? list.first : entries_[list.last].next_head) = at;
  list.last = at;
}

void HeldPackets::add_behind(const Packet& packet, const Owner& owner) {
  const std::uint32_t head = head_of(owner);
  if (!ICR_SHOULD(head != kNone)) return;
  const std::uint32_t at = store(packet);
  entries_[entries_[head].last].next = at;
  entries_[head].last = at;
}

std::uint32_t HeldPackets::store(const Packet& packet) {
  const std::uint32_t at = free_;
  Entry& entry = entries_[at];
  free_ = entry.next;
  ++packets_;
  entry.next = kNone;
  entry.first_chunk = kNone;
  entry.length = packet.length;
  entry.unit = packet.unit;
  entry.segment_bytes = packet.segment_bytes;
  entry.partial_checksum = packet.partial_checksum;
  std::uint32_t* link = &entry.first_chunk;
  for (std::uint32_t from = 0; from < packet.length; from += kChunk) {
    const std::uint32_t chunk = free_chunk_;
    free_chunk_ = next_chunk_[chunk];
    --free_chunks_;
    std::memcpy(bytes_.get() + std::size_t{chunk} * kChunk, packet.data + from, std::min(kChunk, packet.length - from));
    *link = chunk;
    link = &next_chunk_[chunk];
  }
  *link = kNone;
  return at;
}

Packet HeldPackets::copy_of(std::uint32_t entry) {
  const Entry& e = entries_[entry];
  Packet packet{scratch_.data() + kPacketHeadroom, e.length, kMaxPacketBytes, e.unit, kPacketHeadroom};
  packet.segment_bytes = e.segment_bytes;
  packet.partial_checksum = e.partial_checksum;
  std::uint32_t chunk = e.first_chunk;
  for (std::uint32_t to = 0; to < e.length; to += kChunk, chunk = next_chunk_[chunk]) {
    std::memcpy(packet.data + to, bytes_.get() + std::size_t{chunk} * kChunk, std::min(kChunk, e.length - to));
  }
  return packet;
}

std::uint32_t HeldPackets::release(std::uint32_t entry) {
  Entry& e = entries_[entry];
  for (std::uint32_t chunk = e.first_chunk; chunk != kNone;) {
    const std::uint32_t next = next_chunk_[chunk];
    next_chunk_[chunk] = free_chunk_;
    free_chunk_ = chunk;
    ++free_chunks_;
    chunk = next;
  }
  const std::uint32_t next = e.next;
  e.next = free_;
  free_ = entry;
  --packets_;
  return next;
}

void HeldPackets::unlink(List& list, std::uint32_t before, std::uint32_t head) {
  const Entry& e = entries_[head];
  (before == kNone ? list.first : entries_[before].next_head) = e.next_head;
  if (list.last == head) list.last = before;
  list.limited -= e.head.until == TimePoint::max() ? 0U : 1U;
  if (head_of(e.head.owner) == head) heads_.erase(hash_of(e.head.owner), head);
}

TimePoint HeldPackets::next_deadline() const {
  TimePoint out = TimePoint::max();
  for (const List& list : lists_) {
    if (list.limited == 0) continue;
    for (std::uint32_t at = list.first; at != kNone; at = entries_[at].next_head) {
      out = std::min(out, entries_[at].head.until);
    }
  }
  return out;
}

std::size_t HeldPackets::memory() const {
  return entries_.size() * sizeof(Entry) + next_chunk_.size() * sizeof(std::uint32_t) + kMostBytes + scratch_.size() +
         heads_.memory();
}

}  // namespace icr::node
