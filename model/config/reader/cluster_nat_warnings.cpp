// Warns about addresses and ports of NAT pools at which rules or the chassis themselves answer.
#include <algorithm>
#include <array>
#include <set>

#include "model/config/reader/cluster_draft.h"
#include "model/config/reserved_endpoints.h"

namespace icr::cluster_draft {
namespace {

std::string words_of(const ReservedEndpoints& r) {
  constexpr std::array<std::string_view, kEndpointProtocols> kNames = {"tcp", "udp", "icmp", "protocols without ports"};
  const auto name = kNames[static_cast<std::size_t>(r.protocol)];
  const std::string at = AddressRange{IpAddress::v4(r.low), IpAddress::v4(r.high)}.to_string();
  const std::string where = r.low == r.high ? IpAddress::v4(r.low).to_string() : at;
  if (!r.ports) return fmt::format("{} of {}", name, where);
  if (r.ports->low == r.ports->high) return fmt::format("{} port {} of {}", name, r.ports->low, where);
  return fmt::format("{} ports {}-{} of {}", name, r.ports->low, r.ports->high, where);
}

/// Describes the entries of one term: the first, and how many more there are.
std::string words_of(const std::vector<ReservedEndpoints>& entries) {
  if (entries.size() == 1) return words_of(entries[0]);
  if (entries.size() == 2) return words_of(entries[0]) + " and " + words_of(entries[1]);
  return fmt::format("{} and {} more", words_of(entries[0]), entries.size() - 1);
}

/// Groups the entries that rules cause by term, in order.
std::vector<std::vector<ReservedEndpoints>> by_term(const std::vector<ReservedEndpoints>& all) {
  std::vector<std::vector<ReservedEndpoints>> out;
  for (const auto& r : all) {
    if (!r.rule) continue;
    if (out.empty() || out.back()[0].rule != r.rule || out.back()[0].term != r.term) out.emplace_back();
    out.back().push_back(r);
  }
  return out;
}

/// Returns true if no port of the protocol is left for hosts.
bool nothing_left(const NatPool& pool, const PoolReservations& of_pool, EndpointProtocol protocol) {
  std::vector<ReservedEndpoints> entries;
  std::uint64_t most = 0;  // ports that the entries take at most, if no port is in two of them
  for (const auto& r : of_pool.reserved) {
    if (r.protocol != protocol) continue;
    const PortRange ports = r.ports.value_or(PortRange{0, 65535});
    const std::uint32_t low = std::max(ports.low, pool.port_low);
    const std::uint32_t high = std::min(ports.high, pool.port_high);
    if (low > high) continue;
    entries.push_back(r);
    entries.back().ports = PortRange{static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(high)};
    most += (std::uint64_t{r.high} - r.low + 1) * (high - low + 1);
  }
  if (most < pool.address_count() * pool.ports_per_address()) return false;
  // Nothing changes between two addresses at which an entry begins or ends.
  for (const auto& range : pool.addresses) {
    std::set<std::uint32_t> starts = {range.low.to_v4()};
    for (const auto& r : entries) {
      if (range.contains(IpAddress::v4(r.low))) starts.insert(r.low);
      if (r.high != 0xffffffffU && range.contains(IpAddress::v4(r.high + 1))) starts.insert(r.high + 1);
    }
    for (const std::uint32_t address : starts) {
      std::vector<PortRange> taken;
      for (const auto& r : entries) {
        if (r.low <= address && address <= r.high) taken.push_back(*r.ports);
      }
      std::sort(taken.begin(), taken.end(), [](const PortRange& a, const PortRange& b) { return a.low < b.low; });
      std::uint32_t next = pool.port_low;
      for (const auto& ports : taken) {
        if (ports.low <= next) next = std::max<std::uint32_t>(next, ports.high + 1U);
      }
      if (next <= pool.port_high) return false;
    }
  }
  return true;
}

void add_reservations(const Cluster& cluster, std::uint16_t index, const PoolReservations& of_pool,
                      std::vector<std::string>& out) {
  const auto& pool = cluster.nat_pools[index];
  const auto term_of = [&](const ReservedEndpoints& r) {
    const auto& rule = cluster.nat_rules[*r.rule];
    return fmt::format("term {} of nat rule {}", rule.terms[r.term].name, rule.name);
  };
  for (const auto& entries : by_term(of_pool.reserved)) {
    out.push_back(fmt::format("NAT pool {}: {} answers {}, so hosts are not given {}.", pool.name, term_of(entries[0]),
                              words_of(entries), entries.size() == 1 ? "that" : "those"));
  }
  for (const auto& entries : by_term(of_pool.shared)) {
    out.push_back(
        fmt::format("NAT pool {}: {} answers every port of all its addresses, so nothing can be reserved: a caller "
                    "that meets the port of a host's session reaches that host. Name the ports in the rule, or give "
                    "the pool another address.",
                    pool.name, term_of(entries[0])));
  }
  constexpr std::array<std::string_view, 3> kPorts = {"tcp port", "udp port", "icmp identifier"};
  for (std::size_t p = 0; p < kPorts.size(); ++p) {
    if (!nothing_left(pool, of_pool, static_cast<EndpointProtocol>(p))) continue;
    out.push_back(fmt::format("NAT pool {} has no {} left for hosts: rules answer all of them.", pool.name, kPorts[p]));
  }
}

/// The network of a virtual address on an interface of an outside unit.
struct OutsideNetwork {
  AddressRange range;
  std::string interface;
  IpAddress address;
};

bool has_interface(const PacketPort* port, const std::string& interface) {
  if (port == nullptr) return false;
  if (port->kind == PacketPort::Kind::af_packet) return port->device == interface;
  return std::find(port->steer_from.begin(), port->steer_from.end(), interface) != port->steer_from.end();
}

std::vector<OutsideNetwork> outside_networks(const Cluster& cluster, const RedundancySet& set,
                                             const ServiceSet& service) {
  std::vector<OutsideNetwork> out;
  for (const auto& address : set.virtual_addresses) {
    const bool outside = std::any_of(set.members.begin(), set.members.end(), [&](const RedundancyMember& member) {
      const CardConfig* const card = cluster.chassis[member.chassis].card(member.card);
      return card != nullptr && has_interface(card->port(service.outside_unit), address.interface);
    });
    if (!outside) continue;
    out.push_back(
        {AddressRange::of(Prefix::of(address.address, address.prefix_length)), address.interface, address.address});
  }
  return out;
}

/// Addresses that a term answers outside, and what they are called.
std::vector<std::pair<AddressRange, std::string>> answered_outside(const Cluster& cluster, const NatRule& rule,
                                                                   const NatTerm& term) {
  std::vector<std::pair<AddressRange, std::string>> out;
  if (term.source_prefix) {
    out.emplace_back(AddressRange::of(*term.source_prefix),
                     fmt::format("term {} of nat rule {}", term.name, rule.name));
  } else {
    for (const auto pool : source_pools_of(term)) {
      for (const auto& range : cluster.nat_pools[pool].addresses) {
        out.emplace_back(range, "NAT pool " + cluster.nat_pools[pool].name);
      }
    }
  }
  const bool from_outside = rule.direction != MatchDirection::input && term.type != NatType::stateful_nat64;
  if (from_outside && (term.destination_pool || term.destination_prefix)) {
    for (const auto& range : term.from.destination_addresses) {
      out.emplace_back(range, fmt::format("term {} of nat rule {}", term.name, rule.name));
    }
  }
  return out;
}

/// A neighbour on the network of such an address sends ARP requests for it, which the card does not answer.
void add_unreachable(Cluster& cluster) {
  std::set<std::string> said;
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto index : set.service_sets) {
      const auto& service = cluster.service_sets[index];
      const auto networks = outside_networks(cluster, set, service);
      if (networks.empty()) continue;
      for (const auto rule : service.nat_rules) {
        for (const auto& term : cluster.nat_rules[rule].terms) {
          for (const auto& [range, what] : answered_outside(cluster, cluster.nat_rules[rule], term)) {
            for (const auto& network : networks) {
              if (!network.range.overlaps(range)) continue;
              auto text = fmt::format(
                  "{}: {} lies in {}, the network on {}: neighbours there ask for it by {}, and nobody answers. Take "
                  "addresses of another network, and let the neighbours route them to {}.",
                  what, range.to_string(), network.range.to_string(), network.interface,
                  range.is_v4() ? "ARP" : "neighbour discovery", network.address.to_string());
              if (said.insert(text).second) cluster.warnings.push_back(std::move(text));
            }
          }
        }
      }
    }
  }
}

void add_own_addresses(Cluster& cluster) {
  const auto warn = [&](const IpAddress& address, const std::string& what) {
    for (const auto& pool : cluster.nat_pools) {
      if (!pool.contains(address)) continue;
      cluster.warnings.push_back(
          fmt::format("{} is in nat pool {}: packets to it go to the chassis itself, not to translated sessions.", what,
                      pool.name));
    }
  };
  for (const auto& chassis : cluster.chassis) {
    bool is_query = false;
    for (const IpAddress& address : chassis.inter_chassis_addresses()) {
      is_query |= address == chassis.query.address;
      warn(address, fmt::format("The inter-chassis address {} of chassis {}", address.to_string(), chassis.name));
    }
    if (is_query) continue;
    warn(chassis.query.address,
         fmt::format("The query address {} of chassis {}", chassis.query.address.to_string(), chassis.name));
  }
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto& address : set.virtual_addresses) {
      warn(address.address,
           fmt::format("Virtual address {} of redundancy set {}", address.address.to_string(), set.name));
    }
  }
}

}  // namespace

void add_nat_warnings(Cluster& cluster) {
  const auto reservations = reserved_endpoints(cluster);
  for (std::uint16_t i = 0; i < cluster.nat_pools.size(); ++i) {
    add_reservations(cluster, i, reservations[i], cluster.warnings);
  }
  add_own_addresses(cluster);
  add_unreachable(cluster);
}

}  // namespace icr::cluster_draft
