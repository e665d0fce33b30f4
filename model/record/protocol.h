// Names of IP protocols and of Junos' application protocols (ALGs).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace icr {

/// IANA protocol numbers that the code names.
namespace ip_protocol {
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t igmp = 2;
inline constexpr std::uint8_t ipip = 4;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t egp = 8;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t rsvp = 46;
inline constexpr std::uint8_t gre = 47;
inline constexpr std::uint8_t esp = 50;
inline constexpr std::uint8_t ah = 51;
inline constexpr std::uint8_t icmp6 = 58;
inline constexpr std::uint8_t ospf = 89;
inline constexpr std::uint8_t pim = 103;
inline constexpr std::uint8_t sctp = 132;
}  // namespace ip_protocol

struct ProtocolName {
  std::string_view keyword;  ///< as the CLI and the cluster file spell it, lower case
  std::uint8_t number;
};

/// Keywords of `show services sessions protocol`, in alphabetical order.
[[nodiscard]] std::span<const ProtocolName> protocol_names();
/// Keyword or decimal number 0..255.
[[nodiscard]] std::optional<std::uint8_t> parse_protocol(std::string_view text);
/// The keyword, or the number in decimal where there is none.
[[nodiscard]] std::string protocol_keyword(std::uint8_t number);
/// True where the first four octets of the payload are source and destination port.
[[nodiscard]] constexpr bool has_ports(std::uint8_t number) {
  return number == ip_protocol::tcp || number == ip_protocol::udp || number == ip_protocol::sctp;
}

/// Index into application_protocols(); 0 is "none".
using ApplicationProtocol = std::uint8_t;
inline constexpr ApplicationProtocol kNoApplicationProtocol = 0;

/// Every keyword of `application-protocol` (published operational YANG, 24.4), "none" first, then alphabetical.
[[nodiscard]] std::span<const std::string_view> application_protocols();
/// Exact keyword; also the manual's spelling "sql" for sqlnet.
[[nodiscard]] std::optional<ApplicationProtocol> parse_application_protocol(std::string_view text);
[[nodiscard]] std::string_view application_protocol_keyword(ApplicationProtocol value);

}  // namespace icr
