// Reads what the operating system knows about the machine, this process, and the interfaces below the cards.
#pragma once

#include "model/config/cluster.h"
#include "model/query/system.h"

namespace icr::node {

/// Returns the status of the chassis at this moment. It asks the kernel a few times for each interface, so it is not
/// for a thread that forwards. Thread: any.
[[nodiscard]] SystemStatus read_system(const ChassisConfig& chassis);

}  // namespace icr::node
