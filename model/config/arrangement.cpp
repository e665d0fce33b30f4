#include "model/config/arrangement.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/config/drain.h"

namespace icr {
namespace {

/// What becomes of the place of a thing that is removed.
enum class Removed : std::uint8_t {
  empties_its_place,  ///< a new thing may get it
  keeps_its_place,    ///< without its name
};

/// Moves each of `things` to the index that the thing of the same name has in `before`. Returns a table: the new index
/// of the thing that was at index i is at place i.
template <class T>
std::vector<std::uint16_t> arrange(const std::vector<T>& before, std::vector<T>& things, Removed removed) {
  std::map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!before[i].name.empty()) known.emplace(before[i].name, i);
  }
  const bool keeps = removed == Removed::keeps_its_place;
  std::vector<std::optional<T>> places(before.size());
  std::vector<std::uint16_t> out(things.size());
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < things.size(); ++i) {
    const auto found = known.find(things[i].name);
    if (found == known.end()) {
      added.push_back(i);
      continue;
    }
    out[i] = static_cast<std::uint16_t>(found->second);
    places[found->second] = std::move(things[i]);
  }
  std::size_t next = keeps ? places.size() : 0;
  for (const std::size_t i : added) {
    while (next < places.size() && places[next]) ++next;
    if (next == places.size()) places.emplace_back();
    out[i] = static_cast<std::uint16_t>(next);
    places[next] = std::move(things[i]);
  }
  while (!keeps && !places.empty() && !places.back()) places.pop_back();
  things.clear();
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i]) {
      things.push_back(std::move(*places[i]));
    } else if (keeps) {
      things.push_back(before[i]);
      things.back().name.clear();
    } else {
      things.emplace_back();
    }
  }
  return out;
}

void move(std::vector<std::uint16_t>& indices, const std::vector<std::uint16_t>& places) {
  for (auto& index : indices) index = places[index];
}

void move(std::optional<std::uint16_t>& index, const std::vector<std::uint16_t>& places) {
  if (index) index = places[*index];
}

template <class T>
IdIndex index_of(const std::vector<T>& things) {
  IdIndex out;
  for (std::size_t i = 0; i < things.size(); ++i) {
    if (!things[i].name.empty()) out.add(things[i].stable_id, static_cast<std::uint16_t>(i));
  }
  (void)out.seal();
  return out;
}

}  // namespace

Cluster arranged(const Cluster& before, Cluster after) {
  keep_drained(before, after);
  const auto chassis = arrange(before.chassis, after.chassis, Removed::empties_its_place);
  const auto service_sets = arrange(before.service_sets, after.service_sets, Removed::empties_its_place);
  const auto pools = arrange(before.nat_pools, after.nat_pools, Removed::empties_its_place);
  const auto applications = arrange(before.applications, after.applications, Removed::keeps_its_place);
  (void)arrange(before.redundancy_sets, after.redundancy_sets, Removed::empties_its_place);
  for (RedundancySet& set : after.redundancy_sets) {
    for (auto& member : set.members) member.chassis = chassis[member.chassis];
    move(set.service_sets, service_sets);
  }
  for (FirewallRule& rule : after.firewall_rules) {
    for (FirewallTerm& term : rule.terms) move(term.from.applications, applications);
  }
  for (NatRule& rule : after.nat_rules) {
    for (NatTerm& term : rule.terms) {
      move(term.from.applications, applications);
      move(term.source_pools, pools);
      move(term.overload_pool, pools);
      move(term.destination_pool, pools);
    }
  }
  for (DrainedUse& each : after.drained) {
    each.service_set = service_sets[each.service_set];
    move(each.term.source_pools, pools);
  }
  after.set_ids = index_of(after.redundancy_sets);
  after.service_set_ids = index_of(after.service_sets);
  after.pool_ids = index_of(after.nat_pools);
  return after;
}

}  // namespace icr
