// Sums up the sessions of the cluster by group.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/config/cluster.h"
#include "model/query/session_groups.h"

namespace icr::cli {

/// The most groups of an answer, so that the memory of `icr` is bounded.
inline constexpr std::size_t kMostGroups = 262'144;

/// What read_groups() asks for.
struct GroupsQuestion {
  SessionFilter filter;
  GroupingRule rule;
};

/// Sums by group. For SessionGrouping::source, the id of a group is the index of its chassis in the cluster file.
using SumsByGroup = std::map<SessionGroupKey, SessionSums>;

/// Returns the sums of all sources together, or nothing if there are more than kMostGroups groups: sums of some of them
/// would not be an answer. The sources work at the same time, each on one range of slots after the other, and only
/// their sums travel. What a chassis tells before it fails counts, and the chassis is added to `unreachable`.
[[nodiscard]] std::optional<SumsByGroup> read_groups(const Cluster& cluster, Transport& transport,
                                                     const std::vector<Source>& sources, const GroupsQuestion& question,
                                                     std::vector<Unreachable>& unreachable);

}  // namespace icr::cli
