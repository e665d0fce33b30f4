// What a redundancy set says of itself: to operators, and to whoever decides when its chassis takes a commit.
#pragma once

#include "model/base/time.h"
#include "model/query/query.h"
#include "node/set/set_core.h"

namespace icr::node {

/// Sets everything in `out` that the core knows. The counters, the scheduling of the worker and the place of the set in
/// the cluster file (`out.set`) stay as they are.
/// Thread: the one that owns the core.
void describe(const SetCore& core, TimePoint now, SetStatus& out);

}  // namespace icr::node
