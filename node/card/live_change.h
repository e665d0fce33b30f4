// Tells whether a chassis can take another configuration while it runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"

namespace icr::node {

/// Returns why the chassis of that name, which runs with `before`, cannot take `after` with its sessions, in sentences
/// for an operator; empty if it can. It looks at what sessions and memory are bound to; keys whose change needs a
/// restart anyway are found by changes_that_restart(). REQUIRES: `after` is arranged() for `before`, the chassis is in
/// both, and changes_that_restart() is empty.
[[nodiscard]] std::vector<std::string> live_obstacles(const Cluster& before, const Cluster& after,
                                                      std::string_view chassis);

/// How a running chassis takes another cluster file.
struct LivePlan {
  std::optional<Cluster> arranged;     ///< what it takes while it runs, arranged() for what runs; nullopt: it restarts
  std::vector<std::string> obstacles;  ///< live_obstacles(), if no key asks for the restart
};
/// Returns how the chassis of that name, which runs with `before`, takes `after`.
[[nodiscard]] LivePlan plan_live(const Cluster& before, const Cluster& after, std::string_view chassis);

}  // namespace icr::node
