// Packets that may leave only when the peer has acknowledged what they changed.
//
// A *head* waits for a change of the peer's copy. Later packets of the same session wait behind its last head, in
// order, so a session keeps the order of its packets, and none waits for what another session changed since. Packets
// are copied; memory is allocated at construction, and bounds the packets and their octets. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/base/time.h"
#include "model/record/session.h"
#include "node/nat/fixed_index.h"
#include "node/packet/packet.h"

namespace icr::node {

class HeldPackets {
 public:
  static constexpr std::uint32_t kMostPackets = 4096;
  static constexpr std::uint32_t kMostBytes = 4U << 20;

  /// A session: the number of its shard in the engine, and where it is in it.
  struct Owner {
    std::uint16_t shard = 0;
    SessionRef session;
    friend bool operator==(const Owner&, const Owner&) = default;
  };
  struct Head {
    Owner owner;
    std::uint64_t change = 0;            ///< it waits for this one (model/record/peer_copy.h)
    TimePoint until = TimePoint::max();  ///< and so long at most
    std::uint16_t binding = 0;           ///< means something to the engine
    bool opens = false;                  ///< it set up its session
  };
  enum class Verdict : std::uint8_t { waits, leaves, dropped };

  /// `shards` is the number of shards of the engine.
  explicit HeldPackets(std::size_t shards);

  [[nodiscard]] bool empty() const { return packets_ == 0; }
  [[nodiscard]] std::uint32_t packets() const { return packets_; }
  /// Returns true if a packet of this length can be added.
  [[nodiscard]] bool has_room(std::uint32_t length) const {
    return free_ != kNone && (length + kChunk - 1) / kChunk <= free_chunks_;
  }
  /// Returns true if packets of this session wait.
  [[nodiscard]] bool holds(const Owner& owner) const { return !empty() && head_of(owner) != kNone; }

  /// Copies a packet that waits for a change. `head.until` becomes no earlier than that of the head of the same session
  /// before it. REQUIRES: has_room(), and no former head of the shard waits for a later change.
  void add(const Packet& packet, Head head);
  /// Copies a packet that waits behind the others of its session. REQUIRES: has_room() and holds().
  void add_behind(const Packet& packet, const Owner& owner);

  /// Asks `judge(const Head&)` about the heads of a shard, in the order in which they came, until a head without a
  /// limit has to wait and none behind it has a limit. Calls `leave(const Head&, Verdict, const Packet&)` for the
  /// packets of the other heads, and removes them. A packet is valid during the call, and may be changed. REQUIRES:
  /// neither function calls the others of this class.
  template <class Judge, class Leave>
  void review(std::uint16_t shard, Judge&& judge, Leave&& leave) {
    List& list = lists_[shard];
    std::uint32_t before = kNone;
    for (std::uint32_t at = list.first; at != kNone;) {
      const Verdict verdict = judge(entries_[at].head);
      const std::uint32_t next = entries_[at].next_head;
      if (verdict == Verdict::waits) {
        if (list.limited == 0) return;
        before = at;
        at = next;
        continue;
      }
      unlink(list, before, at);
      const Head head = entries_[at].head;
      for (std::uint32_t each = at; each != kNone;) {
        leave(head, verdict, copy_of(each));
        each = release(each);
      }
      at = next;
    }
  }
  /// Returns when a limit of a packet of the shard may be over; max if none of them has one.
  [[nodiscard]] TimePoint next_deadline() const;
  [[nodiscard]] std::size_t memory() const;

 private:
  static constexpr std::uint32_t kNone = FixedIndex::kNone;
  static constexpr std::uint32_t kChunk = 256;
  static constexpr std::uint32_t kChunks = kMostBytes / kChunk;

  struct Entry {
    Head head;                        ///< of a head
    std::uint32_t next_head = kNone;  ///< of a head: the next one of its shard
    std::uint32_t last = kNone;       ///< of a head: the last packet behind it, or itself
    std::uint32_t next = kNone;       ///< the next packet behind the same head; or the next free entry
    std::uint32_t first_chunk = kNone;
    std::uint32_t length = 0;
    std::uint32_t unit = 0;
    std::uint16_t segment_bytes = 0;
    bool partial_checksum = false;
  };
  struct List {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    std::uint32_t limited = 0;  ///< heads with a limit
  };

  [[nodiscard]] static std::uint64_t hash_of(const Owner& owner);
  /// Returns the last head of the session, or kNone.
  [[nodiscard]] std::uint32_t head_of(const Owner& owner) const;
  [[nodiscard]] std::uint32_t store(const Packet& packet);
  [[nodiscard]] Packet copy_of(std::uint32_t entry);
  /// Frees the entry, and returns the next one behind the same head.
  std::uint32_t release(std::uint32_t entry);
  /// Takes a head out of its list and of the index.
  void unlink(List& list, std::uint32_t before, std::uint32_t head);

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> next_chunk_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::vector<std::uint8_t> scratch_;  ///< a whole packet, with headroom
  std::vector<List> lists_;            ///< by shard
  FixedIndex heads_;                   ///< the last head of each session
  std::uint32_t free_ = 0;
  std::uint32_t free_chunk_ = 0;
  std::uint32_t free_chunks_ = kChunks;
  std::uint32_t packets_ = 0;
};

}  // namespace icr::node
