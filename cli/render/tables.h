// Renders counts, utilization, redundancy groups and counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// Renders the answer of one chassis to `show services redundancy-group`, with `only` restricted to one group. Returns
/// an empty text if the chassis is in none.
[[nodiscard]] std::string render_redundancy_groups(const Cluster& cluster, std::uint16_t chassis,
                                                   const std::vector<SetReport>& reports, Level level,
                                                   std::optional<std::uint16_t> only = std::nullopt);

/// Appends the lines that describe a failure detector. Their indent is that of the lines of a redundancy group.
void append_detector(const SilenceStatus& detector, std::string& out);

/// Renders counters under a heading.
[[nodiscard]] std::string render_counters(const std::string& heading, const CounterList& counters,
                                          std::size_t indent = 2);

}  // namespace icr::cli
