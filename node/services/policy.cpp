#include "node/services/policy.h"

#include <algorithm>

namespace icr::node {
namespace {

bool applies(MatchDirection direction, bool input) {
  return direction == MatchDirection::input_output || (direction == MatchDirection::input) == input;
}

bool any_contains(const std::vector<Prefix>& prefixes, const IpAddress& address) {
  return prefixes.empty() ||
         std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& p) { return p.contains(address); });
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
      if (term.source_pool && std::find(pools_.begin(), pools_.end(), *term.source_pool) == pools_.end()) {
        pools_.push_back(*term.source_pool);
      }
    }
  }
}

bool ServicePolicy::matches(const MatchConditions& from, const FlowKey& key,
                            std::optional<std::uint16_t>& application) const {
  if (!any_contains(from.source_addresses, key.source)) return false;
  if (!any_contains(from.destination_addresses, key.destination)) return false;
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
  // NAPT44 is all there is: IPv6 passes untranslated.
  if (!key.source.is_v4()) return decision;
  for (const Nat& nat : nat_) {
    if (!applies(nat.direction, input) || !matches(nat.term->from, key, decision.application)) continue;
    decision.source_pool = nat.term->source_pool;
    return decision;
  }
  return decision;
}

}  // namespace icr::node
