// Outer endpoints that have an owner already: what the destination rules of the cluster answer, and the addresses of
// the chassis themselves. No pool that shares such an address may hand them out, or a caller would reach whoever
// happens to have the port (the kind of CVE-2021-3773). All of it follows from the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/cluster.h"

namespace icr {

/// How a pool tells its ports apart. `other`: protocols without ports, whose sessions share the address as it is.
enum class EndpointProtocol : std::uint8_t { tcp, udp, icmp, other };
inline constexpr std::size_t kEndpointProtocols = 4;

/// Endpoints of a pool that somebody else answers.
struct ReservedEndpoints {
  std::uint32_t low = 0, high = 0;  ///< addresses, host order, both included; all of them are in one pool
  EndpointProtocol protocol = EndpointProtocol::tcp;
  std::optional<PortRange> ports;     ///< as the rule names them; nullopt: whatever port there is
  std::optional<std::uint16_t> rule;  ///< index into Cluster::nat_rules; nullopt: it is an address of a chassis
  std::uint16_t term = 0;             ///< index into the rule's terms

  friend bool operator==(const ReservedEndpoints&, const ReservedEndpoints&) = default;
};

/// What is reserved in one pool.
struct PoolReservations {
  /// Never handed out. Ports that a rule names are here whatever they leave of the pool. An address of which a rule
  /// answers every port is here if the pool has others.
  std::vector<ReservedEndpoints> reserved;
  /// Every port of every address of the pool is answered for the protocol. A rule like that means what nobody else
  /// has (an exposed host), so the pool hands out ports as if there were none.
  std::vector<ReservedEndpoints> shared;
};

/// By pool (Cluster::nat_pools). Rules that no service set uses reserve nothing, and nothing is reserved in pools that
/// no session gets a port or an address from.
[[nodiscard]] std::vector<PoolReservations> reserved_endpoints(const Cluster& cluster);

}  // namespace icr
