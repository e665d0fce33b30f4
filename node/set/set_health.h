// Computes the health of a redundancy set on this chassis.
#pragma once

#include "model/config/cluster.h"
#include "node/kernel/kernel_report.h"
#include "node/redundancy/address_probes.h"
#include "node/redundancy/health.h"

namespace icr::node {

/// Returns the sum of the weights of everything that is wrong, with all reasons, including those of weight 0.
/// `self_test` holds what the self-test found (node/card/self_test.h). `drained`: an operator has taken the member out
/// of service. `probes`: the addresses that do not answer.
[[nodiscard]] Health health_of(const KernelReport& kernel, const std::vector<std::string>& self_test, bool store_fails,
                               bool drained, const HealthWeights& weights, const std::vector<ProbeTrouble>& probes);

}  // namespace icr::node
