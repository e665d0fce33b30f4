#include "cli/builders/log.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <iterator>

namespace icr::cli {
namespace {

/// Returns the severity of RFC 5424.
int severity_of(log::Level level) {
  switch (level) {
    case log::Level::debug:
      return 7;
    case log::Level::info:
      return 6;
    case log::Level::warn:
      return 4;
    case log::Level::error:
      break;
  }
  return 3;
}

}  // namespace

void append_log_line(std::string_view chassis, std::uint32_t pid, const log::KeptLine& line, std::string& out) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = line.at / 1000;
  std::tm at{};
  if (::gmtime_r(&seconds, &at) == nullptr) at = {};
  fmt::format_to(std::back_inserter(out), "{} {:>2} {:02}:{:02}:{:02}.{:03}  {} icrd[{}]: %DAEMON-{}: {}\n",
                 kMonths[static_cast<std::size_t>(at.tm_mon) % kMonths.size()], at.tm_mday, at.tm_hour, at.tm_min,
                 at.tm_sec, line.at % 1000, chassis, pid, severity_of(line.level), line.text);
}

}  // namespace icr::cli
