// Logs the end of a merge (replication/merge.h).
#pragma once

#include <string>

#include "replication/merge.h"

namespace icr::node {

/// Logs on the master what it took over, what it refused and why, and the first conflicts in words.
void log_merge(const std::string& set, const replication::MergeReceiver::Outcome& outcome);
/// Logs the same on the member that yielded, from the counts of the acknowledgements.
void log_merge(const std::string& set, const replication::MergeSender::Outcome& outcome);

}  // namespace icr::node
