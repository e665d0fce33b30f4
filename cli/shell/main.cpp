// icr: the command line of the cluster, with the commands of Junos.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/grammar/words.h"
#include "cli/shell/ask.h"
#include "cli/shell/local.h"
#include "cli/shell/shell.h"
#include "model/base/standard_files.h"

namespace {

using icr::cli::ExitCode;

constexpr std::string_view kPrompt = "user@icr> ";

void write_to(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

/// Returns `code`, or `incomplete` if a part of the answer could not be written (a full disk, a closed pipe).
int finish(ExitCode code) {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written) return static_cast<int>(code);
  write_to(stderr, "error: the answer could not be written completely\n");
  return static_cast<int>(ExitCode::incomplete);
}

}  // namespace

int main(int argc, char** argv) {
  if (!icr::hold_standard_files()) return static_cast<int>(ExitCode::incomplete);
  icr::take_descriptors();
  CLI::App app(
      "Asks every chassis of an icr cluster at once and merges the answers, with the commands of Junos.\n\n"
      "  icr check FILE                                  is this cluster file right?\n"
      "  icr show services redundancy-group              which chassis is master, and is all well?\n"
      "  icr show services sessions                      the sessions of the whole cluster\n"
      "  icr show services sessions source-prefix 192.0.2.7 extensive\n"
      "  icr show services sessions count                how many, by service set\n"
      "  icr show services nat pool                      translated addresses and ports\n"
      "  icr 'show services sessions | match tcp | count'\n"
      "  icr clear services sessions source-prefix 192.0.2.7\n"
      "  icr request services redundancy-set rs1 switchover\n\n"
      "Without a command icr is a shell: type ? at any point of a line to see what may follow. Here, too:\n\n"
      "  icr show services '?'\n\n"
      "Any unique beginning of a word stands for it. All commands: man icr.\n"
      "Exit codes: 0 done, 1 command error, 2 wrong cluster file, 3 a chassis did not answer, or the answer\n"
      "could not be written, 4 twins differ.\n",
      "icr");
  app.set_version_flag("--version", "icr " ICR_VERSION);
  icr::cli::Settings options;
  app.add_option("--cluster", options.cluster_file, "Cluster file; default: $ICR_CLUSTER, then /etc/icr/cluster.yaml");
  app.add_option(
         "--secret-key", options.key_file,
         "File of the secret key of this client; default: keys/USER.key, then keys/admin.key beside the cluster "
         "file")
      ->envname("ICR_SECRET_KEY");
  app.add_option("--chassis", options.chassis, "Ask this chassis only, and show whatever it holds");
  app.add_option("--timeout", options.timeout_ms, "How long to wait for each answer, in milliseconds")
      ->check(CLI::Range(1U, 3600000U))
      ->capture_default_str();
  std::string completed;
  const auto* complete = app.add_option("--complete", completed, "Print what may follow this line; for shells")
                             ->group("");  // not for people
  std::string line;
  const auto* for_login_shells = app.add_option("-c", line, "Execute this line; sshd asks a login shell so")->group("");
  app.prefix_command();  // options stand before the words of the command
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::command_error);
  }
  if (complete->count() != 0) return finish(icr::cli::print_completions(completed, options));
  const auto words = for_login_shells->count() != 0 ? std::vector<std::string>{line} : app.remaining();
  if (words.empty()) return finish(icr::cli::run_shell(options));
  // Words of these commands are names of files and comments; what looks like a pipe is refused by the grammar.
  const bool piped = std::any_of(words.begin(), words.end(), [](const auto& word) { return word.substr(0, 1) == "|"; });
  if (!piped) {
    if (const auto code = icr::cli::run_local(words, options)) return finish(*code);
  }
  return finish(icr::cli::ask(icr::cli::line_of(words), options, kPrompt));
}
