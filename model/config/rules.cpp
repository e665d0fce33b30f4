#include "model/config/rules.h"

#include <algorithm>

namespace icr {
namespace {

constexpr std::uint8_t kEchoRequest4 = 8;    // RFC 792
constexpr std::uint8_t kTimestamp4 = 13;     // RFC 792
constexpr std::uint8_t kEchoRequest6 = 128;  // RFC 4443

/// Returns the type of a query, if the protocol has it.
std::optional<std::uint8_t> type_of(IcmpQuery query, std::uint8_t protocol) {
  if (protocol == ip_protocol::icmp) return query == IcmpQuery::echo ? kEchoRequest4 : kTimestamp4;
  if (protocol == ip_protocol::icmp6 && query == IcmpQuery::echo) return kEchoRequest6;
  return std::nullopt;
}

bool holds(const std::vector<AddressRange>& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return r.contains(address); });
}

bool matches_address(const std::vector<AddressRange>& in, const std::vector<AddressRange>& except,
                     const IpAddress& address) {
  return (in.empty() || holds(in, address)) && !holds(except, address);
}

bool matches_port(const std::vector<PortRange>& ranges, std::uint8_t protocol, std::uint16_t port) {
  if (ranges.empty()) return true;
  return has_ports(protocol) &&
         std::any_of(ranges.begin(), ranges.end(), [&](const PortRange& r) { return r.contains(port); });
}

}  // namespace

bool Application::matches(const FlowKey& key, IcmpQuery query) const {
  if (protocol && *protocol != key.protocol) return false;
  if (source_port && !(has_ports(key.protocol) && source_port->contains(key.source_port))) return false;
  if (destination_port && !(has_ports(key.protocol) && destination_port->contains(key.destination_port))) return false;
  if (!icmp_type && !icmp_code) return true;
  const auto type = type_of(query, key.protocol);
  return type && icmp_type.value_or(*type) == *type && icmp_code.value_or(0) == 0;
}

bool MatchConditions::matches_addresses_and_ports(const FlowKey& key) const {
  return matches_address(source_addresses, source_except, key.source) &&
         matches_address(destination_addresses, destination_except, key.destination) &&
         matches_port(source_ports, key.protocol, key.source_port) &&
         matches_port(destination_ports, key.protocol, key.destination_port);
}

std::uint64_t NatPool::address_count() const {
  std::uint64_t count = 0;
  for (const auto& range : addresses) count += std::min<std::uint64_t>(range.count(), std::uint64_t{1} << 48);
  return count;
}

bool NatPool::contains(const IpAddress& address) const { return holds(addresses, address); }

std::optional<PortRange> forwarded_ports(const MatchConditions& from, const std::vector<Application>& applications) {
  std::optional<PortRange> out;
  if (from.destination_ports.size() > 1) return std::nullopt;
  if (!from.destination_ports.empty()) out = from.destination_ports[0];
  for (const std::uint16_t index : from.applications) {
    const auto& ports = applications[index].destination_port;
    if (!ports) continue;
    if (out && !(*out == *ports)) return std::nullopt;
    out = ports;
  }
  if (!from.destination_ports.empty()) return out;
  const bool all = std::all_of(from.applications.begin(), from.applications.end(),
                               [&](std::uint16_t index) { return applications[index].destination_port.has_value(); });
  return all ? out : std::nullopt;
}

std::vector<AddressRange> deterministic_hosts(const NatTerm& term, const NatPool& pool) {
  std::vector<AddressRange> out;
  const bool whole = pool.deterministic && pool.deterministic->include_boundary_addresses;
  for (auto range : term.from.source_addresses) {
    if (!whole && range.is_v4() && range.count() >= 4) {
      range.low = IpAddress::v4(range.low.to_v4() + 1);
      range.high = IpAddress::v4(range.high.to_v4() - 1);
    }
    out.push_back(range);
  }
  return out;
}

}  // namespace icr
