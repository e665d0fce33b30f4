// From a command to what is printed: asks the cluster, merges, renders.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "cli/client/transport.h"
#include "cli/grammar/command.h"
#include "model/cluster.h"
#include "model/time.h"

namespace icr::cli {

/// What `icr` exits with.
enum class ExitCode : int {
  ok = 0,
  command_error = 1,     ///< not understood, or refused
  bad_cluster_file = 2,  ///< nothing was asked
  incomplete = 3,        ///< some chassis did not answer, or not all could be written: what is printed is the rest
};

using Printer = std::function<void(std::string_view text)>;

struct Environment {
  const Cluster& cluster;
  Transport& transport;
  std::optional<std::uint16_t> only_chassis;  ///< --chassis: ask this one, and show whatever it holds
  WallMillis wall_now = 0;
  Printer out;
  Printer error;
};

[[nodiscard]] ExitCode execute(const Command& command, const Environment& environment);

}  // namespace icr::cli
