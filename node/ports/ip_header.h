// Reads and changes the parts of a packet's IP header that a port needs when it forwards.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/record/address.h"
#include "node/packet/checksum.h"
#include "node/packet/packet.h"

namespace icr::node {

/// Returns true for packets with a link-local address, which are never routed (RFC 3927 section 7, RFC 4291 section
/// 2.5.6, RFC 5771 section 4). On an interface they are exchanged between the kernel and its neighbours.
[[nodiscard]] inline bool is_link_local(const std::uint8_t* packet, std::size_t length) {
  if (length >= 20 && packet[0] >> 4 == 4) {
    const auto unicast = [packet](std::size_t at) { return packet[at] == 169 && packet[at + 1] == 254; };
    return unicast(12) || unicast(16) || (packet[16] == 224 && packet[17] == 0 && packet[18] == 0);
  }
  if (length < 40 || packet[0] >> 4 != 6) return false;
  const auto unicast = [packet](std::size_t at) { return packet[at] == 0xfe && (packet[at + 1] & 0xc0) == 0x80; };
  const bool multicast = packet[24] == 0xff && (packet[25] & 0x0f) <= 2;
  return multicast || unicast(8) || unicast(24);
}

/// Returns true if the packet is long enough for the header of its version.
[[nodiscard]] inline bool has_ip_header(const Packet& packet) {
  return (packet.length >= 20 && packet.data[0] >> 4 == 4) || (packet.length >= 40 && packet.data[0] >> 4 == 6);
}

/// Returns the destination address. REQUIRES: has_ip_header().
[[nodiscard]] inline IpAddress destination_of(const Packet& packet) {
  return packet.data[0] >> 4 == 6 ? IpAddress::v6(packet.data + 24) : IpAddress::v4(load32(packet.data + 16));
}

/// Decrements the hop limit. Returns false, without a change, if no hop is left. REQUIRES: has_ip_header().
[[nodiscard]] inline bool take_hop(Packet& packet) {
  const bool v6 = packet.data[0] >> 4 == 6;
  std::uint8_t& hops = packet.data[v6 ? 7 : 8];
  if (hops <= 1) return false;
  if (v6) {
    --hops;
    return true;
  }
  ChecksumDelta delta;
  const std::uint16_t before = load16(packet.data + 8);
  --hops;
  delta.replace16(before, load16(packet.data + 8));
  store16(packet.data + 10, delta.apply(load16(packet.data + 10)));
  return true;
}

}  // namespace icr::node
