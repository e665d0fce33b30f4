// Finds external endpoints that already have an owner: those that destination rules of the cluster answer, and the
// addresses of the chassis themselves. No pool that contains such an address may hand them out; otherwise a caller
// would reach whichever host has the port (as in CVE-2021-3773). The result depends on the configuration alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/config/cluster.h"

namespace icr {

/// The kinds of ports in a pool. `other` are protocols without ports, whose sessions share the address.
enum class EndpointProtocol : std::uint8_t { tcp, udp, icmp, other };
inline constexpr std::size_t kEndpointProtocols = 4;

/// Endpoints of a pool that somebody else answers.
struct ReservedEndpoints {
  std::uint32_t low = 0, high = 0;  ///< addresses, host order, both included; all of them are in one pool
  EndpointProtocol protocol = EndpointProtocol::tcp;
  std::optional<PortRange> ports;     ///< as the rule names them; nullopt for every port
  std::optional<std::uint16_t> rule;  ///< index into Cluster::nat_rules; nullopt for an address of a chassis
  std::uint16_t term = 0;             ///< index into the rule's terms

  friend bool operator==(const ReservedEndpoints&, const ReservedEndpoints&) = default;
};

/// What is reserved in one pool.
struct PoolReservations {
  /// Endpoints that are never handed out. Ports that a rule names are here even if the pool has no others. An address
  /// of which a rule answers every port is here if the pool has other addresses.
  std::vector<ReservedEndpoints> reserved;
  /// Endpoints of rules that together answer every port of every address of the pool for a protocol. Such a rule is
  /// meant for packets of no other session (an exposed host), so the pool hands out ports as if there were no rule.
  std::vector<ReservedEndpoints> shared;
};

/// Returns the reservations of each pool (Cluster::nat_pools). Rules that no service set uses reserve nothing, and
/// nothing is reserved in pools from which no session gets a port or an address.
[[nodiscard]] std::vector<PoolReservations> reserved_endpoints(const Cluster& cluster);

}  // namespace icr
