#include "model/base/log.h"

#include <semaphore.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "model/base/mutex.h"

namespace icr::log {
namespace {

spdlog::level::level_enum translate(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  // Leaked on purpose: threads may log until the very end of the process.
  static spdlog::logger* const instance = [] {
    auto* made = new spdlog::logger("icr", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

struct Line {
  Level level = Level::info;
  spdlog::log_clock::time_point at;
  std::string text;
};

LogBook& kept() {
  // It is leaked on purpose, like the logger.
  static auto* const instance = new LogBook;
  return *instance;
}

void keep(const Line& line) {
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(line.at.time_since_epoch());
  kept().add(line.level, at.count(), line.text);
}

void write_now(const Line& line) { logger().log(line.at, spdlog::source_loc{}, translate(line.level), line.text); }

class Writer {
 public:
  Writer() { sem_init(&wake_, 0, 0); }
  ~Writer() { sem_destroy(&wake_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void begin() {
    // This comes before the thread starts, because the thread ends when it sees false.
    running_.store(true, std::memory_order_release);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  /// Returns false if there is no thread; the line is unchanged then.
  bool take(Line& line) {
    if (!running_.load(std::memory_order_acquire)) return false;
    {
      const MutexLock lock(mutex_);
      if (lines_.size() >= kWaitingLines) {
        lines_.pop_front();
        ++lost_;
      }
      lines_.push_back(std::move(line));
    }
    sem_post(&wake_);
    return true;
  }
  void end() {
    if (!running_.exchange(false)) return;
    sem_post(&wake_);
    thread_.join();
    thread_ = {};
    write_waiting();
  }

 private:
  void run() {
    while (running_.load(std::memory_order_acquire)) {
      while (sem_wait(&wake_) != 0 && errno == EINTR) {
      }
      write_waiting();
    }
  }
  void write_waiting() {
    std::deque<Line> lines;
    std::uint64_t lost = 0;
    {
      const MutexLock lock(mutex_);
      lines.swap(lines_);
      std::swap(lost, lost_);
    }
    if (lost != 0) {
      lines.push_front(
          {Level::warn, spdlog::log_clock::now(),
           fmt::format("log: {} lines before this one were lost: they came faster than they can be written", lost)});
    }
    // They are kept first, because standard error may be a pipe whose reader does not come.
    for (const Line& line : lines) keep(line);
    for (const Line& line : lines) write_now(line);
  }

  InheritingMutex mutex_;
  std::deque<Line> lines_ ICR_GUARDED_BY(mutex_);
  std::uint64_t lost_ ICR_GUARDED_BY(mutex_) = 0;
  sem_t wake_;
  std::atomic<bool> running_{false};
  std::thread thread_;
};

Writer& writer() {
  // It is leaked on purpose, like the logger.
  static auto* const instance = new Writer;
  return *instance;
}

}  // namespace

void set_level(Level level) { logger().set_level(translate(level)); }
bool enabled(Level level) { return logger().should_log(translate(level)); }
void write(Level level, std::string_view component, std::string_view text) {
  Line line{level, spdlog::log_clock::now(), fmt::format("{}: {}", component, text)};
  if (writer().take(line)) return;
  keep(line);
  write_now(line);
}
const LogBook& book() { return kept(); }
void begin_thread() { writer().begin(); }
void flush() {
  writer().end();
  logger().flush();
}

}  // namespace icr::log
