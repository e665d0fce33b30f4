#include "node/kernel/return_routes.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <algorithm>

#include "model/base/log.h"
#include "node/kernel/netlink.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

/// Higher than what people write by hand: their routes win.
constexpr std::uint32_t kMetric = 7300;

/// Sets `out` to the next address. Returns false after the very last one.
bool next_after(const IpAddress& address, IpAddress& out) {
  out = address;
  for (std::size_t i = 16; i-- > (address.is_v4() ? 12U : 0U);) {
    if (++out.bytes[i] != 0) return true;
  }
  return false;
}

/// Returns the address before. REQUIRES: `address` is not the very first one.
IpAddress before(IpAddress address) {
  for (std::size_t i = 16; i-- > 0;) {
    if (address.bytes[i]-- != 0) break;
  }
  return address;
}

void append_pool(const Cluster& cluster, std::uint16_t pool, std::vector<AddressRange>& out) {
  const auto& addresses = cluster.nat_pools[pool].addresses;
  out.insert(out.end(), addresses.begin(), addresses.end());
}

/// Returns the addresses to which the sources of a term are translated: those on the other side of the card.
std::vector<AddressRange> translated_sources(const Cluster& cluster, const NatTerm& term) {
  std::vector<AddressRange> out;
  for (const std::uint16_t pool : term.source_pools) append_pool(cluster, pool, out);
  if (term.overload_pool) append_pool(cluster, *term.overload_pool, out);
  if (term.source_prefix) out.push_back(AddressRange::of(*term.source_prefix));
  return out;
}

bool translates_destinations(const NatTerm& term) {
  return term.type != NatType::stateful_nat64 && (term.destination_pool || term.destination_prefix);
}

/// Returns the addresses of hosts inside, as far as the rules contain them.
std::vector<AddressRange> addresses_inside(const Cluster& cluster, const ServiceSet& service) {
  std::vector<AddressRange> out;
  for (const std::uint16_t rule : service.nat_rules) {
    const bool input = cluster.nat_rules[rule].direction == MatchDirection::input;
    for (const NatTerm& term : cluster.nat_rules[rule].terms) {
      if (input) {
        out.insert(out.end(), term.from.source_addresses.begin(), term.from.source_addresses.end());
      } else {
        if (term.destination_pool) append_pool(cluster, *term.destination_pool, out);
        if (term.destination_prefix) out.push_back(AddressRange::of(*term.destination_prefix));
      }
    }
  }
  return out;
}

/// Returns the addresses at which a term of a rule answers callers from outside. Leaves out addresses that a host
/// inside has as well, because packets that the card sends to that host would be routed back into the card.
std::vector<AddressRange> answered_destinations(const NatTerm& term, std::span<const AddressRange> inside) {
  std::vector<AddressRange> out = without(term.from.destination_addresses, term.from.destination_except);
  const auto elsewhere = [&](const AddressRange& range) {
    const bool everything = range.as_prefix() && range.as_prefix()->length == 0;
    return everything ||
           std::any_of(inside.begin(), inside.end(), [&](const AddressRange& host) { return host.overlaps(range); });
  };
  out.erase(std::remove_if(out.begin(), out.end(), elsewhere), out.end());
  return out;
}

/// Returns the first virtual address of a family: its lease ends when the worker gives no sign of life.
std::optional<IpAddress> virtual_address(const RedundancySet& set, bool v4) {
  for (const VirtualAddress& each : set.virtual_addresses) {
    if (each.address.is_v4() == v4) return each.address;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Prefix> prefixes_of(const AddressRange& range) {
  std::vector<Prefix> out;
  IpAddress at = range.low;
  for (bool more = at <= range.high; more;) {
    // The shortest prefix that begins here and does not end beyond the range.
    std::uint8_t length = 0;
    Prefix prefix = Prefix::of(at, length);
    while (!(prefix.base == at) || prefix.base.is_v4() != at.is_v4() || AddressRange::of(prefix).high > range.high) {
      prefix = Prefix::of(at, ++length);
    }
    out.push_back(prefix);
    more = next_after(AddressRange::of(prefix).high, at) && at <= range.high;
  }
  return out;
}

std::vector<AddressRange> without(std::vector<AddressRange> ranges, std::span<const AddressRange> removed) {
  for (const AddressRange& hole : removed) {
    std::vector<AddressRange> left;
    for (const AddressRange& range : ranges) {
      if (!range.overlaps(hole)) {
        left.push_back(range);
        continue;
      }
      if (range.low < hole.low) left.push_back({range.low, before(hole.low)});
      IpAddress next;
      if (hole.high < range.high && next_after(hole.high, next)) left.push_back({next, range.high});
    }
    ranges = std::move(left);
  }
  return ranges;
}

void ReturnRoutes::CloseSocket::operator()(nl_sock* socket) const { netlink::Deleter()(socket); }

Result<std::unique_ptr<ReturnRoutes>> ReturnRoutes::open(const Cluster& cluster, std::uint16_t set,
                                                         std::uint16_t chassis) {
  std::unique_ptr<ReturnRoutes> out(new ReturnRoutes);
  const RedundancySet& config = cluster.redundancy_sets[set];
  const auto member = cluster.member_on(set, chassis);
  const CardConfig* card = member ? cluster.chassis[chassis].card(config.members[*member].card) : nullptr;
  if (card == nullptr) return out;
  for (const std::uint16_t index : config.service_sets) {
    const ServiceSet& service = cluster.service_sets[index];
    const std::vector<AddressRange> inside = addresses_inside(cluster, service);
    for (const std::uint16_t rule : service.nat_rules) {
      // Translated sources are on the side to which the rule's packets go, the destinations asked for where they come
      // from. Who is asked for from inside is a host outside, or an address that a rule of the other direction has.
      const bool output = cluster.nat_rules[rule].direction == MatchDirection::output;
      const bool input = cluster.nat_rules[rule].direction == MatchDirection::input;
      const PacketPort* const sources = card->port(output ? service.inside_unit : service.outside_unit);
      const PacketPort* const destinations = input ? nullptr : card->port(service.outside_unit);
      for (const NatTerm& term : cluster.nat_rules[rule].terms) {
        out->add(sources, translated_sources(cluster, term));
        if (translates_destinations(term)) out->add(destinations, answered_destinations(term, inside));
      }
    }
    for (const DrainedUse& each : cluster.drained) {
      if (each.service_set != index) continue;
      const bool output = each.direction == MatchDirection::output;
      out->add(card->port(output ? service.inside_unit : service.outside_unit), translated_sources(cluster, each.term));
    }
  }
  if (const auto device = signal_device(cluster, set, chassis)) {
    for (const SignalRoute& each : config.signal_routes) {
      // The kernel looks for routes from an address that goes in the main table only.
      const bool main = each.table == kMainTable;
      out->add(
          {each.prefix, *device, each.table, main ? virtual_address(config, each.prefix.base.is_v4()) : std::nullopt});
    }
  }
  if (out->routes_.empty()) return out;
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error().in("return routes"));
  out->socket_.reset(socket->release());
  return out;
}

void ReturnRoutes::add(const PacketPort* port, std::span<const AddressRange> ranges) {
  if (port == nullptr || port->kind != PacketPort::Kind::tun) return;
  for (const AddressRange& range : ranges) {
    for (const Prefix& prefix : prefixes_of(range)) add({prefix, port->device});
  }
}

void ReturnRoutes::add(const Route& route) {
  const bool known = std::any_of(routes_.begin(), routes_.end(), [&](const Route& other) {
    return other.prefix == route.prefix && other.table == route.table;
  });
  if (!known) routes_.push_back(route);
}

std::vector<ReturnRoutes::Route> return_routes_of(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis) {
  const auto routes = ReturnRoutes::open(cluster, set, chassis);
  return routes ? (*routes)->routes() : std::vector<ReturnRoutes::Route>{};
}

ReturnRoutes::~ReturnRoutes() { release(); }

int change_return_route(nl_sock* socket, const ReturnRoutes::Route& route, RouteChange change) {
  const auto index = static_cast<int>(if_nametoindex(route.device.c_str()));
  if (index == 0) return -NLE_NODEV;
  const netlink::Handle<rtnl_route> request(rtnl_route_alloc());
  const auto destination = netlink::to_netlink(route.prefix.base, route.prefix.length);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (!request || !destination || hop == nullptr) {
    if (hop != nullptr) rtnl_route_nh_free(hop);
    return -NLE_NOMEM;
  }
  const bool v4 = route.prefix.base.is_v4();
  rtnl_route_nh_set_ifindex(hop, index);
  rtnl_route_add_nexthop(request.get(), hop);  // the route owns it now
  rtnl_route_set_family(request.get(), v4 ? AF_INET : AF_INET6);
  rtnl_route_set_table(request.get(), route.table);
  rtnl_route_set_protocol(request.get(), kSteeringProtocol);
  rtnl_route_set_type(request.get(), RTN_UNICAST);
  rtnl_route_set_scope(request.get(), v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  rtnl_route_set_priority(request.get(), kMetric);
  if (const int code = rtnl_route_set_dst(request.get(), destination.get()); code < 0) return code;
  if (route.bound_to) {
    const auto address = netlink::to_netlink(*route.bound_to, v4 ? 32 : 128);
    if (!address) return -NLE_NOMEM;
    if (const int code = rtnl_route_set_pref_src(request.get(), address.get()); code < 0) return code;
  }
  if (change == RouteChange::remove) return rtnl_route_delete(socket, request.get(), 0);
  const int there = change == RouteChange::add ? NLM_F_REPLACE : NLM_F_EXCL;
  return rtnl_route_add(socket, request.get(), NLM_F_CREATE | there);
}

void ReturnRoutes::acquire() {
  acquired_ = true;
  for (const Route& route : routes_) {
    const int code = change_return_route(socket_.get(), route, RouteChange::add);
    ++(code == 0 ? added_ : refused_);
    if (code == 0 || refusal_logged_) continue;
    refusal_logged_ = true;
    log::warn("steering", "device={} table={} the route to {} cannot be added: {}", route.device, route.table,
              route.prefix.to_string(), netlink::describe(code));
  }
}

void ReturnRoutes::release() {
  if (!acquired_) return;
  acquired_ = false;
  // One that is gone already, with its device or by hand, is what is wanted.
  for (const Route& route : routes_) (void)change_return_route(socket_.get(), route, RouteChange::remove);
}

void ReturnRoutes::append_to(CounterList& out) const {
  out.push_back({"return-routes-added", added_});
  out.push_back({"return-routes-refused", refused_});
}

}  // namespace icr::node
