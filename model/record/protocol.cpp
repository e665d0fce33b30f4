#include "model/record/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace icr {
namespace {

constexpr std::array kProtocols = {
    ProtocolName{"ah", ip_protocol::ah},     ProtocolName{"egp", ip_protocol::egp},
    ProtocolName{"esp", ip_protocol::esp},   ProtocolName{"gre", ip_protocol::gre},
    ProtocolName{"icmp", ip_protocol::icmp}, ProtocolName{"icmp6", ip_protocol::icmp6},
    ProtocolName{"igmp", ip_protocol::igmp}, ProtocolName{"ipip", ip_protocol::ipip},
    ProtocolName{"ospf", ip_protocol::ospf}, ProtocolName{"pim", ip_protocol::pim},
    ProtocolName{"rsvp", ip_protocol::rsvp}, ProtocolName{"sctp", ip_protocol::sctp},
    ProtocolName{"tcp", ip_protocol::tcp},   ProtocolName{"udp", ip_protocol::udp},
};

// The order is part of the record format (an index is stored): append only, never reorder.
constexpr auto kApplicationProtocols = std::to_array<std::string_view>({
    "none",        "bootp",      "dce-rpc",     "dce-rpc-portmap",
    "dns",         "exec",       "ftp",         "ftp-data",
    "gprs-gtp-c",  "gprs-gtp-u", "gprs-gtp-v0", "gprs-sctp",
    "h323",        "http",       "https",       "icmp",
    "icmpv6",      "ignore",     "iiop",        "ike-esp-nat",
    "imap",        "imaps",      "ip",          "login",
    "mgcp-ca",     "mgcp-ua",    "ms-rpc",      "netbios",
    "netshow",     "pop3",       "pop3s",       "pptp",
    "q931",        "ras",        "realaudio",   "rpc",
    "rpc-portmap", "rsh",        "rtsp",        "sccp",
    "shell",       "sip",        "smtp",        "smtps",
    "snmp",        "sqlnet",     "sqlnet-v2",   "ssh",
    "sun-rpc",     "talk",       "telnet",      "tftp",
    "traceroute",  "twamp",      "winframe",
});

}  // namespace

std::span<const ProtocolName> protocol_names() { return kProtocols; }

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  for (const auto& entry : kProtocols) {
    if (entry.keyword == text) return entry.number;
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > 255) return std::nullopt;
  return static_cast<std::uint8_t>(number);
}

std::string protocol_keyword(std::uint8_t number) {
  for (const auto& entry : kProtocols) {
    if (entry.number == number) return std::string(entry.keyword);
  }
  return std::to_string(number);
}

std::span<const std::string_view> application_protocols() { return kApplicationProtocols; }

std::optional<ApplicationProtocol> parse_application_protocol(std::string_view text) {
  if (text == "sql") text = "sqlnet";
  const auto found = std::find(kApplicationProtocols.begin(), kApplicationProtocols.end(), text);
  if (found == kApplicationProtocols.end()) return std::nullopt;
  return static_cast<ApplicationProtocol>(found - kApplicationProtocols.begin());
}

std::string_view application_protocol_keyword(ApplicationProtocol value) {
  return value < kApplicationProtocols.size() ? kApplicationProtocols[value] : kApplicationProtocols[0];
}

}  // namespace icr
