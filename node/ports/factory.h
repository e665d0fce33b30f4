// Opens the packet port that the cluster file asks for.
#pragma once

#include <functional>
#include <memory>

#include "model/config/cluster.h"
#include "node/ports/port.h"

namespace icr::node {

/// Opens the port. `schedule` gives a thread that it runs in the scheduling of the workers. The error is one line for
/// the person who starts icrd; it names the unit and what would solve the problem.
[[nodiscard]] Result<std::unique_ptr<Port>> open_port(
    const PacketPort& config, const std::function<void()>& schedule = [] {});

}  // namespace icr::node
