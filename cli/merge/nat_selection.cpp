#include "cli/merge/nat_selection.h"

#include <algorithm>
#include <set>

namespace icr::cli {
namespace {

bool is_static(const NatTerm& term) {
  return term.type == NatType::basic_nat44 || term.type == NatType::twice_basic_nat44 || term.type == NatType::nptv6;
}

bool translates(const NatTerm& term, NatRules which) {
  switch (which) {
    case NatRules::source:
      return !is_static(term) && (term.type == NatType::none || !term.source_pools.empty());
    case NatRules::destination:
      return term.destination_pool || (term.destination_prefix && term.type != NatType::stateful_nat64);
    case NatRules::fixed:
      return is_static(term);
  }
  return false;
}

}  // namespace

std::vector<PoolUse> pools_of(const Cluster& cluster, std::uint16_t service_set) {
  std::vector<PoolUse> out;
  const auto add = [&](std::uint16_t pool, NatType type, bool destination, const NatTerm& term) {
    const bool known = std::any_of(
        out.begin(), out.end(), [&](const PoolUse& use) { return use.pool == pool && use.destination == destination; });
    if (!known) out.push_back({service_set, pool, type, destination, &term, std::nullopt});
  };
  for (const auto rule : cluster.service_sets[service_set].nat_rules) {
    for (const auto& term : cluster.nat_rules[rule].terms) {
      for (const auto pool : term.source_pools) add(pool, term.type, false, term);
      if (term.overload_pool) add(*term.overload_pool, NatType::napt44, false, term);
      if (term.destination_pool) add(*term.destination_pool, NatType::dnat44, true, term);
    }
  }
  return out;
}

bool lets_in(const Cluster& cluster, std::uint16_t set, std::uint16_t pool) {
  const auto uses = [&](const NatTerm& term) {
    const auto& pools = term.source_pools;
    return term.endpoint_independent_filtering &&
           (std::find(pools.begin(), pools.end(), pool) != pools.end() || term.overload_pool == pool);
  };
  const auto& service_sets = cluster.redundancy_sets[set].service_sets;
  return std::any_of(service_sets.begin(), service_sets.end(), [&](std::uint16_t service_set) {
    const auto& rules = cluster.service_sets[service_set].nat_rules;
    return std::any_of(rules.begin(), rules.end(), [&](std::uint16_t rule) {
      const auto& terms = cluster.nat_rules[rule].terms;
      return std::any_of(terms.begin(), terms.end(), uses);
    });
  });
}

Names names_of(const Cluster& cluster) {
  Names out;
  for (const auto& pool : cluster.nat_pools) out.nat_pools.push_back(pool.name);
  for (const auto& rule : cluster.nat_rules) out.nat_rules.push_back(rule.name);
  for (const auto& service_set : cluster.service_sets) out.service_sets.push_back(service_set.name);
  std::set<std::string> interfaces;  // chassis may have cards of the same name
  for (const auto& chassis : cluster.chassis) {
    for (const auto& card : chassis.cards) {
      interfaces.insert(card.name);
      for (const auto& port : card.ports) interfaces.insert(fmt::format("{}.{}", card.name, port.unit));
    }
  }
  out.interfaces.assign(interfaces.begin(), interfaces.end());
  for (const auto& set : cluster.redundancy_sets) {
    if (set.stand_alone()) continue;
    out.redundancy_sets.push_back(set.name);
    out.set_ids.push_back(std::to_string(set.id));
  }
  out.group_ids = out.set_ids;
  for (const auto& chassis : cluster.chassis) out.chassis.push_back(chassis.name);
  for (const auto& rule : cluster.firewall_rules) out.firewall_rules.push_back(rule.name);
  for (const auto& application : cluster.applications) out.applications.push_back(application.name);
  return out;
}

NamedPool named_pool(const Cluster& cluster, const std::optional<std::string>& name) {
  if (!name) return {};
  const auto pool = std::find_if(cluster.nat_pools.begin(), cluster.nat_pools.end(),
                                 [&](const NatPool& each) { return each.name == *name; });
  if (pool == cluster.nat_pools.end()) return {false, std::nullopt};
  return {true, static_cast<std::uint16_t>(pool - cluster.nat_pools.begin())};
}

std::vector<TermUse> terms_of(const Cluster& cluster, std::uint16_t service_set, NatRules which) {
  std::vector<TermUse> out;
  std::uint32_t position = 0;
  for (const auto index : cluster.service_sets[service_set].nat_rules) {
    const auto& rule = cluster.nat_rules[index];
    for (const auto& term : rule.terms) {
      ++position;
      if (translates(term, which)) out.push_back({&rule, &term, position, std::nullopt});
    }
  }
  return out;
}

bool has_port_range(const NatPoolStatus& status) {
  return status.use == NatPoolUse::ports || status.use == NatPoolUse::port_blocks ||
         status.use == NatPoolUse::deterministic;
}

bool counts_users(const Cluster& cluster, std::uint16_t index, const NatPoolStatus& status) {
  if (status.use != NatPoolUse::ports || cluster.nat_pools[index].limit_ports_per_host != 0) return true;
  const auto pairs = [&](const NatTerm& term) {
    const auto& pools = term.source_pools;
    const bool used = term.overload_pool == index || std::find(pools.begin(), pools.end(), index) != pools.end();
    return used && term.address_pooling_paired;
  };
  return std::any_of(cluster.nat_rules.begin(), cluster.nat_rules.end(),
                     [&](const NatRule& rule) { return std::any_of(rule.terms.begin(), rule.terms.end(), pairs); });
}

std::string action_of(const Cluster& cluster, const NatTerm& term, NatRules which) {
  if (term.type == NatType::none) return "off";
  if (which == NatRules::destination) {
    return term.destination_pool ? cluster.nat_pools[*term.destination_pool].name
                                 : term.destination_prefix->to_string();
  }
  if (which == NatRules::fixed && term.source_prefix) return term.source_prefix->to_string();
  std::string out;
  for (const auto pool : term.source_pools) out += (out.empty() ? "" : ", ") + cluster.nat_pools[pool].name;
  if (term.overload_pool) out += ", " + cluster.nat_pools[*term.overload_pool].name + " (overload)";
  return out;
}

}  // namespace icr::cli
