#include "node/service/policy.h"

#include <algorithm>

namespace icr::node {
namespace {

/// A term that translates sees only packets of the family that it translates.
RuleClassifier::Rule rule_of(const NatTerm& term, MatchDirection direction) {
  const bool six = term.type == NatType::stateful_nat64 || term.type == NatType::nptv6;
  const bool any = term.type == NatType::none;
  return {&term.from, direction, any || !six, any || six};
}

}  // namespace

ServicePolicy::ServicePolicy(const Cluster& cluster, std::uint16_t service_set) : cluster_(&cluster) {
  const ServiceSet& set = cluster.service_sets[service_set];
  std::vector<RuleClassifier::Rule> rules;
  for (const std::uint16_t index : set.firewall_rules) {
    const FirewallRule& rule = cluster.firewall_rules[index];
    for (const FirewallTerm& term : rule.terms) {
      firewall_terms_.push_back(&term);
      term_ids_.push_back(term.stable_id);
      policies_.emplace_back(term.stable_id, static_cast<std::uint16_t>(firewall_terms_.size()));
      rules.push_back({&term.from, rule.direction});
    }
  }
  std::sort(policies_.begin(), policies_.end());
  firewall_ = RuleClassifier(cluster.applications, rules);
  rules.clear();
  for (const std::uint16_t index : set.nat_rules) {
    const NatRule& rule = cluster.nat_rules[index];
    for (const NatTerm& term : rule.terms) {
      nat_terms_.push_back(&term);
      rules.push_back(rule_of(term, rule.direction));
    }
  }
  nat_ = RuleClassifier(cluster.applications, rules);
}

FirewallDecision ServicePolicy::firewall(const FlowKey& key, bool input, IcmpQuery query) const {
  FirewallDecision decision;
  if (firewall_terms_.empty()) return decision;
  const auto match = firewall_.first(key, input, query);
  if (!match) {
    decision.action = FirewallAction::discard;
    return decision;
  }
  decision.action = firewall_terms_[match->rule]->then;
  decision.policy = static_cast<std::uint16_t>(match->rule + 1);
  decision.application = match->application;
  return decision;
}

NatDecision ServicePolicy::nat(const FlowKey& key, bool input, IcmpQuery query) const {
  NatDecision decision;
  const auto match = nat_.first(key, input, query);
  if (!match) return decision;
  decision.term = nat_terms_[match->rule];
  decision.application = match->application;
  return decision;
}

bool ServicePolicy::admits_only_the_other(const FlowKey& key, bool input, IcmpQuery query) const {
  if (!firewall_.distinguishes_queries()) return false;
  const IcmpQuery other = query == IcmpQuery::echo ? IcmpQuery::timestamp : IcmpQuery::echo;
  return firewall(key, input, query).action != FirewallAction::accept &&
         firewall(key, input, other).action == FirewallAction::accept;
}

std::optional<std::uint16_t> ServicePolicy::firewall_application(std::uint16_t policy, const FlowKey& key) const {
  if (policy == 0 || policy > firewall_terms_.size()) return std::nullopt;
  for (const std::uint16_t index : firewall_terms_[policy - 1U]->from.applications) {
    if (cluster_->applications[index].matches(key)) return index;
  }
  return std::nullopt;
}

std::uint16_t ServicePolicy::policy_with_id(StableId id) const {
  const auto found = std::lower_bound(policies_.begin(), policies_.end(), id,
                                      [](const auto& entry, StableId wanted) { return entry.first < wanted; });
  return id == 0 || found == policies_.end() || found->first != id ? std::uint16_t{0} : found->second;
}

}  // namespace icr::node
