// How the end of a merge (replication/merge.h) is told in the log.
#pragma once

#include <string>

#include "replication/merge.h"

namespace icr::node {

/// On the master: what it took over, what it refused and why, and the first conflicts in words.
void log_merge(const std::string& set, const replication::MergeReceiver::Outcome& outcome);
/// On the member that yielded.
void log_merge(const std::string& set, const replication::MergeSender::Outcome& outcome);

}  // namespace icr::node
