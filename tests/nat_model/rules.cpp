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

bool matches(const Application& a, const FlowKey& key, std::uint8_t query) {
  if (a.protocol && *a.protocol != key.protocol) return false;
  if ((a.source_port || a.destination_port) && !port_protocol(key.protocol)) return false;
  if (a.source_port && (key.source_port < a.source_port->low || key.source_port > a.source_port->high)) return false;
  if (a.destination_port &&
      (key.destination_port < a.destination_port->low || key.destination_port > a.destination_port->high)) {
    return false;
  }
  if (a.icmp_type && *a.icmp_type != (key.protocol == kIcmp6 ? 128 : query)) return false;
  return !a.icmp_code || *a.icmp_code == 0;
}

bool matches(const Cluster& cluster, const MatchConditions& from, const FlowKey& key,
             std::optional<std::uint16_t>& application, std::uint8_t query = kEchoRequest) {
  if (!side_matches(from.source_addresses, from.source_except, from.source_ports, key.source, key.source_port,
                    key.protocol) ||
      !side_matches(from.destination_addresses, from.destination_except, from.destination_ports, key.destination,
                    key.destination_port, key.protocol)) {
    return false;
  }
  if (from.applications.empty()) return true;
  for (const std::uint16_t index : from.applications) {
    if (!matches(cluster.applications[index], key, query)) continue;
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

Answered answered(const Cluster& cluster, const IpAddress& address, std::uint8_t protocol,
                  std::optional<std::uint16_t> port) {
  const bool with_ports = port_protocol(protocol), echo = protocol == kIcmp;
  Answered out;
  static const Application kAny{};
  const auto note = [&](const MatchConditions& from, const Application& application) {
    const std::optional<std::uint8_t>& wanted = application.protocol;
    if (wanted && (with_ports || echo ? *wanted != protocol : port_protocol(*wanted) || *wanted == kIcmp)) return;
    const std::optional<PortRange>& narrowed = application.destination_port;
    if (!with_ports) {
      const bool about_ports =
          !from.source_ports.empty() || !from.destination_ports.empty() || narrowed || application.source_port;
      out.whole = out.whole || !about_ports;
      return;
    }
    if (from.destination_ports.empty() && !narrowed) {
      out.whole = true;
      return;
    }
    std::vector<PortRange> ranges = from.destination_ports;
    if (ranges.empty()) ranges.push_back({1, 65535});
    const PortRange limit = narrowed.value_or(PortRange{1, 65535});
    const bool fits = std::any_of(ranges.begin(), ranges.end(), [&](const PortRange& p) {
      const int low = std::max(p.low, limit.low);
      const int high = std::min(p.high, limit.high);
      return port ? low <= *port && *port <= high : low <= high;
    });
    out.named = out.named || fits;
  };
  for (std::uint16_t s = 0; s < cluster.service_sets.size(); ++s) {
    for (const NatTerm* term : nat_terms(cluster, s)) {
      const bool rule = term->destination_pool || (term->destination_prefix && term->type != NatType::stateful_nat64);
      const MatchConditions& from = term->from;
      if (!rule || !any_holds(from.destination_addresses, address) || any_holds(from.destination_except, address)) {
        continue;
      }
      if (from.applications.empty()) note(from, kAny);
      for (const std::uint16_t a : from.applications) note(from, cluster.applications[a]);
    }
  }
  return out;
}

bool lies_inside(const Cluster& cluster, std::uint16_t service_set, const IpAddress& address) {
  for (const std::uint16_t index : cluster.service_sets[service_set].nat_rules) {
    const NatRule& rule = cluster.nat_rules[index];
    for (const NatTerm& term : rule.terms) {
      if (rule.direction == MatchDirection::input) {
        if (any_holds(term.from.source_addresses, address)) return true;
      } else if (term.destination_pool) {
        if (holds(cluster.nat_pools[*term.destination_pool], address)) return true;
      } else if (term.destination_prefix) {
        if (holds(AddressRange::of(*term.destination_prefix), address)) return true;
      }
    }
  }
  return false;
}

std::vector<const NatTerm*> nat_terms(const Cluster& cluster, std::uint16_t service_set) {
  std::vector<const NatTerm*> out;
  for (const std::uint16_t rule : cluster.service_sets[service_set].nat_rules) {
    for (const NatTerm& term : cluster.nat_rules[rule].terms) out.push_back(&term);
  }
  return out;
}

FirewallWord firewall(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside,
                      std::uint8_t query) {
  FirewallWord word;
  const ServiceSet& set = cluster.service_sets[service_set];
  if (set.firewall_rules.empty()) return word;
  for (const std::uint16_t rule : set.firewall_rules) {
    if (!on_side(cluster.firewall_rules[rule].direction, inside)) continue;
    for (const FirewallTerm& term : cluster.firewall_rules[rule].terms) {
      if (!matches(cluster, term.from, key, word.application, query)) continue;
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
