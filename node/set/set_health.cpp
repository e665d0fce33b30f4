#include "node/set/set_health.h"

namespace icr::node {

Health health_of(const KernelReport& kernel, const std::vector<std::string>& self_test, bool store_fails, bool drained,
                 const HealthWeights& weights, const std::vector<ProbeTrouble>& probes) {
  Health out;
  const auto add = [&out](std::uint32_t weight, const std::string& reason) {
    out.weight += weight;
    if (!out.reasons.empty()) out.reasons += "; ";
    out.reasons += reason;
  };
  if (drained) add(kIllWeight, "drained by an operator");
  for (const auto& reason : kernel.interfaces) add(weights.interface, reason);
  for (const auto& reason : kernel.kernel) add(weights.kernel, reason);
  for (const ProbeTrouble& each : probes) add(each.weight, each.reason);
  for (const auto& reason : self_test) add(weights.self_test, reason);
  if (store_fails) add(weights.store, "checkpoints cannot be written");
  return out;
}

}  // namespace icr::node
