#include "model/base/log_book.h"

#include <algorithm>

namespace icr::log {

void LogBook::add(Level level, WallMillis at, std::string_view text) {
  constexpr std::string_view kCut = "...";
  const MutexLock lock(mutex_);
  KeptLine& line = lines_[end_++ % kLines];
  line.level = level;
  line.at = at;
  if (text.size() <= kOctets) {
    line.text.assign(text);
  } else {
    line.text.assign(text.substr(0, kOctets - kCut.size())).append(kCut);
  }
}

LogBook::Extract LogBook::read(std::uint64_t from, std::size_t most) const {
  const MutexLock lock(mutex_);
  Extract out;
  out.end = end_;
  out.first = std::clamp(from, end_ - std::min<std::uint64_t>(end_, kLines), end_);
  const std::uint64_t last = out.first + std::min<std::uint64_t>(most, end_ - out.first);
  out.lines.reserve(last - out.first);
  for (std::uint64_t i = out.first; i < last; ++i) out.lines.push_back(lines_[i % kLines]);
  return out;
}

}  // namespace icr::log
