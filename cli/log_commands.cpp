// `show log messages`: the newest lines of the log of each chassis.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cli/builders/log.h"
#include "cli/commands.h"
#include "cli/each_chassis.h"

namespace icr::cli {
namespace {

constexpr std::size_t kFlushOctets = 64 * 1024;
/// No release keeps so many lines. A chassis that says so is not read on for ever.
constexpr std::uint64_t kMostLines = 1U << 14U;

/// Reads the logs of chassis in pages, and holds a page of each. What chassis log after the first page was read is left
/// out, so that the reading ends. A chassis of whose lines some are missing is named.
class LogReader {
 public:
  /// Reads the first page of each chassis, all at the same time.
  explicit LogReader(Asking& asking) : asking_(asking) {
    for (const std::uint16_t chassis : asked_chassis(asking)) ask(chassis, 0);
    while (auto answer = asking_.environment().transport.next()) {
      if (auto page = page_of(*answer)) logs_[answer->chassis] = {std::move(*page), 0};
    }
    for (auto& [chassis, log] : logs_) {
      log.end = log.page.first + std::min(kMostLines, log.page.end - log.page.first);
      if (log.end != log.page.end) tell(chassis, fmt::format("it says that its log has line {}", log.page.end));
    }
  }

  /// Returns the chassis that have answered.
  [[nodiscard]] std::set<std::uint16_t> chassis() const { return keys_of(logs_); }

  /// Returns the next line of a chassis, or null behind the last one. It is valid until the next call.
  const log::KeptLine* head(std::uint16_t chassis) {
    Log& log = logs_.at(chassis);
    if (log.at == log.page.lines.size()) read_on(chassis, log);
    const std::uint64_t number = log.page.first + log.at;
    return log.at < log.page.lines.size() && number < log.end ? &log.page.lines[log.at] : nullptr;
  }
  void pop(std::uint16_t chassis) { ++logs_.at(chassis).at; }

  /// Appends the line that head() has returned.
  void append(std::uint16_t chassis, std::string& out) const {
    const Log& log = logs_.at(chassis);
    append_log_line(asking_.cluster().chassis[chassis].name, log.page.pid, log.page.lines[log.at], out);
  }

 private:
  struct Log {
    LogPage page;
    std::size_t at = 0;     ///< the index of the next line in the page
    std::uint64_t end = 0;  ///< the number behind that of the last line
  };

  void ask(std::uint16_t chassis, std::uint64_t from) {
    QueryRequest request;
    request.kind = QueryKind::log;
    request.from = from;
    asking_.environment().transport.ask(chassis, std::move(request));
  }

  std::optional<LogPage> page_of(const Answer& answer) {
    if (answer.reply && answer.reply->error == QueryError::unknown_kind) {
      tell(answer.chassis, "its release does not show its log");
      return std::nullopt;
    }
    const auto* reply = asking_.accepted(answer);
    return reply == nullptr ? std::nullopt : std::optional<LogPage>(reply->log);
  }

  void read_on(std::uint16_t chassis, Log& log) {
    const std::uint64_t next = log.page.first + log.page.lines.size();
    const std::uint32_t pid = log.page.pid;
    log.page.lines.clear();
    log.at = 0;
    if (next >= log.end) return;
    ask(chassis, next);
    while (auto answer = asking_.environment().transport.next()) {
      auto page = page_of(*answer);
      // A chassis that was started again in the meantime numbers its lines anew.
      if (page && page->pid == pid && page->first >= next) log.page = std::move(*page);
    }
    if (log.page.lines.empty()) {
      log.end = 0;
      tell(chassis, "it was started again while its log was read");
    } else if (log.page.first != next) {
      tell(chassis, fmt::format("{} lines of its log were gone before they were read",
                                std::min(log.page.first, log.end) - next));
    }
  }

  /// Says why the log of a chassis is not complete, unless that is known.
  void tell(std::uint16_t chassis, const std::string& why) { add_unreachable(asking_.unreachable(), chassis, why); }

  Asking& asking_;
  std::map<std::uint16_t, Log> logs_;
};

/// Prints the lines of all chassis in the order of their times.
void print_merged(Asking& asking, LogReader& reader) {
  std::set<std::pair<WallMillis, std::uint16_t>> heads;
  const auto add_head = [&](std::uint16_t chassis) {
    if (const auto* line = reader.head(chassis); line != nullptr) heads.emplace(line->at, chassis);
  };
  for (const std::uint16_t chassis : reader.chassis()) add_head(chassis);
  std::string text;
  while (!heads.empty()) {
    const std::uint16_t chassis = heads.begin()->second;
    heads.erase(heads.begin());
    reader.append(chassis, text);
    reader.pop(chassis);
    add_head(chassis);
    if (text.size() < kFlushOctets) continue;
    asking.environment().out(text);
    text.clear();
  }
  asking.environment().out(text);
}

}  // namespace

void show_log(Asking& asking) {
  LogReader reader(asking);
  if (asking.is_text()) return print_merged(asking, reader);
  build_each(asking, reader.chassis(), [&](std::uint16_t chassis) {
    std::string text;
    for (; reader.head(chassis) != nullptr; reader.pop(chassis)) reader.append(chassis, text);
    asking.tree().leaf("file-content", text);
  });
}

}  // namespace icr::cli
