// Logging: one line per event, `component` first, values as key=value. Thread-safe. Never call it per packet.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace icr::log {

enum class Level { debug, info, warn, error };

/// Lines below this level are not formatted. Default: info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Writes a formatted line to standard error (through spdlog, the only user of which is log.cpp).
void write(Level level, std::string_view component, std::string_view text);

/// Flushes and shuts the logger down; call last.
void flush();

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
