// The report of a takeover as JSON (docs/failover-report.md describes the fields).
#pragma once

#include <string>
#include <string_view>

#include "model/base/result.h"
#include "model/query/failover.h"

namespace icr::node {

/// Returns the report as a JSON document of several lines. What is not known is null.
[[nodiscard]] std::string failover_to_json(const FailoverReport& report);
/// Reads what failover_to_json() of this or an earlier release has written: what such a document lacks is not known,
/// and what this release does not know is ignored. The error says what is wrong.
[[nodiscard]] Result<FailoverReport> failover_from_json(std::string_view text);

}  // namespace icr::node
