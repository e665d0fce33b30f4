#include "cli/shell/ask.h"

#include <fmt/chrono.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>

#include "cli/client/zmq_transport.h"
#include "cli/grammar/grammar.h"
#include "cli/merge/nat_selection.h"
#include "cli/pipes/chain.h"
#include "model/base/clock.h"
#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_error(std::string_view text) {
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

/// The line above each round of `| refresh`.
std::string refreshed_now() {
  return fmt::format("---(refreshed at {:%Y-%m-%d %H:%M:%S %Z})---\n", fmt::localtime(std::time(nullptr)));
}

/// Returns the time from the beginning of one round to that of the next, if the line has `| refresh`.
std::optional<std::chrono::seconds> interval_of(const Command& command) {
  std::optional<std::chrono::seconds> out;
  for (const auto& pipe : command.pipes) {
    if (pipe.kind == Pipe::Kind::refresh) out = std::chrono::seconds(pipe.number);
  }
  return out;
}

/// Asks once, with everything that is needed for it.
class Round {
 public:
  Round(const Command& command, const Settings& settings, const Cluster& cluster, std::optional<std::uint16_t> only,
        const std::optional<transport::KeyPair>& key)
      : command_(command), settings_(settings), cluster_(cluster), only_(only), key_(key) {}

  [[nodiscard]] ExitCode run() const {
    // Files are opened before anything is asked: a name that is wrong is known at once.
    auto chain = Chain::open(command_.pipes, screen_lines(), print);
    if (!chain) {
      print_error(fmt::format("error: {}\n", chain.error().message));
      return ExitCode::command_error;
    }
    ZmqTransport transport(cluster_, std::chrono::milliseconds(settings_.timeout_ms), key_);
    const auto code = execute(command_, {cluster_, transport, only_, wall_now(),
                                         [&](std::string_view text) { chain->write(text); }, print_error});
    const auto finished = chain->finish();
    if (finished) return code;
    print_error(fmt::format("error: {}\n", finished.error().message));
    return ExitCode::incomplete;
  }

 private:
  const Command& command_;
  const Settings& settings_;
  const Cluster& cluster_;
  std::optional<std::uint16_t> only_;
  const std::optional<transport::KeyPair>& key_;
};

}  // namespace

std::uint32_t screen_lines() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
  return size.ws_row;
}

ExitCode ask(std::string_view line, const Settings& settings, std::string_view prompt) {
  const auto cluster = load_cluster_file(settings.file());
  // Names come from the cluster file. A line that is wrong whatever names exist is reported before that file is read.
  std::optional<Names> names;
  if (cluster) names = names_of(*cluster);
  const auto command = parse_command(line, names ? &*names : nullptr);
  if (!command) {
    print_error(command.error().shown(prompt, line));
    return ExitCode::command_error;
  }
  if (!cluster) {
    print_error(cluster.error().message + "\n");
    return ExitCode::bad_cluster_file;
  }
  std::optional<std::uint16_t> only;
  if (!settings.chassis.empty()) {
    only = cluster->find_chassis(settings.chassis);
    if (!only) {
      print_error(fmt::format("error: chassis {} not found in {}\n", settings.chassis, settings.file()));
      return ExitCode::command_error;
    }
  }
  const auto key = key_for(*cluster, settings);
  if (!key) {
    print_error(fmt::format("error: {}\n", key.error().message));
    return ExitCode::command_error;
  }
  const Round round(*command, settings, *cluster, only, *key);
  const auto interval = interval_of(*command);
  if (!interval) return round.run();
  for (auto begin = std::chrono::steady_clock::now();; std::this_thread::sleep_until(begin)) {
    print(refreshed_now());
    const ExitCode code = round.run();
    // The terminal, or whatever reads the answer, may be gone.
    if (code == ExitCode::command_error || std::fflush(stdout) != 0) return code;
    begin = std::max(begin + *interval, std::chrono::steady_clock::now());
  }
}

}  // namespace icr::cli
