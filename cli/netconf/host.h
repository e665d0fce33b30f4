// What a NETCONF session needs of the program that carries it: the cluster, and the other sessions of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/commit.h"
#include "cli/execute.h"
#include "cli/grammar/command.h"
#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::cli::netconf {

/// Where the output of a command goes.
struct Outlets {
  Printer out;
  Printer error;
  Reporter report;
};

struct Host {
  std::uint32_t session_id = 1;
  /// Reads the cluster file.
  std::function<Result<Cluster>()> read_cluster;
  /// Carries out a command as if it had been typed.
  std::function<ExitCode(const Command& command, const Result<Cluster>& cluster, const Outlets& outlets)> answer;
  /// Carries out `icr commit`.
  std::function<ExitCode(const CommitCommand& command, const Printer& out, const Printer& error)> commit;
  /// Returns the text of a former commit.
  std::function<Result<std::string>(std::uint32_t rollback)> former;
  /// Locks the configuration against other sessions of this machine. Returns nothing if it is locked now, or the
  /// session that holds the lock; 0: none that is known.
  std::function<std::optional<std::uint32_t>()> lock;
  std::function<void()> unlock;
  /// Ends another session of this machine. Returns false if there is none with this number, or it may not be ended.
  std::function<bool(std::uint32_t session)> kill;
};

}  // namespace icr::cli::netconf
