// The interactive shell: `icr` without a command.
#pragma once

#include "cli/client/settings.h"
#include "cli/execute.h"

namespace icr::cli {

/// Reads commands from standard input and executes them, until `exit` or the end of the input. At a terminal there are
/// a prompt, help, completion, history and pages. Otherwise each line is a command; the lines that are wrong are named.
/// Returns `ok` at a terminal, otherwise the exit code of the first command that failed.
[[nodiscard]] ExitCode run_shell(const Settings& settings);

}  // namespace icr::cli
