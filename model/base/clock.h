// Reads the clocks of the machine. Only the shells do this (node/card, node/kernel, node/ports): everything else is
// handed the time, so that a simulation or a capture can drive it (model/base/time.h).
//
// Thread: any.
#pragma once

#include <chrono>
#include <ctime>

#include "model/base/time.h"

namespace icr {

namespace clock_detail {

inline TimePoint read(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace clock_detail

inline TimePoint monotonic_now() { return clock_detail::read(CLOCK_MONOTONIC); }

/// Returns the same time as it was at the last clock tick of the kernel (1 to 10 ms ago), which costs less to read.
inline TimePoint coarse_monotonic_now() { return clock_detail::read(CLOCK_MONOTONIC_COARSE); }

inline WallMillis wall_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace icr
