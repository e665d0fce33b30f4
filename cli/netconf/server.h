// `icr netconf`: a subsystem of sshd that speaks NETCONF on standard input and output.
#pragma once

#include "cli/client/settings.h"
#include "cli/execute.h"

namespace icr::cli::netconf {

/// Carries one session. Returns when it has ended.
[[nodiscard]] ExitCode serve(const Settings& settings);

}  // namespace icr::cli::netconf
