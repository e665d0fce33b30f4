#include "tests/nat_model/nat.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {
namespace {

template <class List>
bool any(const List& list, const IpAddress& address) {
  return list.empty() || std::any_of(list.begin(), list.end(), [&](const auto& r) { return r.contains(address); });
}

bool port_protocol(std::uint8_t protocol) { return protocol == kTcp || protocol == kUdp; }

bool matches(const Application& a, const FlowKey& key) {
  if (a.protocol && *a.protocol != key.protocol) return false;
  if ((a.source_port || a.destination_port) && !port_protocol(key.protocol)) return false;
  if (a.source_port && (key.source_port < a.source_port->low || key.source_port > a.source_port->high)) return false;
  return !a.destination_port ||
         (key.destination_port >= a.destination_port->low && key.destination_port <= a.destination_port->high);
}

bool matches(const Cluster& cluster, const MatchConditions& from, const FlowKey& key,
             std::optional<std::uint16_t>& application) {
  if (!any(from.source_addresses, key.source) || !any(from.destination_addresses, key.destination)) return false;
  if (from.applications.empty()) return true;
  for (const std::uint16_t index : from.applications) {
    if (!matches(cluster.applications[index], key)) continue;
    application = index;
    return true;
  }
  return false;
}

bool on_side(MatchDirection direction, bool inside) {
  switch (direction) {
    case MatchDirection::input:
      return inside;
    case MatchDirection::output:
      return !inside;
    case MatchDirection::input_output:
      return true;
  }
  return false;
}

/// Protocols whose port or identifier is part of the translation.
bool translated_by_port(std::uint8_t protocol) { return protocol == kTcp || protocol == kUdp || protocol == kIcmp; }

std::vector<IpAddress> addresses_of(const NatPool& pool) {
  std::vector<IpAddress> out;
  for (const auto& range : pool.addresses) {
    for (std::uint32_t v4 = range.low.to_v4(); range.contains(IpAddress::v4(v4)); ++v4) {
      out.push_back(IpAddress::v4(v4));
    }
  }
  return out;
}

bool contains(const NatPool& pool, const IpAddress& address) {
  const auto all = addresses_of(pool);
  return std::find(all.begin(), all.end(), address) != all.end();
}

}  // namespace

FirewallWord firewall(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside) {
  FirewallWord word;
  const ServiceSet& set = cluster.service_sets[service_set];
  if (set.firewall_rules.empty()) return word;
  std::uint16_t ordinal = 0;
  for (const std::uint16_t rule : set.firewall_rules) {
    for (const FirewallTerm& term : cluster.firewall_rules[rule].terms) {
      ++ordinal;
      if (!on_side(cluster.firewall_rules[rule].direction, inside)) continue;
      if (!matches(cluster, term.from, key, word.application)) continue;
      word.action = term.then;
      word.policy = ordinal;
      return word;
    }
  }
  word.action = FirewallAction::discard;
  return word;
}

NatWord nat_rule(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside) {
  NatWord word;
  if (!key.source.is_v4()) return word;
  for (const std::uint16_t rule : cluster.service_sets[service_set].nat_rules) {
    if (!on_side(cluster.nat_rules[rule].direction, inside)) continue;
    for (const NatTerm& term : cluster.nat_rules[rule].terms) {
      if (!matches(cluster, term.from, key, word.application)) continue;
      if (term.type != NatType::none) word.term = &term;
      return word;
    }
  }
  return word;
}

bool Nat::is_pool_address(std::uint16_t service_set, const IpAddress& address) const {
  for (const std::uint16_t rule : cluster_.service_sets[service_set].nat_rules) {
    for (const NatTerm& term : cluster_.nat_rules[rule].terms) {
      for (const std::uint16_t pool : term.source_pools) {
        if (contains(cluster_.nat_pools[pool], address)) return true;
      }
    }
  }
  return false;
}

bool Nat::has_free_port(const NatPool& pool, std::uint8_t protocol) const {
  for (const IpAddress& address : addresses_of(pool)) {
    for (std::uint32_t port = pool.port_low; port <= pool.port_high; ++port) {
      if (ports_.count({address, protocol, static_cast<std::uint16_t>(port)}) == 0) return true;
    }
  }
  return false;
}

std::optional<NatRefusal> Nat::refusal(const NatTerm& term, const FlowKey& key) const {
  if (!translated_by_port(key.protocol)) return std::nullopt;
  if (has_free_port(cluster_.nat_pools[term.source_pools.front()], key.protocol)) return std::nullopt;
  return NatRefusal{Drop::out_of_ports, true};
}

std::string Nat::take(const NatTerm& term, const FlowKey& key, const FlowKey& egress, Translation& out) {
  const NatPool& pool = cluster_.nat_pools[term.source_pools.front()];
  out.type = NatType::napt44;
  out.pool = term.source_pools.front();
  if (!contains(pool, egress.source)) return "the source is no address of the pool";
  if (egress.destination != key.destination) return "the destination was changed";
  if (!translated_by_port(key.protocol)) return {};
  if (key.protocol != kIcmp && egress.destination_port != key.destination_port) return "the server's port was changed";
  if (egress.source_port < pool.port_low || egress.source_port > pool.port_high) return "the port is out of range";
  out.port = OwnedPort{egress.source, key.protocol, egress.source_port};
  if (!ports_.insert(*out.port).second) return "a port with two owners";
  return {};
}

void Nat::release(const Translation& translation) {
  if (translation.port) ports_.erase(*translation.port);
}

}  // namespace icr::node::test::nat_model
