// The remote procedure calls of Junos that ask what a command asks.
#pragma once

#include <string_view>

#include "cli/grammar/command.h"
#include "cli/result/tree.h"

namespace icr::cli {

/// Returns the name of the call for a command, or an empty text if Junos has none.
[[nodiscard]] std::string_view rpc_name(const Command& command);

/// Returns the name that the option `word` of a command has as an argument of its call. A name without a keyword is an
/// option with an empty word.
[[nodiscard]] std::string_view argument_of(Verb verb, std::string_view word);

/// Adds the call with its arguments, as `| display xml rpc` prints it. REQUIRES: rpc_name() is not empty.
void add_rpc(Tree& tree, const Command& command);

}  // namespace icr::cli
