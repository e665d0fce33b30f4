// Logging: one line per event, `component` first, values as key=value. Thread-safe. Never call it per packet.
//
// Until begin_thread(), the calling thread writes each line itself. After that a separate thread writes the lines, so
// that no caller waits for a terminal or a pipe. The queue between them is bounded: when it is full, the oldest line is
// dropped, and a line in the log tells how many were. The lock of the queue is held briefly, and its holder inherits
// the priority of the thread that waits for it.
//
// Whoever writes a line also puts it into a LogBook, first, which keeps the newest ones for `show log messages`.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "model/base/log_book.h"

namespace icr::log {

/// Lines below this level are not formatted. Default: info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Writes a formatted line to standard error (through spdlog, the only user of which is log.cpp).
void write(Level level, std::string_view component, std::string_view text);

/// Returns the newest lines that were written.
[[nodiscard]] const LogBook& book();

/// Starts the thread that writes lines. A second call does nothing. REQUIRES: signals are blocked, because the thread
/// must not handle any.
void begin_thread();
/// Writes the lines that wait, ends the thread if there is one, and flushes. REQUIRES: nothing is logged afterwards.
void flush();

inline constexpr std::size_t kWaitingLines = 4096;

template <class... Args>
void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warn)) write(Level::warn, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace icr::log
