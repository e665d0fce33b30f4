#include "model/config/settings.h"

#include <algorithm>
#include <map>

#include "model/config/settings_place.h"

namespace icr {
namespace {

using settings::Place;

/// FNV-1a, 64 bits, with its bits mixed at the end, because digests are added up.
class Digester {
 public:
  void text(std::string_view value) {
    for (const char c : value) byte(static_cast<std::uint8_t>(c));
    byte(0);  // neither paths nor values hold a zero byte
  }
  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t x = state_;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
  }

 private:
  void byte(std::uint8_t value) { state_ = (state_ ^ value) * 0x100000001b3ULL; }

  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

template <class T>
std::string item_name(std::string_view list, const T& thing) {
  return fmt::format("{}[{}]", list, thing.name);
}

template <class T>
bool is_of_file(const T& /*thing*/) {
  return true;
}
bool is_of_file(const NatPool& pool) { return !pool.drained_only; }

constexpr std::string_view kFirewallRules = "stateful-firewall.rules";
constexpr std::string_view kNatRules = "nat.rules";
constexpr std::string_view kPools = "nat.pools";

void sort_once(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace

std::uint64_t digest_of(const Setting& setting) {
  Digester digester;
  digester.text(setting.path);
  digester.text(setting.value);
  return digester.value();
}

std::uint64_t ConfigPart::sum(Scope scope) const {
  std::uint64_t out = 0;
  for (const auto& setting : settings) {
    if (setting.scope == scope) out += digest_of(setting);
  }
  return out;
}

std::vector<ConfigPart> parts_of(const Cluster& cluster) {
  std::vector<ConfigPart> out;
  out.push_back({"cluster", {{"cluster", cluster.name, Scope::cluster}}});
  if (cluster.security == Security::none) {
    const Key& security = key("", "security");
    out.back().settings.push_back({"security", "none", security.scope, security.applies});
  }
  for (const auto& client : cluster.clients) settings::add(Place(out.back(), item_name("clients", client)), client);
  if (cluster.witness) settings::add(Place(out.back(), "witness"), *cluster.witness);
  const auto add_all = [&](std::string_view list, const Key& listed, const auto& things, const auto& add_one) {
    for (const auto& thing : things) {
      ConfigPart& part = out.emplace_back();
      if (thing.name.empty() || !is_of_file(thing)) continue;  // model/config/arrangement.h, drain.h
      part.name = item_name(list, thing);
      const Place at(part, part.name);
      at.exists(listed);
      add_one(at, thing);
    }
  };
  add_all("chassis", key("", "chassis"), cluster.chassis,
          [](const Place& at, const ChassisConfig& c) { settings::add(at, c); });
  for (const auto& set : cluster.redundancy_sets) {
    if (set.stand_alone() || set.name.empty()) continue;
    ConfigPart part{item_name("redundancy-sets", set), {}};
    const Place at(part, part.name);
    at.exists(Scope::cluster);
    settings::add(at, set, cluster);
    out.push_back(std::move(part));
  }
  const std::size_t service_sets = out.size();
  add_all("service-sets", key("", "service-sets"), cluster.service_sets,
          [&](const Place& at, const ServiceSet& s) { settings::add(at, s, cluster); });
  for (const auto& set : cluster.redundancy_sets) {
    if (!set.stand_alone() || set.service_sets.empty()) continue;
    ConfigPart& part = out[service_sets + set.service_sets[0]];
    settings::add_interface(Place(part, part.name).below("interface"), set, cluster);
  }
  add_all(kFirewallRules, key("stateful-firewall", "rules"), cluster.firewall_rules,
          [&](const Place& at, const FirewallRule& r) { settings::add(at, r, cluster); });
  add_all(kNatRules, key("nat", "rules"), cluster.nat_rules,
          [&](const Place& at, const NatRule& r) { settings::add(at, r, cluster); });
  add_all(kPools, key("nat", "pools"), cluster.nat_pools,
          [](const Place& at, const NatPool& p) { settings::add(at, p); });
  add_all("applications", key("", "applications"), cluster.applications,
          [](const Place& at, const Application& a) { settings::add(at, a); });
  add_all("screens", key("", "screens"), cluster.screens,
          [](const Place& at, const Screen& s) { settings::add(at, s); });
  out.erase(std::remove_if(out.begin(), out.end(), [](const ConfigPart& part) { return part.name.empty(); }),
            out.end());
  return out;
}

std::vector<std::string> parts_used_by(const Cluster& cluster, std::uint16_t service_set) {
  const ServiceSet& set = cluster.service_sets[service_set];
  std::vector<std::string> out = {item_name("service-sets", set)};
  const auto use_applications = [&](const MatchConditions& from) {
    for (const auto index : from.applications) out.push_back(item_name("applications", cluster.applications[index]));
  };
  const auto use_pool = [&](std::uint16_t index) { out.push_back(item_name(kPools, cluster.nat_pools[index])); };
  if (set.screen) out.push_back(item_name("screens", cluster.screens[*set.screen]));
  for (const auto index : set.firewall_rules) {
    const auto& rule = cluster.firewall_rules[index];
    out.push_back(item_name(kFirewallRules, rule));
    for (const auto& term : rule.terms) use_applications(term.from);
  }
  for (const auto index : set.nat_rules) {
    const auto& rule = cluster.nat_rules[index];
    out.push_back(item_name(kNatRules, rule));
    for (const auto& term : rule.terms) {
      use_applications(term.from);
      for (const auto pool : term.source_pools) use_pool(pool);
      if (term.overload_pool) use_pool(*term.overload_pool);
      if (term.destination_pool) use_pool(*term.destination_pool);
    }
  }
  sort_once(out);
  return out;
}

std::vector<std::string> parts_used_by_set(const Cluster& cluster, std::uint16_t set) {
  const RedundancySet& own = cluster.redundancy_sets[set];
  std::vector<std::string> out;
  if (!own.stand_alone()) out.push_back(item_name("redundancy-sets", own));
  for (const auto service_set : own.service_sets) {
    const auto used = parts_used_by(cluster, service_set);
    out.insert(out.end(), used.begin(), used.end());
  }
  sort_once(out);
  return out;
}

void compute_digests(Cluster& cluster) {
  std::map<std::string, std::uint64_t, std::less<>> peer_sums;
  cluster.digest = 0;
  for (const auto& part : parts_of(cluster)) {
    cluster.digest += part.sum(Scope::cluster);
    peer_sums.emplace(part.name, part.sum(Scope::peer));
  }
  for (std::uint16_t i = 0; i < cluster.redundancy_sets.size(); ++i) {
    auto& parity = cluster.redundancy_sets[i].parity;
    parity = 0;
    for (const auto& name : parts_used_by_set(cluster, i)) parity += peer_sums[name];
  }
}

}  // namespace icr
