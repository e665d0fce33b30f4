#include "node/packet/reply.h"

#include <algorithm>
#include <cstring>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"

namespace icr::node {
namespace {

constexpr std::uint8_t kHopLimit = 64;

/// IP header from the packet's destination back to its source; returns its length.
std::uint32_t write_ip(const Headers& h, std::uint8_t protocol, std::uint32_t payload, std::uint8_t* out) {
  if (h.v6) {
    std::memset(out, 0, 40);
    out[0] = 0x60;
    store16(out + 4, static_cast<std::uint16_t>(payload));
    out[6] = protocol;
    out[7] = kHopLimit;
    std::memcpy(out + 8, h.key.destination.bytes.data(), 16);
    std::memcpy(out + 24, h.key.source.bytes.data(), 16);
    return 40;
  }
  std::memset(out, 0, 20);
  out[0] = 0x45;
  store16(out + 2, static_cast<std::uint16_t>(20 + payload));
  store16(out + 6, 0x4000);  // do not fragment: no identification needed (RFC 6864)
  out[8] = kHopLimit;
  out[9] = protocol;
  store32(out + 12, h.key.destination.to_v4());
  store32(out + 16, h.key.source.to_v4());
  store16(out + 10, checksum_finish(checksum_add(out, 20)));
  return 20;
}

/// Sum of the pseudo-header (RFC 9293 section 3.1; RFC 8200 section 8.1).
std::uint64_t pseudo_header(const IpAddress& a, const IpAddress& b, bool v6, std::uint8_t protocol,
                            std::uint32_t length) {
  const std::size_t from = v6 ? 0 : 12;
  std::uint64_t sum = checksum_add(a.bytes.data() + from, 16 - from);
  sum = checksum_add(b.bytes.data() + from, 16 - from, sum);
  return sum + protocol + (length >> 16) + (length & 0xffff);
}

}  // namespace

std::uint32_t make_reset(const Headers& h, std::uint8_t* out) {
  const std::uint32_t ip = write_ip(h, ip_protocol::tcp, 20, out);
  std::uint8_t* const tcp = out + ip;
  std::memset(tcp, 0, 20);
  store16(tcp, h.key.destination_port);
  store16(tcp + 2, h.key.source_port);
  if ((h.tcp_flags & tcp_flag::ack) != 0) {
    store32(tcp + 4, load32(h.l4 + 8));
    tcp[13] = tcp_flag::rst;
  } else {
    const std::uint32_t length = h.payload_length + ((h.tcp_flags & tcp_flag::syn) != 0 ? 1U : 0U) +
                                 ((h.tcp_flags & tcp_flag::fin) != 0 ? 1U : 0U);
    store32(tcp + 8, load32(h.l4 + 4) + length);
    tcp[13] = tcp_flag::rst | tcp_flag::ack;
  }
  tcp[12] = 5 << 4;
  const std::uint64_t pseudo = pseudo_header(h.key.destination, h.key.source, h.v6, ip_protocol::tcp, 20);
  store16(tcp + 16, checksum_finish(checksum_add(tcp, 20, pseudo)));
  return ip + 20;
}

std::uint32_t make_prohibited(const Headers& h, std::uint8_t* out) {
  return h.v6 ? make_icmp_error(h, 1, 1, 0, out) : make_icmp_error(h, 3, 13, 0, out);
}

std::uint32_t make_icmp_error(const Headers& h, std::uint8_t type, std::uint8_t code, std::uint32_t field,
                              std::uint8_t* out) {
  // As much of the packet as fits without exceeding 576 (RFC 1812 section 4.3.2.3) or the minimum MTU of IPv6.
  const std::uint32_t room = (h.v6 ? kReplyBytes - 40U : 576U - 20U) - 8U;
  const std::uint32_t quoted = std::min(h.l3_length, room);
  const std::uint8_t protocol = h.v6 ? ip_protocol::icmp6 : ip_protocol::icmp;
  const std::uint32_t ip = write_ip(h, protocol, 8 + quoted, out);
  std::uint8_t* const icmp = out + ip;
  icmp[0] = type;
  icmp[1] = code;
  store16(icmp + 2, 0);
  store32(icmp + 4, field);
  std::memcpy(icmp + 8, h.l3, quoted);
  const std::uint64_t pseudo =
      h.v6 ? pseudo_header(h.key.destination, h.key.source, true, protocol, 8 + quoted) : std::uint64_t{0};
  store16(icmp + 2, checksum_finish(checksum_add(icmp, 8 + quoted, pseudo)));
  return ip + 8 + quoted;
}

bool icmp_checksum_ok(const Headers& h) {
  const std::uint64_t pseudo =
      h.v6 ? pseudo_header(h.key.source, h.key.destination, true, ip_protocol::icmp6, h.l4_length) : std::uint64_t{0};
  return checksum_finish(checksum_add(h.l4, h.l4_length, pseudo)) == 0;
}

}  // namespace icr::node
