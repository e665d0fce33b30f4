// Notices that something which should make progress has stopped.
#pragma once

#include <cstdint>

#include "model/base/time.h"

namespace icr::node {

/// Tells once that nothing has moved for some time, and once that it moves again. Sans-I/O. Thread: one.
class StallWatch {
 public:
  enum class Event : std::uint8_t { none, stalled, resumed };

  explicit StallWatch(Duration limit) : limit_(limit) {}

  /// `due` is true if a step should follow, and `progress` is a number that changes with each step. Returns what is to
  /// be told now.
  Event look(TimePoint now, bool due, std::uint64_t progress) {
    if (!due_) since_ = now;
    due_ = due;
    stood_for_ = now - since_;
    const bool moved = progress != last_;
    if (moved || !due) {
      const bool resumed = stalled_ && moved;
      last_ = progress;
      since_ = now;
      stalled_ = false;
      return resumed ? Event::resumed : Event::none;
    }
    if (stalled_ || stood_for_ < limit_) return Event::none;
    stalled_ = true;
    return Event::stalled;
  }
  /// Returns how long nothing had moved at the last look().
  [[nodiscard]] Duration stood_for() const { return stood_for_; }

 private:
  const Duration limit_;
  std::uint64_t last_ = 0;
  TimePoint since_;
  Duration stood_for_{};
  bool due_ = false;
  bool stalled_ = false;
};

}  // namespace icr::node
