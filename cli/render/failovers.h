// Renders the reports of takeovers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/query/failover.h"

namespace icr::cli {

/// A report, and the redundancy group that it is about.
struct FailoverRow {
  std::uint16_t group = 0;
  FailoverReport report;
};

/// Renders reports of all chassis, newest first: a line for each, or with `extensive` a block for each with everything
/// that it says. Returns an empty text if there are none.
[[nodiscard]] std::string render_failovers(std::vector<FailoverRow> rows, bool extensive);

}  // namespace icr::cli
