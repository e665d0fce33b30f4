#include "node/card/live_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/config/arrangement.h"
#include "model/config/difference.h"
#include "model/config/reserved_endpoints.h"
#include "node/kernel/return_routes.h"
#include "node/nat/nat_rules.h"
#include "node/service/screen.h"

namespace icr::node {
namespace {

/// Applications that are removed keep their places, and sessions number them in 16 bits.
constexpr std::size_t kMostApplications = 60'000;

const Screen* screen_of(const Cluster& cluster, std::uint16_t service_set) {
  const auto& screen = cluster.service_sets[service_set].screen;
  return screen ? &cluster.screens[*screen] : nullptr;
}

/// Returns the key that a chassis uses; empty if the cluster is not encrypted.
std::string own_key(const Cluster& cluster, std::uint16_t chassis) {
  return cluster.encrypted() ? cluster.chassis[chassis].public_keys.front() : std::string();
}

bool same_routes(const std::vector<ReturnRoutes::Route>& a, const std::vector<ReturnRoutes::Route>& b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.prefix == y.prefix && x.device == y.device && x.table == y.table;
         });
}

}  // namespace

std::vector<std::string> live_obstacles(const Cluster& before, const Cluster& after, std::string_view chassis) {
  std::vector<std::string> out;
  const auto own = before.find_chassis(chassis);
  if (!own) return {"the chassis is not in the configuration that runs"};
  if (after.applications.size() > kMostApplications) {
    out.push_back(fmt::format("more than {} applications were used since the last restart", kMostApplications));
  }
  if (own_key(before, *own) != own_key(after, *own)) out.emplace_back("the chassis uses another key");
  const auto reserved_before = reserved_endpoints(before);
  const auto reserved_after = reserved_endpoints(after);
  for (std::uint16_t set = 0; set < before.redundancy_sets.size(); ++set) {
    if (!before.member_on(set, *own)) continue;
    const std::string& name = before.redundancy_sets[set].name;
    if (auto why = obstacle(NatRules(before, set, reserved_before), NatRules(after, set, reserved_after));
        !why.empty()) {
      out.push_back(fmt::format("{}: {}", name, why));
    }
    for (const std::uint16_t service_set : before.redundancy_sets[set].service_sets) {
      if (ScreenGuard::can_follow(screen_of(before, service_set), screen_of(after, service_set))) continue;
      out.push_back(fmt::format("{}: a screen begins to count the sessions of an address", name));
    }
    if (!same_routes(return_routes_of(before, set, *own), return_routes_of(after, set, *own))) {
      out.push_back(fmt::format("{}: other addresses are routed back to its cards", name));
    }
  }
  return out;
}

LivePlan plan_live(const Cluster& before, const Cluster& after, std::string_view chassis) {
  LivePlan out;
  if (!changes_that_restart(difference(before, after), before, after, chassis).empty()) return out;
  Cluster next = arranged(before, after);
  out.obstacles = live_obstacles(before, next, chassis);
  if (out.obstacles.empty()) out.arranged = std::move(next);
  return out;
}

}  // namespace icr::node
