#include "cli/shell/monitor.h"

#include <fmt/chrono.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/client/zmq_transport.h"
#include "cli/monitor/live_view.h"
#include "cli/shell/terminal.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"

namespace icr::cli {
namespace {

constexpr Duration kLookInterval = 1s;
constexpr Duration kQuitPatience = 100ms;

/// Set by Ctrl-C, and by whoever ends the program.
volatile bool g_ended = false;
void note_end(int /*signal*/) { g_ended = true; }

/// Handles signals that end a view, as long as it lives, so that the terminal gets its settings back.
class EndSignals {
 public:
  EndSignals() {
    g_ended = false;
    struct sigaction action {};
    action.sa_handler = note_end;
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &former_[i]);
  }
  ~EndSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &former_[i], nullptr);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> former_{};
};

/// Asks the cluster once in every interval, in a thread of its own: keys are obeyed while a chassis is silent.
class Looker {
 public:
  using Question = std::function<Look()>;

  explicit Looker(Question question) : question_(std::move(question)), ready_(::eventfd(0, EFD_CLOEXEC)) {
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &former);  // signals are for the thread that reads keys
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }
  /// REQUIRES: end() returned true.
  ~Looker() {
    thread_.join();
    if (ready_ >= 0) ::close(ready_);
  }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  /// Can be read when take() has something.
  [[nodiscard]] int ready() const { return ready_; }
  std::optional<Look> take() {
    const MutexLock lock(mutex_);
    return std::exchange(newest_, std::nullopt);
  }
  /// Returns false if the thread waits for a chassis.
  bool end() {
    const MutexLock lock(mutex_);
    ending_ = true;
    wake_.notify_all();
    const TimePoint until = monotonic_now() + kQuitPatience;
    while (!ended_ && wake_.wait_until(mutex_, until)) {
    }
    return ended_;
  }

 private:
  void run() {
    while (!is_ending()) {
      const TimePoint next = monotonic_now() + kLookInterval;
      Look look = question_();
      const MutexLock lock(mutex_);
      newest_ = std::move(look);
      const std::uint64_t one = 1;
      (void)!::write(ready_, &one, sizeof one);
      while (!ending_ && wake_.wait_until(mutex_, next)) {
      }
    }
    const MutexLock lock(mutex_);
    ended_ = true;
    wake_.notify_all();
  }
  bool is_ending() {
    const MutexLock lock(mutex_);
    return ending_;
  }

  const Question question_;
  const int ready_;
  Mutex mutex_;
  ConditionVariable wake_;
  std::optional<Look> newest_ ICR_GUARDED_BY(mutex_);
  bool ending_ ICR_GUARDED_BY(mutex_) = false;
  bool ended_ ICR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// How long the cluster took to answer: the last time, at least, and at most.
class Delays {
 public:
  void add(Duration took) {
    last_ = took / 1ms;
    least_ = seen_ ? std::min(least_, last_) : last_;
    most_ = std::max(most_, last_);
    seen_ = true;
  }
  [[nodiscard]] std::string text() const { return seen_ ? fmt::format("Delay: {}/{}/{}", last_, least_, most_) : ""; }

 private:
  long last_ = 0;
  long least_ = 0;
  long most_ = 0;
  bool seen_ = false;
};

/// Replaces what stands on the terminal. Returns false if there is none any more.
bool draw_screen(const std::vector<std::string>& rows, bool first) {
  std::string out = first ? "\x1b[H\x1b[2J" : "\x1b[H";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i != 0) out += "\n";
    // A row is emptied first: behind one that fills it, the terminal would take its last character away.
    out += "\x1b[K" + rows[i];
  }
  return write_out(out);
}

struct ViewOutcome {
  ExitCode code = ExitCode::ok;
  std::vector<std::string> errors;  ///< of an answer that the cluster refused
};

/// Draws until the operator leaves.
ViewOutcome show_view(LiveView& view, Looker& looker, const std::string& name) {
  if (looker.ready() < 0) return {ExitCode::command_error, {"error: the system has no room for another file"}};
  const RawKeys keys(g_ended);
  const auto begin = monotonic_now();
  Delays delays;
  std::vector<std::string> errors;
  std::size_t first_row = 0;
  for (bool first = true;; first = false) {
    const auto size = screen_size();
    const long seconds = (monotonic_now() - begin) / 1s;
    const Heading heading{name, seconds, fmt::format("{:%H:%M:%S}", fmt::localtime(std::time(nullptr))), delays.text()};
    if (!draw_screen(screen_of(view, errors, heading, size.rows, size.columns, first_row), first)) return {};
    int key = keys.next_or(looker.ready());
    if (key == -1 || key == 'q' || key == 'Q' || key == kEscape) return {};
    if (key == kReady) {
      auto look = looker.take();
      if (!look) continue;
      if (look->code == ExitCode::command_error) return {look->code, std::move(look->errors)};
      delays.add(look->took);
      errors = look->errors;
      view.take(std::move(*look));
      continue;
    }
    if (key >= 'A' && key <= 'Z') key += 'a' - 'A';
    constexpr int kControlD = 4;
    constexpr int kControlU = 21;
    if (key == kDown || key == kControlD) {
      ++first_row;
    } else if (key == kUp || key == kControlU) {
      first_row -= std::min<std::size_t>(first_row, 1);
    } else {
      view.press(key);
    }
  }
}

}  // namespace

ExitCode monitor(const Command& command, const Settings& settings, const Result<Cluster>& cluster) {
  const auto refuse = [](std::string_view why, ExitCode code = ExitCode::command_error) {
    std::fflush(stdout);
    const std::string text = fmt::format("error: {}\n", why);
    std::fwrite(text.data(), 1, text.size(), stderr);
    return code;
  };
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    return refuse("`monitor` needs a terminal: `show ... | refresh` repeats an answer without one");
  }
  if (!cluster) return refuse(cluster.error().message, ExitCode::bad_cluster_file);
  std::optional<std::uint16_t> only;
  const std::string& member = command.member ? *command.member : settings.chassis;
  if (!member.empty()) {
    if (member == "all") return refuse("`monitor` shows one answer: `member all` is not possible");
    only = cluster->find_chassis(member);
    if (!only) return refuse(fmt::format("member {} not found", member));
    if (!settings.chassis.empty() && settings.chassis != member) {
      return refuse(fmt::format("--chassis {} and member {} contradict each other", settings.chassis, member));
    }
  }
  const auto key = key_for(*cluster, settings);
  if (!key) return refuse(key.error().message);
  std::fflush(stdout);
  const EndSignals end_signals;
  const auto view = make_live_view(command, *cluster);
  ViewOutcome outcome;
  {
    Looker looker([&] {
      ZmqTransport transport(*cluster, std::chrono::milliseconds(settings.timeout_ms), *key);
      return look_at(command, Environment{*cluster, transport, only, wall_now(), {}, {}});
    });
    outcome = show_view(*view, looker, cluster->name);
    write_out("\n");
    if (!looker.end()) ::_exit(static_cast<int>(outcome.code));
  }
  for (const auto& error : outcome.errors) {
    const std::string line = error + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
  return outcome.code;
}

}  // namespace icr::cli
