#include "node/packet/nat64.h"

#include <algorithm>
#include <cstring>

#include "node/packet/nat64_fields.h"

namespace icr::node {
namespace nat64 {
namespace {

/// Words of an address as a pseudo-header has them.
template <class Visit>
void for_each_word(const IpAddress& address, bool v6, Visit&& visit) {
  for (unsigned i = v6 ? 0 : 12; i < 16; i += 2) visit(load16(address.bytes.data() + i));
}

/// The pseudo-headers' addresses, out and in.
void exchange_addresses(const Headers& h, const FlowKey& to, ChecksumDelta& delta, bool out, bool in) {
  if (out) {
    const auto remove = [&](std::uint16_t word) { delta.remove16(word); };
    for_each_word(h.key.source, h.v6, remove);
    for_each_word(h.key.destination, h.v6, remove);
  }
  if (in) {
    const auto add = [&](std::uint16_t word) { delta.add16(word); };
    for_each_word(to.source, !h.v6, add);
    for_each_word(to.destination, !h.v6, add);
  }
}

std::uint8_t echo_type(bool to_v6, IcmpKind kind) {
  const bool request = kind == IcmpKind::echo_request;
  if (to_v6) return request ? 128 : 129;
  return request ? 8 : 0;
}

void translate_echo(const Headers& h, const FlowKey& to, std::uint8_t* l4, std::uint32_t available,
                    std::uint32_t length) {
  if (available < 6) return;
  ChecksumDelta delta;
  // ICMP has no pseudo-header (RFC 792), ICMPv6 has one.
  exchange_addresses(h, to, delta, h.v6, !h.v6);
  for (const std::uint32_t word : {length >> 16, length & 0xffffU, std::uint32_t{ip_protocol::icmp6}}) {
    if (h.v6) {
      delta.remove16(static_cast<std::uint16_t>(word));
    } else {
      delta.add16(static_cast<std::uint16_t>(word));
    }
  }
  const std::uint16_t type = load16(l4);
  l4[0] = echo_type(!h.v6, h.icmp);
  delta.replace16(type, load16(l4));
  delta.replace16(load16(l4 + 4), to.source_port);
  store16(l4 + 4, to.source_port);
  store16(l4 + 2, delta.apply(load16(l4 + 2)));
}

}  // namespace

bool foreign(const Headers& h) {
  constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kNoNext = 59, kDestination = 60;
  // Without the extension headers offsets would change, by what only the first fragment knows.
  if (h.fragmented_extension) return true;
  switch (h.protocol) {
    case ip_protocol::igmp:
    case kNoNext:
      return true;
    case ip_protocol::icmp:
      return h.v6;
    case ip_protocol::icmp6:
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kDestination:
      return !h.v6;
    default:
      return false;
  }
}

void translate_transport(const Headers& h, const FlowKey& to, std::uint8_t* l4, std::uint32_t available,
                         std::uint32_t length) {
  if (h.icmp == IcmpKind::echo_request || h.icmp == IcmpKind::echo_reply) {
    return translate_echo(h, to, l4, available, length);
  }
  if (!has_ports(h.protocol) || available < 4) return;
  ChecksumDelta delta;
  exchange_addresses(h, to, delta, true, true);
  delta.replace16(h.key.source_port, to.source_port);
  delta.replace16(h.key.destination_port, to.destination_port);
  store16(l4, to.source_port);
  store16(l4 + 2, to.destination_port);
  const bool udp = h.protocol == ip_protocol::udp;
  if (h.protocol != ip_protocol::tcp && !udp) return;  // SCTP's CRC32c covers no pseudo-header (RFC 9260 section 6.8)
  std::uint8_t* const field = l4 + (udp ? 6 : 16);
  if (available < (udp ? 8U : 18U) || (udp && load16(field) == 0)) return;
  const std::uint16_t updated = delta.apply(load16(field));
  store16(field, udp && updated == 0 ? std::uint16_t{0xffff} : updated);
}

namespace {

Nat64 obstacle(const Headers& h) {
  if (h.source_route) return Nat64::source_route;
  const bool icmp = h.protocol == (h.v6 ? ip_protocol::icmp6 : ip_protocol::icmp);
  if (icmp && h.fragment) return Nat64::icmp_fragment;
  if (icmp && h.icmp != IcmpKind::echo_request && h.icmp != IcmpKind::echo_reply) return Nat64::icmp_no_equal;
  if (foreign(h)) return Nat64::protocol_unknown;
  if (hop_limit_of(h) <= 1) return Nat64::hop_limit;
  return Nat64::done;
}

/// The checksum of TCP or UDP from scratch, with the pseudo-header of IPv6 (RFC 8200 section 8.1).
void make_checksum(const FlowKey& key, std::uint8_t* l4, std::uint32_t length) {
  const bool udp = key.protocol == ip_protocol::udp;
  std::uint8_t* const field = l4 + (udp ? 6 : 16);
  store16(field, 0);
  std::uint64_t sum = checksum_add(key.source.bytes.data(), 16);
  sum = checksum_add(key.destination.bytes.data(), 16, sum) + length + key.protocol;
  const std::uint16_t made = checksum_finish(checksum_add(l4, length, sum));
  store16(field, udp && made == 0 ? std::uint16_t{0xffff} : made);
}

/// Length of the longest packet that leaves: of several segments in one packet each becomes its own.
std::uint32_t longest(const Packet& packet, const Headers& h, std::uint32_t header) {
  const std::uint32_t whole = header + h.l4_length;
  if (packet.segment_bytes == 0) return whole;
  const std::uint32_t transport = h.protocol == ip_protocol::tcp ? h.tcp_header_length : 8U;
  return std::min(whole, header + transport + packet.segment_bytes);
}

Nat64 to_v6(Packet& packet, Headers& h, const FlowKey& to, const Nat64Options& options) {
  const bool udp = h.protocol == ip_protocol::udp && !h.later_fragment;
  const bool no_checksum = udp && load16(h.l4 + 6) == 0 && !packet.partial_checksum;
  if (no_checksum && h.fragment) return Nat64::udp_no_checksum;
  IpFields f;
  f.dont_fragment = (h.l3[6] & 0x40U) != 0;
  f.fragment = h.fragment;
  const std::uint32_t header = kV6Header + (f.fragment ? kFragmentHeader : 0);
  const std::uint32_t total = header + h.l4_length;
  bool too_big = longest(packet, h, header) > options.ipv6_mtu;
  if (too_big && f.dont_fragment) return Nat64::too_big;
  const std::uint32_t smaller = options.ipv6_mtu - header - h.tcp_header_length;
  const bool smaller_segments = too_big && packet.segment_bytes != 0;
  if (total > kMaxPacketBytes || (smaller_segments && h.protocol != ip_protocol::tcp)) return Nat64::too_long;
  f.source = to.source;
  f.destination = to.destination;
  f.traffic_class = traffic_class_of(h);
  f.hop_limit = static_cast<std::uint8_t>(hop_limit_of(h) - 1);
  f.protocol = protocol_of(h);
  f.payload_length = h.l4_length;
  f.more_fragments = h.more_fragments;
  f.fragment_offset = h.fragment_offset;
  f.identification = h.fragment_id;

  std::uint8_t* const lowest = packet.data - packet.headroom;
  std::uint8_t* const end = packet.data + packet.capacity;
  std::uint8_t* begin = h.l4 - lowest >= static_cast<std::ptrdiff_t>(header) ? h.l4 - header : lowest;
  if (end - begin < static_cast<std::ptrdiff_t>(total)) return Nat64::too_long;
  if (begin + header != h.l4) std::memmove(begin + header, h.l4, h.l4_length);
  h.l4 = begin + header;
  (void)write_v6(f, begin);
  if (!h.later_fragment) {
    translate_transport(h, to, h.l4, h.l4_length, h.l4_length);
    if (no_checksum) make_checksum(to, h.l4, std::min<std::uint32_t>(load16(h.l4 + 4), h.l4_length));
  }
  if (smaller_segments) {
    packet.segment_bytes = static_cast<std::uint16_t>(smaller);
    too_big = false;
  } else if (too_big && packet.partial_checksum) {
    make_checksum(to, h.l4, h.l4_length);
    packet.partial_checksum = false;
  }
  packet.headroom = static_cast<std::uint32_t>(begin - lowest);
  packet.capacity = static_cast<std::uint32_t>(end - begin);
  packet.data = h.l3 = begin;
  packet.length = h.l3_length = total;
  h.v6 = true;
  h.protocol = f.protocol;
  h.fragment_header = f.fragment;
  h.key = to;
  return too_big ? Nat64::fragment : Nat64::done;
}

Nat64 to_v4(Packet& packet, Headers& h, const FlowKey& to, const Nat64Options& options) {
  const std::uint32_t total = kV4Header + h.l4_length;
  if (total > kMaxPacketBytes) return Nat64::too_long;
  IpFields f;
  f.source = to.source;
  f.destination = to.destination;
  f.traffic_class = traffic_class_of(h);
  f.hop_limit = static_cast<std::uint8_t>(hop_limit_of(h) - 1);
  f.protocol = protocol_of(h);
  f.payload_length = h.l4_length;
  if (h.fragment_header) {
    f.more_fragments = h.more_fragments;
    f.fragment_offset = h.fragment_offset;
    f.identification = h.fragment_id & 0xffffU;
  } else {
    f.dont_fragment = longest(packet, h, kV4Header) > kMayFragment && !options.clear_dont_fragment;
    f.identification = options.ipv4_id;
  }
  std::uint8_t* const begin = h.l4 - kV4Header;
  (void)write_v4(f, begin);
  if (!h.later_fragment) translate_transport(h, to, h.l4, h.l4_length, h.l4_length);
  const auto moved = static_cast<std::uint32_t>(begin - packet.data);
  packet.headroom += moved;
  packet.capacity -= moved;
  packet.data = h.l3 = begin;
  packet.length = h.l3_length = total;
  h.v6 = false;
  h.protocol = f.protocol;
  h.fragment_header = false;
  h.fragment_id = f.identification;
  h.key = to;
  return Nat64::done;
}

}  // namespace
}  // namespace nat64

Nat64 translate_nat64(Packet& packet, Headers& headers, const FlowKey& to, const Nat64Options& options) {
  if (const Nat64 reason = nat64::obstacle(headers); reason != Nat64::done) return reason;
  return headers.v6 ? nat64::to_v4(packet, headers, to, options) : nat64::to_v6(packet, headers, to, options);
}

std::uint32_t write_ipv6_fragment(const Headers& h, std::uint32_t from, std::uint32_t size, std::uint8_t* out) {
  nat64::IpFields f;
  f.source = h.key.source;
  f.destination = h.key.destination;
  f.traffic_class = nat64::traffic_class_of(h);
  f.hop_limit = nat64::hop_limit_of(h);
  f.protocol = h.protocol;
  f.payload_length = size;
  f.fragment = true;
  // What is cut may be a fragment itself.
  f.more_fragments = from + size < h.l4_length || h.more_fragments;
  f.fragment_offset = h.fragment_offset + from;
  f.identification = h.fragment_id;
  const std::uint32_t header = nat64::write_v6(f, out);
  std::memcpy(out + header, h.l4 + from, size);
  return header + size;
}

}  // namespace icr::node
