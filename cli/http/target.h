// What an HTTP client asks: the path and the parameters of a request as a show command, made from the grammar. No I/O.
//
// The path has the words of the command without `show`, below /v1; a value that stands among the words is a segment.
// Each option is a parameter. One without a value is given as `?extensive`, or with the value `true` or `false`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/grammar.h"
#include "model/base/result.h"

namespace icr::cli::http {

/// What all paths begin with.
inline constexpr std::string_view kRoot = "/v1";

/// A value among the words of a command.
struct PathValue {
  std::string name;
  std::string_view help;
};

/// A show command at its place among the paths.
struct Route {
  std::string path;                   ///< "/v1/services/sessions"; a value is `{name}`
  std::string words;                  ///< "show services sessions"
  std::string help;                   ///< what it shows
  std::vector<PathValue> values;      ///< in the order of the path
  const GrammarNode* node = nullptr;  ///< its options are the parameters
  Command command;                    ///< without any option
};

/// Returns all show commands, in the order of the grammar.
[[nodiscard]] const std::vector<Route>& routes();

/// Returns the name of the parameter for an option: its word; that of a name without a keyword is `name`.
[[nodiscard]] std::string_view parameter_of(const GrammarOption& option);

/// Why a request asks nothing.
struct Refusal {
  unsigned status = 400;
  std::string message;
  std::string bad_element = {};            ///< the segment, parameter or value that is wrong
  std::vector<std::string> possible = {};  ///< what may stand in its place
};

/// A question to the cluster.
struct Question {
  Command command;
  std::string_view privilege;  ///< the class that it needs
};

/// Returns the question that the target of a request (its path, and behind `?` its parameters) asks. `names` as for
/// parse_command().
[[nodiscard]] tl::expected<Question, Refusal> question_of(std::string_view target, const Names* names);

/// Returns `text` with the octets that %XX stands for; nothing if that is wrong, or a control character.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace icr::cli::http
