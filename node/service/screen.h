// Refuses first packets before a session begins: floods, and too many sessions of one address. Junos' `services screen
// ids-option`; its checks of single packets are in node/flow/engine_checks.cpp.
//
// Numbers of sessions are exact, in tables that hold every address of a full session table, so they never run out of
// room; the owner reports each session that begins and ends, also those that a peer brought. Rates are counted per
// second in small tables: where more addresses are busy in one second than they hold, the least busy are forgotten, so
// that a flood stays counted whatever else the sender tries. Hashes are keyed. No time, no I/O, no allocation after
// construction; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/config/rules.h"
#include "node/packet/headers.h"

namespace icr::node {

/// The reason why a screen refuses the first packet of a session.
enum class ScreenDrop : std::uint8_t {
  none,                   ///< it does not
  syn_flood,              ///< attack-threshold: SYNs to one address and port
  syn_flood_source,       ///< source-threshold
  syn_flood_destination,  ///< destination-threshold
  icmp_flood,
  udp_flood,
  sessions_of_source,
  sessions_of_destination,
};

/// Number of sessions of each address, exact.
class AddressCounts {
 public:
  /// `capacity`: most addresses with a count at one time.
  AddressCounts(std::uint32_t capacity, std::uint64_t seed);
  [[nodiscard]] std::uint32_t of(const IpAddress& address) const;
  void add(const IpAddress& address);
  /// Removes one session; an address without a count is not changed.
  void remove(const IpAddress& address);
  [[nodiscard]] std::size_t memory() const { return (std::size_t{mask_} + 1) * sizeof(Entry); }

 private:
  struct Entry {
    IpAddress address;
    std::uint32_t count;  ///< 0: free
  };
  struct Free {
    void operator()(void* memory) const;
  };
  [[nodiscard]] std::uint32_t home(const IpAddress& address) const;
  /// Returns the entry of the address, or the free entry for it.
  [[nodiscard]] std::uint32_t find(const IpAddress& address) const;

  std::uint64_t seed_;
  std::uint32_t mask_;
  std::unique_ptr<Entry[], Free> entries_;  ///< linear probing; zero pages until used
};

/// Events per second of each key, of which the busiest are certainly known.
class RateTable {
 public:
  explicit RateTable(std::uint64_t seed);
  /// Counts an event of the address (and port) in this second; how many there were, this one included.
  [[nodiscard]] std::uint32_t count(const IpAddress& address, std::uint16_t port, Ticks now);
  [[nodiscard]] static constexpr std::size_t memory() { return std::size_t{kSets} * kWays * sizeof(Entry); }

 private:
  static constexpr std::uint32_t kSets = 1024;
  static constexpr std::uint32_t kWays = 4;
  struct Entry {
    IpAddress address;
    std::uint16_t port = 0;
    Ticks second = 0;
    std::uint32_t count = 0;
  };
  std::uint64_t seed_;
  std::vector<Entry> entries_;
};

/// The screen of one service set, as far as it concerns the beginning of sessions.
class ScreenGuard {
 public:
  /// `capacity`: most sessions at one time. `screen` must outlive the guard.
  ScreenGuard(const Screen& screen, std::uint32_t capacity, std::uint64_t seed);

  /// Takes over what `former`, the guard of the same service set under another configuration, has counted. `former`
  /// counts nothing any more. REQUIRES: can_follow() of both screens.
  void inherit(ScreenGuard& former);
  /// Returns true if a guard of `next` (null: none) can follow one of `before` while sessions live: it counts nothing
  /// that the former one did not count.
  [[nodiscard]] static bool can_follow(const Screen* before, const Screen* next);

  /// Decides whether a session may be set up for this packet, and counts it.
  [[nodiscard]] ScreenDrop admit(const Headers& headers, Ticks now);
  /// Counts a session from `source` to `destination` (of the initiator flow) that began or ended.
  void begin(const IpAddress& source, const IpAddress& destination);
  void end(const IpAddress& source, const IpAddress& destination);
  /// Returns the handshake timeout in force: `seconds`, or that of the screen if it is shorter.
  [[nodiscard]] std::uint32_t open_timeout_s(std::uint32_t seconds) const;
  [[nodiscard]] std::size_t memory() const;

 private:
  [[nodiscard]] ScreenDrop find_flood(const Headers& headers, Ticks now);

  const Screen* screen_;
  std::unique_ptr<AddressCounts> sources_, destinations_;  ///< null where there is no limit
  std::unique_ptr<RateTable> syn_ports_, syn_sources_, syn_destinations_, icmp_, udp_;
};

}  // namespace icr::node
