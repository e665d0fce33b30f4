// Remote procedure calls as command lines: the inverse of cli/rpc.h, made from the grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"

namespace icr::cli::netconf {

/// An argument of a call. One without a value says all by being there, such as `<nat/>`.
struct Argument {
  std::string name;
  std::string value;
};

/// Why a call is not a command.
struct CallError {
  bool unknown_call = false;  ///< no command has this name
  std::string bad_element;
  std::string message;
};

/// Returns the command line that asks what the call `name` asks. The grammar checks the values when the line is parsed.
[[nodiscard]] tl::expected<std::string, CallError> line_of_call(std::string_view name, std::vector<Argument> arguments);

/// Returns the name that `| display xml rpc` shows for a call that Junos has under two names, one for ms- cards and one
/// for vms- cards, or for flows by either path; `call` itself for any other.
[[nodiscard]] std::string_view usual_name(std::string_view call);

/// Returns the names of all calls, in alphabetical order.
[[nodiscard]] std::vector<std::string> names_of_calls();

}  // namespace icr::cli::netconf
