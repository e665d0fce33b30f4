// The live views: `monitor interface` and `monitor services sessions`.
#pragma once

#include "cli/client/settings.h"
#include "cli/execute.h"
#include "model/base/result.h"

namespace icr::cli {

/// Draws what a `monitor` command shows, again every second, until the operator types q, Esc or Ctrl-C. Returns the
/// exit code of `icr`. Without a terminal it refuses. Ends the process if the operator does not want to wait for a
/// chassis that does not answer. REQUIRES: monitors(command.verb). Thread: that of the program, with no others.
[[nodiscard]] ExitCode monitor(const Command& command, const Settings& settings, const Result<Cluster>& cluster);

}  // namespace icr::cli
