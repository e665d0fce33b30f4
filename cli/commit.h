// `icr commit` and `icr rollback`: send a cluster file to every chassis, and have all of them take it or none.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/client/transport.h"
#include "cli/execute.h"
#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// A commit or rollback as it was typed.
struct CommitCommand {
  enum class Kind : std::uint8_t {
    check,     ///< says what the file would change
    commit,    ///< of the file
    confirm,   ///< the newest commit stays
    rollback,  ///< commits the text of a former commit again
  };
  Kind kind = Kind::confirm;
  std::string file;
  std::optional<std::string> text = {};  ///< what `file`, which is a mere name then, contains
  std::string comment;
  std::uint32_t confirm_minutes = 0;  ///< 0: it needs no confirmation
  std::size_t index = 0;              ///< rollback: 0 is the newest commit
};

/// Parses the words of a command line that begins with `commit` or `rollback`. The error is a line for the operator.
[[nodiscard]] Result<CommitCommand> parse_commit(const std::vector<std::string>& words);

/// What a commit needs of the program.
struct CommitEnvironment {
  /// Makes a transport to the chassis of a cluster, which outlives it.
  std::function<std::unique_ptr<Transport>(const Cluster&)> connect;
  const Cluster* cluster = nullptr;  ///< the file that `icr` would ask with; null: it cannot be read
  std::string user;
  std::chrono::milliseconds patience{60'000};       ///< how long the chassis may take until they run the commit
  std::chrono::milliseconds restart_limit{20'000};  ///< how long a chassis that restarts may be silent
  Printer out;
  Printer error;
};

[[nodiscard]] ExitCode execute_commit(const CommitCommand& command, const CommitEnvironment& environment);

}  // namespace icr::cli
