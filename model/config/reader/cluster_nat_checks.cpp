// What concerns NAT as a whole: who hands out a pool, which addresses overlap, and whether there are slots for it all.
#include <algorithm>
#include <set>

#include "model/config/reader/cluster_draft.h"
#include "model/record/session.h"

namespace icr::cluster_draft {

std::vector<std::uint16_t> source_pools_of(const NatTerm& term) {
  auto out = term.source_pools;
  if (term.overload_pool) out.push_back(*term.overload_pool);
  return out;
}

namespace {

/// The ports of a pool are handed out by the session table of one redundancy set: two would hand out the same port.
void check_pools(Draft& draft) {
  const auto& cluster = draft.cluster;
  std::map<std::uint16_t, std::size_t> owner;  // pool -> set
  for (std::size_t s = 0; s < cluster.redundancy_sets.size(); ++s) {
    const auto& set = cluster.redundancy_sets[s];
    std::set<std::uint16_t> reported;
    for (std::size_t i = 0; i < set.service_sets.size(); ++i) {
      for (const auto rule : cluster.service_sets[set.service_sets[i]].nat_rules) {
        for (const auto& term : cluster.nat_rules[rule].terms) {
          for (const auto pool : source_pools_of(term)) {
            const auto taken = owner.emplace(pool, s);
            if (taken.second || taken.first->second == s || !reported.insert(pool).second) continue;
            draft.set_service_uses[s][i].wrong(
                fmt::format("nat pool {} would be used by {} and by {}", cluster.nat_pools[pool].name,
                            cluster.redundancy_sets[taken.first->second].name, set.name),
                "give each redundancy set a pool of its own");
          }
        }
      }
    }
  }
}

/// Reports each range that overlaps one that begins before it. `ranges` is sorted here.
void check_overlaps(std::vector<ExternalRange> ranges) {
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const ExternalRange& a, const ExternalRange& b) { return a.range < b.range; });
  const ExternalRange* widest = nullptr;  // the one that reaches farthest so far
  for (const auto& next : ranges) {
    const bool same_mapping =
        widest != nullptr && next.internal && next.internal == widest->internal && next.range == widest->range;
    if (widest != nullptr && widest->range.overlaps(next.range) && !same_mapping) {
      const bool later = widest->field.node().place < next.field.node().place;
      const auto& here = later ? next : *widest;
      const auto& there = later ? *widest : next;
      here.field.wrong(fmt::format("{} overlaps {} of {}", here.range.to_string(), there.range.to_string(),
                                   here.owner == there.owner ? "the same pool" : there.owner),
                       here.owner == there.owner ? "write each address once" : "give each address to one owner");
    }
    if (widest == nullptr || widest->range.high < next.range.high) widest = &next;
  }
}

/// No address is in two pools or static mappings: two sessions could leave with the same address and port. Pools that
/// are used as destination are lists of servers, which may be in several.
void check_external_addresses(Draft& draft) {
  const auto& pools = draft.cluster.nat_pools;
  auto sources = draft.static_mappings;
  for (std::size_t p = 0; p < pools.size(); ++p) {
    if (draft.pool_uses[p] == PoolUse::prefix) continue;  // the mappings that use it are there
    std::vector<ExternalRange> own;
    for (std::size_t i = 0; i < pools[p].addresses.size(); ++i) {
      own.push_back(
          {pools[p].addresses[i], "nat pool " + pools[p].name, std::nullopt, draft.pool_address_fields[p][i]});
    }
    if (draft.pool_uses[p] == PoolUse::destination) {
      check_overlaps(std::move(own));
    } else {
      sources.insert(sources.end(), own.begin(), own.end());
    }
  }
  check_overlaps(std::move(sources));
}

/// A range of a pool that sessions of a service set get their sources from.
struct GivenRange {
  AddressRange range;
  std::uint16_t pool = 0;
};

/// Sorted.
std::vector<GivenRange> given_ranges(const Draft& draft, const ServiceSet& service) {
  std::set<std::uint16_t> pools;
  for (const auto rule : service.nat_rules) {
    for (const auto& term : draft.cluster.nat_rules[rule].terms) {
      for (const auto pool : source_pools_of(term)) {
        if (draft.pool_uses[pool] != PoolUse::prefix) pools.insert(pool);
      }
    }
  }
  std::vector<GivenRange> out;
  for (const auto pool : pools) {
    for (const auto& range : draft.cluster.nat_pools[pool].addresses) out.push_back({range, pool});
  }
  std::sort(out.begin(), out.end(), [](const GivenRange& a, const GivenRange& b) { return a.range < b.range; });
  return out;
}

/// One of `ranges` and what it overlaps of `given`, whose ranges do not overlap each other.
std::optional<std::pair<AddressRange, GivenRange>> overlap_of(const std::vector<AddressRange>& ranges,
                                                              const std::vector<GivenRange>& given) {
  for (const auto& range : ranges) {
    const auto after = std::upper_bound(given.begin(), given.end(), range.high,
                                        [](const IpAddress& high, const GivenRange& g) { return high < g.range.low; });
    if (after != given.begin() && std::prev(after)->range.overlaps(range)) return {{range, *std::prev(after)}};
  }
  return std::nullopt;
}

/// Where packets are sent on to is no address that is given to hosts of the same service set: who is there, on which
/// port, is chance. The address that they are sent on *from* may well be one: a port of the address that hosts share is
/// forwarded to a server, and hosts inside reach it by that address, too.
void check_destinations(Draft& draft) {
  const auto& cluster = draft.cluster;
  std::set<const DestinationUse*> reported;
  for (const auto& service : cluster.service_sets) {
    const auto given = given_ranges(draft, service);
    std::map<std::uint16_t, std::optional<std::pair<AddressRange, GivenRange>>> of_pools;
    for (const auto& use : draft.destinations) {
      if (std::find(service.nat_rules.begin(), service.nat_rules.end(), use.rule) == service.nat_rules.end()) continue;
      auto found = use.pool && of_pools.count(*use.pool) != 0
                       ? of_pools[*use.pool]
                       : overlap_of(use.pool ? cluster.nat_pools[*use.pool].addresses : use.ranges, given);
      if (use.pool) of_pools[*use.pool] = found;
      if (!found || !reported.insert(&use).second) continue;
      const auto& [to, from] = *found;
      use.field.wrong(
          fmt::format("packets would be sent on to {}, which overlaps {} of nat pool {}: from there service "
                      "set {} takes the addresses of its hosts",
                      to.to_string(), from.range.to_string(), cluster.nat_pools[from.pool].name, service.name),
          "write the addresses that the servers have themselves");
    }
  }
}

bool makes_mappings(const NatTerm& term) {
  return term.endpoint_independent_mapping || term.type == NatType::stateful_nat64;
}

/// What a mapping stands for is a host inside: whoever sends to it from inside comes back there (RFC 4787 REQ-9), and
/// from outside he is let in by the filtering. A host outside that owned one would turn both around.
void check_mappings(Draft& draft) {
  const auto& rules = draft.cluster.nat_rules;
  std::set<std::uint16_t> used;
  for (const auto& service : draft.cluster.service_sets)
    used.insert(service.nat_rules.begin(), service.nat_rules.end());
  std::map<std::uint16_t, std::string> mapped;  // pool -> the first term that asks for mappings
  for (const auto r : used) {
    const auto& rule = rules[r];
    for (const auto& term : rule.terms) {
      if (!makes_mappings(term)) continue;
      for (const auto pool : source_pools_of(term)) mapped.emplace(pool, rule.name + "." + term.name);
    }
  }
  for (const auto r : used) {
    if (rules[r].direction == MatchDirection::input) continue;
    for (const auto& term : rules[r].terms) {
      const auto pools = source_pools_of(term);
      const auto pool = std::find_if(pools.begin(), pools.end(), [&](std::uint16_t p) { return mapped.count(p) != 0; });
      if (pool == pools.end()) continue;
      const bool itself = makes_mappings(term);
      draft.nat_rule_fields[r].wrong(
          fmt::format("term {} would make endpoint-independent mappings of hosts outside{}", term.name,
                      itself ? ""
                             : fmt::format(": term {} makes them of nat pool {}", mapped[*pool],
                                           draft.cluster.nat_pools[*pool].name)),
          "write match-direction: input, or a pool without mappings");
    }
  }
}

/// Slots of bindings that a pool needs from the start: one for each block, or for each address that a host can own.
std::uint64_t rows_of(const Draft& draft, std::uint16_t index) {
  const auto& pool = draft.cluster.nat_pools[index];
  if (draft.pool_uses[index] == PoolUse::addresses) return pool.address_count();
  if (!pool.blocks) return 0;
  return pool.address_count() * (pool.ports_per_address() / pool.blocks->block_size);
}

/// Sessions and bindings of a redundancy set are named by slots, of which there are so many.
void check_slots(Draft& draft) {
  const auto& cluster = draft.cluster;
  for (std::size_t s = 0; s < cluster.redundancy_sets.size(); ++s) {
    const auto& set = cluster.redundancy_sets[s];
    const std::uint64_t most = kMaxRecordSlots - set.max_sessions;
    std::uint64_t rows = 0;
    std::set<std::uint16_t> counted;
    for (const auto index : set.service_sets) {
      for (const auto rule : cluster.service_sets[index].nat_rules) {
        for (const auto& term : cluster.nat_rules[rule].terms) {
          for (const auto pool : source_pools_of(term)) {
            if (counted.insert(pool).second) rows += rows_of(draft, pool);
          }
        }
      }
    }
    if (rows <= most) continue;
    draft.set_service_uses[s].front().wrong(
        fmt::format(
            "the nat pools of {} have {} blocks and addresses for hosts, and beside {} sessions there are slots "
            "for {}",
            set.name, rows, set.max_sessions, most),
        "write larger blocks, smaller pools, or fewer max-sessions");
  }
}

}  // namespace

void check_nat(Draft& draft) {
  check_pools(draft);
  check_external_addresses(draft);
  check_destinations(draft);
  check_mappings(draft);
  check_slots(draft);
}

}  // namespace icr::cluster_draft
