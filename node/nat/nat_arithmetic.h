// Translations that need no state: one address is computed from another, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/config/cluster.h"
#include "node/nat/address_list.h"

namespace icr::node {

/// Host n of `from` is host n of `to`; the lengths are equal. `address` lies in `from`.
[[nodiscard]] IpAddress map_prefix(const IpAddress& address, const Prefix& from, const Prefix& to);

/// NPTv6 (RFC 6296): the address in `to` for one in `from`, with the same sum for checksums. The lengths are equal, at
/// most 64. nullopt: RFC 6296 has it dropped (a subnet or an interface identifier of all ones, which one's complement
/// could not restore; the subnet-router anycast address where the identifier would be changed).
[[nodiscard]] std::optional<IpAddress> map_nptv6(const IpAddress& address, const Prefix& from, const Prefix& to);

/// What a static term translates from: the one prefix in from.source_addresses.
[[nodiscard]] std::optional<Prefix> static_source(const NatTerm& term);

/// The internal address behind an external one, or the other way round, by a term of basic_nat44, twice_basic_nat44 or
/// nptv6. nullopt: not one of its addresses.
[[nodiscard]] std::optional<IpAddress> static_external(const NatTerm& term, const IpAddress& internal);
[[nodiscard]] std::optional<IpAddress> static_internal(const NatTerm& term, const IpAddress& external);

/// True if NAT64 may translate to or from the IPv4 address (host order) by this prefix: never if no packet may have it
/// as destination (RFC 1122 section 3.2.1.3); by the well-known prefix not if it is private (RFC 6052 section 3.1).
[[nodiscard]] bool nat64_may_embed(const Prefix& prefix, std::uint32_t v4);

/// Where a term of destination NAT sends its packets.
class DestinationMap {
 public:
  DestinationMap(const Cluster& cluster, const NatTerm& term);
  struct Target {
    IpAddress address;
    std::uint16_t port = 0;
  };
  /// Translates a packet with this key. Returns nullopt if the term does not determine the result, or translates a port
  /// that the protocol does not have. REQUIRES: the key matches the term.
  [[nodiscard]] std::optional<Target> operator()(const FlowKey& key) const;

 private:
  [[nodiscard]] std::optional<IpAddress> address_for(const IpAddress& destination) const;

  std::optional<PortRange> from_ports_;  ///< if to_ports_ is a range
  std::optional<PortRange> to_ports_;
  std::optional<Prefix> from_prefix_;
  std::optional<Prefix> to_prefix_;
  AddressList from_;
  AddressList to_;
};

/// The ranges of ports that arithmetic gives to the hosts of a deterministic pool (RFC 7422).
class DeterministicBlocks {
 public:
  struct Block {
    std::uint32_t external = 0;  ///< host order
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::uint32_t number = 0;  ///< of the host
  };
  DeterministicBlocks(const NatPool& pool, const NatTerm& term);

  /// nullopt: the host is not one of the term's, or the pool has no block for it.
  [[nodiscard]] std::optional<Block> of_host(const IpAddress& internal) const;
  /// The host that owns a port.
  [[nodiscard]] std::optional<std::uint32_t> host_of(const IpAddress& external, std::uint16_t port) const;
  [[nodiscard]] std::uint32_t hosts() const { return hosts_.size(); }
  /// `number` is below hosts(); host order.
  [[nodiscard]] std::uint32_t host(std::uint32_t number) const { return hosts_.at(number); }
  [[nodiscard]] std::uint32_t block_size() const { return block_size_; }

 private:
  AddressList hosts_;
  AddressList addresses_;
  std::uint16_t low_;
  std::uint32_t block_size_;
  std::uint32_t per_address_;  ///< blocks of one address
};

}  // namespace icr::node
