// What differs between two cluster files, and which chassis it concerns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/settings.h"

namespace icr {

/// One setting that was added, removed or changed.
struct ConfigChange {
  std::string part;                   ///< the thing at the top of the file to which it belongs: "service-sets[cgn]"
  std::string path;                   ///< "service-sets[cgn].timeouts.open-timeout"
  std::optional<std::string> before;  ///< nullopt: it was absent, or had its default
  std::optional<std::string> after;   ///< nullopt: it is absent, or has its default
  Scope scope = Scope::cluster;
  Applies applies = Applies::restart;

  /// Returns true if the whole thing `part` was added or removed, and not only a setting of it.
  [[nodiscard]] bool adds_part() const { return path == part && !before; }
  [[nodiscard]] bool removes_part() const { return path == part && !after; }
  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

/// Returns the changes that lead from `before` to `after`, sorted by path. Things are matched by their names.
[[nodiscard]] std::vector<ConfigChange> difference(const Cluster& before, const Cluster& after);

/// Returns what of `changes`, which are those from `before` to `after`, concerns the chassis of that name: not settings
/// of other chassis, and of sets and service sets that are not on this one.
[[nodiscard]] std::vector<ConfigChange> changes_of_chassis(const std::vector<ConfigChange>& changes,
                                                           const Cluster& before, const Cluster& after,
                                                           std::string_view chassis);

/// Returns the changes that the chassis of that name cannot take while it runs, because their keys need a restart
/// (Applies::restart). Looks at the changes that changes_of_chassis() returns, and not at their values. A part that is
/// added or removed as a whole yields at most one change, which says so. REQUIRES: `changes` are those from `before` to
/// `after`.
[[nodiscard]] std::vector<ConfigChange> changes_that_restart(const std::vector<ConfigChange>& changes,
                                                             const Cluster& before, const Cluster& after,
                                                             std::string_view chassis);

}  // namespace icr
