// The commands that do not ask the cluster one question: those about files, keys and commits.
#pragma once

#include <string>
#include <vector>

#include "cli/client/settings.h"
#include "cli/execute.h"

namespace icr::cli {

/// Executes `check FILE`, `keys ...`, `commit ...` or `rollback ...`, whose words are `words`, and prints what it says.
/// Returns nothing if the first word is none of these.
[[nodiscard]] std::optional<ExitCode> run_local(const std::vector<std::string>& words, const Settings& settings);

}  // namespace icr::cli
