// Lines of the log of a chassis.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/base/log_book.h"

namespace icr::cli {

/// Appends a line of the log as the syslog of a router has it with `explicit-priority` and `time-format millisecond`,
/// with its newline: "Dec  1 03:12:07.250  left icrd[77]: %DAEMON-4: port: ...". Times are UTC.
void append_log_line(std::string_view chassis, std::uint32_t pid, const log::KeptLine& line, std::string& out);

}  // namespace icr::cli
