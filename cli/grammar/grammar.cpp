#include "cli/grammar/grammar.h"

#include <algorithm>

#include "cli/grammar/parser.h"

namespace icr::cli {
namespace {

bool offered(const GrammarOption& option, std::uint64_t used) {
  return (used & (option.bit | option.excluded)) == 0 && (option.required == 0 || (used & option.required) != 0);
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

/// Returns why `node` may not follow the words of `command`, or an empty text.
std::string_view refusal_of(const GrammarNode& node, const Command& command) {
  return node.refusal == nullptr ? std::string_view() : node.refusal(command);
}

/// Returns true if some command has an option or level with this name or abbreviation. In a wrong place such a word is
/// a syntax error, not the name of an unknown pool or rule.
bool is_option_word(const GrammarNode& at, std::string_view text) {
  const auto begins = [&](const GrammarOption& o) { return !o.word.empty() && o.word.substr(0, text.size()) == text; };
  return std::any_of(at.options.begin(), at.options.end(), begins) ||
         std::any_of(at.children.begin(), at.children.end(),
                     [&](const GrammarNode& child) { return is_option_word(child, text); });
}

}  // namespace

const std::vector<std::string>& Names::of(NameOf what) const {
  static const std::vector<std::string> none;
  switch (what) {
    case NameOf::nothing:
      break;
    case NameOf::nat_pool:
      return nat_pools;
    case NameOf::nat_rule:
      return nat_rules;
    case NameOf::service_set:
      return service_sets;
    case NameOf::interface:
      return interfaces;
    case NameOf::redundancy_set:
      return redundancy_sets;
    case NameOf::set_id:
      return set_ids;
    case NameOf::group_id:
      return group_ids;
    case NameOf::firewall_rule:
      return firewall_rules;
    case NameOf::application:
      return applications;
    case NameOf::chassis:
      return chassis;
  }
  return none;
}

bool Names::has(NameOf what, std::string_view name) const {
  if (what == NameOf::nothing) return false;
  const auto& all = of(what);
  return name == "all" || std::find(all.begin(), all.end(), name) != all.end();
}

std::string listed(std::string_view word, std::string_view help) {
  if (help.empty()) return fmt::format("  {}", word);
  return fmt::format("  {:<{}}{}", word, std::max<std::size_t>(21, word.size() + 2), help);
}

std::string ambiguous(std::string_view text, std::vector<ValueWord> matches) {
  std::sort(matches.begin(), matches.end(), [](const ValueWord& a, const ValueWord& b) { return a.word < b.word; });
  std::string message = fmt::format("'{}' is ambiguous.\nPossible completions:", text);
  for (const auto& match : matches) message += "\n" + listed(match.word, match.help);
  return message;
}

std::vector<Candidate> Parser::candidates() const {
  std::vector<Candidate> out;
  for (const auto& child : at_->children) {
    if (used_ != 0 || child.word.empty() || !refusal_of(child, command_).empty()) continue;
    out.push_back({child.word, child.help, &child, nullptr});
  }
  for (const auto& option : at_->options) {
    if (offered(option, used_) && !option.word.empty()) out.push_back({option.word, option.help, nullptr, &option});
  }
  return out;
}

const GrammarOption* Parser::bare_value() const {
  for (const auto& option : at_->options) {
    if (option.word.empty() && offered(option, used_)) return &option;
  }
  return nullptr;
}

const GrammarNode* Parser::value_child() const {
  if (at_->repeats) return at_;
  for (const auto& child : at_->children) {
    if (child.word.empty() && used_ == 0) return &child;
  }
  return nullptr;
}

std::optional<SyntaxError> Parser::take(const Word& word) {
  const bool first = first_;
  first_ = false;
  if (word.is_pipe()) return take_pipe(word);
  if (pending_ != nullptr) return take_option(*pending_, word);
  const auto all = candidates();
  // After `redundancy-set`, `id` is a keyword, and `i` is a name.
  const bool keyword = std::any_of(all.begin(), all.end(), [&](const Candidate& c) { return c.word == word.text; });
  if (const auto* any = value_child(); any != nullptr && !keyword) {
    if (auto taken = any->take(command_, word.text); !taken) return SyntaxError{word.column, taken.error().message};
    if (any != at_) reach(*any);
    return {};
  }
  const auto matches = matching(all, word.text);
  const auto* const bare = bare_value();
  const bool whole_name = bare != nullptr && names_ != nullptr && names_->has(bare->names, word.text);
  if (bare != nullptr && (matches.empty() || (whole_name && !keyword))) {
    if (!whole_name && word.text != "all" && is_option_word(grammar(), word.text)) {
      return SyntaxError{word.column, std::string(kExpectingCommand)};
    }
    return take_option(*bare, word);
  }
  if (matches.empty()) {
    const auto refused = std::find_if(at_->children.begin(), at_->children.end(), [&](const GrammarNode& child) {
      return !word.text.empty() && child.word.substr(0, word.text.size()) == word.text &&
             !refusal_of(child, command_).empty();
    });
    if (refused != at_->children.end()) return SyntaxError{word.column, std::string(refusal_of(*refused, command_))};
  }
  if (matches.empty()) return SyntaxError{word.column, std::string(first ? kUnknownCommand : kExpectingCommand)};
  if (matches.size() > 1) {
    std::vector<ValueWord> words;
    for (const auto& match : matches) words.push_back({match.word, match.help});
    return SyntaxError{word.end, ambiguous(word.text, std::move(words))};
  }
  if (matches[0].node != nullptr) {
    reach(*matches[0].node);
    return {};
  }
  if (!matches[0].option->has_value) return take_option(*matches[0].option, {{}, word.column});
  pending_ = matches[0].option;
  return {};
}

std::optional<SyntaxError> Parser::take_option(const GrammarOption& option, const Word& value) {
  pending_ = nullptr;
  used_ |= option.bit;
  std::string_view text = value.text;
  if (option.value_words != nullptr && !text.empty()) {
    std::vector<ValueWord> matches;
    for (const auto& each : option.value_words()) {
      if (each.word == text) {
        matches = {each};
        break;
      }
      if (each.word.substr(0, text.size()) == text) matches.push_back(each);
    }
    if (matches.size() > 1) return SyntaxError{value.end, ambiguous(text, std::move(matches))};
    if (matches.size() == 1) text = matches[0].word;
  }
  if (auto taken = option.take(command_, text); !taken) return SyntaxError{value.column, taken.error().message};
  if (names_ == nullptr || option.names == NameOf::nothing || names_->has(option.names, text)) return {};
  const std::string_view what = option.names == NameOf::interface  ? "device"
                                : option.names == NameOf::nat_pool ? "NAT pool"
                                                                   : "NAT rule";
  return SyntaxError{value.column, fmt::format("{} {} not found", what, text)};
}

std::optional<SyntaxError> Parser::take_pipe(const Word& word) {
  if (auto error = incomplete(word.column)) return error;
  if (!takes_pipes()) return SyntaxError{word.column, std::string(kNoPipes)};
  at_ = &pipe_grammar();
  used_ = 0;
  return {};
}

std::optional<SyntaxError> Parser::incomplete(std::size_t column) const {
  if (pending_ != nullptr) return SyntaxError{column, std::string(kExpectingData)};
  if (at_->complete) return {};
  return SyntaxError{column, std::string(value_child() != nullptr ? kExpectingData : kExpectingCommand)};
}

bool Parser::takes_pipes() const { return cli::takes_pipes(command_.verb); }

void Parser::reach(const GrammarNode& node) {
  at_ = &node;
  used_ = 0;
  if (node.enter != nullptr) node.enter(command_);
}

tl::expected<Command, SyntaxError> parse_command(std::string_view line, const Names* names) {
  const auto words = split_words(line);
  if (!words) return tl::unexpected(words.error());
  Parser parser(names);
  for (const auto& word : *words) {
    if (auto error = parser.take(word)) return tl::unexpected(std::move(*error));
  }
  if (auto error = parser.incomplete(line.size())) return tl::unexpected(std::move(*error));
  return std::move(parser.command());
}

}  // namespace icr::cli
