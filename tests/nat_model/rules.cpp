#include "tests/nat_model/rules.h"

#include <algorithm>

#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {
namespace {

bool any_holds(const std::vector<AddressRange>& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return holds(r, address); });
}

bool port_protocol(std::uint8_t protocol) { return protocol == kTcp || protocol == kUdp; }

bool side_matches(const std::vector<AddressRange>& in, const std::vector<AddressRange>& except,
                  const std::vector<PortRange>& ports, const IpAddress& address, std::uint16_t port,
                  std::uint8_t protocol) {
  if (any_holds(except, address)) return false;
  if (!in.empty() && !any_holds(in, address)) return false;
  if (ports.empty()) return true;
  return port_protocol(protocol) &&
         std::any_of(ports.begin(), ports.end(), [&](const PortRange& p) { return p.low <= port && port <= p.high; });
}

bool matches(const Application& a, const FlowKey& key) {
  if (a.protocol && *a.protocol != key.protocol) return false;
  if ((a.source_port || a.destination_port) && !port_protocol(key.protocol)) return false;
  if (a.source_port && (key.source_port < a.source_port->low || key.source_port > a.source_port->high)) return false;
  if (a.destination_port &&
      (key.destination_port < a.destination_port->low || key.destination_port > a.destination_port->high)) {
    return false;
  }
  // Only echo requests begin sessions, with code 0.
  if (a.icmp_type && *a.icmp_type != (key.protocol == kIcmp6 ? 128 : 8)) return false;
  return !a.icmp_code || *a.icmp_code == 0;
}

bool matches(const Cluster& cluster, const MatchConditions& from, const FlowKey& key,
             std::optional<std::uint16_t>& application) {
  if (!side_matches(from.source_addresses, from.source_except, from.source_ports, key.source, key.source_port,
                    key.protocol) ||
      !side_matches(from.destination_addresses, from.destination_except, from.destination_ports, key.destination,
                    key.destination_port, key.protocol)) {
    return false;
  }
  if (from.applications.empty()) return true;
  for (const std::uint16_t index : from.applications) {
    if (!matches(cluster.applications[index], key)) continue;
    application = index;
    return true;
  }
  return false;
}

bool on_side(MatchDirection direction, bool inside) {
  return direction == MatchDirection::input_output || (direction == MatchDirection::input) == inside;
}

/// A term that translates is for packets of its family.
bool of_family(NatType type, bool v4) {
  if (type == NatType::none) return true;
  return v4 == (type != NatType::stateful_nat64 && type != NatType::nptv6);
}

}  // namespace

bool holds(const AddressRange& range, const IpAddress& address) {
  return range.low.is_v4() == address.is_v4() && range.low <= address && address <= range.high;
}

bool holds(const NatPool& pool, const IpAddress& address) { return any_holds(pool.addresses, address); }

std::vector<IpAddress> addresses_of(const std::vector<AddressRange>& ranges) {
  std::vector<IpAddress> out;
  for (const AddressRange& r : ranges) {
    for (std::uint32_t a = r.low.to_v4(); a <= r.high.to_v4(); ++a) out.push_back(IpAddress::v4(a));
  }
  return out;
}

std::vector<const NatTerm*> nat_terms(const Cluster& cluster, std::uint16_t service_set) {
  std::vector<const NatTerm*> out;
  for (const std::uint16_t rule : cluster.service_sets[service_set].nat_rules) {
    for (const NatTerm& term : cluster.nat_rules[rule].terms) out.push_back(&term);
  }
  return out;
}

FirewallWord firewall(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside) {
  FirewallWord word;
  const ServiceSet& set = cluster.service_sets[service_set];
  if (set.firewall_rules.empty()) return word;
  for (const std::uint16_t rule : set.firewall_rules) {
    if (!on_side(cluster.firewall_rules[rule].direction, inside)) continue;
    for (const FirewallTerm& term : cluster.firewall_rules[rule].terms) {
      if (!matches(cluster, term.from, key, word.application)) continue;
      word.action = term.then;
      return word;
    }
  }
  word.action = FirewallAction::discard;
  return word;
}

NatWord nat_rule(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside) {
  NatWord word;
  for (const std::uint16_t rule : cluster.service_sets[service_set].nat_rules) {
    if (!on_side(cluster.nat_rules[rule].direction, inside)) continue;
    for (const NatTerm& term : cluster.nat_rules[rule].terms) {
      if (!of_family(term.type, key.source.is_v4()) || !matches(cluster, term.from, key, word.application)) continue;
      if (term.type != NatType::none) word.term = &term;
      return word;
    }
  }
  return word;
}

}  // namespace icr::node::test::nat_model
