#include "node/ports/capture_frame.h"

#include <pcap/pcap.h>

#include <cstring>

namespace icr::node {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr unsigned kIpv4 = 0x0800;
constexpr unsigned kIpv6 = 0x86dd;
constexpr std::size_t kCooked2Header = 20;

unsigned read16(Bytes bytes, std::size_t at) {
  return static_cast<unsigned>(bytes[at]) << 8 | static_cast<unsigned>(bytes[at + 1]);
}

bool is_vlan_tag(unsigned ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100 || ether_type == 0x9200;
}

/// `type_at`: offset of the EtherType, directly in front of the payload (or of the rest of a VLAN tag).
Bytes after_ether_type(Bytes frame, std::size_t type_at) {
  while (frame.size() >= type_at + 2 && is_vlan_tag(read16(frame, type_at))) type_at += 4;
  if (frame.size() < type_at + 2) return {};
  const unsigned type = read16(frame, type_at);
  return type == kIpv4 || type == kIpv6 ? frame.subspan(type_at + 2) : Bytes{};
}

Bytes without_padding(Bytes packet) {
  if (packet.size() >= 20 && packet[0] >> 4 == 4) {
    const std::size_t total = read16(packet, 2);
    if (total >= 20 && total < packet.size()) return packet.first(total);
  } else if (packet.size() >= 40 && packet[0] >> 4 == 6) {
    const std::size_t payload = read16(packet, 4);
    if (payload != 0 && payload + 40 < packet.size()) return packet.first(payload + 40);
  }
  return packet;
}

/// BSD loopback: the address family in 4 bytes, of the byte order of the machine that captured (NULL) or network order
/// (LOOP). The family of IPv6 differs between systems.
Bytes after_family(Bytes frame) {
  if (frame.size() < 4) return {};
  const unsigned big = read16(frame, 2);
  const unsigned family = big != 0 ? big : static_cast<unsigned>(frame[1]) << 8 | frame[0];
  const bool known = family == 2 || family == 10 || family == 24 || family == 28 || family == 30;
  return known ? frame.subspan(4) : Bytes{};
}

/// Linux cooked capture v2: the EtherType is first.
Bytes after_cooked2(Bytes frame) {
  if (frame.size() < kCooked2Header) return {};
  const unsigned type = read16(frame, 0);
  return type == kIpv4 || type == kIpv6 ? frame.subspan(kCooked2Header) : Bytes{};
}

}  // namespace

bool link_type_is_known(int link_type) {
  switch (link_type) {
    case DLT_EN10MB:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_NULL:
    case DLT_LOOP:
      return true;
    default:
      return false;
  }
}

Bytes ip_packet_in_frame(int link_type, Bytes frame) {
  switch (link_type) {
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return frame;
    case DLT_EN10MB:
      return without_padding(after_ether_type(frame, 12));
    case DLT_LINUX_SLL:
      return without_padding(after_ether_type(frame, 14));
    case DLT_LINUX_SLL2:
      return without_padding(after_cooked2(frame));
    case DLT_NULL:
    case DLT_LOOP:
      return after_family(frame);
    default:
      return {};
  }
}

}  // namespace icr::node
