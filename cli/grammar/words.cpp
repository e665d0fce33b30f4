#include "cli/grammar/words.h"

#include <fmt/format.h>

#include "model/base/text.h"

namespace icr::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(char c) { return kBlanks.find(c) != std::string_view::npos; }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string SyntaxError::shown(std::string_view prompt, std::string_view line) const {
  const std::size_t caret = columns_of(printable_text(prompt)) + columns_of(printable_text(line.substr(0, column)));
  return fmt::format("{}{}\n{:>{}}\n{}\n", prompt, printable_text(line), '^', caret + 1, printable_text(message, true));
}

tl::expected<std::vector<Word>, SyntaxError> split_words(std::string_view line) {
  std::vector<Word> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(kBlanks, at)) != std::string_view::npos) {
    Word word;
    word.column = at;
    if (line[at] == '|') {
      word.text = "|";
      word.end = ++at;
      words.push_back(std::move(word));
      continue;
    }
    bool inside = false;
    for (; at < line.size() && (inside || (!is_blank(line[at]) && line[at] != '|')); ++at) {
      if (line[at] == '"') {
        inside = !inside;
        word.quoted = true;
      } else if (inside && line[at] == '\\' && at + 1 < line.size() && (line[at + 1] == '"' || line[at + 1] == '\\')) {
        word.text += line[++at];
      } else {
        word.text += line[at];
      }
    }
    if (inside) return tl::unexpected(SyntaxError{line.size(), "syntax error, expecting closing quote."});
    word.end = at;
    words.push_back(std::move(word));
  }
  return words;
}

std::string line_of(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1) return arguments[0];
  std::string line;
  for (const auto& argument : arguments) {
    const bool pipe = !argument.empty() && argument.front() == '|';
    const bool plain = !argument.empty() && argument.find_first_of(" \t\r\n|\"") == std::string::npos;
    if (!line.empty()) line += ' ';
    line += pipe || plain ? argument : quoted(argument);
  }
  return line;
}

}  // namespace icr::cli
