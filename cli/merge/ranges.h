// Asks sources about their tables, one range of slots after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// Completes the question about the next range of a source, whose card, set and cursor are set already. `place` is the
/// source's index.
using FillRange = std::function<void(std::uint32_t place, QueryRequest& request)>;
/// Takes an answer that was checked. Returns false if nothing more is to be asked.
using TakeRange = std::function<bool(std::uint32_t place, const QueryReply& reply)>;

/// Asks all sources at the same time, each about one range of slots after the other until it has told of all. A chassis
/// that fails or refuses is added to `unreachable`; what it told before was taken.
void read_ranges(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources,
                 const FillRange& fill, const TakeRange& take, std::vector<Unreachable>& unreachable);

}  // namespace icr::cli
