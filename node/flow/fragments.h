// Fragments of IP packets that pass through a flow engine (RFC 791, RFC 8200 section 4.5).
//
// Nothing is reassembled: only the first fragment has ports, so the others follow its verdict. Those that come before
// it are held (bounded in number and time). A packet with overlapping fragments is refused whole, including fragments
// that arrive later (RFC 5722, RFC 1858 section 4); a duplicate made by the network is not an overlap (RFC 8200
// section 4.5). All memory is allocated at construction. Thread: one.
//
// Who sends much makes room for others. A packet may be entered in 8 places; if they are taken, the source that has
// most of them loses its oldest one (among equals: one whose first fragment did not come, or was refused). What waits
// for its first fragment takes a place only if it can be held, and never that of another source's only packet under
// way. One source (a bucket of them, by a keyed hash) has at most 64 of 256 held fragments, or fragment-limit if that
// is more; beyond that its fragments are refused, while others have the oldest held ones evicted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/record/session.h"
#include "node/packet/headers.h"
#include "node/packet/packet.h"

namespace icr::node {

/// The session a packet belongs to, remembered beyond the packet.
struct SessionHandle {
  std::uint16_t shard = 0;
  Direction direction = Direction::initiator;
  SessionRef ref;
  bool new_ip_id = false;   ///< true if the fragments of the packet leave with another identification
  std::uint16_t ip_id = 0;  ///< this one
};

class FragmentTable {
 public:
  enum class Verdict : std::uint8_t {
    forward,    ///< go on: `handle` says to which session (later fragment), or it is a first fragment
    held,       ///< kept until the first fragment comes
    overlap,    ///< drop, with the whole packet (reject()): covers octets of another fragment, or contradicts its end
    duplicate,  ///< drop: covers exactly what another fragment covers
    limit,      ///< drop: more fragments of one packet than fragment-limit allows
    full,       ///< drop: no room to hold it
    refused,    ///< drop: the first fragment was refused
  };

  /// The limits of the service set that receives a fragment. A packet has the limits that its first fragment met.
  struct Limits {
    std::uint32_t fragments = 0;     ///< of one packet
    std::uint32_t reassembly_s = 0;  ///< how long to wait for the others
  };

  /// `seed` keys the hash of the table.
  explicit FragmentTable(std::uint64_t seed);

  /// Enters a fragment that came in on `packet.unit`. `handle` is set for Verdict::forward of a later fragment.
  [[nodiscard]] Verdict enter(const Headers& headers, const Packet& packet, Limits limits, Ticks now,
                              SessionHandle& handle);

  /// The first fragment found its session: fragments of the same packet follow it. Calls `visit(Packet&)` for those
  /// that were held.
  template <class Visit>
  void resolve(const Headers& headers, std::uint32_t unit, SessionHandle handle, Visit&& visit) {
    Entry* entry = find(headers, unit);
    if (entry == nullptr) return;
    entry->resolved = true;
    entry->handle = handle;
    for (std::uint32_t i = entry->first_held; i != kNone;) {
      Held& held = held_[i];
      Packet packet{buffer(i), held.length, kMaxPacketBytes, unit};
      visit(packet);
      i = held.next;
    }
    (void)drop_held(*entry);
    if (entry->complete()) (void)forget(*entry);
  }

  /// Refuses the packet of a fragment: what was held of it goes, and what still comes is refused as well. The fragment
  /// need not have been entered. Returns how many were held.
  std::uint32_t reject(const Headers& headers, std::uint32_t unit, Limits limits, Ticks now);

  /// Held fragments that were dropped, and had come in on `unit`.
  struct Lost {
    std::uint32_t unit = 0;
    std::uint32_t timed_out = 0;
    std::uint32_t evicted = 0;  ///< gave way to others
  };

  /// Forgets packets whose fragments did not come in time. Calls `visit(const Lost&)` for units that have lost held
  /// fragments since the last call.
  template <class Visit>
  void expire(Ticks now, Visit&& visit) {
    for (Entry& entry : entries_) {
      if (entry.used && now - entry.started >= entry.lifetime) time_out(entry);
    }
    for (const Lost& lost : lost_) visit(lost);
    lost_.clear();
  }

 private:
  static constexpr std::uint32_t kSets = 128;
  static constexpr std::uint32_t kWays = 8;
  static constexpr std::uint32_t kHeld = 256;
  static constexpr std::uint32_t kHeldPerSource = 64;  ///< or fragment-limit, if that is more
  static constexpr std::uint32_t kSources = 1024;
  static constexpr std::uint32_t kBuffer = 65536;
  static constexpr std::uint32_t kMaxFragments = 250;
  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::size_t kLostUnits = 1024;  ///< room without allocating

  struct Extent {
    std::uint16_t begin, end;  ///< octets
  };
  struct Entry {
    bool used = false;
    bool resolved = false;
    bool refused = false;
    std::uint8_t protocol = 0;
    std::uint16_t fragments = 0;
    std::uint32_t limit = 0;  ///< most fragments of the packet
    Ticks lifetime = 0;
    std::uint32_t id = 0;
    std::uint32_t unit = 0;
    IpAddress source, destination;
    Ticks started = 0;
    SessionHandle handle;
    std::uint32_t first_held = kNone;
    std::uint32_t source_bucket = 0;  ///< in held_of_
    std::uint32_t total = 0;          ///< octets of the packet, once its last fragment was seen
    std::uint32_t covered = 0;        ///< octets seen
    std::array<Extent, kMaxFragments> extents;

    [[nodiscard]] bool complete() const { return total != 0 && covered == total; }
  };
  struct Held {
    std::uint32_t length = 0;
    std::uint32_t next = kNone;   ///< of the same packet; or of the free ones
    std::uint32_t entry = kNone;  ///< whose it is; kNone: free
    /// All that are held, by age.
    std::uint32_t older = kNone, younger = kNone;
  };

  [[nodiscard]] Entry* set_of(const Headers& headers, std::uint32_t unit);
  [[nodiscard]] Entry* find(const Headers& headers, std::uint32_t unit);
  /// Does the same, and lets a packet go whose fragments did not come in time.
  [[nodiscard]] Entry* find_current(const Headers& headers, std::uint32_t unit, Ticks now);
  [[nodiscard]] std::uint32_t bucket_of(const Headers& headers, std::uint32_t unit) const;
  /// Gives a packet that has no entry one of its own. `expected` says that its first fragment is yet to come. Returns
  /// null if it must not take one.
  [[nodiscard]] Entry* add(const Headers& headers, std::uint32_t unit, Limits limits, Ticks now, bool expected);
  /// Finds a place for it, with nothing in it.
  [[nodiscard]] Entry* make_room(const Headers& headers, std::uint32_t unit, Ticks now, bool expected);
  /// A buffer for a fragment of `entry`, or kNone if its source has enough.
  [[nodiscard]] std::uint32_t take_held(Entry& entry);
  /// Returns how many fragments of one source are held at most, given the fragments that one packet may have.
  [[nodiscard]] static std::uint32_t held_per_source(std::uint32_t limit) { return std::max(limit, kHeldPerSource); }
  /// Returns true if the fragment contradicts the fragments of `entry`, so that no packet can be made of them.
  [[nodiscard]] static bool contradicts(const Entry& entry, const Headers& headers, Extent extent);
  [[nodiscard]] bool matches(const Entry& entry, const Headers& headers, std::uint32_t unit) const;
  std::uint32_t forget(Entry& entry);
  void time_out(Entry& entry);
  void evict(Entry& entry);
  [[nodiscard]] Lost& lost_on(std::uint32_t unit);
  std::uint32_t drop_held(Entry& entry);
  static void note_extent(Entry& entry, const Headers& headers, Extent extent);
  void free_held(std::uint32_t index);
  [[nodiscard]] std::uint8_t* buffer(std::uint32_t index) { return memory_.get() + std::size_t{index} * kBuffer; }

  std::uint64_t seed_;
  std::vector<Entry> entries_;
  std::vector<Held> held_;
  std::uint32_t free_held_head_ = 0;
  std::uint32_t oldest_held_ = kNone, youngest_held_ = kNone;
  std::array<std::uint16_t, kSources> held_of_{};  ///< how many are held, by bucket of sources
  std::vector<Lost> lost_;                         ///< since the last expire(), by unit
  std::unique_ptr<std::uint8_t[]> memory_;
};

}  // namespace icr::node
