#include "cli/shell/ask.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <set>
#include <thread>

#include "cli/client/zmq_transport.h"
#include "cli/commit_client.h"
#include "cli/grammar/completion.h"
#include "cli/merge/nat_selection.h"
#include "cli/pipes/chain.h"
#include "cli/render/comparison.h"
#include "cli/render/configuration.h"
#include "cli/shell/local.h"
#include "cli/shell/terminal.h"
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

std::uint32_t screen_lines(const Settings& settings) {
  return settings.screen_lines != 0 ? settings.screen_lines : static_cast<std::uint32_t>(screen_size().rows);
}

constexpr std::string_view kHelp =
    "Type a part of a command and ? to see what may follow, with what it means.\n"
    "The space bar completes a word, Tab also completes names of the cluster file.\n"
    "Any unique beginning of a word stands for it. `|` behind a command filters its answer.\n\n"
    "  show services sessions                       sessions of the whole cluster\n"
    "  show services sessions source-prefix 192.0.2.1 extensive\n"
    "  show services sessions count                 how many, by service set\n"
    "  show services redundancy-group               who is master, and why\n"
    "  show services nat pool                       translated addresses and ports\n"
    "  show services sessions | match tcp | count\n\n"
    "All commands: man icr\n";

/// Says what `set cli` did. The shell does it.
std::string said(const Command& command) {
  switch (command.setting) {
    case CliSetting::screen_length:
      return fmt::format("Screen length set to {}\n", command.value);
    case CliSetting::screen_width:
      return fmt::format("Screen width set to {}\n", command.value);
    case CliSetting::complete_on_space:
      return fmt::format("{} complete-on-space\n", command.value != 0 ? "Enabling" : "Disabling");
    case CliSetting::timestamp:
      return command.value != 0 ? "CLI timestamp set to: %b %d %T\n" : "CLI timestamp disabled\n";
  }
  return {};
}

/// Executes a command that does not ask the cluster one question. Returns nothing for any other.
std::optional<ExitCode> run_here(const Command& command, const Settings& settings) {
  const char* first = nullptr;
  switch (command.verb) {
    case Verb::leave:
      return ExitCode::ok;
    case Verb::help:
      print(kHelp);
      return ExitCode::ok;
    case Verb::set_cli:
      if (!settings.in_shell) {
        print_error("error: only in a shell\n");
        return ExitCode::command_error;
      }
      print(said(command));
      return ExitCode::ok;
    case Verb::check:
      first = "check";
      break;
    case Verb::commit:
      first = "commit";
      break;
    case Verb::roll_back:
      first = "rollback";
      break;
    case Verb::keys:
      first = "keys";
      break;
    default:
      return std::nullopt;
  }
  std::vector<std::string> words = {first};
  words.insert(words.end(), command.words.begin(), command.words.end());
  return run_local(words, settings);
}

/// Returns the former commit that `| compare rollback N` names, from the first chassis that answers. On failure, `code`
/// is the exit code.
Result<Cluster> former_commit(std::uint32_t rollback, const Settings& settings, const Cluster& cluster,
                              std::optional<std::uint16_t> only, ExitCode& code) {
  code = ExitCode::command_error;
  auto key = key_for(cluster, settings);
  if (!key) return tl::unexpected(key.error());
  ZmqTransport transport(cluster, std::chrono::milliseconds(settings.timeout_ms), std::move(*key));
  std::set<std::uint16_t> chassis;
  for (std::uint16_t i = 0; i < cluster.chassis.size(); ++i) {
    if (only.value_or(i) == i) chassis.insert(i);
  }
  std::string why;
  for (const auto& [index, answer] : ask_commit(transport, chassis, {})) {
    if (answer.reply && rollback >= answer.reply->entries.size()) return fail("there is no rollback {}", rollback);
    auto text = answer.reply ? fetch_commit(transport, index, answer.reply->entries[rollback])
                             : Result<std::string>(fail("{}", answer.why));
    if (text) return parse_cluster(*text, fmt::format("rollback {}", rollback));
    why = fmt::format("chassis {} did not answer: {}", cluster.chassis[index].name, text.error().message);
  }
  code = ExitCode::incomplete;
  return tl::unexpected(Error{std::move(why)});
}

bool compares(const Pipe& pipe) { return pipe.kind == Pipe::Kind::compare; }

/// Returns an error message if a command about what this program reads itself has pipes that it cannot have, otherwise
/// an empty text.
std::string mistake_in_pipes(const Command& command) {
  const bool is_configuration = command.verb == Verb::show_configuration;
  const auto comparisons = std::count_if(command.pipes.begin(), command.pipes.end(), compares);
  if (comparisons != 0 && !is_configuration) return "`| compare` is for `show configuration`";
  if (comparisons > 1) return "`| compare` is possible once";
  if (command.display == Display::text) return {};
  if (comparisons != 0) return "a comparison has no form but text: `| display` is not possible";
  if (command.display == Display::set && is_configuration) return {};
  return "this command has no form but text: `| display` is not possible";
}

/// Prints what `write` gives to the pipes of a command that this program answers itself. `write` returns the exit code.
ExitCode print_through_pipes(const Command& command, const Settings& settings,
                             const std::function<ExitCode(Chain& chain)>& write) {
  if (const std::string mistake = mistake_in_pipes(command); !mistake.empty()) {
    print_error(fmt::format("error: {}\n", mistake));
    return ExitCode::command_error;
  }
  // Files are opened before anything is asked: a name that is wrong is known at once.
  auto chain = Chain::open(command.pipes, screen_lines(settings), print);
  if (!chain) {
    print_error(fmt::format("error: {}\n", chain.error().message));
    return ExitCode::command_error;
  }
  const auto code = write(*chain);
  const auto finished = chain->finish();
  if (finished) return code;
  print_error(fmt::format("error: {}\n", finished.error().message));
  return ExitCode::incomplete;
}

/// Prints what the cluster file says, in the words of Junos.
ExitCode show_configuration(const Command& command, const Settings& settings, const Cluster& cluster,
                            std::optional<std::uint16_t> only) {
  return print_through_pipes(command, settings, [&](Chain& chain) {
    const auto compared = std::find_if(command.pipes.begin(), command.pipes.end(), compares);
    if (compared == command.pipes.end()) {
      chain.write(
          render_configuration(configuration_of(cluster, only), command.words, command.display == Display::set));
      return ExitCode::ok;
    }
    auto code = ExitCode::ok;
    const auto former = former_commit(compared->number, settings, cluster, only, code);
    if (!former) {
      print_error(fmt::format("error: {}\n", former.error().message));
      return code;
    }
    chain.write(render_comparison(*former, cluster, command.words, only));
    return ExitCode::ok;
  });
}

/// Prints the release of this program. It needs no cluster file: without `cluster`, the host is this machine.
ExitCode show_version(const Command& command, const Settings& settings, const Cluster* cluster) {
  std::array<char, 256> host = {"unknown"};
  (void)::gethostname(host.data(), host.size() - 1);
  return print_through_pipes(command, settings, [&](Chain& chain) {
    chain.write(fmt::format("Hostname: {}\nModel: icr\nicr: {}\n",
                            cluster != nullptr ? cluster->name : std::string(host.data()), ICR_VERSION));
    return ExitCode::ok;
  });
}

/// Shows what may follow, if `line` ends with `?`.
bool show_help(std::string_view line, const Names* names, std::string_view prompt, ExitCode& code) {
  if (line.empty() || line.back() != '?' || !split_words(line)) return false;
  const std::string_view before = line.substr(0, line.size() - 1);
  const Completions found = complete(before, names);
  code = found.error ? ExitCode::command_error : ExitCode::ok;
  if (found.error) {
    print_error(found.error->shown(prompt, before));
  } else {
    print(found.shown());
  }
  return true;
}

/// Asks once, with everything that is needed for it.
class Round {
 public:
  Round(const Command& command, const Settings& settings, const Cluster& cluster, std::optional<std::uint16_t> only,
        const std::optional<transport::KeyPair>& key)
      : command_(command), settings_(settings), cluster_(cluster), only_(only), key_(key) {}

  [[nodiscard]] ExitCode run() const {
    // Files are opened before anything is asked: a name that is wrong is known at once.
    auto chain = Chain::open(command_.pipes, screen_lines(settings_), print);
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

ExitCode ask(std::string_view line, const Settings& settings, std::string_view prompt) {
  const auto cluster = load_cluster_file(settings.file());
  // Names come from the cluster file. A line that is wrong whatever names exist is reported before that file is read.
  std::optional<Names> names;
  if (cluster) names = names_of(*cluster);
  const Names* known = names ? &*names : nullptr;
  if (ExitCode code{}; show_help(line, known, prompt, code)) return code;
  const auto command = parse_command(line, known);
  if (!command) {
    print_error(command.error().shown(prompt, line));
    return ExitCode::command_error;
  }
  if (const auto code = run_here(*command, settings)) return *code;
  if (command->verb == Verb::show_version) return show_version(*command, settings, cluster ? &*cluster : nullptr);
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
  if (only && command->member && *command->member != settings.chassis) {
    print_error(
        fmt::format("error: --chassis {} and member {} contradict each other\n", settings.chassis, *command->member));
    return ExitCode::command_error;
  }
  if (command->verb == Verb::show_configuration) return show_configuration(*command, settings, *cluster, only);
  const auto key = key_for(*cluster, settings);
  if (!key) {
    print_error(fmt::format("error: {}\n", key.error().message));
    return ExitCode::command_error;
  }
  if (std::any_of(command->pipes.begin(), command->pipes.end(), compares)) {
    print_error("error: `| compare` is for `show configuration`\n");
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

ExitCode print_completions(std::string_view line, const Settings& settings) {
  std::optional<Names> names;
  if (const auto cluster = load_cluster_file(settings.file())) names = names_of(*cluster);
  const auto found = complete(line, names ? &*names : nullptr);
  for (const auto& each : found.all) {
    if (each.kind != Completion::Kind::name && each.kind != Completion::Kind::keyword) continue;
    print(fmt::format("{}\t{}\n", each.word, each.help));
  }
  return found.error ? ExitCode::command_error : ExitCode::ok;
}

}  // namespace icr::cli
