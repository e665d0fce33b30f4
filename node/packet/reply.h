// Packets that the engine makes itself: the answers of a firewall term with `then reject`.
#pragma once

#include "node/packet/headers.h"

namespace icr::node {

/// Room that any reply needs.
inline constexpr std::uint32_t kReplyBytes = 1280;

/// TCP RST for the segment in `headers` (RFC 9293 section 3.5.2). Returns the length of the packet in `out`.
[[nodiscard]] std::uint32_t make_reset(const Headers& headers, std::uint8_t* out);

/// ICMP or ICMPv6 error of this type and code about the packet, quoting it; `field` is the second word of the message
/// (MTU, pointer). It is sent from the destination address of the packet. Returns the length of the packet in `out`.
[[nodiscard]] std::uint32_t make_icmp_error(const Headers& headers, std::uint8_t type, std::uint8_t code,
                                            std::uint32_t field, std::uint8_t* out);

/// ICMP destination unreachable, communication administratively prohibited (RFC 1812 section 5.2.7.1; RFC 4443
/// section 3.1), quoting the packet. It is sent from the destination address of the packet. Returns the length of the
/// packet in `out`.
[[nodiscard]] std::uint32_t make_prohibited(const Headers& headers, std::uint8_t* out);

/// True if the checksum of an ICMP or ICMPv6 message (not a fragment) is right.
[[nodiscard]] bool icmp_checksum_ok(const Headers& headers);

}  // namespace icr::node
