// The keys of chassis change in steps, so that no chassis ever meets a peer whose key it does not know.
#pragma once

#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::node {

/// Returns an error if a commit must not lead from `running` to `next`: it would begin or end encryption, which all
/// chassis would have to do at the same moment; or a chassis would use a key that the others do not know yet; or the
/// others would forget the key that a chassis uses in `running`. In the last case the peer, which takes keys without a
/// restart, would not hear this chassis any more while that still waits for the peer before it restarts with its new
/// key: both members would be master, and stay so.
[[nodiscard]] Result<void> check_key_step(const Cluster& running, const Cluster& next);

}  // namespace icr::node
