// What the translation of packets and that of ICMP errors share. Only for node/packet/nat64*.cpp.
#pragma once

#include <cstdint>
#include <cstring>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"
#include "node/packet/headers.h"

namespace icr::node::nat64 {

inline constexpr std::uint32_t kV4Header = 20;
inline constexpr std::uint32_t kV6Header = 40;
inline constexpr std::uint32_t kFragmentHeader = 8;
/// IPv4 packets up to this length may be fragmented on their way (RFC 7915 section 5.1): as IPv6 packets they fit the
/// minimum MTU.
inline constexpr std::uint32_t kMayFragment = 1260;

/// Fields of the IP header that both families have.
struct IpFields {
  IpAddress source, destination;
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
  std::uint8_t protocol = 0;
  std::uint32_t payload_length = 0;  ///< octets behind all headers of the IP layer
  bool fragment = false;             ///< IPv6: with a fragment header
  bool dont_fragment = false;        ///< IPv4 only
  bool more_fragments = false;
  std::uint32_t fragment_offset = 0;  ///< octets
  std::uint32_t identification = 0;
};

inline std::uint8_t traffic_class_of(const Headers& h) {
  return h.v6 ? static_cast<std::uint8_t>(load16(h.l3) >> 4) : h.l3[1];
}
inline std::uint8_t hop_limit_of(const Headers& h) { return h.v6 ? h.l3[7] : h.l3[8]; }

/// Protocol number in the other family.
inline std::uint8_t protocol_of(const Headers& h) {
  if (h.v6 && h.protocol == ip_protocol::icmp6) return ip_protocol::icmp;
  if (!h.v6 && h.protocol == ip_protocol::icmp) return ip_protocol::icmp6;
  return h.protocol;
}

/// Writes an IPv4 header (RFC 791) without options and with its checksum; returns its length.
inline std::uint32_t write_v4(const IpFields& f, std::uint8_t* out) {
  out[0] = 0x45;
  out[1] = f.traffic_class;
  store16(out + 2, static_cast<std::uint16_t>(kV4Header + f.payload_length));
  store16(out + 4, static_cast<std::uint16_t>(f.identification));
  store16(out + 6, static_cast<std::uint16_t>((f.dont_fragment ? 0x4000U : 0U) | (f.more_fragments ? 0x2000U : 0U) |
                                              f.fragment_offset / 8));
  out[8] = f.hop_limit;
  out[9] = f.protocol;
  store16(out + 10, 0);
  store32(out + 12, f.source.to_v4());
  store32(out + 16, f.destination.to_v4());
  store16(out + 10, checksum_finish(checksum_add(out, kV4Header)));
  return kV4Header;
}

/// Writes an IPv6 header (RFC 8200) with flow label 0, and a fragment header if `f.fragment`; returns their length.
inline std::uint32_t write_v6(const IpFields& f, std::uint8_t* out) {
  const std::uint32_t extra = f.fragment ? kFragmentHeader : 0;
  store32(out, 6U << 28 | std::uint32_t{f.traffic_class} << 20);
  store16(out + 4, static_cast<std::uint16_t>(extra + f.payload_length));
  out[6] = f.fragment ? std::uint8_t{44} : f.protocol;
  out[7] = f.hop_limit;
  std::memcpy(out + 8, f.source.bytes.data(), 16);
  std::memcpy(out + 24, f.destination.bytes.data(), 16);
  if (f.fragment) {
    out[40] = f.protocol;
    out[41] = 0;
    store16(out + 42, static_cast<std::uint16_t>((f.fragment_offset & 0xfff8U) | (f.more_fragments ? 1U : 0U)));
    store32(out + 44, f.identification);
  }
  return kV6Header + extra;
}

/// Protocol numbers that would mean something else, or nothing, in the other family, and fragments that cannot be told
/// from such.
[[nodiscard]] bool foreign(const Headers& h);

/// Ports or identifier, ICMP type and checksum of a transport header at `l4` of which `available` octets are there,
/// from those of `h` to those of `to`, in the other family. `length` is that of the whole transport message, which the
/// pseudo-header of ICMPv6 covers (RFC 4443 section 2.3). A UDP checksum of 0 stays.
void translate_transport(const Headers& h, const FlowKey& to, std::uint8_t* l4, std::uint32_t available,
                         std::uint32_t length);

}  // namespace icr::node::nat64
