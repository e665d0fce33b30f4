// Executes a command: asks the cluster, merges the answers, and prints them.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <thread>

#include "cli/client/transport.h"
#include "cli/grammar/command.h"
#include "model/base/time.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// The exit code of `icr`.
enum class ExitCode : int {
  ok = 0,
  command_error = 1,     ///< the command was not understood, or was refused
  bad_cluster_file = 2,  ///< the cluster file has mistakes, so no chassis was asked
  incomplete = 3,  ///< some chassis did not answer, or not all of the answer could be written; the rest was printed
  different = 4,   ///< twins differ or could not be compared, or a dry run says that a switchover would be refused
};

using Printer = std::function<void(std::string_view text)>;
/// Takes an error. `severity` is `error`, or `warning` where the rest of the answer can be used without what is
/// missing.
using Reporter = std::function<void(std::string_view message, std::string_view severity)>;

/// What a command needs of the program. REQUIRES: cluster and transport outlive it.
struct Environment {
  const Cluster& cluster;
  Transport& transport;
  std::optional<std::uint16_t>
      only_chassis;  ///< --chassis: only this chassis is asked, and everything that it holds is shown
  WallMillis wall_now = 0;
  Printer out;    ///< standard output
  Printer error;  ///< standard error
  /// Waits for the given time, between two looks at the twins of a redundancy set.
  std::function<void(Duration)> pause = [](Duration time) { std::this_thread::sleep_for(time); };
  /// Set: takes what is wrong with the answer, in place of standard error and of the tree, and XML has no envelope. So
  /// NETCONF puts errors where its clients look for them.
  Reporter report = {};
  /// Set: learns what is wrong with the answer, which is printed as well.
  Reporter notice = {};
};

/// Returns true if a command that execute() carries out builds a tree, so that its answer has every form.
[[nodiscard]] bool has_tree(const Command& command);

/// Executes `command` and prints its output. Errors are printed, too. Returns the exit code of `icr`.
[[nodiscard]] ExitCode execute(const Command& command, const Environment& environment);

}  // namespace icr::cli
