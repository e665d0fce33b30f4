// Computes the health of a redundancy set on this chassis.
#pragma once

#include "model/cluster.h"
#include "node/kernel/kernel_watch.h"
#include "node/redundancy/health.h"

namespace icr::node {

/// Returns the sum of the weights of everything that is wrong, with all reasons, including those of weight 0.
[[nodiscard]] Health health_of(const KernelReport& kernel, bool store_fails, const HealthWeights& weights);

}  // namespace icr::node
