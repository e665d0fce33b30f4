#include "model/config/identities.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/config/cluster.h"

namespace icr {
namespace {

/// Seals the index, and says so if two of its things have the same identity.
void seal(IdIndex& index, std::string_view what, const std::vector<std::string_view>& names,
          std::vector<std::string>& out) {
  const auto twice = index.seal();
  if (!twice) return;
  const std::string_view a = names[twice->first];
  const std::string_view b = names[twice->second];
  // Two things of one name are a mistake that the reader of the file reports by itself.
  if (a != b) out.push_back(fmt::format("{0} {1} and {0} {2} have the same identity", what, a, b));
}

template <class Things>
void identify(Things& things, Named kind, std::string_view what, IdIndex& index, std::vector<std::string>& out) {
  index = IdIndex();
  std::vector<std::string_view> names;
  for (auto& thing : things) {
    thing.stable_id = stable_id(kind, thing.name);
    index.add(thing.stable_id, static_cast<std::uint16_t>(names.size()));
    names.emplace_back(thing.name);
  }
  seal(index, what, names, out);
}

}  // namespace

std::optional<std::pair<std::uint16_t, std::uint16_t>> IdIndex::seal() {
  std::sort(places_.begin(), places_.end());
  const auto twice = std::adjacent_find(places_.begin(), places_.end(),
                                        [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice == places_.end()) return std::nullopt;
  return std::pair(twice->second, std::next(twice)->second);
}

std::optional<std::uint16_t> IdIndex::find(StableId id) const {
  const auto found = std::lower_bound(places_.begin(), places_.end(), id,
                                      [](const auto& entry, StableId wanted) { return entry.first < wanted; });
  if (id == 0 || found == places_.end() || found->first != id) return std::nullopt;
  return found->second;
}

std::vector<std::string> assign_identities(Cluster& cluster) {
  std::vector<std::string> out;
  cluster.stable_id = stable_id(Named::cluster, cluster.name);
  IdIndex chassis;
  identify(cluster.chassis, Named::chassis, "chassis", chassis, out);
  for (auto& each : cluster.chassis) {
    IdIndex cards;
    identify(each.cards, Named::card, "card", cards, out);
  }
  identify(cluster.redundancy_sets, Named::redundancy_set, "redundancy set", cluster.set_ids, out);
  identify(cluster.service_sets, Named::service_set, "service set", cluster.service_set_ids, out);
  identify(cluster.nat_pools, Named::nat_pool, "nat pool", cluster.pool_ids, out);
  std::vector<std::string> names;
  for (auto& rule : cluster.firewall_rules) {
    for (auto& term : rule.terms) {
      term.stable_id = stable_id(Named::firewall_term, term.name, rule.name);
      names.push_back(fmt::format("{} of rule {}", term.name, rule.name));
    }
  }
  // There may be more terms than places have room for, so they are compared by themselves.
  std::vector<std::pair<StableId, std::size_t>> by_id;
  for (const auto& rule : cluster.firewall_rules) {
    for (const auto& term : rule.terms) by_id.emplace_back(term.stable_id, by_id.size());
  }
  std::sort(by_id.begin(), by_id.end());
  for (std::size_t i = 1; i < by_id.size(); ++i) {
    const auto& a = names[by_id[i - 1].second];
    const auto& b = names[by_id[i].second];
    if (by_id[i - 1].first == by_id[i].first && a != b) {
      out.push_back(fmt::format("the terms {} and {} have the same identity", a, b));
    }
  }
  return out;
}

}  // namespace icr
