// Parse the values of options. Errors have the messages that Junos prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/grammar/command.h"
#include "model/base/result.h"

namespace icr::cli {

/// Returns a decimal number from `low` to `high`.
[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t low, std::uint64_t high);
/// Returns the prefix "192.0.2.0/24", or the prefix of a single address. The last numbers of an IPv4 prefix may be left
/// out: "198.18/16".
[[nodiscard]] Result<Prefix> parse_prefix(std::string_view text);
/// Returns an address; a prefix length is an error.
[[nodiscard]] Result<IpAddress> parse_address(std::string_view text);
/// Returns the protocol of a number 0..255, a name, or a unique prefix of a name.
[[nodiscard]] Result<std::uint8_t> parse_protocol_value(std::string_view text);
/// Returns the application protocol of a keyword, of "sql", or of a unique prefix of a keyword.
[[nodiscard]] Result<ApplicationProtocol> parse_application_protocol_value(std::string_view text);
/// Returns the order of a word.
[[nodiscard]] Result<Order> parse_order(std::string_view text);
/// Returns the grouping of a word; source-prefix alone is that of whole addresses.
[[nodiscard]] Result<GroupBy> parse_grouping(std::string_view text);
/// Returns the moment of "YYYY-MM-DD.HH:MM:SS" or "HH:MM:SS", in UTC. Seconds may be left out, or have a fraction of up
/// to three digits.
[[nodiscard]] Result<PastMoment> parse_past_moment(std::string_view text);
/// Returns the name of a services card, with or without a unit.
[[nodiscard]] Result<InterfaceName> parse_interface(std::string_view text);
/// Returns a name of 1 to 63 characters: a letter or digit, followed by letters, digits and / . : _ - characters.
/// `what` is the kind of thing that the error message mentions.
[[nodiscard]] Result<std::string> parse_name(std::string_view text, std::string_view what);

}  // namespace icr::cli
