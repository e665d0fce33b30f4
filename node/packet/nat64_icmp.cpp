// ICMP errors between the families: RFC 7915 sections 4.2, 4.3, 5.2 and 5.3.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "node/packet/nat64.h"
#include "node/packet/nat64_fields.h"
#include "node/packet/reply.h"

namespace icr::node {
namespace nat64 {
namespace {

constexpr std::uint32_t kMaxV4Error = 576;  // RFC 1812 section 4.3.2.3
constexpr std::uint32_t kMaxV6Error = 1280;
constexpr std::uint32_t kMinExtendedDatagram = 128;  // RFC 4884 section 4

static_assert(kMaxV6Error <= kReplyBytes);

/// Header of an ICMP error in the other family.
struct ErrorFields {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t field = 0;  ///< second word: MTU or pointer
};

/// Octet of an IPv4 header to octet of an IPv6 header (RFC 7915 figure 3).
std::optional<std::uint32_t> pointer_to_v6(std::uint32_t pointer) {
  if (pointer <= 1) return pointer;
  if (pointer == 2 || pointer == 3) return 4;
  if (pointer == 8) return 7;
  if (pointer == 9) return 6;
  if (pointer >= 12 && pointer < 16) return 8;
  if (pointer >= 16 && pointer < 20) return 24;
  return std::nullopt;
}

/// Octet of an IPv6 header to octet of an IPv4 header (RFC 7915 figure 6).
std::optional<std::uint32_t> pointer_to_v4(std::uint32_t pointer) {
  if (pointer <= 1) return pointer;
  if (pointer == 4 || pointer == 5) return 2;
  if (pointer == 6) return 9;
  if (pointer == 7) return 8;
  if (pointer >= 8 && pointer < 24) return 12;
  if (pointer >= 24 && pointer < 40) return 16;
  return std::nullopt;
}

/// A router that does not say its MTU: the next lower one that is common (RFC 1191 section 7.1).
std::uint32_t plateau_below(std::uint32_t length) {
  for (const std::uint32_t plateau : {65535U, 32000U, 17914U, 8166U, 4352U, 2002U, 1492U, 1006U, 508U, 296U}) {
    if (plateau < length) return plateau;
  }
  return 68;
}

/// RFC 7915 section 4.2.
std::optional<ErrorFields> fields_to_v6(const Headers& error, const Headers& quoted, const Nat64Options& options) {
  const std::uint8_t code = error.l4[1];
  switch (error.l4[0]) {
    case 3:
      switch (code) {
        case 2:  // protocol unreachable: the next header field is what is wrong
          return ErrorFields{4, 1, 6};
        case 3:
          return ErrorFields{1, 4, 0};
        case 4: {
          const std::uint32_t told = load16(error.l4 + 6);
          const std::uint32_t mtu = told != 0 ? told : plateau_below(load16(quoted.l3 + 2));
          return ErrorFields{2, 0, std::max(1280U, std::min(mtu + 20, options.ipv6_mtu))};
        }
        case 9:
        case 10:
        case 13:
        case 15:
          return ErrorFields{1, 1, 0};
        case 0:
        case 1:
        case 5:
        case 6:
        case 7:
        case 8:
        case 11:
        case 12:
          return ErrorFields{1, 0, 0};
        default:
          return std::nullopt;
      }
    case 11:
      return ErrorFields{3, code, 0};
    case 12: {
      if (code != 0 && code != 2) return std::nullopt;
      const auto pointer = pointer_to_v6(error.l4[4]);
      return pointer ? std::optional<ErrorFields>({4, 0, *pointer}) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

/// RFC 7915 section 5.2.
std::optional<ErrorFields> fields_to_v4(const Headers& error, const Nat64Options& options) {
  static constexpr std::array<std::uint8_t, 5> kUnreachable = {1, 10, 1, 1, 3};
  const std::uint8_t code = error.l4[1];
  switch (error.l4[0]) {
    case 1:
      if (code >= kUnreachable.size()) return std::nullopt;
      return ErrorFields{3, kUnreachable[code], 0};
    case 2: {
      const std::uint32_t mtu = std::min({load32(error.l4 + 4), options.ipv6_mtu, kMaxPacketBytes});
      return ErrorFields{3, 4, std::max(mtu, 20U + 68U) - 20U};  // 68: RFC 791, the least an IPv4 link carries
    }
    case 3:
      return ErrorFields{11, code, 0};
    case 4: {
      if (code == 1) return ErrorFields{3, 2, 0};
      const auto pointer = pointer_to_v4(load32(error.l4 + 4));
      if (code != 0 || !pointer) return std::nullopt;
      return ErrorFields{12, 0, *pointer << 24};
    }
    default:
      return std::nullopt;
  }
}

/// Octets of the datagram that `error` quotes; what follows them is an extension structure (RFC 4884).
std::uint32_t datagram_length(const Headers& error, std::uint32_t quoted_headers) {
  const std::uint32_t all = error.l4_length - kIcmpHeader;
  const std::uint8_t type = error.l4[0];
  std::uint32_t told = 0;
  if (error.v6 && (type == 1 || type == 3)) told = error.l4[4] * 8U;
  if (!error.v6 && (type == 3 || type == 11 || type == 12)) told = error.l4[5] * 4U;
  // Less than 8 octets of transport cannot be meant (RFC 792).
  return told >= quoted_headers + 8 && told < all ? told : all;
}

/// IP header of the quoted packet, in the other family: lengths are what the packet says of itself, and the hop limit
/// is what it was.
std::uint32_t write_quoted_ip(const Headers& q, const FlowKey& to, std::uint8_t* out, std::uint32_t& payload_length) {
  const auto header = static_cast<std::uint32_t>(q.l4 - q.l3);
  const std::uint32_t told = q.v6 ? kV6Header + load16(q.l3 + 4) : load16(q.l3 + 2);
  payload_length = told > header ? told - header : 0;
  IpFields f;
  f.source = to.source;
  f.destination = to.destination;
  f.traffic_class = traffic_class_of(q);
  f.hop_limit = hop_limit_of(q);
  f.protocol = protocol_of(q);
  f.payload_length = payload_length;
  f.fragment = q.fragment || (q.v6 && q.fragment_header);
  f.more_fragments = q.more_fragments;
  f.fragment_offset = q.fragment_offset;
  f.identification = q.fragment_id;
  if (!q.v6) return write_v6(f, out);
  if (!f.fragment) {
    f.identification = 0;
    f.dont_fragment = kV4Header + payload_length > kMayFragment;
  }
  return write_v4(f, out);
}

}  // namespace
}  // namespace nat64

Nat64 translate_nat64_error(const Headers& error, const FlowKey& outer_to, const Headers& quoted,
                            const FlowKey& quoted_to, const Nat64Options& options, std::uint8_t* out,
                            std::uint32_t& length) {
  using namespace nat64;
  const bool to_v6 = !error.v6;
  const auto fields = to_v6 ? fields_to_v6(error, quoted, options) : fields_to_v4(error, options);
  // Of ICMP only echo has an equal; what else is quoted was never translated.
  if (!fields || foreign(quoted) || quoted.icmp == IcmpKind::other) return Nat64::icmp_no_equal;
  if (hop_limit_of(error) <= 1) return Nat64::hop_limit;

  const std::uint32_t outer = to_v6 ? kV6Header : kV4Header;
  const std::uint32_t room = (to_v6 ? kMaxV6Error : kMaxV4Error) - outer - kIcmpHeader;
  std::uint8_t* const icmp = out + outer;
  std::uint8_t* const datagram = icmp + kIcmpHeader;
  icmp[0] = fields->type;
  icmp[1] = fields->code;
  store16(icmp + 2, 0);
  store32(icmp + 4, fields->field);

  // The packet inside.
  const auto old_header = static_cast<std::uint32_t>(quoted.l4 - quoted.l3);
  const std::uint32_t old_datagram = datagram_length(error, old_header);
  const std::uint32_t extension = error.l4_length - kIcmpHeader - old_datagram;
  std::uint32_t payload_length = 0;
  const std::uint32_t header = write_quoted_ip(quoted, quoted_to, datagram, payload_length);
  const bool extended = extension != 0 && extension + kMinExtendedDatagram <= room &&
                        (to_v6 ? fields->type == 1 || fields->type == 3 : fields->type != 3 || fields->code != 4);
  const std::uint32_t limit = extended ? room - extension : room;
  std::uint32_t size = std::min(limit, header + (old_datagram - old_header));
  std::memcpy(datagram + header, quoted.l4, size - header);
  translate_transport(quoted, quoted_to, datagram + header, size - header, payload_length);
  if (extended) {
    // Padded to words of 4 octets in ICMP and of 8 in ICMPv6, 128 at least; the length counts them.
    const std::uint32_t unit = to_v6 ? 8 : 4;
    const std::uint32_t padded =
        std::min(std::max(kMinExtendedDatagram, (size + unit - 1) / unit * unit), limit / unit * unit);
    if (padded > size) std::memset(datagram + size, 0, padded - size);
    std::memcpy(datagram + padded, error.l4 + kIcmpHeader + old_datagram, extension);
    icmp[to_v6 ? 4 : 5] = static_cast<std::uint8_t>(padded / unit);
    size = padded + extension;
  }

  IpFields f;
  f.source = outer_to.source;
  f.destination = outer_to.destination;
  f.traffic_class = traffic_class_of(error);
  f.hop_limit = static_cast<std::uint8_t>(hop_limit_of(error) - 1);
  f.protocol = protocol_of(error);
  f.payload_length = kIcmpHeader + size;
  f.identification = options.ipv4_id;
  std::uint64_t sum = 0;
  if (to_v6) {
    (void)write_v6(f, out);
    sum = checksum_add(out + 8, 32) + f.payload_length + ip_protocol::icmp6;
  } else {
    (void)write_v4(f, out);
  }
  store16(icmp + 2, checksum_finish(checksum_add(icmp, f.payload_length, sum)));
  length = outer + f.payload_length;
  return Nat64::done;
}

}  // namespace icr::node
