#include "model/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

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

}  // namespace

void set_level(Level level) { logger().set_level(translate(level)); }
bool enabled(Level level) { return logger().should_log(translate(level)); }
void write(Level level, std::string_view component, std::string_view text) {
  logger().log(translate(level), "{}: {}", component, text);
}
void flush() { logger().flush(); }

}  // namespace icr::log
