// The parser of commands: walks the tree word by word. Only cli/grammar uses it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {

inline constexpr std::string_view kExpectingCommand = "syntax error, expecting <command>.";
inline constexpr std::string_view kExpectingData = "syntax error, expecting <data>.";
inline constexpr std::string_view kUnknownCommand = "unknown command.";
inline constexpr std::string_view kNoPipes = "this command takes no pipes.";

/// A keyword for which a word may stand at one position.
struct Candidate {
  std::string_view word;
  std::string_view help;
  const GrammarNode* node = nullptr;
  const GrammarOption* option = nullptr;
};

/// Returns the message about a word that abbreviates several keywords.
[[nodiscard]] std::string ambiguous(std::string_view text, std::vector<ValueWord> matches);
/// Returns the lines of a list of completions, without a newline at its end.
[[nodiscard]] std::string listed(std::string_view word, std::string_view help);

/// The state of parsing one line. REQUIRES: names outlives it. Thread: one.
class Parser {
 public:
  explicit Parser(const Names* names) : names_(names) {}

  /// Takes the next word. Returns an error that points at it if it cannot stand here; the parser is then at its end.
  [[nodiscard]] std::optional<SyntaxError> take(const Word& word);
  /// Returns an error that points at `column` if the line may not end here.
  [[nodiscard]] std::optional<SyntaxError> incomplete(std::size_t column) const;

  [[nodiscard]] Command& command() { return command_; }
  /// Returns the option whose value is missing, or null.
  [[nodiscard]] const GrammarOption* pending() const { return pending_; }
  /// Returns the keywords that may follow. REQUIRES: pending() is null.
  [[nodiscard]] std::vector<Candidate> candidates() const;
  /// Returns the option that takes a value without a keyword, or null if it cannot follow here.
  [[nodiscard]] const GrammarOption* bare_value() const;
  /// Returns the child that takes any word, or null.
  [[nodiscard]] const GrammarNode* value_child() const;
  [[nodiscard]] bool first() const { return first_; }
  /// Returns true if pipes may follow. REQUIRES: the line may end here.
  [[nodiscard]] bool takes_pipes() const;

 private:
  using Mistake = std::optional<SyntaxError>;

  Mistake take_pipe(const Word& word);
  Mistake take_option(const GrammarOption& option, const Word& value);
  void reach(const GrammarNode& node);

  const Names* names_;
  const GrammarNode* at_ = &grammar();
  std::uint64_t used_ = 0;  ///< bits of the options of at_ that were given
  const GrammarOption* pending_ = nullptr;
  bool first_ = true;  ///< nothing was taken
  Command command_;
};

}  // namespace icr::cli
