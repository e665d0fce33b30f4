// The words of a command line, and the errors that point at one of them.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace icr::cli {

/// A word of a line. Quotes are not part of its text.
struct Word {
  std::string text;
  std::size_t column = 0;  ///< where it begins in the line, from 0
  std::size_t end = 0;     ///< where it ends in the line
  bool quoted = false;
  /// Returns true for the `|` in front of a pipe. It needs no blanks around it; in quotes it is an ordinary octet.
  [[nodiscard]] bool is_pipe() const { return !quoted && text == "|"; }
};

/// The reason why a line is not a command.
struct SyntaxError {
  std::size_t column = 0;  ///< the octet of the line under which the caret stands, from 0
  std::string message;     ///< one or more lines, without a trailing newline

  /// Returns the text that Junos shows: the echoed line with its prompt, a caret, and the message.
  [[nodiscard]] std::string shown(std::string_view prompt, std::string_view line) const;
};

/// Splits a line at blanks. A word in double quotes may contain blanks; a backslash in it protects the next octet.
[[nodiscard]] tl::expected<std::vector<Word>, SyntaxError> split_words(std::string_view line);

/// Returns one line for the arguments of a program, so that split_words() finds the words that the user's shell found.
/// A single argument is the whole line, as it is. Of several, each is one word, whatever is in it; but one that begins
/// with `|` is a pipe with its words. So a value that a script passes on cannot become an option, or a pipe that writes
/// a file.
[[nodiscard]] std::string line_of(const std::vector<std::string>& arguments);

}  // namespace icr::cli
