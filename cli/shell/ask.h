// Asks the cluster what a line says: parses it, carries it out with its pipes, and prints the answer.
#pragma once

#include <string>
#include <string_view>

#include "cli/client/settings.h"
#include "cli/execute.h"

namespace icr::cli {

/// Executes one line. The answer goes to standard output, errors go to standard error. `prompt` stands in front of a
/// line that is wrong. Returns the exit code of `icr`.
[[nodiscard]] ExitCode ask(std::string_view line, const Settings& settings, std::string_view prompt);

/// Prints the words and names that may stand at the end of `line`, each with a tab and what it means, for the
/// completion of the user's shell. Prints nothing if the line is wrong.
[[nodiscard]] ExitCode print_completions(std::string_view line, const Settings& settings);

}  // namespace icr::cli
