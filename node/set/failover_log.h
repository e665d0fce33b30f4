// The line in the log that tells what a takeover cost.
#pragma once

#include <string>

#include "model/query/failover.h"

namespace icr::node {

/// Returns the line without its component, in the style of the log: values as name=value, then a sentence.
[[nodiscard]] std::string failover_line(const FailoverReport& report);

}  // namespace icr::node
