// Packets that a port never hands to the engine because no router may.
#pragma once

#include <cstddef>
#include <cstdint>

namespace icr::node {

/// Link-local packets are never routed; on an interface they are the kernel's own, or a neighbour's to it.
[[nodiscard]] inline bool is_link_local(const std::uint8_t* packet, std::size_t length) {
  if (length >= 20 && packet[0] >> 4 == 4) return packet[16] == 224 && packet[17] == 0 && packet[18] == 0;
  if (length < 40 || packet[0] >> 4 != 6) return false;
  const auto unicast = [packet](std::size_t at) { return packet[at] == 0xfe && (packet[at + 1] & 0xc0) == 0x80; };
  const bool multicast = packet[24] == 0xff && (packet[25] & 0x0f) <= 2;
  return multicast || unicast(8) || unicast(24);
}

}  // namespace icr::node
