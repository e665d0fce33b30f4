#include "node/packet/headers.h"

#include "model/record/protocol.h"
#include "node/packet/checksum.h"

namespace icr::node {
namespace {

constexpr std::uint32_t kMinTcpHeader = 20;
constexpr std::uint32_t kUdpHeader = 8;
constexpr unsigned kMaxExtensionHeaders = 8;

bool bad_v4_source(std::uint32_t a) {
  return a == 0 || a == 0xffffffffU || (a >> 28) == 0xe || (a >> 28) == 0xf || (a >> 24) == 127;
}

HeaderError check_v4_addresses(std::uint32_t source, std::uint32_t destination) {
  if (bad_v4_source(source)) return HeaderError::ip_bad_source;
  if (destination == 0 || (destination >> 24) == 127) return HeaderError::ip_bad_destination;
  if (destination == 0xffffffffU || (destination >> 28) == 0xe) return HeaderError::ip_multicast;
  if (source == destination) return HeaderError::ip_land;
  return HeaderError::none;
}

HeaderError check_v6_addresses(const IpAddress& source, const IpAddress& destination) {
  static constexpr IpAddress kUnspecified{};
  IpAddress loopback;
  loopback.bytes[15] = 1;
  // Link-local multicast (neighbour discovery, MLD) is what a kernel sends on any device; it is not for us.
  if (destination.bytes[0] == 0xff) return HeaderError::ip_multicast;
  // A mapped address on the wire would be taken for IPv4 inside.
  if (source.bytes[0] == 0xff || source == kUnspecified || source == loopback || source.is_v4()) {
    return HeaderError::ip_bad_source;
  }
  if (destination == kUnspecified || destination == loopback || destination.is_v4()) {
    return HeaderError::ip_bad_destination;
  }
  if (source == destination) return HeaderError::ip_land;
  return HeaderError::none;
}

/// A query has code 0 (RFC 792, RFC 4443); with another one it is none that the rules could name.
IcmpKind icmp_kind(bool v6, std::uint8_t type, std::uint8_t code) {
  if (code != 0 && (v6 ? type == 128 : type == 8 || type == 13)) return IcmpKind::other;
  if (v6) {
    if (type == 128) return IcmpKind::echo_request;
    if (type == 129) return IcmpKind::echo_reply;
    return type >= 1 && type <= 4 ? IcmpKind::error : IcmpKind::other;
  }
  switch (type) {
    case 8:
      return IcmpKind::echo_request;
    case 0:
      return IcmpKind::echo_reply;
    case 13:
      return IcmpKind::timestamp_request;
    case 14:
      return IcmpKind::timestamp_reply;
    case 3:   // destination unreachable
    case 4:   // source quench
    case 11:  // time exceeded
    case 12:  // parameter problem
      return IcmpKind::error;
    default:
      return IcmpKind::other;
  }
}

HeaderError read_transport(Headers& h) {
  const std::uint8_t* l4 = h.l4;
  switch (h.protocol) {
    case ip_protocol::tcp: {
      if (h.l4_length < kMinTcpHeader) return h.fragment ? HeaderError::tiny_fragment : HeaderError::short_tcp;
      h.tcp_header_length = static_cast<std::uint8_t>((l4[12] >> 4) * 4);
      if (h.tcp_header_length < kMinTcpHeader || h.tcp_header_length > h.l4_length) {
        return h.fragment ? HeaderError::tiny_fragment : HeaderError::short_tcp;
      }
      h.tcp_flags = l4[13] & 0x3f;
      h.payload_length = h.l4_length - h.tcp_header_length;
      const std::uint8_t control = h.tcp_flags & (tcp_flag::syn | tcp_flag::fin | tcp_flag::rst | tcp_flag::ack);
      const bool syn = (control & tcp_flag::syn) != 0;
      if (control == 0) return HeaderError::tcp_no_flag;
      if (syn && (control & (tcp_flag::fin | tcp_flag::rst)) != 0) return HeaderError::tcp_syn_fin;
      if (control == tcp_flag::fin) return HeaderError::tcp_fin_no_ack;
      break;
    }
    case ip_protocol::udp: {
      if (h.l4_length < kUdpHeader) return h.fragment ? HeaderError::tiny_fragment : HeaderError::short_udp;
      const std::uint32_t length = load16(l4 + 4);
      if (length < kUdpHeader || (!h.fragment && length > h.l4_length)) return HeaderError::udp_length;
      break;
    }
    case ip_protocol::icmp:
    case ip_protocol::icmp6:
      if (h.v6 != (h.protocol == ip_protocol::icmp6))
        return HeaderError::none;  // carried without ports, like any other
      if (h.l4_length < kIcmpHeader) return h.fragment ? HeaderError::tiny_fragment : HeaderError::short_icmp;
      h.icmp = icmp_kind(h.v6, l4[0], l4[1]);
      if (is_query(h.icmp) || is_answer(h.icmp)) {
        h.key.source_port = h.key.destination_port = load16(l4 + 4);
      }
      return HeaderError::none;
    case ip_protocol::sctp:
      if (h.l4_length < 12) return h.fragment ? HeaderError::tiny_fragment : HeaderError::short_udp;
      break;
    default:
      return HeaderError::none;
  }
  h.key.source_port = load16(l4);
  h.key.destination_port = load16(l4 + 2);
  if (h.key.source_port == 0 || h.key.destination_port == 0) {
    return h.protocol == ip_protocol::tcp ? HeaderError::tcp_port_zero : HeaderError::udp_port_zero;
  }
  return HeaderError::none;
}

HeaderError check_fragment(const Headers& h) {
  if (h.fragment_offset + h.fragment_length > 65535) return HeaderError::ping_of_death;
  if (h.more_fragments && (h.l4_length == 0 || h.l4_length % 8 != 0)) return HeaderError::bad_fragment;
  return HeaderError::none;
}

/// Looks through IPv4 options (RFC 791 section 3.1), which are rare.
void read_options(const std::uint8_t* header, const std::uint8_t* end, Headers& h) {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  for (const std::uint8_t* at = header + 20; at < end && *at != kEnd;) {
    if (*at == kNoOperation) {
      ++at;
      continue;
    }
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) {
      h.bad_option = static_cast<std::uint8_t>(at - header);
      return;
    }
    if (*at == kLooseSourceRoute || *at == kStrictSourceRoute) {
      h.source_route = true;
      if (at[1] < 3) h.bad_option = static_cast<std::uint8_t>(at - header);
    }
    at += at[1];
  }
}

/// IPv4 header, both for whole packets and for quoted ones.
HeaderError read_v4(std::uint8_t* p, std::uint32_t size, bool quoted, Headers& h) {
  if (size < 20) return HeaderError::ip_header_length;
  const std::uint32_t header = (p[0] & 0x0fU) * 4U;
  if (header < 20 || header > size) return HeaderError::ip_header_length;
  std::uint32_t total = load16(p + 2);
  if (quoted) {
    total = size;
  } else {
    if (total < header || total > size) return HeaderError::ip_total_length;
    if (checksum_finish(checksum_add(p, header)) != 0) return HeaderError::ip_checksum;
  }
  const std::uint32_t source = load32(p + 12);
  const std::uint32_t destination = load32(p + 16);
  if (!quoted) {
    if (const auto bad = check_v4_addresses(source, destination); bad != HeaderError::none) return bad;
    if (p[8] == 0) return HeaderError::ip_ttl_zero;
    if (p[9] == 0 || p[9] == 255) return HeaderError::ip_protocol;
    if (header > 20) read_options(p, p + header, h);
  }
  h.v6 = false;
  h.l3 = p;
  h.l3_length = total;
  h.l4 = p + header;
  h.l4_length = total - header;
  h.protocol = p[9];
  h.key.source = IpAddress::v4(source);
  h.key.destination = IpAddress::v4(destination);
  h.key.protocol = h.protocol;
  const std::uint16_t fragment = load16(p + 6);
  h.fragment_id = load16(p + 4);
  h.fragment_offset = (fragment & 0x1fffU) * 8U;
  h.more_fragments = (fragment & 0x2000U) != 0;
  h.later_fragment = h.fragment_offset != 0;
  h.fragment = h.later_fragment || h.more_fragments;
  h.fragment_length = h.fragment ? h.l4_length : 0;
  return h.fragment && !quoted ? check_fragment(h) : HeaderError::none;
}

HeaderError read_v6(std::uint8_t* p, std::uint32_t size, bool quoted, Headers& h) {
  if (size < 40) return HeaderError::ip_header_length;
  std::uint32_t total = 40U + load16(p + 4);
  if (quoted) {
    total = size;
  } else if (total > size) {
    return HeaderError::ip_total_length;
  }
  h.v6 = true;
  h.l3 = p;
  h.l3_length = total;
  h.key.source = IpAddress::v6(p + 8);
  h.key.destination = IpAddress::v6(p + 24);
  if (!quoted) {
    if (const auto bad = check_v6_addresses(h.key.source, h.key.destination); bad != HeaderError::none) return bad;
    if (p[7] == 0) return HeaderError::ip_ttl_zero;
  }
  std::uint8_t next = p[6];
  std::uint32_t at = 40;
  for (unsigned count = 0;; ++count) {
    const bool extension = next == 0 || next == 43 || next == 44 || next == 60;
    if (!extension) break;
    if (count == kMaxExtensionHeaders || at + 8 > total) return HeaderError::ip_extension_header;
    if (next == 44) {
      if (h.fragment_header) return HeaderError::ip_extension_header;  // two of them
      h.fragment_header = true;
      const std::uint16_t field = load16(p + at + 2);
      h.fragment_offset = field & 0xfff8U;
      h.more_fragments = (field & 1U) != 0;
      h.later_fragment = h.fragment_offset != 0;
      h.fragment = h.later_fragment || h.more_fragments;  // an atomic fragment (RFC 6946) is a whole packet
      h.fragment_id = load32(p + at + 4);
      next = p[at];
      at += 8;
      h.fragment_length = h.fragment ? total - at : 0;
      if (h.later_fragment) {  // what follows is payload
        h.fragmented_extension = next == 0 || next == 43 || next == 44 || next == 60;
        break;
      }
      continue;
    }
    h.fragmented_extension = h.fragment;
    if (next == 43) {
      if (p[at + 2] == 0) return HeaderError::ip_extension_header;
      h.source_route = h.source_route || p[at + 3] != 0;
    }
    const std::uint32_t length = (p[at + 1] + 1U) * 8U;
    if (at + length > total) return HeaderError::ip_extension_header;
    next = p[at];
    at += length;
  }
  if (next == 255 && !quoted) return HeaderError::ip_protocol;
  h.protocol = next;
  h.key.protocol = next;
  h.l4 = p + at;
  h.l4_length = total - at;
  return h.fragment && !quoted ? check_fragment(h) : HeaderError::none;
}

}  // namespace

HeaderError read_headers(std::uint8_t* packet, std::uint32_t size, Headers& out) {
  out = Headers{};
  if (size == 0) return HeaderError::ip_version;
  const unsigned version = packet[0] >> 4;
  if (version != 4 && version != 6) return HeaderError::ip_version;
  const auto ip = version == 4 ? read_v4(packet, size, false, out) : read_v6(packet, size, false, out);
  if (ip != HeaderError::none || out.later_fragment) return ip;
  return read_transport(out);
}

bool read_quoted_headers(std::uint8_t* packet, std::uint32_t size, Headers& out) {
  out = Headers{};
  if (size == 0) return false;
  const unsigned version = packet[0] >> 4;
  if (version != 4 && version != 6) return false;
  const auto ip = version == 4 ? read_v4(packet, size, true, out) : read_v6(packet, size, true, out);
  if (ip != HeaderError::none || out.later_fragment) return false;
  if (has_ports(out.protocol)) {
    if (out.l4_length < 4) return false;
    out.key.source_port = load16(out.l4);
    out.key.destination_port = load16(out.l4 + 2);
    return true;
  }
  if (out.protocol == ip_protocol::icmp || out.protocol == ip_protocol::icmp6) {
    if (out.v6 != (out.protocol == ip_protocol::icmp6)) return true;
    if (out.l4_length < kIcmpHeader) return false;
    out.icmp = icmp_kind(out.v6, out.l4[0], out.l4[1]);
    if (out.icmp == IcmpKind::error) return false;
    if (out.icmp != IcmpKind::other) out.key.source_port = out.key.destination_port = load16(out.l4 + 4);
  }
  return true;
}

bool transport_checksum_ok(const Headers& h) {
  std::uint32_t length = h.l4_length;
  const bool icmp = h.icmp != IcmpKind::none;
  if (h.protocol == ip_protocol::udp) {
    if (load16(h.l4 + 6) == 0) return true;
    length = load16(h.l4 + 4);
  } else if (h.protocol != ip_protocol::tcp && !icmp) {
    return true;
  }
  if (icmp && !h.v6) return checksum_finish(checksum_add(h.l4, length)) == 0;
  const std::uint64_t pseudo = std::uint64_t{h.protocol} + length;
  // The addresses, which the checksum covers as well, are the end of the IP header.
  const std::uint8_t* const addresses = h.v6 ? h.l3 + 8 : h.l3 + 12;
  const std::uint32_t octets = h.v6 ? 32 : 8;
  if (addresses + octets == h.l4) return checksum_finish(checksum_add(addresses, octets + length, pseudo)) == 0;
  return checksum_finish(checksum_add(h.l4, length, checksum_add(addresses, octets, pseudo))) == 0;
}

bool ip_checksum_ok(const Headers& h) {
  return h.v6 || checksum_finish(checksum_add(h.l3, static_cast<std::size_t>(h.l4 - h.l3))) == 0;
}

std::uint32_t tcp_option_at(const Headers& h, std::uint8_t kind) {
  const std::uint8_t* at = h.l4 + kMinTcpHeader;
  const std::uint8_t* const end = h.l4 + h.tcp_header_length;
  while (at < end) {
    if (*at == 0) return 0;
    if (*at == 1) {
      ++at;
      continue;
    }
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) return 0;
    if (at[0] == kind) return static_cast<std::uint32_t>(at - h.l4);
    at += at[1];
  }
  return 0;
}

int window_scale_option(const Headers& h) {
  const std::uint32_t at = tcp_option_at(h, 3);
  if (at == 0 || h.l4[at + 1] != 3) return -1;
  return h.l4[at + 2] > 14 ? 14 : h.l4[at + 2];  // RFC 7323 section 2.3
}

}  // namespace icr::node
