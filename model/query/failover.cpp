#include "model/query/failover.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace icr {
namespace {

constexpr std::array<std::string_view, enum_end<FailoverKind>()> kKinds = {"takeover", "ill-master", "election",
                                                                           "switchover"};

}  // namespace

std::string_view to_string(FailoverKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::optional<FailoverKind> failover_kind(std::string_view name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] == name) return static_cast<FailoverKind>(i);
  }
  return std::nullopt;
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
