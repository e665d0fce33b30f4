// The state of a failure detector in the form in which operators are told of it.
#pragma once

#include "model/query/failover.h"
#include "node/redundancy/detector.h"

namespace icr::node {

/// `present`: the peer counts as alive.
[[nodiscard]] SilenceStatus silence_of(const DetectorStatus& detector, bool present);

}  // namespace icr::node
