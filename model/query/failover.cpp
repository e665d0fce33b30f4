#include "model/query/failover.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace icr {
namespace {

constexpr std::array<std::string_view, enum_end<FailoverKind>()> kKinds = {"takeover", "ill-master", "election",
                                                                           "switchover"};

/// Microseconds from the Unix epoch to the end of the year 9999.
constexpr std::int64_t kFarthest = 253'402'300'799'999'999;

}  // namespace

std::string_view to_string(FailoverKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::optional<FailoverKind> failover_kind(std::string_view name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] == name) return static_cast<FailoverKind>(i);
  }
  return std::nullopt;
}

bool has_possible_times(const FailoverReport& report) {
  const auto possible = [](std::int64_t micros) { return micros >= -kFarthest && micros <= kFarthest; };
  const std::array events = {report.heartbeat, report.closed,      report.decided,     report.granted,
                             report.active,    report.steered,     report.old_session, report.new_session,
                             report.last_word, report.last_change, report.risk.unseen};
  return possible(report.heard) && std::all_of(events.begin(), events.end(), [&](const FailoverReport::Micros& time) {
           return !time || possible(*time);
         });
}

std::string utc_text(std::int64_t micros) {
  constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t fraction = (micros % kSecond + kSecond) % kSecond;
  const std::time_t seconds = (micros - fraction) / kSecond;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, fraction);
}

}  // namespace icr
