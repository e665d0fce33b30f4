// The ports of a NAT pool: which (address, protocol, port) is owned by a session. One bit each, allocated at
// construction: 24 KiB an address. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/cluster.h"

namespace icr::node {

class PortPool {
 public:
  struct Binding {
    IpAddress address;
    std::uint16_t port = 0;
  };

  /// `seed` makes the choice of ports unpredictable (RFC 6056), and repeatable where the caller wants it.
  PortPool(const NatPool& pool, std::uint64_t seed);

  /// True for protocols whose port (or ICMP identifier) is translated: TCP, UDP, ICMP. Others share an address by their
  /// flow keys.
  [[nodiscard]] static bool translates_port(std::uint8_t protocol);
  [[nodiscard]] bool contains(const IpAddress& address) const { return index_of(address).has_value(); }
  /// True if a session of that protocol may own this port.
  [[nodiscard]] bool in_range(std::uint16_t port) const { return port >= low_ && port <= high_; }

  /// A free port for a session of `internal`, owned by the caller until release(). Sessions of one host get one address
  /// as long as it has ports (RFC 4787 REQ-2, "paired"). nullopt: the pool has no port left for the protocol. Only if
  /// translates_port().
  [[nodiscard]] std::optional<Binding> allocate(const IpAddress& internal, std::uint8_t protocol);
  /// The address that a host is paired with: for protocols without ports.
  [[nodiscard]] IpAddress paired_address(const IpAddress& internal) const;

  /// Takes this very port, for a session that a peer or a checkpoint says owns it. A port that is already owned gets a
  /// second owner: it is *contested* until one of them releases it, and not free before both did. False: contested now.
  bool claim(const IpAddress& address, std::uint8_t protocol, std::uint16_t port);
  void release(const IpAddress& address, std::uint8_t protocol, std::uint16_t port);

  [[nodiscard]] std::uint64_t in_use() const { return in_use_; }
  /// True when no port of the protocol is left.
  [[nodiscard]] bool exhausted(std::uint8_t protocol) const {
    return translates_port(protocol) &&
           in_use_by_[protocol_index(protocol)] == std::uint64_t{addresses_} * (high_ - low_ + 1);
  }
  /// Ports with more than one owner.
  [[nodiscard]] std::size_t contested() const { return contested_.size(); }

 private:
  [[nodiscard]] std::optional<std::uint32_t> index_of(const IpAddress& address) const;
  [[nodiscard]] IpAddress address_at(std::uint32_t index) const;
  [[nodiscard]] static std::uint32_t protocol_index(std::uint8_t protocol);
  [[nodiscard]] std::optional<std::uint16_t> take_free(std::uint32_t row, std::uint32_t start);

  struct Range {
    std::uint32_t base;  ///< first address, host order
    std::uint32_t count;
    std::uint32_t first;  ///< index of the first address
  };
  std::vector<Range> ranges_;
  std::uint32_t addresses_ = 0;
  std::uint32_t low_, high_;
  std::uint32_t words_;  ///< 64-bit words per row; a row is one (address, protocol)
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> free_;                             ///< per row
  std::unordered_map<std::uint64_t, std::uint32_t> contested_;  ///< row << 16 | port -> owners beyond the first
  std::uint64_t in_use_ = 0;
  std::array<std::uint64_t, 3> in_use_by_{};  ///< per protocol
  std::uint64_t seed_;
  std::uint64_t draws_ = 0;
};

}  // namespace icr::node
