#include "cli/shell/ask.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>

#include "cli/answer.h"
#include "cli/grammar/completion.h"
#include "cli/merge/nat_selection.h"
#include "cli/netconf/server.h"
#include "cli/shell/local.h"
#include "cli/shell/monitor.h"
#include "cli/shell/terminal.h"
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
    case Verb::netconf:
      return netconf::serve(settings);
    case Verb::serve:
      first = "serve";
      break;
    default:
      return std::nullopt;
  }
  std::vector<std::string> words = {first};
  words.insert(words.end(), command.words.begin(), command.words.end());
  return run_local(words, settings);
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
  if (monitors(command->verb)) return monitor(*command, settings, cluster);
  if (const auto code = run_here(*command, settings)) return *code;
  const Answering answering{settings, cluster, print, print_error, screen_lines(settings)};
  const auto interval = interval_of(*command);
  if (!interval) return answer(*command, answering);
  for (auto begin = std::chrono::steady_clock::now();; std::this_thread::sleep_until(begin)) {
    print(refreshed_now());
    const ExitCode code = answer(*command, answering);
    // The terminal, or whatever reads the answer, may be gone.
    if (code == ExitCode::command_error || code == ExitCode::bad_cluster_file || std::fflush(stdout) != 0) return code;
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
