// The health of a redundancy set on this chassis, from facts and their weights.
#pragma once

#include "model/cluster.h"
#include "node/kernel/kernel_watch.h"
#include "node/redundancy/health.h"

namespace icr::node {

/// Each thing that is wrong adds its weight; all reasons are told, also those of weight 0.
[[nodiscard]] Health health_of(const KernelReport& kernel, bool store_fails, const HealthWeights& weights);

}  // namespace icr::node
