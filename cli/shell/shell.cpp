#include "cli/shell/shell.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "cli/grammar/completion.h"
#include "cli/merge/nat_selection.h"
#include "cli/shell/ask.h"
#include "cli/shell/editor.h"
#include "cli/shell/history.h"
#include "cli/shell/pager.h"
#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

/// Set by Ctrl-C while an answer is coming.
volatile bool g_interrupted = false;

void note_interrupt(int /*signal*/) { g_interrupted = true; }

void on_interrupt(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGINT, &action, nullptr);  // without SA_RESTART: read() returns
}

/// Commands line by line, as a script gives them.
ExitCode run_lines(const Settings& settings, std::string_view prompt) {
  ExitCode first = ExitCode::ok;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const auto command = parse_command(line);
    if (command && command->verb == Verb::leave) break;
    const ExitCode code = ask(line, settings, prompt);
    if (first == ExitCode::ok) first = code;
    std::fflush(stdout);
  }
  return first;
}

class Shell {
 public:
  explicit Shell(const Settings& settings)
      : settings_(settings),
        history_(HistoryFile::default_name()),
        editor_([this](char key, std::string_view before) { return on_key(key, before); }) {
    for (const auto& line : history_.read()) editor_.remember(line);
  }

  void run() {
    while (true) {
      read_names();
      const auto line = editor_.read(prompt_);
      if (!line) {
        write_out("\n");
        return;
      }
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      editor_.remember(*line);
      history_.add(*line);
      const auto command = parse_command(*line, names());
      if (!command) {
        // The line itself is on the terminal already.
        const std::string shown = command.error().shown(prompt_, *line);
        write_out(shown.substr(shown.find('\n') + 1));
        write_out("\n");
        continue;
      }
      if (command->verb == Verb::leave) return;
      if (timestamp_) write_out(fmt::format("{:%b %d %T}\n", fmt::localtime(std::time(nullptr))));
      if (command->verb == Verb::set_cli) set(*command);
      if (monitors(command->verb)) {
        monitor(*line);
      } else {
        answer(*line, *command);
      }
      write_out("\n");
    }
  }

 private:
  [[nodiscard]] const Names* names() const { return names_ ? &*names_ : nullptr; }

  /// Reads the names and the prompt from the cluster file, which may have changed.
  void read_names() {
    names_.reset();
    std::string cluster_name = "icr";
    if (const auto cluster = load_cluster_file(settings_.file())) {
      names_ = names_of(*cluster);
      cluster_name = cluster->name;
    } else if (!told_) {
      told_ = true;
      write_out(cluster.error().message + "\n");
    }
    prompt_ = fmt::format("{}@{}> ", user_name(), cluster_name);
  }

  Edit on_key(char key, std::string_view before) {
    if (key == ' ' && !complete_on_space_) return {" ", {}};
    if (key != '?') return complete_word(before, names(), key == ' ', prompt_);
    if (!split_words(before)) return {"?", {}};  // in quotes
    const Completions found = complete(before, names());
    return {{}, found.error ? found.error->shown(prompt_, before) : found.shown()};
  }

  void set(const Command& command) {
    switch (command.setting) {
      case CliSetting::screen_length:
        paging_.length = command.value;
        break;
      case CliSetting::screen_width:
        paging_.width = command.value;
        break;
      case CliSetting::complete_on_space:
        complete_on_space_ = command.value != 0;
        break;
      case CliSetting::timestamp:
        timestamp_ = command.value != 0;
        break;
    }
  }

  /// Executes a line in a process of its own, whose output this one shows in pages. So Ctrl-C ends whatever it does,
  /// and leaves the shell.
  void answer(const std::string& line, const Command& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      write_out(fmt::format("error: no pipe: {}\n", error_text(errno)));
      return;
    }
    Settings settings = settings_;
    settings.in_shell = true;
    settings.screen_lines = paging_.length.value_or(static_cast<std::uint32_t>(screen_size().rows));
    g_interrupted = false;
    on_interrupt(note_interrupt);
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
      on_interrupt(SIG_DFL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
      std::setlocale(LC_CTYPE, "C");  // patterns match octets, which is fast
      const auto code = ask(line, settings, prompt_);
      std::fflush(stdout);
      ::_exit(static_cast<int>(code));
    }
    ::close(ends[1]);
    if (child < 0) write_out(fmt::format("error: no process: {}\n", error_text(errno)));
    Paging paging = paging_;
    for (const auto& pipe : command.pipes) {
      if (pipe.kind == Pipe::Kind::no_more || pipe.kind == Pipe::Kind::refresh) paging.length = 0;
      if (pipe.kind == Pipe::Kind::hold) paging.hold = true;
    }
    const auto end = child < 0 ? Pager::End::left : Pager(ends[0], paging, g_interrupted).show();
    ::close(ends[0]);
    if (child > 0) finish(child, end);
    on_interrupt(SIG_DFL);
  }

  /// Executes a line that needs the terminal itself, in a process of its own: the shell survives whatever becomes of
  /// it.
  void monitor(const std::string& line) {
    termios attributes{};
    const bool known = ::tcgetattr(STDIN_FILENO, &attributes) == 0;
    Settings settings = settings_;
    settings.in_shell = true;
    g_interrupted = false;
    on_interrupt(note_interrupt);  // Ctrl-C is for the live view
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
      on_interrupt(SIG_DFL);
      const auto code = ask(line, settings, prompt_);
      std::fflush(stdout);
      ::_exit(static_cast<int>(code));
    }
    if (child < 0) write_out(fmt::format("error: no process: {}\n", error_text(errno)));
    if (child > 0) finish(child, Pager::End::shown);
    if (known) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &attributes);
    on_interrupt(SIG_DFL);
  }

  static void finish(pid_t child, Pager::End end) {
    if (end != Pager::End::shown) ::kill(child, SIGTERM);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (end == Pager::End::interrupted) write_out("[abort]\n");
    if (end == Pager::End::shown && WIFSIGNALED(status) && !g_interrupted) {
      write_out(fmt::format("error: the command ended with signal {}\n", WTERMSIG(status)));
    }
  }

  const Settings& settings_;
  HistoryFile history_;
  std::optional<Names> names_;
  std::string prompt_;
  Paging paging_;
  bool complete_on_space_ = true;
  bool timestamp_ = false;
  bool told_ = false;  ///< what is wrong with the cluster file
  Editor editor_;
};

}  // namespace

ExitCode run_shell(const Settings& settings) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return run_lines(settings, "user@icr> ");
  Shell(settings).run();
  return ExitCode::ok;
}

}  // namespace icr::cli
