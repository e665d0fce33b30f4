// Time as the machines of icr see it: a value that is handed in, never read from a clock.
//
// Only the shells (node/card, node/kernel, node/ports) read a clock, by model/base/clock.h. Everything else takes
// `TimePoint now`, so that a simulation or a capture can drive it in virtual time.
#pragma once

#include <chrono>
#include <cstdint>

namespace icr {

/// Tag of monotonic time. Deliberately without now().
struct MonotonicClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using Duration = MonotonicClock::duration;
using TimePoint = MonotonicClock::time_point;

/// Milliseconds since the Unix epoch; only where a time must outlive the process (checkpoints, logs).
using WallMillis = std::int64_t;

using namespace std::chrono_literals;

}  // namespace icr
