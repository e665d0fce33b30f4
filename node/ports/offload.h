// Packets that the kernel left unfinished: checksums not computed, many segments in one packet (virtio-net headers,
// include/uapi/linux/virtio_net.h; virtio 1.1 section 5.1.6.2).
//
// A partial checksum field holds the sum of the pseudo-header, not complemented; RFC 1624's update would have the wrong
// sign there, and ports are not part of that sum. So nobody updates it: what a packet's field holds while it is inside
// is ignored, and the sum is made again from the addresses with which the packet leaves (at most 40 octets).
#pragma once

#include <cstdint>
#include <optional>

#include "node/packet/packet.h"

namespace icr::node::offload {

/// struct virtio_net_hdr: in the machine's byte order, as TUN devices and packet sockets have it. (The kernel's own
/// header is not C++.)
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t hdr_len = 0;      ///< of all headers up to the payload
  std::uint16_t gso_size = 0;     ///< payload of a segment
  std::uint16_t csum_start = 0;   ///< what the checksum covers begins here
  std::uint16_t csum_offset = 0;  ///< of the checksum field, from csum_start
};
static_assert(sizeof(VnetHeader) == 10);

inline constexpr std::uint8_t kNeedsChecksum = 1;                                                     // flags
inline constexpr std::uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;  // gso_type

/// Where the transport header of a whole (not fragmented) TCP or UDP packet is.
struct Transport {
  std::uint32_t offset = 0;           ///< from the IP header
  std::uint32_t checksum_offset = 0;  ///< of the checksum field, from the transport header
  std::uint32_t header_bytes = 0;     ///< of the transport header
  std::uint8_t protocol = 0;
  bool v6 = false;
};

/// Returns where the transport header is; nothing for fragments, other protocols, and headers that do not fit into the
/// packet.
[[nodiscard]] std::optional<Transport> find_transport(const std::uint8_t* packet, std::uint32_t length);

/// Takes over what the kernel says about a received packet, whose IP header is at `packet.data` and `link_bytes` after
/// the place from which the kernel counts. Completes a partial checksum that is not that of TCP or UDP, or that is in a
/// fragment. Returns false if the header contradicts the packet, which has to be dropped.
[[nodiscard]] bool take(const VnetHeader& header, std::uint32_t link_bytes, Packet& packet);

/// Describes a packet that leaves to the kernel, and writes the sum of the pseudo-header into the field of a partial
/// checksum. Returns false if the packet cannot be sent like that, because it has no TCP or UDP header where one must
/// be.
[[nodiscard]] bool describe(const Packet& packet, std::uint32_t link_bytes, VnetHeader& header);

/// Computes a partial checksum, for a port whose kernel does not. Packets of several segments are described, never
/// completed. Returns false if the packet has no TCP or UDP header where one must be.
[[nodiscard]] bool complete(const Packet& packet);

/// Writes one of the datagrams of a packet of several UDP datagrams. Returns its length, or 0 after the last one.
[[nodiscard]] std::uint32_t write_datagram(const Packet& packet, std::uint32_t index, std::uint8_t* out);

/// Splits an IPv4 packet of several UDP datagrams. Writes each whole datagram, with its checksum, to `scratch`: calls
/// `visit(std::uint8_t* data, std::uint32_t length)`. Does nothing for any other packet.
template <class Visit>
void each_datagram(const Packet& packet, std::uint8_t* scratch, Visit&& visit) {
  std::uint32_t length = 0;
  for (std::uint32_t i = 0; (length = write_datagram(packet, i, scratch)) != 0; ++i) visit(scratch, length);
}

}  // namespace icr::node::offload
