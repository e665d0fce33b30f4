// Carries out a command as it was typed: with its pipes, and also if it is about what this program reads itself.
#pragma once

#include <functional>

#include "cli/client/settings.h"
#include "cli/commit.h"
#include "cli/execute.h"
#include "model/base/result.h"

namespace icr::cli {

/// What an answer needs of the program, and where it goes. REQUIRES: settings and cluster outlive it.
struct Answering {
  const Settings& settings;
  const Result<Cluster>& cluster;  ///< the cluster file, or why it cannot be read
  Printer out;
  Printer error;
  std::uint32_t screen_lines = 24;  ///< what `| last` prints
  Reporter report = {};             ///< as in Environment
  Reporter notice = {};             ///< as in Environment
  /// Set: returns true once nobody waits for the answer any more. Then no chassis is asked further questions.
  std::function<bool()> abandoned = {};
};

/// Carries out `command` once; `| refresh` is for the caller. Errors are printed, too. Returns the exit code of `icr`.
/// REQUIRES: takes_pipes(command.verb), so it is a command that asks the cluster or reads its file, and not `commit`,
/// `check`, `set cli` or the like.
[[nodiscard]] ExitCode answer(const Command& command, const Answering& answering);

/// Carries out `icr commit` or `icr rollback`. Returns the exit code of `icr`.
[[nodiscard]] ExitCode commit(const CommitCommand& command, const Answering& answering);

/// Returns the text of a former commit, from the first chassis that answers. On failure, `code` is the exit code.
[[nodiscard]] Result<std::string> former_text(std::uint32_t rollback, const Settings& settings, const Cluster& cluster,
                                              std::optional<std::uint16_t> only, ExitCode& code);

}  // namespace icr::cli
