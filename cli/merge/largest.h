// Finds the largest sessions of the cluster.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/config/cluster.h"
#include "model/query/session_order.h"

namespace icr::cli {

/// What read_largest() looks for.
struct LargestQuestion {
  SessionFilter filter;
  SessionOrder order = SessionOrder::bytes;
  std::uint32_t count = 1;  ///< at most kPageSessions
};

/// Returns the largest sessions of all sources together, largest first. Entry::source is an index into `sources`. The
/// sources work at the same time, each on one range of slots after the other. With each question they hear how large a
/// session must be to be among the largest still, so that few sessions travel. What a chassis tells before it fails is
/// kept, and the chassis is added to `unreachable`.
[[nodiscard]] std::vector<LargestSessions::Entry> read_largest(const Cluster& cluster, Transport& transport,
                                                               const std::vector<Source>& sources,
                                                               const LargestQuestion& question,
                                                               std::vector<Unreachable>& unreachable);

}  // namespace icr::cli
