// Help and completion at any point of a line, from the tree of the grammar and the names of the cluster file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {

/// One of the things that may stand at a point of a line.
struct Completion {
  enum class Kind : std::uint8_t {
    enter,        ///< the end of the line
    placeholder,  ///< any value: `<source-port>`
    name,         ///< a name of the cluster file
    keyword,
    pipe,
  };
  Kind kind = Kind::keyword;
  std::string word;
  std::string help;
};

/// What may stand at the end of a line, whose last word may be incomplete.
struct Completions {
  std::size_t begin = 0;  ///< column where the incomplete word begins; if no word is incomplete, where the line ends
  std::string word;       ///< the incomplete word
  std::vector<Completion> all;
  std::optional<SyntaxError> error;  ///< a former word is wrong, or nothing may stand here

  /// Returns the list that Junos shows for `?`, with a newline at its end.
  [[nodiscard]] std::string shown() const;
};

/// Returns the completions of `line`, which is the part of a line before the cursor.
[[nodiscard]] Completions complete(std::string_view line, const Names* names = nullptr);

/// What a key that completes does with a line.
struct Edit {
  std::string insert;  ///< to be inserted at the cursor
  std::string shown;   ///< to be shown below the line; if it is empty, nothing is
};
/// Returns what Tab does, which completes keywords and names, or with `space` what the space bar does, which completes
/// keywords only and ends a word. `prompt` stands in front of a line that is wrong.
[[nodiscard]] Edit complete_word(std::string_view line, const Names* names, bool space, std::string_view prompt);

}  // namespace icr::cli
