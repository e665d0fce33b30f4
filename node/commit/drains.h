// Finds in the stored commits which NAT pools a chassis has to drain (model/config/drain.h).
//
// A drained pool follows from the texts of commits and from when they were made, so a chassis that restarts drains what
// it drained before, and until the same time. That time is of the wall clock: the master ends the sessions by its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/config/snapshot.h"
#include "node/commit/snapshot_store.h"

namespace icr::node {

/// Returns `newest`, which is the snapshot of the first of `commits` (newest first), with what has yet to be drained at
/// `now` because of these commits. Texts that this release cannot read drain nothing.
[[nodiscard]] std::shared_ptr<const Snapshot> with_drains(std::shared_ptr<const Snapshot> newest,
                                                          const std::vector<const StoredCommit*>& commits,
                                                          WallMillis now);

/// Returns a sentence for each use of a pool that `cluster` drains at `now`.
[[nodiscard]] std::vector<std::string> describe_drains(const Cluster& cluster, WallMillis now);

}  // namespace icr::node
