#include "node/nat/nat_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

namespace icr::node {
namespace {

/// RFC 6888 REQ-8.
constexpr std::uint32_t kReuseHoldSeconds = 120;

NatPoolUse use_of(NatType type, const NatPool& pool) {
  switch (type) {
    case NatType::basic_nat44:
    case NatType::twice_basic_nat44:
    case NatType::nptv6:
      return NatPoolUse::one_to_one;
    case NatType::dynamic_nat44:
    case NatType::twice_dynamic_nat44:
      return NatPoolUse::addresses;
    case NatType::deterministic_napt44:
      return NatPoolUse::deterministic;
    default:
      return pool.blocks ? NatPoolUse::port_blocks : NatPoolUse::ports;
  }
}

bool is_static(NatType type) {
  return type == NatType::basic_nat44 || type == NatType::nptv6 || type == NatType::twice_basic_nat44;
}

Ticks hold_of(const PoolRules& p) {
  // RFC 6888 REQ-8 B: a deterministic port always belongs to the same host.
  if (p.use == NatPoolUse::deterministic || !p.is_owned()) return 0;
  // REQ-8 C: where filtering admits only endpoints that a session called, the next host with the port is not reached by
  // others.
  return p.config->reuse_hold_s.value_or(p.filter_open ? kReuseHoldSeconds : 0) * 10;
}

bool same_endpoint(const ReservedEndpoints& a, const ReservedEndpoints& b) {
  return a.low == b.low && a.high == b.high && a.protocol == b.protocol && a.ports == b.ports;
}

/// Returns true if both terms admit the same hosts to a pool.
bool admit_same_hosts(const NatTerm& a, const NatTerm& b) {
  return (a.type == NatType::stateful_nat64) == (b.type == NatType::stateful_nat64) &&
         a.from.source_addresses == b.from.source_addresses && a.from.source_except == b.from.source_except;
}

/// Returns true if both terms map addresses alike where arithmetic, and no pool, maps them.
bool map_alike(const NatTerm& a, const Cluster& of_a, const NatTerm& b, const Cluster& of_b) {
  const auto what = [](const NatTerm& t) {
    return std::tie(t.type, t.source_prefix, t.destination_prefix, t.destination_pool, t.translated_ports,
                    t.overload_pool);
  };
  const auto pools = [](const NatTerm& t) { return is_static(t.type) ? t.source_pools : std::vector<std::uint16_t>{}; };
  return what(a) == what(b) && pools(a) == pools(b) && a.from.destination_addresses == b.from.destination_addresses &&
         forwarded_ports(a.from, of_a.applications) == forwarded_ports(b.from, of_b.applications);
}

/// Returns what `after` lacks of what the pool was; empty if it lacks nothing.
std::string_view lack(const PoolRules& before, const PoolRules& after) {
  const NatPool& was = *before.config;
  const NatPool& is = *after.config;
  if (was.stable_id != is.stable_id || was.addresses != is.addresses || was.port_low != is.port_low ||
      was.port_high != is.port_high || was.assignment != is.assignment ||
      (was.blocks ? was.blocks->block_size : 0) != (is.blocks ? is.blocks->block_size : 0)) {
    return "its addresses or ports are others";
  }
  if (before.use != after.use || before.mapped != after.mapped || before.paired != after.paired ||
      before.nat64_prefix != after.nat64_prefix) {
    return "rules use it for another kind of NAT";
  }
  if (before.tracked != after.tracked) return "it begins or ceases to limit the ports of a host";
  if ((before.hold == 0) != (after.hold == 0)) return "it begins or ceases to hold ports that are freed";
  if (!std::equal(before.reserved.begin(), before.reserved.end(), after.reserved.begin(), after.reserved.end(),
                  same_endpoint)) {
    return "rules answer other endpoints of it";
  }
  const auto used = [&](std::uint16_t s) {
    return std::find(after.service_sets.begin(), after.service_sets.end(), s) != after.service_sets.end();
  };
  if (!std::all_of(before.service_sets.begin(), before.service_sets.end(), used)) {
    return "a service set does not use it any more";
  }
  if (before.use == NatPoolUse::deterministic &&
      deterministic_hosts(*before.terms.front(), was) != deterministic_hosts(*after.terms.front(), is)) {
    return "its hosts are others";
  }
  // Hosts own bindings, and a standby takes those of hosts only that a term admits.
  const auto admitted = [&](const NatTerm* term) {
    return std::any_of(after.terms.begin(), after.terms.end(),
                       [&](const NatTerm* other) { return admit_same_hosts(*term, *other); });
  };
  if (before.is_owned() && !before.ports_alone() && !std::all_of(before.terms.begin(), before.terms.end(), admitted)) {
    return "hosts that own mappings, blocks or addresses of it are not admitted any more";
  }
  return {};
}

}  // namespace

const PoolRules::Drain* PoolRules::drain_of(std::uint16_t service_set) const {
  const auto found =
      std::find_if(drains.begin(), drains.end(), [&](const Drain& each) { return each.service_set == service_set; });
  return found == drains.end() ? nullptr : &*found;
}

NatRules::NatRules(const Cluster& of, std::uint16_t set, const std::vector<PoolReservations>& reservations)
    : cluster(&of),
      service_sets(of.redundancy_sets[set].service_sets),
      pools(of.nat_pools.size()),
      insides(of.service_sets.size()),
      subscriber_limits(of.service_sets.size()) {
  for (const NatPool& each : of.nat_pools) pool_ids.push_back(each.stable_id);
  for (const ServiceSet& each : of.service_sets) service_set_ids.push_back(each.stable_id);
  for (const std::uint16_t s : service_sets) {
    insides[s] = InsideAddresses(of, s);
    subscriber_limits[s] = of.service_sets[s].max_sessions_per_subscriber;
    for (const std::uint16_t rule : of.service_sets[s].nat_rules) {
      for (const NatTerm& term : of.nat_rules[rule].terms) add_term(s, term);
    }
  }
  for (const DrainedUse& each : of.drained) {
    if (std::find(service_sets.begin(), service_sets.end(), each.service_set) == service_sets.end()) continue;
    const std::uint16_t pool = each.term.source_pools[0];
    add_pool(pool, each.service_set, each.term, use_of(each.term.type, of.nat_pools[pool]));
    if (pools[pool]->drain_of(each.service_set) == nullptr) {
      pools[pool]->drains.push_back({each.service_set, each.until, false});
    }
  }
  static_terms.sort();
  std::sort(destinations.begin(), destinations.end(),
            [](const Destination& a, const Destination& b) { return std::less<>()(a.term, b.term); });
  for (const auto& each : pools) {
    if (!each) continue;
    PoolRules& p = *each;
    p.reserved = reservations[p.index].reserved;
    p.hold = hold_of(p);
    p.tracked = p.is_owned() && (p.use == NatPoolUse::port_blocks || p.use == NatPoolUse::addresses || p.paired ||
                                 p.config->limit_ports_per_host != 0);
  }
}

void NatRules::add_pool(std::uint16_t index, std::uint16_t service_set, const NatTerm& term, NatPoolUse use) {
  if (!pools[index]) {
    pools[index] = std::make_unique<PoolRules>();
    pools[index]->config = &cluster->nat_pools[index];
    pools[index]->index = index;
    pools[index]->use = use;
  }
  PoolRules& p = *pools[index];
  if (std::find(p.service_sets.begin(), p.service_sets.end(), service_set) == p.service_sets.end()) {
    p.service_sets.push_back(service_set);
  }
  p.terms.push_back(&term);
  if (use == NatPoolUse::one_to_one || use == NatPoolUse::destination) return;
  if (use != NatPoolUse::addresses) {
    // RFC 6146 knows no other mapping than an endpoint-independent one.
    p.mapped |= term.endpoint_independent_mapping || term.type == NatType::stateful_nat64;
    if (use != NatPoolUse::deterministic) p.paired |= term.address_pooling_paired;
  }
  if (term.endpoint_independent_filtering && !p.filter_open) {
    p.filter_open = true;
    p.let_in = &term.filtering_prefixes;
    p.flow_limit = term.eif_flow_limit;
  }
  if (term.type == NatType::stateful_nat64 && !p.nat64_prefix) p.nat64_prefix = term.destination_prefix;
}

void NatRules::add_term(std::uint16_t service_set, const NatTerm& term) {
  terms.push_back({service_set, &term});
  for (const std::uint16_t p : term.source_pools) {
    add_pool(p, service_set, term, use_of(term.type, cluster->nat_pools[p]));
  }
  if (term.overload_pool) {
    add_pool(*term.overload_pool, service_set, term,
             cluster->nat_pools[*term.overload_pool].blocks ? NatPoolUse::port_blocks : NatPoolUse::ports);
  }
  if (term.destination_pool) add_pool(*term.destination_pool, service_set, term, NatPoolUse::destination);
  if (translates_destination(term.type)) destinations.push_back({&term, DestinationMap(*cluster, term)});
  if (is_static(term.type)) static_terms.add(service_set, term);
}

const DestinationMap& NatRules::destination_of(const NatTerm* term) const {
  const auto found = std::lower_bound(destinations.begin(), destinations.end(), term,
                                      [](const Destination& d, const NatTerm* t) { return std::less<>()(d.term, t); });
  return found->map;
}

std::string obstacle(const NatRules& before, const NatRules& after) {
  for (std::size_t i = 0; i < std::max(before.pools.size(), after.pools.size()); ++i) {
    const PoolRules* const was = i < before.pools.size() ? before.pools[i].get() : nullptr;
    const PoolRules* const is = i < after.pools.size() ? after.pools[i].get() : nullptr;
    if (was == nullptr && is == nullptr) continue;
    if (was == nullptr) return fmt::format("rules begin to use the pool {}", is->config->name);
    if (is == nullptr)
      return fmt::format("no rule uses the pool {} any more, so the sessions that it translates end",
                         was->config->name);
    if (const auto what = lack(*was, *is); !what.empty())
      return fmt::format("the pool {}: {}", was->config->name, what);
  }
  for (const NatRules::AppliedTerm& old : before.terms) {
    const NatTerm& term = *old.term;
    if (!is_static(term.type) && !translates_destination(term.type)) continue;
    const bool kept = std::any_of(after.terms.begin(), after.terms.end(), [&](const NatRules::AppliedTerm& each) {
      return each.service_set == old.service_set && map_alike(term, *before.cluster, *each.term, *after.cluster);
    });
    if (!kept) return fmt::format("no term maps addresses as the term {} did", term.name);
  }
  for (const std::uint16_t s : before.service_sets) {
    if ((before.subscriber_limits[s] == 0) == (after.subscriber_limits[s] == 0)) continue;
    return fmt::format("the service set {} begins or ceases to limit the sessions of a subscriber",
                       before.cluster->service_sets[s].name);
  }
  return {};
}

}  // namespace icr::node
