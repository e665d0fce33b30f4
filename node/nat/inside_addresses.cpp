#include "node/nat/inside_addresses.h"

#include <algorithm>

namespace icr::node {
namespace {

/// Returns true if the port receives from, or sends to, this kernel interface.
bool has_interface(const PacketPort* port, const std::string& interface) {
  if (port == nullptr) return false;
  if (port->kind == PacketPort::Kind::af_packet) return port->device == interface;
  return std::find(port->steer_from.begin(), port->steer_from.end(), interface) != port->steer_from.end();
}

}  // namespace

InsideAddresses::InsideAddresses(const Cluster& cluster, std::uint16_t service_set) {
  const ServiceSet& service = cluster.service_sets[service_set];
  for (const std::uint16_t index : service.nat_rules) {
    const NatRule& rule = cluster.nat_rules[index];
    for (const NatTerm& term : rule.terms) {
      if (rule.direction == MatchDirection::input) {
        for (const AddressRange& range : term.from.source_addresses) {
          // A range of all addresses does not tell which addresses are inside.
          if (range.count() < std::uint64_t{1} << 32) add(inside_, range);
        }
        continue;
      }
      if (term.type == NatType::stateful_nat64) continue;
      if (term.destination_prefix) add(inside_, AddressRange::of(*term.destination_prefix));
      if (!term.destination_pool) continue;
      for (const AddressRange& range : cluster.nat_pools[*term.destination_pool].addresses) add(inside_, range);
    }
  }
  for (const RedundancySet& set : cluster.redundancy_sets) {
    if (std::find(set.service_sets.begin(), set.service_sets.end(), service_set) == set.service_sets.end()) continue;
    for (const RedundancyMember& member : set.members) {
      const CardConfig* const card = cluster.chassis[member.chassis].card(member.card);
      if (card == nullptr) continue;
      for (const VirtualAddress& each : set.virtual_addresses) {
        const AddressRange network = AddressRange::of(Prefix::of(each.address, each.prefix_length));
        if (has_interface(card->port(service.inside_unit), each.interface)) add(inside_, network);
        if (has_interface(card->port(service.outside_unit), each.interface)) add(outside_, network);
      }
    }
  }
  join(inside_);
  join(outside_);
}

bool InsideAddresses::contains(const IpAddress& address) const {
  return address.is_v4() && holds(inside_, address.to_v4()) && !holds(outside_, address.to_v4());
}

void InsideAddresses::add(Spans& to, const AddressRange& range) {
  if (range.is_v4()) to.push_back({range.low.to_v4(), range.high.to_v4()});
}

void InsideAddresses::join(Spans& spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.low < b.low; });
  Spans out;
  for (const Span& s : spans) {
    if (!out.empty() && s.low <= out.back().high) {
      out.back().high = std::max(out.back().high, s.high);
    } else {
      out.push_back(s);
    }
  }
  spans = std::move(out);
}

bool InsideAddresses::holds(const Spans& spans, std::uint32_t v4) {
  const auto after =
      std::upper_bound(spans.begin(), spans.end(), v4, [](std::uint32_t a, const Span& s) { return a < s.low; });
  return after != spans.begin() && v4 <= std::prev(after)->high;
}

}  // namespace icr::node
