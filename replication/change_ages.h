// How old the oldest change is that a receiver has not acknowledged. Changes are numbered as they come; only the time
// at which a number was first seen is kept, for at most kMost numbers, so no change needs memory of its own.
// Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "model/base/time.h"

namespace icr::replication {

class ChangeAges {
 public:
  /// Tells the number of the last change, and up to which number all changes are acknowledged. Call it often: a change
  /// counts from the call that tells it.
  void see(TimePoint now, std::uint64_t last, std::uint64_t acknowledged) {
    while (!seen_.empty() && seen_.front().last <= acknowledged) seen_.pop_front();
    if (last <= acknowledged || (!seen_.empty() && seen_.back().last >= last)) return;
    if (seen_.empty()) apart_ = kFinest;
    // Changes that have no time of their own count from that of former ones: they seem older.
    if (!seen_.empty() && now - seen_.back().at < apart_) {
      seen_.back().last = last;
      return;
    }
    if (seen_.size() == kMost) thin();
    seen_.push_back({now, last});
  }
  /// Returns when the oldest change that is not acknowledged was seen; nullopt if all changes are.
  [[nodiscard]] std::optional<TimePoint> oldest(std::uint64_t acknowledged) const {
    for (const Seen& each : seen_) {
      if (each.last > acknowledged) return each.at;
    }
    return std::nullopt;
  }
  void clear() { seen_.clear(); }

 private:
  static constexpr std::size_t kMost = 64;
  static constexpr Duration kFinest = 1ms;
  /// All changes up to `last`, apart from those of the entry before, were seen at `at`.
  struct Seen {
    TimePoint at;
    std::uint64_t last = 0;
  };

  /// Makes one entry of each two, with the earlier time.
  void thin() {
    for (std::size_t i = 0; i < kMost / 2; ++i) seen_[i] = {seen_[2 * i].at, seen_[2 * i + 1].last};
    seen_.resize(kMost / 2);
    apart_ *= 2;
  }

  std::deque<Seen> seen_;
  Duration apart_ = kFinest;  ///< between two times of seen_, at least
};

}  // namespace icr::replication
