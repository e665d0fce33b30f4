// Packets between IPv6 and IPv4: headers, fragments and ICMP (RFC 7915, as RFC 6146 section 3.7 uses it).
//
// Sans-I/O, no allocation. Who decides which addresses and ports a packet gets is not here: both keys are given.
#pragma once

#include <cstdint>

#include "node/packet/headers.h"
#include "node/packet/packet.h"

namespace icr::node {

/// Why a packet has no translation. What the sender is told is the engine's to say.
enum class Nat64 : std::uint8_t {
  done,
  fragment,          ///< translated, and longer than the IPv6 MTU: to be sent by cut_ipv6() (RFC 7915 section 4.1)
  too_big,           ///< does not fit the IPv6 MTU, and has DF: ICMP "fragmentation needed" (section 4.1)
  hop_limit,         ///< TTL or hop limit would become 0: ICMP "time exceeded" (sections 4.1, 5.1)
  source_route,      ///< an IPv4 source route that is not over, or IPv6 segments left (sections 4.1, 5.1)
  udp_no_checksum,   ///< fragment of a UDP datagram without checksum (section 4.5)
  icmp_fragment,     ///< ICMP in fragments: its checksum cannot be made (sections 4.2, 5.2)
  icmp_no_equal,     ///< ICMP type or code, or pointer, that the other family does not have (sections 4.2, 5.2)
  protocol_unknown,  ///< IP protocol that means something else in the other family
  too_long,          ///< longer than a packet can be, no room in the buffer, or UDP segments that do not fit
};

struct Nat64Options {
  std::uint32_t ipv6_mtu = 1280;  ///< of the path to the IPv6 hosts; at least 1280
  bool clear_dont_fragment =
      false;                  ///< IPv4 packets never carry DF; otherwise those above 1260 octets do (section 5.1)
  std::uint16_t ipv4_id = 0;  ///< identification of a packet that may be fragmented and brings none
};

/// Makes the packet, read into `headers`, one of the other family with the key `to`. For `done` and `fragment`
/// `packet.data`, `length`, `headroom` and `capacity` describe the new packet (in the same buffer: what is there moves
/// only if the headroom does not suffice) and `headers` is read anew; otherwise nothing has changed. Not for ICMP
/// errors.
///
/// Of several segments in one packet each must fit: those of TCP without DF are made smaller. A packet to be cut has
/// its checksum completed.
[[nodiscard]] Nat64 translate_nat64(Packet& packet, Headers& headers, const FlowKey& to, const Nat64Options& options);

/// Writes the translation of an ICMP error to `out`, kReplyBytes long (node/packet/reply.h), and its length to
/// `length`. `quoted` was read by read_quoted_headers(). Never longer than 576 octets in IPv4 (RFC 1812 section
/// 4.3.2.3) and 1280 in IPv6 (RFC 4443 section 2.4); extensions (RFC 4884) are kept where the other family can have
/// them. Returns done, hop_limit or icmp_no_equal.
[[nodiscard]] Nat64 translate_nat64_error(const Headers& error, const FlowKey& outer_to, const Headers& quoted,
                                          const FlowKey& quoted_to, const Nat64Options& options, std::uint8_t* out,
                                          std::uint32_t& length);

/// Cuts an IPv6 packet that translate_nat64() made (40 octets of header, perhaps a fragment header) into fragments of
/// at most `mtu` octets (RFC 8200 section 4.5), each made in `scratch`, which holds `mtu` octets: calls
/// `visit(std::uint8_t* data, std::uint32_t length)`. The identification is the IPv4 packet's.
template <class Visit>
void cut_ipv6(const Headers& headers, std::uint32_t mtu, std::uint8_t* scratch, Visit&& visit);

// -- Inside --

/// Writes one fragment with the octets [from, from + size) of the fragmentable part; returns its length.
[[nodiscard]] std::uint32_t write_ipv6_fragment(const Headers& headers, std::uint32_t from, std::uint32_t size,
                                                std::uint8_t* out);

template <class Visit>
void cut_ipv6(const Headers& headers, std::uint32_t mtu, std::uint8_t* scratch, Visit&& visit) {
  const std::uint32_t chunk = (mtu - 48) & ~7U;
  for (std::uint32_t at = 0; at < headers.l4_length; at += chunk) {
    const std::uint32_t left = headers.l4_length - at;
    // The last piece may fill the packet to the last octet; the others are multiples of 8.
    const std::uint32_t size = left < chunk ? left : chunk;
    visit(scratch, write_ipv6_fragment(headers, at, size, scratch));
  }
}

}  // namespace icr::node
