#include "node/ports/offload.h"

#include <algorithm>
#include <cstring>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"

namespace icr::node::offload {
namespace {

constexpr std::uint32_t kTcpHeader = 20;
constexpr std::uint32_t kUdpHeader = 8;
constexpr unsigned kMaxExtensionHeaders = 8;  ///< as read_headers() takes them
constexpr std::uint16_t kSctpChecksum = 8;    ///< where it is in SCTP's header
constexpr std::uint8_t kCongestionWindowReduced = 0x80;

/// Offset of the transport header and its protocol, or 0 for a fragment and what cannot be read.
std::uint32_t find_payload(const std::uint8_t* p, std::uint32_t length, std::uint8_t& protocol) {
  if (length >= 20 && p[0] >> 4 == 4) {
    protocol = p[9];
    const std::uint32_t header = (p[0] & 0x0fU) * 4U;
    return header >= 20 && (load16(p + 6) & 0x3fff) == 0 ? header : 0;
  }
  if (length < 40 || p[0] >> 4 != 6) return 0;
  protocol = p[6];
  std::uint32_t at = 40;
  for (unsigned count = 0;; ++count) {
    const bool extension = protocol == 0 || protocol == 43 || protocol == 60;
    if (!extension) return protocol == 44 ? 0 : at;
    if (count == kMaxExtensionHeaders || at + 8 > length) return 0;
    protocol = p[at];
    at += (p[at + 1] + 1U) * 8U;
  }
}

std::uint64_t pseudo_header(const std::uint8_t* p, const Transport& t, std::uint32_t transport_length) {
  const std::uint64_t addresses = t.v6 ? checksum_add(p + 8, 32) : checksum_add(p + 12, 8);
  return addresses + t.protocol + (transport_length >> 16) + (transport_length & 0xffff);
}

/// RFC 768: a computed sum of 0 is sent as all ones; for TCP both are the same number.
std::uint16_t as_field(std::uint16_t sum, std::uint8_t protocol) {
  return sum == 0 && protocol == ip_protocol::udp ? 0xffff : sum;
}

}  // namespace

std::optional<Transport> find_transport(const std::uint8_t* packet, std::uint32_t length) {
  Transport out;
  out.offset = find_payload(packet, length, out.protocol);
  if (out.offset == 0) return std::nullopt;
  out.v6 = packet[0] >> 4 == 6;
  if (out.protocol == ip_protocol::tcp && out.offset + kTcpHeader <= length) {
    out.checksum_offset = 16;
    out.header_bytes = (packet[out.offset + 12] >> 4) * 4U;
    if (out.header_bytes < kTcpHeader || out.offset + out.header_bytes > length) return std::nullopt;
    return out;
  }
  if (out.protocol == ip_protocol::udp && out.offset + kUdpHeader <= length) {
    out.checksum_offset = 6;
    out.header_bytes = kUdpHeader;
    return out;
  }
  return std::nullopt;
}

bool take(const VnetHeader& header, std::uint32_t link_bytes, Packet& packet) {
  packet.partial_checksum = false;
  packet.segment_bytes = 0;
  const bool segments = header.gso_type != kGsoNone;
  if (!segments && (header.flags & kNeedsChecksum) == 0) return true;
  const auto transport = find_transport(packet.data, packet.length);
  if (segments) {
    const unsigned kind = header.gso_type & ~unsigned{kGsoEcn};
    const bool tcp = kind == kGsoTcp4 || kind == kGsoTcp6;
    if (!tcp && kind != kGsoUdp) return false;
    if (!transport || (transport->protocol == ip_protocol::tcp) != tcp || header.gso_size == 0) return false;
    packet.segment_bytes = header.gso_size;
    packet.partial_checksum = true;
    return true;
  }
  if (header.csum_start < link_bytes) return false;
  const std::uint32_t start = header.csum_start - link_bytes;
  if (start + header.csum_offset + 2U > packet.length) return false;
  if (transport && transport->offset == start && transport->checksum_offset == header.csum_offset) {
    packet.partial_checksum = true;
    return true;
  }
  std::uint8_t* const from = packet.data + start;
  std::uint8_t protocol = 0;
  if (header.csum_offset == kSctpChecksum && start + kSctpChecksum + 4U <= packet.length &&
      find_payload(packet.data, packet.length, protocol) == start && protocol == ip_protocol::sctp) {
    // The one protocol for which the kernel means another sum.
    std::memset(from + kSctpChecksum, 0, 4);
    const std::uint32_t sum = crc32c(from, packet.length - start);
    for (unsigned i = 0; i < 4; ++i) from[kSctpChecksum + i] = static_cast<std::uint8_t>(sum >> (8 * i));
    return true;
  }
  store16(from + header.csum_offset, checksum_finish(checksum_add(from, packet.length - start)));
  return true;
}

bool describe(const Packet& packet, std::uint32_t link_bytes, VnetHeader& header) {
  header = VnetHeader{};
  if (!packet.partial_checksum && packet.segment_bytes == 0) return true;
  const auto transport = find_transport(packet.data, packet.length);
  if (!transport) return false;
  const std::uint32_t headers = transport->offset + transport->header_bytes;
  std::uint8_t* const field = packet.data + transport->offset + transport->checksum_offset;
  const std::uint64_t sum = pseudo_header(packet.data, *transport, packet.length - transport->offset);
  store16(field, static_cast<std::uint16_t>(~checksum_finish(sum)));
  header.flags = kNeedsChecksum;
  header.csum_start = static_cast<std::uint16_t>(link_bytes + transport->offset);
  header.csum_offset = static_cast<std::uint16_t>(transport->checksum_offset);
  header.hdr_len = static_cast<std::uint16_t>(link_bytes + headers);
  // The kernel does not take a single segment for several.
  if (packet.segment_bytes == 0 || packet.length - headers <= packet.segment_bytes) return true;
  header.gso_size = packet.segment_bytes;
  if (transport->protocol == ip_protocol::udp) {
    header.gso_type = kGsoUdp;
    return true;
  }
  header.gso_type = transport->v6 ? kGsoTcp6 : kGsoTcp4;
  if ((packet.data[transport->offset + 13] & kCongestionWindowReduced) != 0) {
    header.gso_type |= kGsoEcn;
  }
  return true;
}

bool complete(const Packet& packet) {
  if (!packet.partial_checksum) return true;
  const auto transport = find_transport(packet.data, packet.length);
  if (!transport) return false;
  const std::uint32_t length = packet.length - transport->offset;
  std::uint8_t* const from = packet.data + transport->offset;
  store16(from + transport->checksum_offset, 0);
  const std::uint16_t sum = checksum_finish(checksum_add(from, length, pseudo_header(packet.data, *transport, length)));
  store16(from + transport->checksum_offset, as_field(sum, transport->protocol));
  return true;
}

std::uint32_t write_datagram(const Packet& packet, std::uint32_t index, std::uint8_t* out) {
  const auto transport = find_transport(packet.data, packet.length);
  if (!transport || transport->v6 || transport->protocol != ip_protocol::udp || packet.segment_bytes == 0) return 0;
  const std::uint32_t headers = transport->offset + kUdpHeader;
  const std::uint64_t from = headers + std::uint64_t{index} * packet.segment_bytes;
  if (from >= packet.length) return 0;
  const std::uint32_t payload =
      std::min<std::uint32_t>(packet.segment_bytes, packet.length - static_cast<std::uint32_t>(from));
  std::memcpy(out, packet.data, headers);
  std::memcpy(out + headers, packet.data + from, payload);
  store16(out + 2, static_cast<std::uint16_t>(headers + payload));
  store16(out + 4, static_cast<std::uint16_t>(load16(out + 4) + index));
  store16(out + 10, 0);
  store16(out + 10, checksum_finish(checksum_add(out, transport->offset)));
  store16(out + transport->offset + 4, static_cast<std::uint16_t>(kUdpHeader + payload));
  Packet datagram{out, headers + payload, headers + payload, packet.unit};
  datagram.partial_checksum = true;
  return complete(datagram) ? datagram.length : 0;
}

}  // namespace icr::node::offload
