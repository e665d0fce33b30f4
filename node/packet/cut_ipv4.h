// Cuts an IPv4 packet that is too long for the next network into fragments (RFC 791 section 3.2, RFC 1812 section
// 4.2.2.7).
//
// Sans-I/O, no allocation.
#pragma once

#include <cstdint>

namespace icr::node {

/// The smallest MTU (RFC 791): it has room for the longest header and eight octets.
inline constexpr std::uint32_t kLeastIpv4Mtu = 68;

/// Returns true for an IPv4 packet without DF. REQUIRES: at least 20 octets.
[[nodiscard]] inline bool may_be_fragmented(const std::uint8_t* packet) {
  return packet[0] >> 4 == 4 && (packet[6] & 0x40) == 0;
}

/// Returns the header length of fragments after the first one, which have only those options that are copied.
/// REQUIRES: a whole header with options that can be read.
[[nodiscard]] std::uint32_t later_header_length(const std::uint8_t* packet);

/// Writes the fragment with the octets [from, from + size) of the payload to `out`. Returns its length.
[[nodiscard]] std::uint32_t write_ipv4_fragment(const std::uint8_t* packet, std::uint32_t from, std::uint32_t size,
                                                std::uint8_t* out);

/// Cuts a packet (which may be a fragment itself) into fragments of at most `mtu` octets, each made in `scratch`, which
/// holds `mtu` octets: calls `visit(std::uint8_t* data, std::uint32_t length)`. All of them carry the packet's
/// identification. REQUIRES: a whole packet whose checksums are complete, and an MTU of kLeastIpv4Mtu at least.
template <class Visit>
void cut_ipv4(const std::uint8_t* packet, std::uint32_t mtu, std::uint8_t* scratch, Visit&& visit) {
  const std::uint32_t first = (packet[0] & 0x0fU) * 4U;
  const std::uint32_t later = later_header_length(packet);
  const std::uint32_t payload = (std::uint32_t{packet[2]} << 8 | packet[3]) - first;
  std::uint32_t at = 0;
  do {
    const std::uint32_t room = mtu - (at == 0 ? first : later);
    // The last piece may fill the packet to the last octet; the others are multiples of 8.
    const std::uint32_t size = payload - at <= room ? payload - at : room & ~7U;
    visit(scratch, write_ipv4_fragment(packet, at, size, scratch));
    at += size;
  } while (at < payload);
}

}  // namespace icr::node
