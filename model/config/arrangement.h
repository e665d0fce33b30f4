// Arranges a cluster for a chassis that runs with another one: what both have stays in its place.
//
// Inside a chassis, sessions, bindings and tables name things by their index in the cluster. A commit may add, remove
// and reorder things, so the cluster that comes after is arranged before a running chassis takes it.
#pragma once

#include "model/config/cluster.h"

namespace icr {

/// Returns `after` with the same meaning and the same digests, in which each chassis, redundancy set, service set, NAT
/// pool and application that is in `before` as well (by its name) has the index that it has there.
///
/// A place that would be empty holds a thing without a name, which nothing refers to and which is no part of the
/// cluster (parts_of()). An application that is removed keeps its place, its values and no name, because sessions that
/// it matched still have its timeout. Pools that `before` drains are kept by keep_drained() (drain.h).
[[nodiscard]] Cluster arranged(const Cluster& before, Cluster after);

}  // namespace icr
