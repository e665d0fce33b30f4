// Packets and ICMP errors between IPv6 and IPv4, there and back. An input is an octet of options, one for the ports,
// and a packet; the checksum of an IPv4 header is made right first.
#include <algorithm>
#include <vector>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"
#include "node/packet/nat64.h"
#include "node/packet/reply.h"
#include "tests/fuzz/fuzz_cluster.h"

namespace {

using namespace icr;
using namespace icr::node;
using Bytes = std::vector<std::uint8_t>;

const IpAddress kHost6 = *IpAddress::parse("2001:db8:1::10");
const IpAddress kServer6 = *IpAddress::parse("2001:db8:64::c633:6407");
const IpAddress kPool4 = *IpAddress::parse("203.0.113.1");
const IpAddress kServer4 = *IpAddress::parse("198.51.100.7");

struct Buffer {
  Buffer(const std::uint8_t* data, std::size_t size, std::uint32_t headroom) : memory(headroom + size + 64) {
    std::copy(data, data + size, memory.begin() + headroom);
    packet = Packet{memory.data() + headroom, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size) + 64,
                    1, headroom};
    error = read_headers(packet.data, packet.length, headers);
    packet.length = headers.l3_length;
  }
  Bytes memory;
  Packet packet;
  Headers headers;
  HeaderError error = HeaderError::none;
};

FlowKey key_for(const Headers& h, std::uint8_t ports) {
  FlowKey key = h.v6 ? FlowKey{kPool4, kServer4} : FlowKey{kServer6, kHost6};
  key.protocol = h.protocol;
  if (h.protocol == ip_protocol::icmp6 && h.v6) key.protocol = ip_protocol::icmp;
  if (h.protocol == ip_protocol::icmp && !h.v6) key.protocol = ip_protocol::icmp6;
  if (h.key.source_port != 0) {
    key.source_port = static_cast<std::uint16_t>(1 + ports * 251);
    key.destination_port = h.icmp != IcmpKind::none ? key.source_port : static_cast<std::uint16_t>(1 + ports * 7);
  }
  return key;
}

/// True if the checksum of a whole packet is right. A message of zeros only has a sum that no other has, and that an
/// update of the checksum cannot tell from the right one.
bool adds_up(const Headers& h) {
  std::uint32_t length = h.l4_length;
  if (h.protocol == ip_protocol::udp) length = std::min<std::uint32_t>(length, load16(h.l4 + 4));
  std::uint64_t sum = 0;
  if (h.protocol != ip_protocol::icmp) {
    sum = h.v6 ? checksum_add(h.l3 + 8, 32) : checksum_add(h.l3 + 12, 8);
    sum += h.protocol + (length >> 16) + (length & 0xffffU);
  }
  const std::uint16_t left = checksum_finish(checksum_add(h.l4, length, sum));
  return left == 0 || left == 0xffff;
}

bool has_checksum(const Headers& h) {
  if (h.fragment) return false;
  if (h.protocol == ip_protocol::udp) return load16(h.l4 + 6) != 0;
  return h.protocol == ip_protocol::tcp || h.icmp != IcmpKind::none;
}

/// The transport message without its checksum, whose zero has two spellings.
Bytes transport_of(const Headers& h) {
  Bytes out(h.l4, h.l4 + h.l4_length);
  const std::size_t at = h.protocol == ip_protocol::tcp ? 16 : h.protocol == ip_protocol::udp ? 6 : 2;
  const bool sealed = h.protocol == ip_protocol::tcp || h.protocol == ip_protocol::udp || h.icmp != IcmpKind::none;
  if (!h.later_fragment && sealed && out.size() >= at + 2) out[at] = out[at + 1] = 0;
  return out;
}

void there_and_back(Buffer& in, const Nat64Options& options, std::uint8_t ports) {
  const Headers before = in.headers;
  const Bytes transport = transport_of(before);
  const bool sealed = has_checksum(before);
  const bool right = sealed && adds_up(before);
  const FlowKey back_to = before.key;
  const bool udp_zero = before.protocol == ip_protocol::udp && !before.later_fragment && load16(before.l4 + 6) == 0;
  const Nat64 outcome = translate_nat64(in.packet, in.headers, key_for(before, ports), options);
  if (outcome != Nat64::done && outcome != Nat64::fragment) return;
  Headers after;
  fuzz::require(read_headers(in.packet.data, in.packet.length, after) == HeaderError::none);
  fuzz::require(after.v6 != before.v6 && after.key == in.headers.key && after.l4_length == before.l4_length);
  fuzz::require(after.fragment == before.fragment && after.fragment_offset == before.fragment_offset);
  if (sealed) fuzz::require(adds_up(after) == right);
  // RFC 7915 section 4.5: in IPv6 there is no UDP without checksum.
  if (udp_zero && !before.v6) fuzz::require(adds_up(after) && load16(after.l4 + 6) != 0);
  if (outcome == Nat64::fragment) {
    Bytes scratch(options.ipv6_mtu);
    Bytes whole;
    cut_ipv6(in.headers, options.ipv6_mtu, scratch.data(), [&](std::uint8_t* data, std::uint32_t length) {
      Headers piece;
      fuzz::require(length <= options.ipv6_mtu && read_headers(data, length, piece) == HeaderError::none);
      fuzz::require(piece.fragment && piece.fragment_offset == before.fragment_offset + whole.size());
      whole.insert(whole.end(), piece.l4, piece.l4 + piece.l4_length);
    });
    fuzz::require(whole == Bytes(in.headers.l4, in.headers.l4 + in.headers.l4_length));
  }
  Nat64Options wide = options;
  wide.ipv6_mtu = 65535;
  // What leaves with a hop limit of 1 goes no further.
  const Nat64 again = translate_nat64(in.packet, after, back_to, wide);
  if (again == Nat64::hop_limit || (udp_zero && again == Nat64::udp_no_checksum)) return;
  fuzz::require(again == Nat64::done);
  fuzz::require(transport_of(after) == transport);
  if (sealed) fuzz::require(adds_up(after) == right);
}

void error(const Buffer& in, const Nat64Options& options, std::uint8_t ports) {
  const Headers& h = in.headers;
  Headers quoted;
  if (h.fragment || h.l4_length < 8 || !read_quoted_headers(h.l4 + 8, h.l4_length - 8, quoted)) return;
  if (quoted.v6 != h.v6) return;
  Bytes out(kReplyBytes);
  std::uint32_t length = 0;
  FlowKey inner = key_for(quoted, ports);
  std::swap(inner.source, inner.destination);
  if (translate_nat64_error(h, key_for(h, ports), quoted, inner, options, out.data(), length) != Nat64::done) return;
  fuzz::require(length <= (h.v6 ? 576U : 1280U));
  Headers after;
  fuzz::require(read_headers(out.data(), length, after) == HeaderError::none);
  fuzz::require(after.v6 != h.v6 && after.l3_length == length && icmp_checksum_ok(after));
  fuzz::require(after.icmp == IcmpKind::error);
  if (read_quoted_headers(after.l4 + 8, after.l4_length - 8, quoted)) fuzz::require(quoted.key == inner);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  Bytes bytes(data + 2, data + size);
  if (bytes[0] >> 4 == 4 && bytes.size() >= 20) {
    const std::size_t header = std::min<std::size_t>((bytes[0] & 0x0fU) * 4U, bytes.size());
    store16(&bytes[10], 0);
    store16(&bytes[10], checksum_finish(checksum_add(bytes.data(), header)));
  }
  Nat64Options options;
  if ((data[0] & 2U) != 0) options.ipv6_mtu = 1500;
  options.clear_dont_fragment = (data[0] & 4U) != 0;
  options.ipv4_id = data[1];
  Buffer in(bytes.data(), bytes.size(), (data[0] & 1U) != 0 ? kPacketHeadroom : 0);
  if (in.error != HeaderError::none) return 0;
  if (in.headers.icmp == IcmpKind::error) {
    error(in, options, data[1]);
  } else {
    there_and_back(in, options, data[1]);
  }
  return 0;
}
