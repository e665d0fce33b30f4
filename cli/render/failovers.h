// Renders the reports of takeovers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/builders/groups.h"
#include "model/query/failover.h"

namespace icr::cli {

/// Renders reports of all chassis, newest first: a line for each, or with `extensive` a block for each with everything
/// that it says. Returns an empty text if there are none.
[[nodiscard]] std::string render_failovers(std::vector<FailoverRow> rows, bool extensive);

}  // namespace icr::cli
