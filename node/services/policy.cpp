#include "node/services/policy.h"

#include <algorithm>

namespace icr::node {
namespace {

bool applies(MatchDirection direction, bool input) {
  return direction == MatchDirection::input_output || (direction == MatchDirection::input) == input;
}

/// A term that translates sees only packets of the family that it translates.
bool takes_family(NatType type, bool v4) {
  if (type == NatType::none) return true;
  return v4 != (type == NatType::stateful_nat64 || type == NatType::nptv6);
}

}  // namespace

ServicePolicy::ServicePolicy(const Cluster& cluster, std::uint16_t service_set) : cluster_(&cluster) {
  const ServiceSet& set = cluster.service_sets[service_set];
  for (const std::uint16_t index : set.firewall_rules) {
    const FirewallRule& rule = cluster.firewall_rules[index];
    for (const FirewallTerm& term : rule.terms) firewall_.push_back({&term, rule.direction});
  }
  for (const std::uint16_t index : set.nat_rules) {
    const NatRule& rule = cluster.nat_rules[index];
    for (const NatTerm& term : rule.terms) {
      nat_.push_back({&term, rule.direction});
      if (term.source_prefix) continue;  // each host has its own address: nothing is taken
      auto used = term.source_pools;
      if (term.overload_pool) used.push_back(*term.overload_pool);
      for (const std::uint16_t pool : used) {
        if (std::find(pools_.begin(), pools_.end(), pool) == pools_.end()) pools_.push_back(pool);
      }
    }
  }
}

bool ServicePolicy::matches(const MatchConditions& from, const FlowKey& key,
                            std::optional<std::uint16_t>& application) const {
  if (!from.matches_addresses_and_ports(key)) return false;
  if (from.applications.empty()) return true;
  for (const std::uint16_t index : from.applications) {
    if (cluster_->applications[index].matches(key)) {
      application = index;
      return true;
    }
  }
  return false;
}

FirewallDecision ServicePolicy::firewall(const FlowKey& key, bool input) const {
  FirewallDecision decision;
  if (firewall_.empty()) return decision;
  for (std::size_t i = 0; i < firewall_.size(); ++i) {
    if (!applies(firewall_[i].direction, input) || !matches(firewall_[i].term->from, key, decision.application))
      continue;
    decision.action = firewall_[i].term->then;
    decision.policy = static_cast<std::uint16_t>(i + 1);
    return decision;
  }
  decision.action = FirewallAction::discard;
  return decision;
}

NatDecision ServicePolicy::nat(const FlowKey& key, bool input) const {
  NatDecision decision;
  for (std::size_t i = 0; i < nat_.size(); ++i) {
    const Nat& nat = nat_[i];
    if (!takes_family(nat.term->type, key.source.is_v4()) || !applies(nat.direction, input)) continue;
    if (!matches(nat.term->from, key, decision.application)) continue;
    decision.term = nat.term;
    decision.ordinal = static_cast<std::uint16_t>(i + 1);
    return decision;
  }
  return decision;
}

}  // namespace icr::node
