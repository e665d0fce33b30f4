#include "cli/grammar/completion.h"

#include <algorithm>

#include "cli/grammar/parser.h"

namespace icr::cli {
namespace {

using Offer = Completion::Kind;

bool begins_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

/// Adds the words of values: names of the cluster file, and keywords.
void add_values(Completions& out, const Names* names, NameOf what, const std::vector<ValueWord>* words) {
  if (names != nullptr) {
    for (const auto& name : names->of(what)) {
      if (begins_with(name, out.word)) out.all.push_back({Offer::name, name, {}});
    }
  }
  if (words == nullptr) return;
  for (const auto& each : *words) {
    if (begins_with(each.word, out.word)) {
      out.all.push_back({Offer::keyword, std::string(each.word), std::string(each.help)});
    }
  }
}

void add_placeholder(Completions& out, std::string_view word, std::string_view help) {
  out.all.push_back({Offer::placeholder, fmt::format("<{}>", word), std::string(help)});
}

void add_option_values(Completions& out, const GrammarOption& option, const Names* names) {
  const auto* words = option.value_words != nullptr ? &option.value_words() : nullptr;
  add_placeholder(out, option.word.empty() ? "name" : option.word, option.help);
  add_values(out, names, option.offers != NameOf::nothing ? option.offers : option.names, words);
}

/// Adds everything that may follow what `parser` has taken.
void add_all(Completions& out, const Parser& parser, const Names* names) {
  if (const auto* option = parser.pending()) return add_option_values(out, *option, names);
  const bool may_end = out.word.empty() && !parser.incomplete(0);
  if (may_end) out.all.push_back({Offer::enter, "<[Enter]>", "Execute this command"});
  if (const auto* child = parser.value_child()) {
    add_placeholder(out, child->value, child->help);
    add_values(out, names, child->offers, nullptr);
  }
  if (const auto* bare = parser.bare_value()) add_option_values(out, *bare, names);
  for (const auto& each : parser.candidates()) {
    if (begins_with(each.word, out.word)) {
      out.all.push_back({Offer::keyword, std::string(each.word), std::string(each.help)});
    }
  }
  if (may_end && parser.takes_pipes()) out.all.push_back({Offer::pipe, "|", "Pipe through a command"});
}

/// Returns the longest text with which all words begin.
std::string common_prefix(const std::vector<const Completion*>& words) {
  std::string out = words[0]->word;
  for (const auto* each : words) {
    const auto end = std::mismatch(out.begin(), out.end(), each->word.begin(), each->word.end()).first;
    out.erase(end, out.end());
  }
  return out;
}

}  // namespace

std::string Completions::shown() const {
  std::string out = "Possible completions:\n";
  for (const auto& each : all) out += listed(each.word, each.help) + "\n";
  return out;
}

Completions complete(std::string_view line, const Names* names) {
  Completions out;
  out.begin = line.size();
  auto words = split_words(line);
  if (!words) {
    out.error = std::move(words.error());
    return out;
  }
  if (!words->empty() && words->back().end == line.size() && !words->back().is_pipe()) {
    out.begin = words->back().column;
    out.word = words->back().text;
    words->pop_back();
  }
  Parser parser(names);
  for (const auto& word : *words) {
    if ((out.error = parser.take(word))) return out;
  }
  add_all(out, parser, names);
  std::stable_sort(out.all.begin(), out.all.end(), [](const Completion& a, const Completion& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.kind != Offer::placeholder && a.word < b.word;
  });
  if (out.all.empty()) {
    out.error = SyntaxError{out.begin, std::string(parser.first() ? kUnknownCommand : kExpectingCommand)};
  }
  return out;
}

Edit complete_word(std::string_view line, const Names* names, bool space, std::string_view prompt) {
  const auto words = split_words(line);
  const bool in_quotes = !words || (!words->empty() && words->back().quoted && words->back().end == line.size());
  const std::string blank = space ? " " : "";
  if (in_quotes) return {blank, {}};
  const Completions found = complete(line, names);
  if (found.error) return {{}, found.error->shown(prompt, line)};
  if (space && found.word.empty()) return {blank, {}};
  std::vector<const Completion*> keywords;
  std::vector<const Completion*> known;  // keywords and names
  bool any_value = false;
  for (const auto& each : found.all) {
    if (each.kind == Offer::keyword) keywords.push_back(&each);
    if (each.kind == Offer::keyword || each.kind == Offer::name) known.push_back(&each);
    any_value = any_value || each.kind == Offer::placeholder;
    const bool whole = each.word == found.word && (each.kind == Offer::keyword || each.kind == Offer::name);
    if (whole && space) return {blank, {}};
  }
  const auto& choices = space ? keywords : known;
  if (choices.size() == 1) return {choices[0]->word.substr(found.word.size()) + " ", {}};
  if (space) {
    if (choices.empty()) return {blank, {}};  // a value
    std::vector<ValueWord> matches;
    for (const auto* each : choices) matches.push_back({each->word, each->help});
    return {{}, SyntaxError{line.size(), ambiguous(found.word, std::move(matches))}.shown(prompt, line)};
  }
  if (!choices.empty()) {
    if (auto more = common_prefix(choices).substr(found.word.size()); !more.empty()) return {std::move(more), {}};
  }
  return {{}, found.shown()};
}

}  // namespace icr::cli
