// The second round of a listing: pages of sessions from their sources, merged into one ordered answer.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/cluster.h"

namespace icr::cli {

/// Called once for each session, source by source in the given order, within a source by slot.
using SessionPrinter = std::function<void(const Source& source, const SessionRecord& record)>;

/// Reads `sources` (sorted as choose_sources() does) to their ends, or until `limit` sessions were printed. The chassis
/// work at the same time, each at most one page ahead: memory is bounded by a page per chassis, whatever the tables
/// hold. A chassis that fails on the way is noted in `silent` and left out from there on.
void stream_sessions(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources,
                     const SessionFilter& filter, std::optional<std::uint32_t> limit, const SessionPrinter& print,
                     std::vector<Silence>& silent);

}  // namespace icr::cli
