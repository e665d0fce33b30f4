#include "node/flow/term_hits.h"

#include <algorithm>
#include <map>
#include <utility>

namespace icr::node {

TermHits::TermHits(const Cluster& cluster, const ServiceSet& set, TermKind kind, const TermHits* former) : kind_(kind) {
  const auto add = [this](const auto& rule) {
    for (const auto& term : rule.terms) terms_.push_back({rule.name, term.name, rule.direction, kNone});
  };
  if (kind == TermKind::firewall) {
    for (const std::uint16_t index : set.firewall_rules) add(cluster.firewall_rules[index]);
  } else {
    for (const std::uint16_t index : set.nat_rules) add(cluster.nat_rules[index]);
  }
  counts_.resize(terms_.size());
  if (former == nullptr) return;
  std::map<std::pair<std::string_view, std::string_view>, std::uint32_t> places;
  for (std::uint32_t i = 0; i < former->size(); ++i) places[{former->terms_[i].rule, former->terms_[i].name}] = i;
  for (Term& term : terms_) {
    if (const auto found = places.find({term.rule, term.name}); found != places.end()) term.former = found->second;
  }
}

void TermHits::inherit(const TermHits& former) {
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    if (terms_[i].former < former.counts_.size()) counts_[i] = former.counts_[terms_[i].former];
  }
}

void TermHits::clear() { std::fill(counts_.begin(), counts_.end(), Count{}); }

void TermHits::append(std::uint32_t place, std::vector<TermHitsRow>& out) const {
  const Term& term = terms_[place];
  const Count& count = counts_[place];
  out.push_back({0, kind_, std::string(term.rule), std::string(term.name), term.direction != MatchDirection::output,
                 term.direction != MatchDirection::input, count.hits, count.failures});
}

}  // namespace icr::node
