// The grammar of commands: a tree of keywords, and the parser that walks it.
//
// The children of a node lead deeper into the tree. The options of a node may follow in any order, each once, and the
// parser stays at the node. A child cannot follow an option. Any unique prefix of a keyword stands for the keyword. The
// tree is data, so a shell can complete words from the same tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/grammar/words.h"
#include "model/base/result.h"

namespace icr::cli {

/// The kind of thing that a word without a keyword names.
enum class NameOf : std::uint8_t { nothing, nat_pool, nat_rule };

/// The names that the cluster file defines.
struct Names {
  std::vector<std::string> nat_pools;
  std::vector<std::string> nat_rules;
  /// Returns true if `name` is the name of a thing of kind `what`.
  [[nodiscard]] bool has(NameOf what, std::string_view name) const;
};

/// A keyword with or without a value, which may stand in any order with the other options of its node.
struct GrammarOption {
  std::string_view word;  ///< empty: a value without a keyword, accepted if it is a name, or if no keyword fits
  std::string_view help;
  bool has_value = false;
  std::uint32_t bit = 0;       ///< identifies the option within its node
  std::uint32_t excluded = 0;  ///< bits of options; not accepted after any of them
  /// Stores the value (empty if has_value is false) in the command. Returns an error with the message that Junos
  /// prints.
  Result<void> (*take)(Command& command, std::string_view value) = nullptr;
  std::uint32_t required = 0;  ///< bits of options; accepted only after one of them, if there are any
  NameOf names = NameOf::nothing;
};

/// A keyword of the tree with everything that can follow it.
struct GrammarNode {
  std::string_view word;  ///< empty: any word is accepted here, and passed to `take`
  std::string_view help;
  bool complete = false;  ///< a command may end here
  /// Called when the parser reaches the node; may be null.
  void (*enter)(Command& command) = nullptr;
  /// Stores the word of a node without a keyword. Returns an error with the message that Junos prints.
  Result<void> (*take)(Command& command, std::string_view word) = nullptr;
  std::vector<GrammarNode> children;
  std::vector<GrammarOption> options;
};

/// Returns the root of the tree; its children are the first words of commands.
[[nodiscard]] const GrammarNode& grammar();
/// Returns the root of the tree of pipes; its children are the words that may follow `|`.
[[nodiscard]] const GrammarNode& pipe_grammar();

/// Parses `line`. With `names`, a word that could only be a name but is none of `names` is an error, and an exact name
/// has precedence over an abbreviated keyword. Without `names`, any word is accepted where a name may stand.
[[nodiscard]] tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names = nullptr);

}  // namespace icr::cli
