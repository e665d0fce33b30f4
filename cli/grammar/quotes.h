// Puts a value that comes from a program into a line of words, for the parser (cli/grammar/words.h).
#pragma once

#include <string>
#include <string_view>

namespace icr::cli {

/// Returns the value as one word of a line, in quotes, whatever octets are in it.
[[nodiscard]] inline std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace icr::cli
