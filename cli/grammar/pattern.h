// A regular expression of a pipe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "model/base/result.h"

namespace icr::cli {

/// A POSIX extended regular expression, which does not care about upper and lower case, as in Junos. A pattern without
/// special characters is searched for as it is, which is several times faster. Thread: one.
class Pattern {
 public:
  /// Returns an error if `text` is no regular expression, or one that would need much memory.
  [[nodiscard]] static Result<Pattern> compile(std::string_view text);

  /// Returns true if the pattern is somewhere in `line`, which has no newline.
  [[nodiscard]] bool matches(std::string_view line) const;

 private:
  struct Compiled;
  Pattern() = default;

  std::string plain_;  ///< in lower case; of a pattern without special characters
  std::shared_ptr<const Compiled> compiled_;
  mutable std::string scratch_;  ///< used again, so that its memory is
};

}  // namespace icr::cli
