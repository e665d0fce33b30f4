// Builds the trees of what a chassis says about itself: times, alarms, hardware.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/commit.h"
#include "model/query/system.h"

namespace icr::cli {

/// Builds `show system uptime` of a chassis. `configured` is its newest commit.
void build_uptime(Tree& tree, const SystemStatus& system, const std::optional<CommitEntry>& configured);

/// An alarm, and what kind of thing it is about.
struct AlarmRow {
  Alarm alarm;
  bool configuration = false;  ///< otherwise the chassis
};
/// Builds `show chassis alarms` and `show system alarms` of a chassis.
void build_alarms(Tree& tree, std::vector<AlarmRow> rows);

/// Builds `show chassis hardware` of a chassis. `config` tells the names of its cards.
void build_hardware(Tree& tree, const ChassisConfig& config, const SystemStatus& system);

}  // namespace icr::cli
