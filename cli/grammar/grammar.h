// The grammar of commands: a tree of keywords, and the parser that walks it.
//
// The children of a node lead deeper into the tree. The options of a node may follow in any order, each once, and the
// parser stays at the node. A child cannot follow an option. Any unique prefix of a keyword stands for the keyword. The
// tree is data: help and completion (completion.h) and the reference of commands (reference.h) are made of the same
// tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/grammar/words.h"
#include "model/base/result.h"

namespace icr::cli {

/// The kind of thing that a word names.
enum class NameOf : std::uint8_t {
  nothing,
  nat_pool,
  nat_rule,
  service_set,
  interface,
  redundancy_set,
  set_id,
  group_id,
  firewall_rule,
  application,
  chassis,
};

/// The names that the cluster file defines.
struct Names {
  std::vector<std::string> nat_pools;
  std::vector<std::string> nat_rules;
  std::vector<std::string> service_sets;
  std::vector<std::string> interfaces;  ///< cards, and their units
  std::vector<std::string> redundancy_sets;
  std::vector<std::string> set_ids;
  std::vector<std::string> group_ids;
  std::vector<std::string> firewall_rules;
  std::vector<std::string> applications;
  std::vector<std::string> chassis;
  /// Returns the names of things of kind `what`.
  [[nodiscard]] const std::vector<std::string>& of(NameOf what) const;
  /// Returns true if `name` is the name of a thing of kind `what`.
  [[nodiscard]] bool has(NameOf what, std::string_view name) const;
};

/// One of the words that an option takes as its value.
struct ValueWord {
  std::string_view word;
  std::string_view help;
};

/// A keyword with or without a value, which may stand in any order with the other options of its node.
struct GrammarOption {
  std::string_view word;  ///< empty: a value without a keyword, accepted if it is a name, or if no keyword fits
  std::string_view help;
  bool has_value = false;
  std::uint64_t bit = 0;       ///< identifies the option within its node
  std::uint64_t excluded = 0;  ///< bits of options; not accepted after any of them
  /// Stores the value (empty if has_value is false) in the command. Returns an error with the message that Junos
  /// prints.
  Result<void> (*take)(Command& command, std::string_view value) = nullptr;
  std::uint64_t required = 0;       ///< bits of options; accepted only after one of them, if there are any
  NameOf names = NameOf::nothing;   ///< a value must be such a name
  NameOf offers = NameOf::nothing;  ///< such names complete a value, which may be another one as well
  /// Returns the words that may be abbreviated in a value. Other values are passed to `take` as they are.
  const std::vector<ValueWord>& (*value_words)() = nullptr;
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
  std::string_view value = "value";  ///< what help calls the word of a node without a keyword: <value>
  NameOf offers = NameOf::nothing;   ///< such names complete the word of a node without a keyword
  bool repeats = false;              ///< of a node without a keyword: further words are passed to `take`, too
  /// Returns why the node may not follow what was parsed, or an empty text; may be null. Help does not offer such a
  /// node.
  std::string_view (*refusal)(const Command& command) = nullptr;
};

/// Returns the root of the tree; its children are the first words of commands.
[[nodiscard]] const GrammarNode& grammar();
/// Returns the root of the tree of pipes; its children are the words that may follow `|`.
[[nodiscard]] const GrammarNode& pipe_grammar();

/// Parses `line`. With `names`, a word that could only be a name but is none of `names` is an error, and an exact name
/// has precedence over an abbreviated keyword. Without `names`, any word is accepted where a name may stand.
[[nodiscard]] tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names = nullptr);

}  // namespace icr::cli
