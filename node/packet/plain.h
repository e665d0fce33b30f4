// The packets that nearly all are: IPv4 without options, not a fragment, UDP or an established TCP connection's
// segment.
//
// They are read and rewritten here in a few dozen clocks. read_plain() accepts nothing that read_headers() refuses, and
// says the same of it; what it does not accept is for read_headers() to judge.
#pragma once

#include <cstdint>
#include <cstring>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"
#include "node/packet/headers.h"

namespace icr::node {

struct PlainHeaders {
  std::uint32_t source = 0;       ///< host order
  std::uint32_t destination = 0;  ///< host order
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;           ///< UDP or TCP
  std::uint8_t tcp_header_length = 0;  ///< octets
  std::uint16_t length = 0;            ///< of the IP packet
};

namespace detail {
inline constexpr std::uint32_t kPlainIp = 20;

inline std::uint32_t native32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
/// A sum of 32-bit words, folded to 16 bits.
inline std::uint32_t fold(std::uint64_t sum) {
  sum = (sum & 0xffffU) + (sum >> 16 & 0xffffU) + (sum >> 32);
  sum = (sum & 0xffffU) + (sum >> 16);
  return static_cast<std::uint32_t>((sum & 0xffffU) + (sum >> 16));
}
/// Multicast, 240/4 with the broadcast address, 127/8 and 0: what a source must not be.
inline bool odd_v4(std::uint32_t a) { return a >= 0xe0000000U || (a >> 24) == 127 || a == 0; }
}  // namespace detail

/// True if the packet is plain and sound. A TCP segment is plain with ACK, and without SYN, FIN and RST.
[[nodiscard]] inline bool read_plain(const std::uint8_t* p, std::uint32_t size, PlainHeaders& out) {
  using detail::kPlainIp;
  using detail::native32;
  if (size < kPlainIp + 8 || p[0] != 0x45 || p[8] == 0) return false;  // options, TTL 0
  const std::uint32_t length = load16(p + 2);
  // More fragments, or an offset.
  if (length > size || length < kPlainIp + 8 || (load16(p + 6) & 0x3fffU) != 0) return false;
  // The sum of the words of the header does not depend on the order of octets: 0xffff.
  const std::uint64_t sum =
      std::uint64_t{native32(p)} + native32(p + 4) + native32(p + 8) + native32(p + 12) + native32(p + 16);
  if (detail::fold(sum) != 0xffffU) return false;
  out.source = load32(p + 12);
  out.destination = load32(p + 16);
  // A destination in 240/4 is left to read_headers().
  if (detail::odd_v4(out.source) || detail::odd_v4(out.destination) || out.source == out.destination) return false;
  out.protocol = p[9];
  out.length = static_cast<std::uint16_t>(length);
  const std::uint8_t* const l4 = p + kPlainIp;
  out.source_port = load16(l4);
  out.destination_port = load16(l4 + 2);
  if (out.source_port == 0 || out.destination_port == 0) return false;
  if (out.protocol == ip_protocol::udp) {
    const std::uint32_t udp = load16(l4 + 4);
    return udp >= 8 && udp <= length - kPlainIp;
  }
  if (out.protocol != ip_protocol::tcp || length < kPlainIp + 20) return false;
  out.tcp_header_length = static_cast<std::uint8_t>((l4[12] >> 4) * 4);
  constexpr std::uint8_t kControl = tcp_flag::syn | tcp_flag::fin | tcp_flag::rst | tcp_flag::ack;
  return out.tcp_header_length >= 20 && out.tcp_header_length <= length - kPlainIp &&
         (l4[13] & kControl) == tcp_flag::ack;
}

/// Tells of the packet at `p` what read_headers() would. REQUIRES: read_plain() returned `plain` for it.
inline void headers_of_plain(std::uint8_t* p, const PlainHeaders& plain, Headers& out) {
  out = Headers{};
  out.l3 = p;
  out.l4 = p + detail::kPlainIp;
  out.l3_length = plain.length;
  out.l4_length = plain.length - detail::kPlainIp;
  out.key = {IpAddress::v4(plain.source), IpAddress::v4(plain.destination), plain.source_port, plain.destination_port,
             plain.protocol};
  out.protocol = plain.protocol;
  out.fragment_id = load16(p + 4);
  if (plain.protocol != ip_protocol::tcp) return;
  out.tcp_flags = out.l4[13] & 0x3f;
  out.tcp_header_length = plain.tcp_header_length;
  out.payload_length = out.l4_length - plain.tcp_header_length;
}

/// Makes a plain packet, read as `from`, carry other addresses and ports (host order), as rewrite() does.
inline void rewrite_plain(std::uint8_t* p, const PlainHeaders& from, std::uint32_t source, std::uint32_t destination,
                          std::uint16_t source_port, std::uint16_t destination_port) {
  using detail::fold;
  // RFC 1624: ~HC + ~m + m', in words of 32 bits.
  const std::uint64_t addresses = std::uint64_t{~from.source} + std::uint32_t{~from.destination} + source + destination;
  const std::uint64_t ports = std::uint64_t{static_cast<std::uint16_t>(~from.source_port)} +
                              static_cast<std::uint16_t>(~from.destination_port) + source_port + destination_port;
  store32(p + 12, source);
  store32(p + 16, destination);
  store16(p + 10, static_cast<std::uint16_t>(~fold(addresses + static_cast<std::uint16_t>(~load16(p + 10)))));
  std::uint8_t* const l4 = p + detail::kPlainIp;
  store16(l4, source_port);
  store16(l4 + 2, destination_port);
  const bool udp = from.protocol == ip_protocol::udp;
  std::uint8_t* const field = l4 + (udp ? 6 : 16);
  const std::uint16_t old = load16(field);
  if (udp && old == 0) return;  // RFC 768: none
  auto updated = static_cast<std::uint16_t>(~fold(addresses + ports + static_cast<std::uint16_t>(~old)));
  if (udp && updated == 0) updated = 0xffff;
  store16(field, updated);
}

/// Returns true for a plain packet that may be fragmented.
[[nodiscard]] inline bool needs_ip_id_plain(const std::uint8_t* p) { return (p[6] & 0x40U) == 0; }

/// Does what set_ip_id() does, for a plain packet.
inline void set_ip_id_plain(std::uint8_t* p, std::uint16_t id) {
  const std::uint32_t sum =
      std::uint32_t{static_cast<std::uint16_t>(~load16(p + 10))} + static_cast<std::uint16_t>(~load16(p + 4)) + id;
  store16(p + 4, id);
  store16(p + 10, static_cast<std::uint16_t>(~detail::fold(sum)));
}

}  // namespace icr::node
