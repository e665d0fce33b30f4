// The ports of a NAT pool, with one bit for each (address, protocol, port) that says whether it is owned. The bits are
// allocated at construction: 24 KiB for an address. Reserved ports (model/config/reserved_endpoints.h) are never handed
// out. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/reserved_endpoints.h"
#include "node/nat/address_list.h"
#include "node/nat/bit_rows.h"
#include "node/nat/reuse_hold.h"

namespace icr::node {

class PortPool {
 public:
  /// First port above the range 0-1023 of RFC 4787.
  static constexpr std::uint16_t kFirstHighPort = 1024;
  struct ExternalEndpoint {
    IpAddress address;
    std::uint16_t port = 0;
  };
  /// The reason why there is no port.
  enum class Refusal : std::uint8_t { out_of_ports, parity, range };
  /// The ports of an address that may be chosen, from the first to the last, both included.
  struct Span {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
  };

  /// `seed` makes the choice of ports unpredictable (RFC 6056); the same seed gives the same choice.
  PortPool(const NatPool& pool, std::uint64_t seed);

  /// Reserves endpoints, which nobody gets from now on; the pool may contain only some of them. REQUIRES: called once,
  /// before the first port is allocated.
  void reserve(const std::vector<ReservedEndpoints>& endpoints);
  /// Returns true if the endpoint is reserved: a port of a protocol that has ports here, or the address for another
  /// protocol.
  [[nodiscard]] bool is_reserved(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// Holds ports that are released with a time for `duration`, as long as other ports are left. At most `most` ports
  /// are held at a time. REQUIRES: called once, after reserve().
  void hold_released(Ticks duration, std::uint32_t most);
  /// Changes the time of hold_released(), also for the ports that are held.
  void set_hold(Ticks duration) {
    if (hold_) hold_->set_duration(duration);
  }
  /// Takes from another configuration of the pool how ports are chosen from now on. REQUIRES: its addresses, ports and
  /// assignment are those of the pool.
  void take(const NatPool& pool) {
    preserve_parity_ = pool.preserve_parity;
    preserve_range_ = pool.preserve_range;
    round_robin_ = pool.round_robin;
  }
  /// Frees the ports whose time is over.
  void advance(Ticks now);
  /// Returns the number of held ports.
  [[nodiscard]] std::uint64_t held() const { return hold_ ? hold_->size() : 0; }
  /// Returns the number of ports that were allocated or freed before their time was over.
  [[nodiscard]] std::uint64_t reused_early() const { return reused_early_; }

  /// Returns true for protocols whose port (or ICMP identifier) is translated: TCP, UDP, ICMP. Sessions of other
  /// protocols share an address, and differ in their flow keys.
  [[nodiscard]] static bool translates_port(std::uint8_t protocol) {
    return protocol == ip_protocol::tcp || protocol == ip_protocol::udp || protocol == ip_protocol::icmp;
  }
  [[nodiscard]] const AddressList& addresses() const { return addresses_; }
  [[nodiscard]] bool contains(const IpAddress& address) const { return addresses_.index_of(address).has_value(); }
  /// Returns true if a session of that protocol may own this port.
  [[nodiscard]] bool in_range(std::uint16_t port) const { return port >= low_ && port <= high_; }
  [[nodiscard]] Span whole() const { return {static_cast<std::uint16_t>(low_), static_cast<std::uint16_t>(high_)}; }

  /// Allocates a free port for a flow of `internal`, whose own port is `original`. The caller owns it until release().
  /// `nonce` is a secret number of the flow; together with the seed it determines where the search begins (RFC 6056
  /// section 3.3.3), unless ports are allocated in sequence. Sessions of one host get one address while that has ports
  /// (RFC 4787 REQ-2), unless addresses are allocated round-robin. Returns nullopt and sets `why` if no port is left
  /// for the protocol, or none with the parity and range to be preserved. A refusal takes constant time regardless of
  /// the size of the pool; exhausted addresses are skipped cheaply. REQUIRES: translates_port().
  [[nodiscard]] std::optional<ExternalEndpoint> allocate(const IpAddress& internal, std::uint8_t protocol,
                                                         std::uint16_t original, std::uint64_t nonce, Refusal& why);
  /// Allocates a free port on the address number `index`, within `span`.
  [[nodiscard]] std::optional<std::uint16_t> allocate_on(std::uint32_t index, Span span, std::uint8_t protocol,
                                                         std::uint16_t original, std::uint64_t nonce, Refusal& why);

  /// The place where allocate() would begin to search, for prefetching.
  struct PredictedPort {
    std::uint32_t row = 0;
    std::uint32_t bit = 0;
    BitRows::Parity parity = BitRows::Parity::any;
  };
  /// Prefetches what allocate() will read. Returns nullopt if addresses or ports are allocated in sequence, or if no
  /// port is suitable.
  [[nodiscard]] std::optional<PredictedPort> look_ahead(const IpAddress& internal, std::uint8_t protocol,
                                                        std::uint16_t original, std::uint64_t nonce) const;
  /// Returns the endpoint that allocate() will most likely return.
  [[nodiscard]] ExternalEndpoint likely(const PredictedPort& predicted) const;
  /// Prefetches what release() will read.
  void prefetch(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// Returns the ports of `span` that preserve the range of `original`, or nullopt.
  [[nodiscard]] std::optional<Span> preserving(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// Returns true if a port of `span`, allocated or not, preserves the range and parity of `original`.
  [[nodiscard]] bool fits(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// Returns the parity of port numbers, counted from the lowest port of the pool, that preserves the parity of
  /// `original`.
  [[nodiscard]] BitRows::Parity parity_for(std::uint8_t protocol, std::uint16_t original) const;
  /// Returns the address at which the search for a host begins.
  [[nodiscard]] std::uint32_t first_index(const IpAddress& internal);
  /// Returns the address for flows without ports of a host, or nullopt if all addresses are reserved.
  [[nodiscard]] std::optional<IpAddress> hashed_address(const IpAddress& internal) const;

  /// Allocates exactly this port, because a record says that a session owns it. A port that is owned already gets a
  /// second owner: it is *contested* until one owner releases it, and free when both have. Returns false if the port is
  /// contested now.
  bool claim(const IpAddress& address, std::uint8_t protocol, std::uint16_t port);
  /// Releases a port. With `held_from`, no other host gets the port for a while (hold_released()).
  void release(const IpAddress& address, std::uint8_t protocol, std::uint16_t port,
               std::optional<Ticks> held_from = std::nullopt);
  /// Returns true if somebody owns the port. A reserved port is never free, and a port that is only held is free.
  [[nodiscard]] bool owned(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// Returns the number of ports that can be allocated, including allocated ones.
  [[nodiscard]] std::uint64_t size() const {
    return std::uint64_t{addresses_.size()} * kProtocols * (high_ - low_ + 1) - reserved_;
  }
  [[nodiscard]] std::uint64_t in_use() const { return in_use_; }
  [[nodiscard]] std::uint64_t max_in_use() const { return max_in_use_; }
  [[nodiscard]] std::uint32_t addresses_in_use() const { return addresses_in_use_; }
  /// Returns true if no port of the protocol is left.
  [[nodiscard]] bool exhausted(std::uint8_t protocol) const {
    return translates_port(protocol) && in_use_by_[protocol_index(protocol)] + reserved_by_[protocol_index(protocol)] ==
                                            std::uint64_t{addresses_.size()} * (high_ - low_ + 1);
  }
  /// Returns the number of ports with more than one owner.
  [[nodiscard]] std::size_t contested() const { return contested_.size(); }

 private:
  static constexpr std::uint32_t kProtocols = 3;

  [[nodiscard]] static std::uint32_t protocol_index(std::uint8_t protocol) {
    return protocol == ip_protocol::tcp ? 0 : protocol == ip_protocol::udp ? 1 : 2;
  }
  [[nodiscard]] std::uint64_t hash(const IpAddress& internal) const;
  [[nodiscard]] std::uint32_t hashed_index(const IpAddress& internal) const {
    return static_cast<std::uint32_t>(hash(internal) % addresses_.size());
  }
  /// Returns the ports of `span` that a flow may have, counted from the lowest port of the pool, or nullopt.
  [[nodiscard]] std::optional<BitRows::Wanted> wanted(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// Returns why a flow gets none of the ports that are left. `possible` is true if wanted() returned some.
  [[nodiscard]] Refusal blame(bool possible, std::uint8_t protocol, std::uint16_t original) const;
  /// Returns a number below `count` at which a search begins. With ports in sequence, each address and protocol has its
  /// own sequence.
  [[nodiscard]] std::uint32_t draw(std::uint32_t row, std::uint32_t count, std::uint64_t nonce) const;
  /// Allocates a free port among those that are wanted, on the address and protocol of `row`.
  [[nodiscard]] std::optional<std::uint16_t> take(std::uint32_t row, const BitRows::Wanted& choice,
                                                  std::uint64_t nonce);
  void taken(std::uint32_t row);
  /// Allocates the oldest held port that is wanted, on `row`, or on any row of the protocol if there is no `row`.
  [[nodiscard]] std::optional<ExternalEndpoint> take_held(std::optional<std::uint32_t> row, std::uint8_t protocol,
                                                          const BitRows::Wanted& choice);
  [[nodiscard]] std::uint64_t number_of(std::uint32_t row, std::uint32_t bit) const {
    return std::uint64_t{row} * bits_.bits() + bit;
  }
  void reserve_ports(std::uint32_t row, std::uint32_t first, std::uint32_t last);
  /// The reserved ports of one row, counted from low_.
  struct Reserved {
    std::uint32_t row, first, last;
    [[nodiscard]] bool before(const Reserved& other) const {
      return row != other.row ? row < other.row : first < other.first;
    }
  };

  AddressList addresses_;
  std::uint32_t low_, high_;
  bool preserve_parity_, preserve_range_, round_robin_;
  BitRows bits_;                         ///< a row is one (address, protocol), a group one protocol
  std::vector<std::uint32_t> owned_on_;  ///< by address: how many ports
  std::vector<std::uint16_t> next_;      ///< by row, when ports go in sequence: what was last given, from low_, plus 1
  std::unordered_map<std::uint64_t, std::uint32_t> contested_;  ///< row << 16 | port -> owners beyond the first
  std::vector<Reserved> reserved_ports_;                        ///< sorted; they do not overlap
  std::vector<std::uint8_t> reserved_portless_;                 ///< by address: other protocols are; empty if none is
  std::array<std::uint64_t, kProtocols> reserved_by_{};
  std::optional<ReuseHold> hold_;       ///< of numbers that number_of() makes; their bits are taken
  std::vector<std::uint32_t> held_on_;  ///< by address: how many; empty without hold_
  std::uint64_t reused_early_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t in_use_ = 0;
  std::uint64_t max_in_use_ = 0;
  std::array<std::uint64_t, kProtocols> in_use_by_{};
  std::uint32_t addresses_in_use_ = 0;
  std::uint32_t next_address_ = 0;  ///< round-robin
  std::uint64_t seed_;
};

}  // namespace icr::node
