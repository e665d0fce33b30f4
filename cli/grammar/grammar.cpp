#include "cli/grammar/grammar.h"

#include <algorithm>

namespace icr::cli {
namespace {

struct Word {
  std::string_view text;
  std::size_t column;
};

std::vector<Word> split(std::string_view line) {
  std::vector<Word> words;
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t begin = line.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back({line.substr(begin, end - begin), begin});
    at = end;
  }
  return words;
}

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
  return {word.column, std::move(message)};
}

constexpr std::string_view kExpectingCommand = "syntax error, expecting <command>.";
constexpr std::string_view kValueMissing = "syntax error.";

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

std::string SyntaxError::shown(std::string_view prompt, std::string_view line) const {
  return fmt::format("{}{}\n{:>{}}\n{}\n", prompt, line, '^', prompt.size() + column + 1, message);
}

tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names) {
  const std::vector<Word> words = split(line);
  const GrammarNode* at = &grammar();
  std::uint32_t used = 0;
  Command command;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Word& word = words[i];
    if (const auto* any = value_child(*at, word.text)) {
      if (auto taken = any->take(command, word.text); !taken) {
        return tl::unexpected(SyntaxError{word.column, taken.error().message});
      }
      at = any;
      if (at->enter != nullptr) at->enter(command);
      continue;
    }
    const auto matches = matching(candidates(*at, used), word.text);
    const auto* const bare = bare_value(*at, used);
    const bool whole_keyword = matches.size() == 1 && matches[0].word == word.text;
    const bool whole_name = bare != nullptr && names != nullptr && names->has(bare->names, word.text);
    if (bare != nullptr && (matches.empty() || (whole_name && !whole_keyword))) {
      if (!whole_name && word.text != "all" && is_option_word(grammar(), word.text)) {
        return tl::unexpected(SyntaxError{word.column, std::string(kExpectingCommand)});
      }
      used |= bare->bit;
      if (auto taken = take_value(*bare, word.text, names, command); !taken) {
        return tl::unexpected(SyntaxError{word.column, taken.error().message});
      }
      continue;
    }
    if (matches.empty()) {
      return tl::unexpected(SyntaxError{word.column, std::string(i == 0 ? "unknown command." : kExpectingCommand)});
    }
    if (matches.size() > 1) return tl::unexpected(ambiguous(word, matches));
    if (matches[0].node != nullptr) {
      at = matches[0].node;
      used = 0;
      if (at->enter != nullptr) at->enter(command);
      continue;
    }
    const GrammarOption& option = *matches[0].option;
    used |= option.bit;
    Word value{{}, word.column};
    if (option.has_value) {
      if (++i == words.size()) return tl::unexpected(SyntaxError{line.size(), std::string(kValueMissing)});
      value = words[i];
    }
    if (auto taken = take_value(option, value.text, names, command); !taken) {
      return tl::unexpected(SyntaxError{value.column, taken.error().message});
    }
  }
  if (!at->complete) {
    const bool value_missing = value_child(*at) != nullptr;
    return tl::unexpected(SyntaxError{line.size(), std::string(value_missing ? kValueMissing : kExpectingCommand)});
  }
  return command;
}

}  // namespace icr::cli
