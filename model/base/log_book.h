// The newest lines of the log, in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/mutex.h"
#include "model/base/time.h"

namespace icr::log {

enum class Level : std::uint8_t { debug, info, warn, error };

/// A line of the log without its time and level: "component: text".
struct KeptLine {
  Level level = Level::info;
  WallMillis at = 0;
  std::string text;
  friend bool operator==(const KeptLine&, const KeptLine&) = default;
};

/// Keeps the newest lines, so that they can be shown to whoever cannot read standard error of the process. Lines are
/// numbered from 0 since the process was started. Thread: any that may wait; not a worker.
class LogBook {
 public:
  static constexpr std::size_t kLines = 2000;
  static constexpr std::size_t kOctets = 512;  ///< of a line; what is longer ends with "..."

  void add(Level level, WallMillis at, std::string_view text);

  struct Extract {
    std::uint64_t first = 0;  ///< the number of the first of `lines`, which follow one another
    std::uint64_t end = 0;    ///< the number that the next line of the log will have
    std::vector<KeptLine> lines;
  };
  /// Returns the first `most` lines that are kept and have a number of `from` or more.
  [[nodiscard]] Extract read(std::uint64_t from, std::size_t most) const;

 private:
  mutable Mutex mutex_;
  std::array<KeptLine, kLines> lines_ ICR_GUARDED_BY(mutex_);  ///< that of number N at N % kLines
  std::uint64_t end_ ICR_GUARDED_BY(mutex_) = 0;
};

}  // namespace icr::log
