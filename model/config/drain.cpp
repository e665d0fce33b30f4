#include "model/config/drain.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace icr {
namespace {

/// A term by which a service set uses a pool, with indices into the cluster in which it is.
struct Use {
  std::uint16_t service_set = 0;
  std::uint16_t pool = 0;
  NatTerm term;
  MatchDirection direction = MatchDirection::input;
};

/// Returns true for types whose sessions follow from their source pool alone. What arithmetic or a rule for
/// destinations translates as well cannot be explained without the rules of the former file.
bool is_drainable(NatType type) {
  return type == NatType::napt44 || type == NatType::dynamic_nat44 || type == NatType::deterministic_napt44 ||
         type == NatType::stateful_nat64;
}

/// Returns `term` as a term that gives nothing but ports or addresses of that one pool.
NatTerm reduced(const NatTerm& term, std::uint16_t pool, bool overload) {
  NatTerm out = term;
  out.source_pools = {pool};
  out.overload_pool.reset();
  // Applications are indices into the former file. No packet is matched by this term, so it needs none.
  out.from.applications.clear();
  if (overload) out.type = NatType::napt44;
  return out;
}

std::vector<Use> uses_of(const Cluster& cluster) {
  std::vector<Use> out;
  for (std::uint16_t s = 0; s < cluster.service_sets.size(); ++s) {
    for (const std::uint16_t index : cluster.service_sets[s].nat_rules) {
      const NatRule& rule = cluster.nat_rules[index];
      const auto add = [&](const NatTerm& term, std::uint16_t pool, bool overload) {
        out.push_back({s, pool, reduced(term, pool, overload), rule.direction});
      };
      for (const NatTerm& term : rule.terms) {
        for (const std::uint16_t pool : term.source_pools) add(term, pool, false);
        if (term.overload_pool) add(term, *term.overload_pool, true);
      }
    }
  }
  return out;
}

/// A use by the identities of its service set and its pool, which mean the same in every cluster.
using UseId = std::pair<StableId, StableId>;

UseId id_of(const Cluster& cluster, std::uint16_t service_set, std::uint16_t pool) {
  return {cluster.service_sets[service_set].stable_id, cluster.nat_pools[pool].stable_id};
}

std::set<UseId> ids_of(const Cluster& cluster, const std::vector<Use>& uses) {
  std::set<UseId> out;
  for (const Use& each : uses) out.insert(id_of(cluster, each.service_set, each.pool));
  return out;
}

std::set<UseId> drained_ids(const Cluster& cluster) {
  std::set<UseId> out;
  for (const DrainedUse& each : cluster.drained) {
    out.insert(id_of(cluster, each.service_set, each.term.source_pools[0]));
  }
  return out;
}

bool is_same(const NatPool& a, const NatPool& b) {
  const auto blocks = [](const NatPool& p) { return p.blocks ? p.blocks->block_size : 0; };
  const auto fixed = [](const NatPool& p) { return p.deterministic ? p.deterministic->block_size : 0; };
  return a.addresses == b.addresses && a.port_low == b.port_low && a.port_high == b.port_high &&
         blocks(a) == blocks(b) && fixed(a) == fixed(b);
}

bool overlap(const std::vector<AddressRange>& a, const std::vector<AddressRange>& b) {
  return std::any_of(a.begin(), a.end(), [&](const AddressRange& one) {
    return std::any_of(b.begin(), b.end(), [&](const AddressRange& other) { return one.overlaps(other); });
  });
}

bool gives_addresses(NatType type) { return type == NatType::dynamic_nat44; }

/// Returns true if sessions of `pool` by `term` and what `cluster` configures can live beside each other: no address
/// has another owner, and a pool that stays is used in the same way.
bool can_drain(const Cluster& cluster, const std::vector<Use>& uses, const NatPool& pool, const NatTerm& term) {
  if (!is_drainable(term.type)) return false;
  const auto known = cluster.pool_ids.find(pool.stable_id);
  if (known && !(cluster.nat_pools[*known].name == pool.name && is_same(cluster.nat_pools[*known], pool))) return false;
  for (std::uint16_t i = 0; i < cluster.nat_pools.size(); ++i) {
    if (known != i && overlap(cluster.nat_pools[i].addresses, pool.addresses)) return false;
  }
  for (const NatRule& rule : cluster.nat_rules) {
    for (const NatTerm& each : rule.terms) {
      if (each.source_prefix && overlap({AddressRange::of(*each.source_prefix)}, pool.addresses)) return false;
      if (known && each.destination_pool == known) return false;
    }
  }
  const auto used_alike = [&](const NatTerm& other) {
    return is_drainable(other.type) && gives_addresses(other.type) == gives_addresses(term.type) &&
           other.type != NatType::deterministic_napt44 && term.type != NatType::deterministic_napt44 &&
           (other.type == NatType::stateful_nat64) == (term.type == NatType::stateful_nat64);
  };
  return std::all_of(uses.begin(), uses.end(),
                     [&](const Use& each) { return each.pool != known || used_alike(each.term); });
}

/// Returns true if the blocks and addresses of `pool` have slots beside those that the cluster has already.
bool has_slots(const Cluster& cluster, std::uint16_t service_set, const NatPool& pool) {
  std::uint64_t rows = 0;
  for (const NatPool& each : cluster.nat_pools) {
    rows += each.address_count() * (each.blocks ? each.ports_per_address() / each.blocks->block_size : 1);
  }
  rows += pool.address_count() * (pool.blocks ? pool.ports_per_address() / pool.blocks->block_size : 1);
  return std::all_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(), [&](const RedundancySet& set) {
    const auto& sets = set.service_sets;
    return std::find(sets.begin(), sets.end(), service_set) == sets.end() || rows + set.max_sessions <= kMaxRecordSlots;
  });
}

/// Adds `use`, whose indices are into another cluster, as one of the service set at `service_set`.
void add(Cluster& after, const NatPool& pool, std::uint16_t service_set, DrainedUse use) {
  auto place = after.pool_ids.find(pool.stable_id);
  if (!place) {
    if (!has_slots(after, service_set, pool)) return;
    place = static_cast<std::uint16_t>(after.nat_pools.size());
    after.nat_pools.push_back(pool);
    after.nat_pools.back().drained_only = true;
    after.pool_ids.add(pool.stable_id, *place);
    (void)after.pool_ids.seal();
  }
  use.service_set = service_set;
  use.term.source_pools = {*place};
  after.drained.push_back(std::move(use));
}

}  // namespace

void add_drained(const Cluster& former, const Cluster& next, WallMillis since, WallMillis now, Cluster& after) {
  const std::set<UseId> kept = ids_of(next, uses_of(next));
  const std::vector<Use> used = uses_of(after);
  std::set<UseId> taken = ids_of(after, used);
  taken.merge(drained_ids(after));
  for (Use& use : uses_of(former)) {
    const UseId id = id_of(former, use.service_set, use.pool);
    const auto then = next.service_set_ids.find(id.first);
    const auto place = after.service_set_ids.find(id.first);
    if (!then || !place || kept.count(id) != 0 || taken.count(id) != 0) continue;
    const WallMillis until = since + WallMillis{1000} * next.service_sets[*then].drain_time_s;
    const NatPool& pool = former.nat_pools[use.pool];
    if (until <= now || !can_drain(after, used, pool, use.term)) continue;
    add(after, pool, *place, {*place, std::move(use.term), use.direction, until});
  }
}

void keep_drained(const Cluster& running, Cluster& after) {
  if (running.drained.empty()) return;
  const std::vector<Use> used = uses_of(after);
  std::set<UseId> taken = ids_of(after, used);
  taken.merge(drained_ids(after));
  for (const DrainedUse& each : running.drained) {
    const std::uint16_t index = each.term.source_pools[0];
    const UseId id = id_of(running, each.service_set, index);
    const auto place = after.service_set_ids.find(id.first);
    if (!place || taken.count(id) != 0 || !can_drain(after, used, running.nat_pools[index], each.term)) continue;
    add(after, running.nat_pools[index], *place, each);
  }
}

}  // namespace icr
