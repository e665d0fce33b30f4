// Values of options: text -> value, with Junos' wording for what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/grammar/command.h"
#include "model/result.h"

namespace icr::cli {

[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t low, std::uint64_t high);
/// An address, or a prefix "192.0.2.0/24".
[[nodiscard]] Result<Prefix> parse_prefix(std::string_view text);
/// An address without a prefix length.
[[nodiscard]] Result<IpAddress> parse_address(std::string_view text);
/// A number 0..255, a name, or a unique prefix of a name.
[[nodiscard]] Result<std::uint8_t> parse_protocol_value(std::string_view text);
/// A keyword, "sql", or a unique prefix of a keyword.
[[nodiscard]] Result<ApplicationProtocol> parse_application_protocol_value(std::string_view text);
[[nodiscard]] Result<InterfaceName> parse_interface(std::string_view text);
/// 1..63 characters: a letter or digit, then those and / . : _ -
[[nodiscard]] Result<std::string> parse_name(std::string_view text, std::string_view what);

}  // namespace icr::cli
