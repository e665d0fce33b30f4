// What a service set of a card counts, as values: in the groups of Junos' `show services ... statistics` commands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/base/counters.h"
#include "model/base/enum_end.h"
#include "model/record/stable_id.h"

namespace icr {

/// One command, or one XML reply, each.
enum class StatisticsGroup : std::uint8_t {
  tcp = 0,            ///< show services service-sets statistics tcp
  tcp_mss,            ///< show services service-sets statistics tcp-mss
  packet_drops,       ///< show services service-sets statistics packet-drops
  integrity_drops,    ///< show services service-sets statistics integrity-drops
  screen_drops,       ///< show services service-sets statistics screen-drops
  stateful_firewall,  ///< show services stateful-firewall statistics
  nat,                ///< show services nat statistics
};
inline constexpr std::size_t kStatisticsGroupCount = enum_end<StatisticsGroup>();
/// Returns the last words of the command: "tcp", "tcp-mss", "packet-drops", "integrity-drops", "screen-drops",
/// "stateful-firewall" or "nat".
[[nodiscard]] std::string_view to_string(StatisticsGroup group);

/// Every counter of one service set on one card, zero or not. A name is the XML leaf, with the container before it
/// where the reply has one: "tcp-open-close-counters/tcp-first-pkt-not-syn". Containers are shown in the order in which
/// they first appear here, and leaves in the order of their container's layout (StatisticsRenderer).
struct ServiceSetStatus {
  StableId service_set = 0;
  std::array<CounterList, kStatisticsGroupCount> groups;

  [[nodiscard]] CounterList& group(StatisticsGroup g) { return groups[static_cast<std::size_t>(g)]; }
  [[nodiscard]] const CounterList& group(StatisticsGroup g) const { return groups[static_cast<std::size_t>(g)]; }
};

}  // namespace icr
