// The rules of a service set, read once more: terms in order, the first match decides.
#pragma once

#include <optional>
#include <vector>

#include "model/config/cluster.h"

namespace icr::node::test::nat_model {

struct FirewallWord {
  FirewallAction action = FirewallAction::accept;
  std::optional<std::uint16_t> application;
};
struct NatWord {
  const NatTerm* term = nullptr;  ///< that translates; none: not translated
  std::optional<std::uint16_t> application;
};
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kTimestampRequest = 13;
/// `query` is the type of an ICMPv4 query that begins a session, of code 0.
[[nodiscard]] FirewallWord firewall(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside,
                                    std::uint8_t query = kEchoRequest);
[[nodiscard]] NatWord nat_rule(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside);

/// Tells whether destination rules of any service set answer an endpoint.
struct Answered {
  bool named = false;  ///< by its port
  bool whole = false;  ///< as they do every port of the address
};
/// Protocols without ports are one protocol here. `port` nullopt: any port that a rule may name.
[[nodiscard]] Answered answered(const Cluster& cluster, const IpAddress& address, std::uint8_t protocol,
                                std::optional<std::uint16_t> port);

/// True if the cluster file says that an address is inside: a rule for packets from outside sends them there, or one
/// for packets from inside names it as a source.
[[nodiscard]] bool lies_inside(const Cluster& cluster, std::uint16_t service_set, const IpAddress& address);

/// Every NAT term of a service set.
[[nodiscard]] std::vector<const NatTerm*> nat_terms(const Cluster& cluster, std::uint16_t service_set);
[[nodiscard]] bool holds(const AddressRange& range, const IpAddress& address);
[[nodiscard]] bool holds(const NatPool& pool, const IpAddress& address);
/// Every address of an IPv4 pool, in order.
[[nodiscard]] std::vector<IpAddress> addresses_of(const std::vector<AddressRange>& ranges);

}  // namespace icr::node::test::nat_model
