// The IP packet inside a captured frame, for the link types that captures of routers and hosts have.
#pragma once

#include <cstdint>
#include <span>

namespace icr::node {

/// Returns true if frames of this libpcap link type (DLT_...) can be read.
[[nodiscard]] bool link_type_is_known(int link_type);

/// Returns the bytes after the link-layer header and its VLAN tags, or nothing if the frame does not hold IPv4 or IPv6
/// or is too short for its link layer. Padding that Ethernet adds to short frames is cut off by the length in the IP
/// header, if that is consistent; the packet itself is not judged.
[[nodiscard]] std::span<const std::uint8_t> ip_packet_in_frame(int link_type, std::span<const std::uint8_t> frame);

}  // namespace icr::node
