// The words of the operator's language: a tree of keywords, and the parser that walks it.
//
// A node's children go deeper; its options may follow in any order, each once, and leave the parser where it is. A
// child cannot follow an option. Any unique prefix of a keyword stands for it. The tree is data, so that a shell can
// complete from the same one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "model/result.h"

namespace icr::cli {

/// What a word without a keyword names.
enum class NameOf : std::uint8_t { nothing, nat_pool, nat_rule };

/// The names that there are: those of the cluster file.
struct Names {
  std::vector<std::string> nat_pools;
  std::vector<std::string> nat_rules;
  [[nodiscard]] bool has(NameOf what, std::string_view name) const;
};

/// An order-free word, with or without a value.
struct GrammarOption {
  std::string_view word;  ///< empty: a value without a keyword, taken where no keyword fits, or where it is a name
  std::string_view help;
  bool has_value = false;
  std::uint32_t bit = 0;       ///< marks it as used
  std::uint32_t excluded = 0;  ///< not offered once one of these was used
  /// Takes the value (empty without one) into the command; an error is Junos' wording for the operator.
  Result<void> (*take)(Command& command, std::string_view value) = nullptr;
  std::uint32_t required = 0;  ///< offered only once one of these was used; 0: always
  NameOf names = NameOf::nothing;
};

struct GrammarNode {
  std::string_view word;  ///< empty: any word is taken here, by `take`
  std::string_view help;
  bool complete = false;  ///< the line may end here
  void (*enter)(Command& command) = nullptr;
  Result<void> (*take)(Command& command, std::string_view word) = nullptr;
  std::vector<GrammarNode> children;
  std::vector<GrammarOption> options;
};

/// The root: its children are the first words.
[[nodiscard]] const GrammarNode& grammar();

/// Why a line is not a command.
struct SyntaxError {
  std::size_t column = 0;  ///< of the offending word in the line, from 0
  std::string message;     ///< one or more lines, without a trailing newline

  /// As Junos shows it: the echoed line with its prompt, a caret under the word, the message.
  [[nodiscard]] std::string shown(std::string_view prompt, std::string_view line) const;
};

/// With `names`, a word that could only be a name and is none of them is an error, and an exact name comes before an
/// abbreviated keyword. Without, any word is taken for a name where one may stand.
[[nodiscard]] tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names = nullptr);

}  // namespace icr::cli
