#include "cli/grammar/grammar.h"

#include <algorithm>
#include <optional>

namespace icr::cli {
namespace {

/// The keywords, names and values for which a word may stand at one position.
struct Candidate {
  std::string_view word;
  std::string_view help;
  const GrammarNode* node = nullptr;
  const GrammarOption* option = nullptr;
};

bool offered(const GrammarOption& option, std::uint32_t used) {
  return (used & (option.bit | option.excluded)) == 0 && (option.required == 0 || (used & option.required) != 0);
}

std::vector<Candidate> candidates(const GrammarNode& at, std::uint32_t used) {
  std::vector<Candidate> out;
  for (const auto& child : at.children) {
    if (used == 0 && !child.word.empty()) out.push_back({child.word, child.help, &child, nullptr});
  }
  for (const auto& option : at.options) {
    if (offered(option, used) && !option.word.empty()) out.push_back({option.word, option.help, nullptr, &option});
  }
  return out;
}

/// Returns the option that takes a value without a keyword, or null if it cannot follow here.
const GrammarOption* bare_value(const GrammarNode& at, std::uint32_t used) {
  for (const auto& option : at.options) {
    if (option.word.empty() && offered(option, used)) return &option;
  }
  return nullptr;
}

std::vector<Candidate> matching(const std::vector<Candidate>& all, std::string_view text) {
  std::vector<Candidate> out;
  if (text.empty()) return out;  // `""` abbreviates nothing
  for (const auto& candidate : all) {
    if (candidate.word == text) return {candidate};
    if (candidate.word.substr(0, text.size()) == text) out.push_back(candidate);
  }
  return out;
}

SyntaxError ambiguous(const Word& word, std::vector<Candidate> matches) {
  std::sort(matches.begin(), matches.end(), [](const Candidate& a, const Candidate& b) { return a.word < b.word; });
  std::string message = fmt::format("'{}' is ambiguous.\nPossible completions:", word.text);
  for (const auto& match : matches) {
    const std::size_t width = std::max<std::size_t>(21, match.word.size() + 2);
    message += fmt::format("\n  {:<{}}{}", match.word, width, match.help);
  }
  return {word.end, std::move(message)};
}

constexpr std::string_view kExpectingCommand = "syntax error, expecting <command>.";
constexpr std::string_view kExpectingData = "syntax error, expecting <data>.";

/// Stores the value of an option. Returns an error if the value must be a name and is not one.
Result<void> take_value(const GrammarOption& option, std::string_view text, const Names* names, Command& command) {
  if (auto taken = option.take(command, text); !taken) return taken;
  if (names == nullptr || option.names == NameOf::nothing || names->has(option.names, text)) return {};
  return fail("{} {} not found", option.names == NameOf::nat_pool ? "NAT pool" : "NAT rule", text);
}

/// Returns true if some command has an option or level with this name or abbreviation. In a wrong place such a word is
/// a syntax error, not the name of an unknown pool or rule.
bool is_option_word(const GrammarNode& at, std::string_view text) {
  const auto begins = [&](const GrammarOption& o) { return !o.word.empty() && o.word.substr(0, text.size()) == text; };
  return std::any_of(at.options.begin(), at.options.end(), begins) ||
         std::any_of(at.children.begin(), at.children.end(),
                     [&](const GrammarNode& child) { return is_option_word(child, text); });
}

/// Returns the child of `node` that accepts any word, or null.
const GrammarNode* value_child(const GrammarNode& at) {
  for (const auto& child : at.children) {
    if (child.word.empty()) return &child;
  }
  return nullptr;
}

/// Returns the child that takes `text` as a value, such as a name. Returns null if no child takes values, or if `text`
/// is exactly the keyword of another child: after `redundancy-set`, `id` is a keyword, and `i` is a name.
const GrammarNode* value_child(const GrammarNode& at, std::string_view text) {
  const bool keyword =
      std::any_of(at.children.begin(), at.children.end(), [&](const GrammarNode& child) { return child.word == text; });
  return keyword ? nullptr : value_child(at);
}

}  // namespace

bool Names::has(NameOf what, std::string_view name) const {
  if (what == NameOf::nothing) return false;
  const auto& all = what == NameOf::nat_pool ? nat_pools : nat_rules;
  return name == "all" || std::find(all.begin(), all.end(), name) != all.end();
}

namespace {

/// The parser of one line: the command, and the pipes behind it.
class Parser {
 public:
  Parser(std::string_view line, const Names* names) : line_(line), names_(names) {}

  tl::expected<Command, SyntaxError> parse() {
    auto words = split_words(line_);
    if (!words) return tl::unexpected(std::move(words.error()));
    words_ = std::move(*words);
    while (next_ < words_.size()) {
      if (auto error = take()) return tl::unexpected(std::move(*error));
    }
    if (auto error = incomplete(line_.size())) return tl::unexpected(std::move(*error));
    return std::move(command_);
  }

 private:
  using Mistake = std::optional<SyntaxError>;

  /// Takes the next word, or a keyword with its value.
  Mistake take() {
    const Word& word = words_[next_++];
    if (word.is_pipe()) return take_pipe(word);
    if (const auto* any = value_child(*at_, word.text)) {
      if (auto taken = any->take(command_, word.text); !taken) return SyntaxError{word.column, taken.error().message};
      reach(*any);
      return {};
    }
    const auto matches = matching(candidates(*at_, used_), word.text);
    const auto* const bare = bare_value(*at_, used_);
    const bool whole_keyword = matches.size() == 1 && matches[0].word == word.text;
    const bool whole_name = bare != nullptr && names_ != nullptr && names_->has(bare->names, word.text);
    if (bare != nullptr && (matches.empty() || (whole_name && !whole_keyword))) {
      if (!whole_name && word.text != "all" && is_option_word(grammar(), word.text)) {
        return SyntaxError{word.column, std::string(kExpectingCommand)};
      }
      return take_option(*bare, word);
    }
    if (matches.empty()) {
      return SyntaxError{word.column, std::string(next_ == 1 ? "unknown command." : kExpectingCommand)};
    }
    if (matches.size() > 1) return ambiguous(word, matches);
    if (matches[0].node != nullptr) {
      reach(*matches[0].node);
      return {};
    }
    const GrammarOption& option = *matches[0].option;
    if (!option.has_value) return take_option(option, {{}, word.column});
    if (next_ == words_.size()) return SyntaxError{line_.size(), std::string(kExpectingData)};
    if (words_[next_].is_pipe()) return SyntaxError{words_[next_].column, std::string(kExpectingData)};
    return take_option(option, words_[next_++]);
  }

  Mistake take_option(const GrammarOption& option, const Word& value) {
    used_ |= option.bit;
    if (auto taken = take_value(option, value.text, names_, command_); !taken) {
      return SyntaxError{value.column, taken.error().message};
    }
    return {};
  }

  Mistake take_pipe(const Word& word) {
    if (auto error = incomplete(word.column)) return error;
    at_ = &pipe_grammar();
    used_ = 0;
    return {};
  }

  /// Returns an error that points at `column` if neither a command nor a pipe may end here.
  [[nodiscard]] Mistake incomplete(std::size_t column) const {
    if (at_->complete) return {};
    return SyntaxError{column, std::string(value_child(*at_) != nullptr ? kExpectingData : kExpectingCommand)};
  }

  void reach(const GrammarNode& node) {
    at_ = &node;
    used_ = 0;
    if (node.enter != nullptr) node.enter(command_);
  }

  std::string_view line_;
  const Names* names_;
  std::vector<Word> words_;
  std::size_t next_ = 0;  ///< index into words_
  const GrammarNode* at_ = &grammar();
  std::uint32_t used_ = 0;  ///< bits of the options of at_ that were given
  Command command_;
};

}  // namespace

tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names) {
  return Parser(line, names).parse();
}

}  // namespace icr::cli
