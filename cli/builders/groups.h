// Builds the trees of redundancy groups, of reports of takeovers, of drops by service set, and of commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/commit.h"
#include "model/query/failover.h"

namespace icr::cli {

/// Builds `show services redundancy-group`: a state for each chassis that is in a group, or in group `only`.
void build_redundancy_groups(Tree& tree, const Cluster& cluster, const std::vector<SetReport>& reports, Level level,
                             std::optional<std::uint16_t> only);

/// A report, and the redundancy group that it is about.
struct FailoverRow {
  std::uint16_t group = 0;
  FailoverReport report;
};
/// Builds `show services redundancy-group failovers`, newest first.
void build_failovers(Tree& tree, std::vector<FailoverRow> rows, bool extensive);

/// What a service set has dropped on a card.
struct DropsRow {
  std::string interface;
  std::string service_set;
  CounterList counters;
};
/// Builds the answer of Junos to `show services service-sets statistics packet-drops`.
void build_packet_drops(Tree& tree, const std::vector<DropsRow>& rows);

struct CommitsOfChassis {
  std::string chassis;
  CommitReply reply;
};
/// Builds `show system commit`: the commits of the first chassis, and what each chassis runs.
void build_commits(Tree& tree, const std::vector<CommitsOfChassis>& chassis);

}  // namespace icr::cli
