// The lines of an answer that the pager has seen, in a file without a name: an answer of any length needs little
// memory.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"

namespace icr::cli {

class Spool {
 public:
  Spool();

  /// Returns false if there is no room for the file.
  [[nodiscard]] bool usable() const { return file_ != nullptr && !failed_; }
  void append(std::string_view text);
  /// A line without a newline at the end of the answer becomes a line.
  void end();

  /// Returns the number of complete lines.
  [[nodiscard]] std::size_t lines() const { return begins_.size() - 1; }
  /// Returns a line without its newline. REQUIRES: index < lines().
  [[nodiscard]] std::string line(std::size_t index) const;
  /// Writes all complete lines to a file. Returns an error if it cannot be written.
  [[nodiscard]] Result<void> save(const std::string& name) const;

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::vector<std::uint64_t> begins_{0};  ///< where each line begins; the last one is that of the line that is coming
  std::uint64_t size_ = 0;
  bool failed_ = false;
};

}  // namespace icr::cli
