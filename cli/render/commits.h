// Layouts of `show system commit` and `show system rollback compare`.
#pragma once

#include <string>
#include <vector>

#include "cli/builders/groups.h"
#include "model/base/time.h"
#include "model/config/difference.h"
#include "model/query/commit.h"

namespace icr::cli {

/// Returns the commits, newest first, and a line for each chassis that says what it runs. Chassis with the same commits
/// share one list. Times are those of the local time zone.
[[nodiscard]] std::string render_commits(const std::vector<CommitsOfChassis>& chassis, WallMillis now);

/// Returns the changes, by the thing that they belong to: `-` in front of what was, `+` in front of what is.
[[nodiscard]] std::string render_difference(const std::vector<ConfigChange>& changes);

}  // namespace icr::cli
