// Everything that is printed as a table or as a block: counts, utilization, redundancy groups, counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "model/cluster.h"
#include "model/query.h"

namespace icr::cli {

/// A line of a table about service sets.
struct ServiceSetRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  std::string service_set;
  ServiceSetCount count;
};

/// `count`: a table for ms- cards (one number), then one for vms- cards (by state), each only if it has rows; without
/// any rows the heading for `empty_family`.
[[nodiscard]] std::string render_counts(const std::vector<ServiceSetRow>& rows, CardFamily empty_family);
/// `clear services sessions` and its relatives: `what` heads the numbers, each session counts `per_session`.
[[nodiscard]] std::string render_cleared(const std::vector<ServiceSetRow>& rows, std::string_view what,
                                         unsigned per_session);

struct UtilizationRow {
  std::string interface;
  CardUtilization utilization;
};
[[nodiscard]] std::string render_utilization(const std::vector<UtilizationRow>& rows);

/// One chassis' answer to `show services redundancy-group`, of one group with `only`; empty if it is in none.
[[nodiscard]] std::string render_redundancy_groups(const Cluster& cluster, std::uint16_t chassis,
                                                   const std::vector<SetReport>& reports, Level level,
                                                   std::optional<std::uint16_t> only = std::nullopt);

/// Counters under a heading; without `all` only those that are not zero, and nothing at all if there is none.
[[nodiscard]] std::string render_counters(const std::string& heading, const CounterList& counters, bool all,
                                          std::size_t indent = 2);

}  // namespace icr::cli
