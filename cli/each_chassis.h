// Commands that are about each chassis by itself: a cluster answers with a part for each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "cli/asking.h"

namespace icr::cli {

/// Returns the chassis that a command asks: all of them, or that of --chassis.
[[nodiscard]] std::set<std::uint16_t> asked_chassis(const Asking& asking);

/// Asks those chassis about their machines and their processes, all at the same time.
[[nodiscard]] std::map<std::uint16_t, SystemStatus> ask_systems(Asking& asking);

/// Builds the answer of each chassis, as a Virtual Chassis does; that of one which was asked alone, or is alone, is no
/// list.
void build_each(Asking& asking, const std::set<std::uint16_t>& chassis,
                const std::function<void(std::uint16_t chassis)>& build);

template <class Value>
[[nodiscard]] std::set<std::uint16_t> keys_of(const std::map<std::uint16_t, Value>& values) {
  std::set<std::uint16_t> out;
  for (const auto& [key, value] : values) out.insert(key);
  return out;
}

}  // namespace icr::cli
