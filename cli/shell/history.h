// The lines that an operator typed, kept in a file that only he can read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace icr::cli {

inline constexpr std::size_t kHistoryLines = 1000;

/// A file of lines. Shells that run at the same time add to it in turn. What cannot be read or written is left out:
/// nobody is kept from working by it. A name of something else than a regular file of the user himself, such as
/// /dev/null, means that nothing is kept.
class HistoryFile {
 public:
  /// `name` may be empty: then nothing is kept.
  explicit HistoryFile(std::string name) : name_(std::move(name)) {}

  /// Returns $ICR_HISTORY, or .icr_history in the home folder, or an empty name.
  [[nodiscard]] static std::string default_name();

  /// Returns the last kHistoryLines lines, oldest first. A file that has more than twice as many is shortened.
  [[nodiscard]] std::vector<std::string> read() const;
  void add(std::string_view line) const;

 private:
  void replace(const std::vector<std::string>& lines) const;

  std::string name_;
};

}  // namespace icr::cli
