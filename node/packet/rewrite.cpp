#include "node/packet/rewrite.h"

#include "model/record/protocol.h"
#include "node/packet/checksum.h"

namespace icr::node {
namespace {

void replace_address(std::uint8_t* at, const IpAddress& from, const IpAddress& to, bool v6, ChecksumDelta& delta) {
  if (v6) {
    for (unsigned i = 0; i < 16; i += 2) delta.replace16(load16(from.bytes.data() + i), load16(to.bytes.data() + i));
    std::memcpy(at, to.bytes.data(), 16);
    return;
  }
  delta.replace32(from.to_v4(), to.to_v4());
  store32(at, to.to_v4());
}

/// Offset of the checksum field in the transport header, or 0 where there is none to keep.
std::uint32_t checksum_offset(const Headers& h) {
  switch (h.protocol) {
    case ip_protocol::tcp:
      return 16;
    case ip_protocol::udp:
      return 6;
    case ip_protocol::icmp:
    case ip_protocol::icmp6:
      return h.icmp == IcmpKind::none ? 0 : 2;
    default:
      return 0;  // SCTP's CRC32c covers neither addresses nor (here) changed ports
  }
}

/// Does the work; `available` octets of transport exist.
void rewrite_fields(Headers& h, const FlowKey& to) {
  ChecksumDelta addresses;
  replace_address(h.l3 + (h.v6 ? 8 : 12), h.key.source, to.source, h.v6, addresses);
  replace_address(h.l3 + (h.v6 ? 24 : 16), h.key.destination, to.destination, h.v6, addresses);
  if (!h.v6) store16(h.l3 + 10, addresses.apply(load16(h.l3 + 10)));

  if (!h.later_fragment) {
    ChecksumDelta transport;
    const bool query = is_query(h.icmp) || is_answer(h.icmp);
    if (has_ports(h.protocol) && h.l4_length >= 4) {
      transport.replace16(h.key.source_port, to.source_port);
      transport.replace16(h.key.destination_port, to.destination_port);
      store16(h.l4, to.source_port);
      store16(h.l4 + 2, to.destination_port);
    } else if (query && h.l4_length >= 6) {
      transport.replace16(h.key.source_port, to.source_port);
      store16(h.l4 + 4, to.source_port);
    }
    // ICMP (v4) has no pseudo-header; everything else covers the addresses.
    if (h.protocol != ip_protocol::icmp) transport.add(addresses);
    const std::uint32_t offset = checksum_offset(h);
    if (offset != 0 && h.l4_length >= offset + 2) {
      const std::uint16_t field = load16(h.l4 + offset);
      const bool udp = h.protocol == ip_protocol::udp;
      if (!(udp && field == 0)) {
        std::uint16_t updated = transport.apply(field);
        if (udp && updated == 0) updated = 0xffff;
        store16(h.l4 + offset, updated);
      }
    }
  }
  h.key = to;
}

}  // namespace

void rewrite(Headers& headers, const FlowKey& to) {
  if (headers.key == to) return;
  rewrite_fields(headers, to);
}

bool needs_ip_id(const Headers& headers) {
  constexpr std::uint16_t kDontFragment = 0x4000;
  return !headers.v6 && (headers.fragment || (load16(headers.l3 + 6) & kDontFragment) == 0);
}

void set_ip_id(const Headers& headers, std::uint16_t id) {
  ChecksumDelta delta;
  delta.replace16(load16(headers.l3 + 4), id);
  store16(headers.l3 + 4, id);
  store16(headers.l3 + 10, delta.apply(load16(headers.l3 + 10)));
}

void rewrite_icmp_error(Headers& error, const FlowKey& outer_to, Headers& quoted, const FlowKey& quoted_to) {
  rewrite(quoted, quoted_to);
  rewrite(error, outer_to);
  // The quoted packet is part of what the ICMP checksum covers, and where its own checksum is cut off the sum has
  // changed. The engine verified the message before, so it is made anew.
  store16(error.l4 + 2, 0);
  std::uint64_t sum = 0;
  if (error.v6) sum = checksum_add(error.l3 + 8, 32) + error.protocol + error.l4_length;
  store16(error.l4 + 2, checksum_finish(checksum_add(error.l4, error.l4_length, sum)));
}

bool clamp_mss(const Headers& headers, std::uint16_t limit) {
  constexpr std::uint8_t kMssOption = 2;
  const std::uint32_t at = tcp_option_at(headers, kMssOption);
  if (at == 0 || headers.l4[at + 1] != 4 || load16(headers.l4 + at + 2) <= limit) return false;
  // The value may straddle two words of the checksum.
  const std::uint32_t first = (at + 2) & ~1U;
  const std::uint32_t last = (at + 3) & ~1U;
  const std::uint16_t old_first = load16(headers.l4 + first);
  const std::uint16_t old_last = load16(headers.l4 + last);
  store16(headers.l4 + at + 2, limit);
  ChecksumDelta delta;
  delta.replace16(old_first, load16(headers.l4 + first));
  if (last != first) delta.replace16(old_last, load16(headers.l4 + last));
  store16(headers.l4 + 16, delta.apply(load16(headers.l4 + 16)));
  return true;
}

}  // namespace icr::node
