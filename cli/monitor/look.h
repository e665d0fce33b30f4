// What `monitor` shows is the difference between looks at the cluster: the counters of its interfaces, or of its
// largest sessions, at one moment.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "cli/execute.h"
#include "model/base/time.h"
#include "model/query/query.h"

namespace icr::cli {

/// The most sessions whose rates are compared.
inline constexpr std::uint32_t kMonitoredSessions = 1000;

/// A card or one of its units.
struct InterfaceLook {
  std::string chassis;
  std::string name;
  bool enabled = false;
  bool up = false;
  PortTraffic traffic;
};

struct SessionLook {
  using Key = std::tuple<std::uint16_t, std::uint16_t, std::uint32_t, std::uint32_t>;
  Key key;  ///< redundancy set, card, slot and generation: another session in the same place is another one
  std::string interface;
  std::string service_set;
  std::string protocol;
  std::string ends;  ///< "192.0.2.1:40000 -> 198.51.100.1:53"
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct Look {
  TimePoint at;                           ///< when the answers were complete
  Duration took{};                        ///< how long the cluster took to answer
  std::vector<InterfaceLook> interfaces;  ///< in the order of their names; each card is followed by its units
  std::vector<SessionLook> sessions;      ///< largest first
  std::vector<std::string> errors;        ///< such as a chassis that does not answer
  ExitCode code = ExitCode::ok;
};

/// Asks the cluster for what a `monitor` command shows; `member` is for the caller. REQUIRES: `command` is one.
[[nodiscard]] Look look_at(const Command& command, Environment environment);

}  // namespace icr::cli
