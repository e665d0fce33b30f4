#include "model/config/difference.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

namespace icr {
namespace {

struct Placed {
  const Setting* setting;
  const std::string* part;
};
using ByPath = std::map<std::string_view, Placed>;

ByPath by_path(const std::vector<ConfigPart>& parts) {
  ByPath out;
  for (const ConfigPart& part : parts) {
    for (const Setting& setting : part.settings) out.emplace(setting.path, Placed{&setting, &part.name});
  }
  return out;
}

std::string part_of_chassis(const Cluster& cluster, std::uint16_t index) {
  return "chassis[" + cluster.chassis[index].name + "]";
}

/// Adds the names of the parts that `chassis` is made of in this cluster, and to `peers` those of its peers.
void add_own_parts(const Cluster& cluster, std::string_view chassis, std::set<std::string>& own,
                   std::set<std::string>& peers) {
  own.insert("cluster");
  const auto index = cluster.find_chassis(chassis);
  if (!index) return;
  own.insert(part_of_chassis(cluster, *index));
  for (std::uint16_t set = 0; set < cluster.redundancy_sets.size(); ++set) {
    if (!cluster.member_on(set, *index)) continue;
    for (auto& name : parts_used_by_set(cluster, set)) own.insert(std::move(name));
    for (const auto& member : cluster.redundancy_sets[set].members) {
      if (member.chassis != *index) peers.insert(part_of_chassis(cluster, member.chassis));
    }
  }
}

}  // namespace

std::vector<ConfigChange> difference(const Cluster& before, const Cluster& after) {
  const auto old_parts = parts_of(before);
  const auto new_parts = parts_of(after);
  const ByPath olds = by_path(old_parts);
  const ByPath news = by_path(new_parts);
  std::vector<ConfigChange> out;
  for (const auto& [path, old] : olds) {
    const auto found = news.find(path);
    if (found == news.end()) {
      out.push_back(
          {*old.part, std::string(path), old.setting->value, std::nullopt, old.setting->scope, old.setting->applies});
    } else if (found->second.setting->value != old.setting->value) {
      out.push_back({*old.part, std::string(path), old.setting->value, found->second.setting->value, old.setting->scope,
                     old.setting->applies});
    }
  }
  for (const auto& [path, fresh] : news) {
    if (olds.count(path) != 0) continue;
    out.push_back({*fresh.part, std::string(path), std::nullopt, fresh.setting->value, fresh.setting->scope,
                   fresh.setting->applies});
  }
  std::sort(out.begin(), out.end(), [](const ConfigChange& a, const ConfigChange& b) { return a.path < b.path; });
  return out;
}

std::vector<ConfigChange> changes_of_chassis(const std::vector<ConfigChange>& changes, const Cluster& before,
                                             const Cluster& after, std::string_view chassis) {
  std::set<std::string> own;
  std::set<std::string> peers;
  add_own_parts(before, chassis, own, peers);
  add_own_parts(after, chassis, own, peers);
  std::vector<ConfigChange> out;
  std::copy_if(changes.begin(), changes.end(), std::back_inserter(out), [&](const ConfigChange& change) {
    return own.count(change.part) != 0 || (change.scope != Scope::chassis && peers.count(change.part) != 0);
  });
  return out;
}

std::vector<ConfigChange> changes_that_restart(const std::vector<ConfigChange>& changes, const Cluster& before,
                                               const Cluster& after, std::string_view chassis) {
  auto out = changes_of_chassis(changes, before, after, chassis);
  // Of a part that is added or removed, it counts that it is there, and not what it is like.
  std::set<std::string> whole;
  for (const ConfigChange& change : out) {
    if (change.adds_part() || change.removes_part()) whole.insert(change.part);
  }
  const auto needs_none = [&](const ConfigChange& change) {
    return change.applies != Applies::restart || (change.path != change.part && whole.count(change.part) != 0);
  };
  out.erase(std::remove_if(out.begin(), out.end(), needs_none), out.end());
  return out;
}

}  // namespace icr
