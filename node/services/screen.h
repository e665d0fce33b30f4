// What a service set refuses before a session begins: floods, too many sessions of one address, odd packets.
// Junos' `services screen ids-option` and `nat-options max-sessions-per-subscriber`.
//
// Numbers of sessions are exact, in tables that hold every address of a full session table, so they never run out of
// room; the owner reports each session that begins and ends, also those that a peer brought. Rates are counted per
// second in small tables: where more addresses are busy in one second than they hold, the least busy are forgotten, so
// that a flood stays counted whatever else the sender tries. Hashes are keyed. No time, no I/O, no allocation after
// construction; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "model/cluster.h"
#include "model/counters.h"
#include "node/packet/headers.h"

namespace icr::node {

/// Why a screen refuses a packet.
enum class ScreenDrop : std::uint8_t {
  syn_flood,              ///< attack-threshold: SYNs to one address and port
  syn_flood_source,       ///< source-threshold
  syn_flood_destination,  ///< destination-threshold
  icmp_flood,
  udp_flood,
  source_session_limit,
  destination_session_limit,
  subscriber_session_limit,  ///< nat-options max-sessions-per-subscriber
  tcp_winnuke,
  tcp_syn_fragment,
  icmp_fragment,
  icmp_large,
  ip_bad_option,
  ip_source_route,
  ip_block_fragment,
  ip_unknown_protocol,
  count,  ///< none: the packet may pass
};
/// Names as the CLI shows them.
[[nodiscard]] std::string_view to_string(ScreenDrop reason);

/// Number of sessions of each address, exact.
class AddressCounts {
 public:
  /// `capacity`: most addresses with a count at one time.
  AddressCounts(std::uint32_t capacity, std::uint64_t seed);
  [[nodiscard]] std::uint32_t of(const IpAddress& address) const;
  void add(const IpAddress& address);
  /// Takes one back; an address without a count stays without.
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
  /// Where the address is, or the free entry where it would be.
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

/// The screen and the per-address limits of one service set.
class ScreenGuard {
 public:
  /// `capacity`: most sessions at one time.
  ScreenGuard(const Cluster& cluster, std::uint16_t service_set, std::uint32_t capacity, std::uint64_t seed);

  /// True if check() can say anything but count.
  [[nodiscard]] bool checks_packets() const { return checks_packets_; }
  /// Checks one packet, of a session or not. The reason is counted.
  [[nodiscard]] ScreenDrop check(const Headers& headers);
  /// Before a session is set up for this packet: rates and numbers of sessions. The reason is counted.
  [[nodiscard]] ScreenDrop admit(const Headers& headers, bool inside, Ticks now);

  /// A session began or ended. `subscriber` is its inside address.
  void begin(const IpAddress& source, const IpAddress& destination, const IpAddress& subscriber);
  void end(const IpAddress& source, const IpAddress& destination, const IpAddress& subscriber);

  /// The handshake timeout in force: the service set's, or the screen's if that is shorter.
  [[nodiscard]] std::uint32_t open_timeout_s() const { return open_timeout_s_; }
  [[nodiscard]] std::uint64_t drops(ScreenDrop reason) const { return drops_[static_cast<std::size_t>(reason)]; }
  /// Every counter, zero or not, in the order of ScreenDrop.
  void append_to(CounterList& out) const;
  [[nodiscard]] std::size_t memory() const;

 private:
  [[nodiscard]] ScreenDrop find_anomaly(const Headers& headers) const;
  [[nodiscard]] ScreenDrop find_flood(const Headers& headers, Ticks now);
  [[nodiscard]] ScreenDrop find_limit(const FlowKey& key, bool inside) const;
  ScreenDrop counted(ScreenDrop reason) {
    if (reason != ScreenDrop::count) ++drops_[static_cast<std::size_t>(reason)];
    return reason;
  }

  const Screen* screen_ = nullptr;  ///< null: none
  bool checks_packets_ = false;
  std::uint32_t open_timeout_s_;
  std::uint32_t per_subscriber_;
  std::unique_ptr<AddressCounts> sources_, destinations_, subscribers_;  ///< null where there is no limit
  std::unique_ptr<RateTable> syn_ports_, syn_sources_, syn_destinations_, icmp_, udp_;
  std::array<std::uint64_t, static_cast<std::size_t>(ScreenDrop::count)> drops_{};
};

}  // namespace icr::node
