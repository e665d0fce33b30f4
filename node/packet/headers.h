// Reading packet headers: bounds-checked, no copies, no allocation. RFC 791, 8200, 9293, 768, 792, 4443.
#pragma once

#include <cstdint>

#include "model/record/flow_key.h"

namespace icr::node {

/// Octets of an ICMP or ICMPv6 header (RFC 792, RFC 4443).
inline constexpr std::uint32_t kIcmpHeader = 8;

/// Why a packet cannot be read. Each is a counter of the engine.
enum class HeaderError : std::uint8_t {
  none = 0,
  ip_version,           ///< neither 4 nor 6
  ip_header_length,     ///< header longer than the packet, IHL below 5
  ip_total_length,      ///< total length below the header or above what arrived
  ip_checksum,          ///< IPv4 header checksum wrong
  ip_bad_source,        ///< multicast, broadcast, unspecified, loopback, or IPv4 mapped into IPv6
  ip_bad_destination,   ///< unspecified, loopback, or IPv4 mapped into IPv6
  ip_land,              ///< source equals destination
  ip_ttl_zero,          ///< TTL or hop limit 0 on arrival
  ip_protocol,          ///< protocol 0 or 255 (RFC 8200: 255)
  ip_multicast,         ///< destination multicast or broadcast: not the business of a flow engine
  ip_extension_header,  ///< IPv6 extension headers too many, too long, or a routing header type 0 (RFC 5095)
  tiny_fragment,        ///< first fragment without the whole transport header (RFC 1858)
  bad_fragment,         ///< not a multiple of 8 before the last, or empty
  ping_of_death,        ///< fragment that goes beyond 65535 octets
  short_tcp,            ///< TCP header cut short or data offset out of range
  short_udp,
  short_icmp,
  udp_length,      ///< UDP length field below 8 or above the packet
  tcp_no_flag,     ///< none of SYN, ACK, FIN and RST
  tcp_syn_fin,     ///< SYN with FIN or RST
  tcp_fin_no_ack,  ///< FIN alone
  tcp_port_zero,   ///< source or destination port 0
  udp_port_zero,   ///< the same in UDP, or SCTP
  count
};

enum class IcmpKind : std::uint8_t { none, echo_request, echo_reply, timestamp_request, timestamp_reply, error, other };

/// An ICMP query session (RFC 5508 section 3.2) consists of queries of its initiator, and of answers.
[[nodiscard]] constexpr bool is_query(IcmpKind kind) {
  return kind == IcmpKind::echo_request || kind == IcmpKind::timestamp_request;
}
[[nodiscard]] constexpr bool is_answer(IcmpKind kind) {
  return kind == IcmpKind::echo_reply || kind == IcmpKind::timestamp_reply;
}

namespace tcp_flag {
inline constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10, urg = 0x20;
}

/// What the engine needs to know of a packet. Pointers go into the packet.
struct Headers {
  std::uint8_t* l3 = nullptr;
  std::uint8_t* l4 = nullptr;   ///< transport header; in a later fragment: its payload
  std::uint32_t l3_length = 0;  ///< of the whole IP packet (total length): link padding is not counted
  std::uint32_t l4_length = 0;  ///< octets from l4 to the end of the packet
  FlowKey key;                  ///< ports 0 in a later fragment
  bool v6 = false;
  std::uint8_t protocol = 0;

  bool fragment = false;        ///< any fragment
  bool later_fragment = false;  ///< offset is not 0: no transport header
  bool more_fragments = false;
  bool fragment_header = false;       ///< IPv6: it has one, if only as an atomic fragment (RFC 6946)
  bool fragmented_extension = false;  ///< IPv6: extension headers are part of what was cut into fragments
  std::uint32_t fragment_id = 0;
  std::uint32_t fragment_offset = 0;  ///< octets
  /// Octets that a fragment carries: all behind the IPv4 header, or the IPv6 fragment header (in a first fragment more
  /// than l4_length, where extension headers follow). 0 if it is none.
  std::uint32_t fragment_length = 0;

  bool source_route = false;    ///< IPv4: loose or strict source route; IPv6: routing header with segments left
  std::uint8_t bad_option = 0;  ///< IPv4: octet of the first option that cannot be parsed; 0: none

  std::uint8_t tcp_flags = 0;
  std::uint8_t tcp_header_length = 0;
  std::uint32_t payload_length = 0;  ///< TCP payload in this packet

  IcmpKind icmp = IcmpKind::none;

  friend bool operator==(const Headers&, const Headers&) = default;
};

/// Reads the headers of `packet[0, size)`. With an error, `out` means nothing, except that `out.fragment` without
/// `out.later_fragment` says that the packet is a first fragment, and then what names its packet is set: `v6`,
/// `protocol` of IPv4, `fragment_id`, and the addresses of `key`.
[[nodiscard]] HeaderError read_headers(std::uint8_t* packet, std::uint32_t size, Headers& out);

/// Reads the packet inside an ICMP error, which is cut short by design: 8 octets of transport are enough (RFC 792),
/// checksums and total length are not checked. False where there is too little, or a later fragment, or an ICMP error
/// in an ICMP error.
[[nodiscard]] bool read_quoted_headers(std::uint8_t* packet, std::uint32_t size, Headers& out);

/// Returns false if the TCP, UDP or ICMP checksum of a whole packet is wrong. A UDP checksum of 0 means that there is
/// none.
[[nodiscard]] bool transport_checksum_ok(const Headers& headers);

/// Checks the header checksum of a quoted IPv4 packet (RFC 5508 REQ-3 a).
[[nodiscard]] bool ip_checksum_ok(const Headers& headers);

/// Where an option of this kind is in the TCP header (offset from l4), or 0. Its length is in the header.
[[nodiscard]] std::uint32_t tcp_option_at(const Headers& headers, std::uint8_t kind);

/// Window scale option of a SYN (RFC 7323), or -1.
[[nodiscard]] int window_scale_option(const Headers& headers);

}  // namespace icr::node
