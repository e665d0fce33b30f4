// Commands of Junos about things that icr does not have: their answers are empty.
#pragma once

#include <string_view>

#include "cli/grammar/command.h"

namespace icr::cli {

/// The names of Junos for a command about something that icr does not have.
struct AbsentNames {
  std::string_view call;    ///< of NETCONF; empty: it has none of its own
  std::string_view answer;  ///< the outermost element of the answer; empty: it is not public
};
[[nodiscard]] AbsentNames names_of(Absent what);

}  // namespace icr::cli
