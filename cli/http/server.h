// `icr serve`: answers show commands as JSON over HTTP (docs/http.md).
#pragma once

#include "cli/client/settings.h"
#include "cli/execute.h"
#include "cli/http/options.h"

namespace icr::cli::http {

/// Answers until SIGTERM or SIGINT. Returns the exit code of `icr`.
[[nodiscard]] ExitCode serve(const Options& options, const Settings& settings);

}  // namespace icr::cli::http
