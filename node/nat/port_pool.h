// The ports of a NAT pool: which (address, protocol, port) is owned. One bit each, allocated at construction: 24 KiB an
// address. Ports that are reserved (model/config/reserved_endpoints.h) are never handed out. One thread.
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
  /// Below it are the ports of RFC 4787's range 0-1023.
  static constexpr std::uint16_t kFirstHighPort = 1024;
  struct Binding {
    IpAddress address;
    std::uint16_t port = 0;
  };
  /// Why there is no port.
  enum class Refusal : std::uint8_t { out_of_ports, parity, range };
  /// Ports of an address that may be chosen, both ends included.
  struct Span {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
  };

  /// `seed` makes the choice of ports unpredictable (RFC 6056), and repeatable where the caller wants it.
  PortPool(const NatPool& pool, std::uint64_t seed);

  /// From now on nobody gets these endpoints, of which the pool may have only a part. Once, before the first port is
  /// taken.
  void reserve(const std::vector<ReservedEndpoints>& endpoints);
  /// True if somebody else answers this endpoint: a port of a protocol that has ports here, or any of another protocol.
  [[nodiscard]] bool is_reserved(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// From now on what is released with a time goes to nobody for `duration`, as long as others are left; `most` ports
  /// at a time. Once, after reserve().
  void hold_released(Ticks duration, std::uint32_t most);
  /// Frees what was held for long enough.
  void advance(Ticks now);
  /// Ports that are held.
  [[nodiscard]] std::uint64_t held() const { return hold_ ? hold_->size() : 0; }
  /// Ports that were held and had to go to somebody, or be free, before their time.
  [[nodiscard]] std::uint64_t reused_early() const { return reused_early_; }

  /// True for protocols whose port (or ICMP identifier) is translated: TCP, UDP, ICMP. Others share an address by their
  /// flow keys.
  [[nodiscard]] static bool translates_port(std::uint8_t protocol) {
    return protocol == ip_protocol::tcp || protocol == ip_protocol::udp || protocol == ip_protocol::icmp;
  }
  [[nodiscard]] const AddressList& addresses() const { return addresses_; }
  [[nodiscard]] bool contains(const IpAddress& address) const { return addresses_.index_of(address).has_value(); }
  /// True if a session of that protocol may own this port.
  [[nodiscard]] bool in_range(std::uint16_t port) const { return port >= low_ && port <= high_; }
  [[nodiscard]] Span whole() const { return {static_cast<std::uint16_t>(low_), static_cast<std::uint16_t>(high_)}; }

  /// A free port for a flow of `internal`, which uses port `original` itself; owned by the caller until release().
  /// `nonce` is the flow's own number, not known outside: with the seed it decides where the search begins (RFC 6056
  /// section 3.3.3), unless ports go in sequence.
  /// Sessions of one host get one address as long as it has ports (RFC 4787 REQ-2), unless addresses go round-robin.
  /// nullopt and `why`: no port is left for the protocol, or none that preserves what is to be preserved. Only if
  /// translates_port().
  /// A refusal costs the same however large the pool is, and an address that has no such port costs nothing much.
  [[nodiscard]] std::optional<Binding> allocate(const IpAddress& internal, std::uint8_t protocol,
                                                std::uint16_t original, std::uint64_t nonce, Refusal& why);
  /// The same on the address number `index`, and within `span`.
  [[nodiscard]] std::optional<std::uint16_t> allocate_on(std::uint32_t index, Span span, std::uint8_t protocol,
                                                         std::uint16_t original, std::uint64_t nonce, Refusal& why);

  /// Where allocate() would begin to search: for who asks for memory ahead of it.
  struct Outlook {
    std::uint32_t row = 0;
    std::uint32_t bit = 0;
    BitRows::Parity parity = BitRows::Parity::any;
  };
  /// Asks for what allocate() will read. nullopt: addresses or ports go in turn, or none fits.
  [[nodiscard]] std::optional<Outlook> look_ahead(const IpAddress& internal, std::uint8_t protocol,
                                                  std::uint16_t original, std::uint64_t nonce) const;
  /// What will most likely come of it; a guess.
  [[nodiscard]] Binding likely(const Outlook& outlook) const;
  /// Asks for what release() will read.
  void prefetch(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// The ports of `span` that preserve the range of `original`; nullopt: none does.
  [[nodiscard]] std::optional<Span> preserving(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// True if a port of `span`, taken or not, preserves range and parity of `original`.
  [[nodiscard]] bool fits(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// The parity of ports, counted from the lowest, that goes with `original`.
  [[nodiscard]] BitRows::Parity parity_for(std::uint8_t protocol, std::uint16_t original) const;
  /// Where the search for an address begins for a host.
  [[nodiscard]] std::uint32_t first_index(const IpAddress& internal);
  /// The address that a host's flows without ports get. nullopt: all of them are reserved.
  [[nodiscard]] std::optional<IpAddress> hashed_address(const IpAddress& internal) const;

  /// Takes this very port, for a session that a peer or a checkpoint says owns it. A port that is already owned gets a
  /// second owner: it is *contested* until one of them releases it, and not free before both did. False: contested now.
  bool claim(const IpAddress& address, std::uint8_t protocol, std::uint16_t port);
  /// `held_from`: nobody else shall have the port for a while (hold_released()).
  void release(const IpAddress& address, std::uint8_t protocol, std::uint16_t port,
               std::optional<Ticks> held_from = std::nullopt);
  /// True if somebody owns the port; one that nobody may have is never free, one that is only held is.
  [[nodiscard]] bool owned(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const;

  /// Ports that can be handed out, taken or not.
  [[nodiscard]] std::uint64_t size() const {
    return std::uint64_t{addresses_.size()} * kProtocols * (high_ - low_ + 1) - reserved_;
  }
  [[nodiscard]] std::uint64_t in_use() const { return in_use_; }
  [[nodiscard]] std::uint64_t max_in_use() const { return max_in_use_; }
  [[nodiscard]] std::uint32_t addresses_in_use() const { return addresses_in_use_; }
  /// True when no port of the protocol is left.
  [[nodiscard]] bool exhausted(std::uint8_t protocol) const {
    return translates_port(protocol) && in_use_by_[protocol_index(protocol)] + reserved_by_[protocol_index(protocol)] ==
                                            std::uint64_t{addresses_.size()} * (high_ - low_ + 1);
  }
  /// Ports with more than one owner.
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
  /// The ports of `span` that a flow may have, counted from the lowest of the pool; nullopt: none.
  [[nodiscard]] std::optional<BitRows::Wanted> wanted(Span span, std::uint8_t protocol, std::uint16_t original) const;
  /// Why a flow gets none of the ports that are left; `possible`: wanted() has some.
  [[nodiscard]] Refusal blame(bool possible, std::uint8_t protocol, std::uint16_t original) const;
  /// A number below `count`; each address and protocol draws its own when ports go in sequence.
  [[nodiscard]] std::uint32_t draw(std::uint32_t row, std::uint32_t count, std::uint64_t nonce) const;
  /// A free port of what is wanted, on the address and protocol of `row`.
  [[nodiscard]] std::optional<std::uint16_t> take(std::uint32_t row, const BitRows::Wanted& choice,
                                                  std::uint64_t nonce);
  void taken(std::uint32_t row);
  /// The oldest held port that is wanted, of `row` or, without, of all rows of the protocol.
  [[nodiscard]] std::optional<Binding> take_held(std::optional<std::uint32_t> row, std::uint8_t protocol,
                                                 const BitRows::Wanted& choice);
  [[nodiscard]] std::uint64_t number_of(std::uint32_t row, std::uint32_t bit) const {
    return std::uint64_t{row} * bits_.bits() + bit;
  }
  void reserve_ports(std::uint32_t row, std::uint32_t first, std::uint32_t last);
  /// Reserved ports of one row, counted from low_.
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
