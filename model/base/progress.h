// How a piece of work stands of which the whole size is known, in words.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/base/time.h"

namespace icr {

/// Returns, for example, "16384 of 100000 slots (16 %), 163840 slots/s, 0.5 s left". The rate and the time that is left
/// are calculated from the work so far. They are left out while nothing is done, or no time has passed.
[[nodiscard]] inline std::string progress_text(std::uint64_t done, std::uint64_t whole, std::string_view unit,
                                               Duration elapsed) {
  const double share = whole == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(whole));
  std::string out = fmt::format("{} of {} {} ({:.0f} %)", done, whole, unit, 100 * share);
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (done == 0 || seconds <= 0) return out;
  const double rate = static_cast<double>(done) / seconds;
  const double left = whole > done ? static_cast<double>(whole - done) / rate : 0.0;
  return out + fmt::format(", {:.0f} {}/s, {:.1f} s left", rate, unit, left);
}

}  // namespace icr
