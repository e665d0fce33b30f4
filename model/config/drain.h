// NAT pools that a commit takes away from a service set, and whose sessions go on for a while (`drain-time`).
//
// A cluster file does not say which pool was removed, so a chassis adds that to the cluster that it runs: as
// Cluster::drained, and where the file does not have the pool any more, as a pool with NatPool::drained_only. Neither
// is a part of the file: they are in no digest, and no packet that begins a session sees them.
#pragma once

#include "model/base/time.h"
#include "model/config/cluster.h"

namespace icr {

/// Adds to `after` what it has yet to drain of the pools that `former` uses: a use of a pool by a service set that is
/// in both, that ended when `next`, the configuration after `former`, was committed at `since`, and that lasts until
/// the `drain-time` of the service set in `next` is over. Adds nothing that is over at `now`, that `after` uses or
/// drains already, or that can_drain() refuses. `after` and `next` may be one object.
void add_drained(const Cluster& former, const Cluster& next, WallMillis since, WallMillis now, Cluster& after);

/// Adds to `after` each use of a pool that `running` drains, unless `after` uses or drains the pool itself, or
/// can_drain() refuses. A pool whose time is over is added, too, so that a running chassis need not move other pools.
void keep_drained(const Cluster& running, Cluster& after);

}  // namespace icr
