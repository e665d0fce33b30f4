// The keys of chassis change in steps, so that no chassis ever meets a peer whose key it does not know.
#pragma once

#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::node {

/// Returns an error if a commit must not lead from `running` to `next`: it would begin or end encryption, which all
/// chassis would have to do at the same moment; or a chassis would use a key that the others do not know yet.
[[nodiscard]] Result<void> check_key_step(const Cluster& running, const Cluster& next);

}  // namespace icr::node
