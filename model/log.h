// Logging: one line per event, `component` first, values as key=value. Thread-safe. Never call it per packet.
//
// Lines are written at once, by who logs, until begin_thread(): then by a thread of their own, and nobody who logs
// waits for a terminal or a pipe. Between them is a bounded queue. When it is full its oldest line goes, and how many
// went is a line of its own. Its lock is held for moments, and a holder inherits the priority of whoever waits for it.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace icr::log {

enum class Level { debug, info, warn, error };

/// Lines below this level are not formatted. Default: info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Writes a formatted line to standard error (through spdlog, the only user of which is log.cpp).
void write(Level level, std::string_view component, std::string_view text);

/// From now on lines are written by a thread. Call it once signals are blocked: the thread handles none. A second call
/// does nothing.
void begin_thread();
/// Writes what waits, ends the thread if there is one, and flushes; call last.
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
