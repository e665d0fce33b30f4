#include "node/service/policy.h"

#include <algorithm>
#include <limits>

#include "model/base/log.h"

namespace icr::node {
namespace {

/// A term that translates sees only packets of the family that it translates.
RuleClassifier::Rule rule_of(const NatTerm& term, MatchDirection direction) {
  const bool six = term.type == NatType::stateful_nat64 || term.type == NatType::nptv6;
  const bool any = term.type == NatType::none;
  return {&term.from, direction, any || !six, any || six};
}

}  // namespace

ServicePolicy::ServicePolicy(const Cluster& cluster, std::uint16_t service_set, const ServicePolicy* former)
    : cluster_(&cluster),
      guarantee_(cluster.service_sets[service_set].guarantee),
      may_guarantee_(icr::may_guarantee(cluster, cluster.service_sets[service_set])) {
  if (former != nullptr) {
    term_ids_ = former->term_ids_;
    for (std::size_t i = 0; i < term_ids_.size(); ++i) {
      policies_.emplace_back(term_ids_[i], static_cast<std::uint16_t>(i + 1));
    }
    std::sort(policies_.begin(), policies_.end());
    term_at_.resize(term_ids_.size());
  }
  const ServiceSet& set = cluster.service_sets[service_set];
  std::vector<RuleClassifier::Rule> rules;
  for (const std::uint16_t index : set.firewall_rules) {
    const FirewallRule& rule = cluster.firewall_rules[index];
    for (const FirewallTerm& term : rule.terms) {
      firewall_terms_.push_back(&term);
      numbers_.push_back(number_of(term));
      rules.push_back({&term.from, rule.direction});
    }
  }
  if (unnumbered_ > 0) {
    log::warn("service",
              "service-set={} sessions of {} new firewall terms name no policy until the chassis restarts: "
              "more than {} terms were used since it started",
              set.name, unnumbered_, term_ids_.size());
  }
  policies_.clear();
  for (std::size_t i = 0; i < term_at_.size(); ++i) {
    if (term_at_[i] != nullptr) policies_.emplace_back(term_ids_[i], static_cast<std::uint16_t>(i + 1));
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

std::uint16_t ServicePolicy::number_of(const FirewallTerm& term) {
  std::uint16_t number = policy_with_id(term.stable_id);
  if (number == 0) {
    if (term_ids_.size() == std::numeric_limits<std::uint16_t>::max()) {
      ++unnumbered_;
      return 0;
    }
    term_ids_.push_back(term.stable_id);
    term_at_.push_back(nullptr);
    number = static_cast<std::uint16_t>(term_ids_.size());
  }
  term_at_[number - 1U] = &term;
  return number;
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
  decision.policy = numbers_[match->rule];
  decision.place = match->rule;
  decision.application = match->application;
  return decision;
}

NatDecision ServicePolicy::nat(const FlowKey& key, bool input, IcmpQuery query) const {
  NatDecision decision;
  const auto match = nat_.first(key, input, query);
  if (!match) return decision;
  decision.term = nat_terms_[match->rule];
  decision.place = match->rule;
  decision.application = match->application;
  return decision;
}

bool ServicePolicy::admits_only_the_other(const FlowKey& key, bool input, IcmpQuery query) const {
  // An ICMPv6 session can only have begun with an echo request.
  if (!firewall_.distinguishes_queries() || key.protocol == ip_protocol::icmp6) return false;
  const IcmpQuery other = query == IcmpQuery::echo ? IcmpQuery::timestamp : IcmpQuery::echo;
  return firewall(key, input, query).action != FirewallAction::accept &&
         firewall(key, input, other).action == FirewallAction::accept;
}

std::optional<std::uint16_t> ServicePolicy::firewall_application(std::uint16_t policy, const FlowKey& key) const {
  if (policy == 0 || policy > term_at_.size() || term_at_[policy - 1U] == nullptr) return std::nullopt;
  for (const std::uint16_t index : term_at_[policy - 1U]->from.applications) {
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
