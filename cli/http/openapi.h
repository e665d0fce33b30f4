// The description of what `icr serve` answers, in OpenAPI 3.0, made from the tree of the grammar.
#pragma once

#include <string>

namespace icr::cli::http {

/// Returns the description: `GET /v1/openapi.json`, and docs/openapi.json.
[[nodiscard]] std::string openapi();

}  // namespace icr::cli::http
