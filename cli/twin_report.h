// Builds the trees of commands that compare the twins of a redundancy set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/render/twins.h"
#include "cli/result/tree.h"

namespace icr::cli {

/// What was found out about a redundancy set.
struct TwinReport {
  std::uint16_t set = 0;     ///< index into Cluster::redundancy_sets
  std::string not_compared;  ///< why its members could not be compared; empty: they were
  std::optional<Twins> twins;
  TwinComparison sessions;
  TwinComparison bindings;
};

/// What a switchover would meet.
struct DryRun {
  SetReport master;
  std::string refusal;  ///< why the master would refuse; empty: it would not
};

/// Builds `show services redundancy-group consistency`, or with `dry_run` `switchover dry-run`, whose answer is about
/// one set. `extensive`: all differences that are known, and not only some.
void build_twins(Tree& tree, const Cluster& cluster, const std::vector<TwinReport>& reports,
                 const std::optional<DryRun>& dry_run, bool extensive);

}  // namespace icr::cli
