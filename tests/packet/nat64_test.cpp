// Packets between IPv6 and IPv4: each test names the section of RFC 7915 that it follows. What comes out is taken apart
// by code that shares nothing with the translator.
#include "node/packet/nat64.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <random>

#include "node/packet/checksum.h"
#include "tests/support/packets.h"

namespace icr::node::test {
namespace {

using Random = std::mt19937_64;

// A host, the pool's address, and a server with its address below the NAT64 prefix.
constexpr const char* kHost6 = "2001:db8:1::10";
constexpr const char* kPool4 = "203.0.113.1";
constexpr const char* kServer4 = "198.51.100.7";
constexpr const char* kServer6 = "2001:db8:64::c633:6407";

FlowKey key(const std::string& source, std::uint16_t sport, const std::string& destination, std::uint16_t dport,
            std::uint8_t protocol) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), sport, dport, protocol};
}

/// A packet in a buffer with so much room before and behind it, and nothing more.
struct Buffer {
  Buffer(const Bytes& bytes, std::uint32_t headroom, std::uint32_t tailroom)
      : memory(headroom + bytes.size() + tailroom) {
    std::copy(bytes.begin(), bytes.end(), memory.begin() + headroom);
    packet = Packet{memory.data() + headroom, static_cast<std::uint32_t>(bytes.size()),
                    static_cast<std::uint32_t>(bytes.size()) + tailroom, 1, headroom};
    error = read_headers(packet.data, packet.length, headers);
  }
  [[nodiscard]] Bytes bytes() const { return {packet.data, packet.data + packet.length}; }
  Bytes memory;
  Packet packet;
  Headers headers;
  HeaderError error = HeaderError::none;
};

struct Outcome {
  Nat64 verdict = Nat64::done;
  Bytes bytes;
};

Outcome translate(const Bytes& in, const FlowKey& to, const Nat64Options& options = {}, std::uint32_t headroom = 64) {
  Buffer buffer(in, headroom, headroom < 64 ? 64 : 0);
  EXPECT_EQ(buffer.error, HeaderError::none);
  const Headers before = buffer.headers;
  const Nat64 verdict = translate_nat64(buffer.packet, buffer.headers, to, options);
  if (verdict != Nat64::done && verdict != Nat64::fragment) {
    EXPECT_EQ(buffer.bytes(), in) << "changed, though it was refused";
    return {verdict, {}};
  }
  // The headers are what reading the packet anew gives.
  Headers again;
  EXPECT_EQ(read_headers(buffer.packet.data, buffer.packet.length, again), HeaderError::none);
  EXPECT_EQ(again.key, buffer.headers.key);
  EXPECT_EQ(again.l4, buffer.headers.l4);
  EXPECT_EQ(again.l4_length, buffer.headers.l4_length);
  EXPECT_EQ(again.l3_length, buffer.headers.l3_length);
  EXPECT_EQ(again.protocol, buffer.headers.protocol);
  EXPECT_EQ(again.fragment_header, buffer.headers.fragment_header);
  EXPECT_EQ(again.icmp, before.icmp);
  return {verdict, buffer.bytes()};
}

const FlowKey kTo4 = key(kPool4, 5000, kServer4, 80, 17);
const FlowKey kTo6 = key(kServer6, 80, kHost6, 40000, 17);
Spec from6(std::size_t payload = 20) { return udp(kHost6, 40000, kServer6, 80, payload); }
Spec from4(std::size_t payload = 20) { return udp(kServer4, 80, kPool4, 5000, payload); }
/// With the right protocol number.
FlowKey as(FlowKey k, std::uint8_t protocol) {
  k.protocol = protocol;
  return k;
}

std::uint32_t at16(const Bytes& p, std::size_t at) { return static_cast<std::uint32_t>(p[at] << 8 | p[at + 1]); }

TEST(Nat64Packet, HeaderFieldsToIpv4OfSection51) {
  Spec s = from6(33);
  s.traffic_class = 0xb9;
  s.ttl = 57;
  Nat64Options options;
  options.ipv4_id = 0xabcd;
  const Bytes out = translate(build(s), kTo4, options).bytes;
  ASSERT_EQ(out.size(), 20U + 8 + 33);
  EXPECT_EQ(out[0], 0x45);
  const Seen seen = look(out);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.traffic_class, 0xb9);
  EXPECT_EQ(at16(out, 2), out.size());
  EXPECT_EQ(at16(out, 4), 0xabcdU);
  EXPECT_EQ(at16(out, 6), 0U);  // up to 1260 octets: may be fragmented
  EXPECT_EQ(seen.ttl, 56);
  EXPECT_EQ(seen.protocol, 17);
  EXPECT_EQ(seen.source, kPool4);
  EXPECT_EQ(seen.destination, kServer4);
  EXPECT_EQ(seen.source_port, 5000);
  EXPECT_EQ(seen.destination_port, 80);
  EXPECT_EQ(seen.payload, s.payload);
}

TEST(Nat64Packet, HeaderFieldsToIpv6OfSection41) {
  Spec s = from4(33);
  s.traffic_class = 0x2e;
  s.ttl = 2;
  const Bytes out = translate(build(s), kTo6).bytes;
  ASSERT_EQ(out.size(), 40U + 8 + 33);
  const Seen seen = look(out);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(out[0] >> 4, 6);
  EXPECT_EQ(seen.traffic_class, 0x2e);
  EXPECT_EQ(at16(out, 2), 0U);  // flow label 0
  EXPECT_EQ(out[1] & 0x0f, 0);
  EXPECT_EQ(at16(out, 4), 8U + 33);
  EXPECT_EQ(seen.protocol, 17) << "no fragment header for a packet that is none (RFC 8021)";
  EXPECT_EQ(seen.ttl, 1);
  EXPECT_EQ(seen.source, kServer6);
  EXPECT_EQ(seen.destination, kHost6);
  EXPECT_EQ(seen.destination_port, 40000);
  EXPECT_EQ(seen.payload, s.payload);
}

TEST(Nat64Packet, DontFragmentOfSection51) {
  const auto df = [](const Bytes& p) { return (p[6] & 0x40) != 0; };
  const std::size_t fits = 1260 - 28;
  EXPECT_FALSE(df(translate(build(from6(fits)), kTo4).bytes));
  EXPECT_TRUE(df(translate(build(from6(fits + 1)), kTo4).bytes));
  Nat64Options clear;
  clear.clear_dont_fragment = true;
  EXPECT_FALSE(df(translate(build(from6(fits + 1)), kTo4, clear).bytes));
}

TEST(Nat64Packet, HopLimitOneIsNotForwarded) {
  Spec six = from6();
  six.ttl = 1;
  EXPECT_EQ(translate(build(six), kTo4).verdict, Nat64::hop_limit);
  Spec four = from4();
  four.ttl = 1;
  EXPECT_EQ(translate(build(four), kTo6).verdict, Nat64::hop_limit);
}

TEST(Nat64Packet, OptionsAndExtensionHeadersAreDropped) {
  Spec four = from4();
  four.ip_options = {7, 7, 4, 0, 0, 0, 0, 0};  // record route
  const Seen to6 = look(translate(build(four), kTo6).bytes);
  EXPECT_TRUE(to6.checksums);
  EXPECT_EQ(to6.payload, four.payload);
  Spec six = from6();
  six.v6_first = 0;  // hop-by-hop, destination options, routing with no segments left
  six.v6_extensions = {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0};
  const Seen to4 = look(translate(build(six), kTo4).bytes);
  EXPECT_TRUE(to4.checksums);
  EXPECT_EQ(to4.payload, six.payload);
}

TEST(Nat64Packet, SourceRoutesAreRefused) {
  for (const std::uint8_t option : std::initializer_list<std::uint8_t>{131, 137}) {
    Spec four = from4();
    four.ip_options = {option, 7, 4, 198, 51, 100, 9, 0};
    EXPECT_EQ(translate(build(four), kTo6).verdict, Nat64::source_route);
  }
  Spec six = from6();
  six.v6_first = 43;
  six.v6_extensions = {17, 0, 4, 1, 0, 0, 0, 0};
  EXPECT_EQ(translate(build(six), kTo4).verdict, Nat64::source_route);
}

TEST(Nat64Packet, ProtocolsThatMeanSomethingElseAreRefused) {
  for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{2, 43, 44, 58, 59, 60}) {
    Spec s = from4();
    s.protocol = protocol;
    EXPECT_EQ(translate(build(s), as(kTo6, protocol)).verdict, Nat64::protocol_unknown) << int{protocol};
  }
  for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{1, 2}) {
    Spec s = from6();
    s.protocol = 200;
    Bytes p = build(s);
    p[6] = protocol;
    EXPECT_EQ(translate(p, as(kTo4, protocol)).verdict, Nat64::protocol_unknown) << int{protocol};
  }
  // Others pass with their payload as it is.
  Spec gre = from6(50);
  gre.protocol = 47;
  const Seen seen = look(translate(build(gre), key(kPool4, 0, kServer4, 0, 47)).bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.protocol, 47);
  EXPECT_EQ(seen.transport, gre.payload);
}

TEST(Nat64Packet, UdpWithoutChecksumOfSection45) {
  for (const std::size_t payload : {0U, 1U, 20U, 33U}) {
    Spec s = from4(payload);
    s.udp_without_checksum = true;
    const Bytes out = translate(build(s), kTo6).bytes;
    EXPECT_NE(at16(out, 46), 0U);
    EXPECT_TRUE(look(out).checksums);
    EXPECT_EQ(look(out).payload, s.payload);
  }
  Spec s = from4(100);
  s.udp_without_checksum = true;
  const auto pieces = fragments_of(build(s), 64);
  EXPECT_EQ(translate(pieces[0], kTo6).verdict, Nat64::udp_no_checksum);
}

TEST(Nat64Packet, EveryProtocolBothWaysWithAndWithoutRoom) {
  Random random(7);
  for (int i = 0; i < 20000; ++i) {
    const bool six = random() % 2 == 0;
    const auto kind = static_cast<unsigned>(random() % 3);
    Spec s = six ? from6(random() % 300) : from4(random() % 300);
    for (auto& octet : s.payload) octet = static_cast<std::uint8_t>(random() % 4 == 0 ? 0xff : random());
    s.source_port = static_cast<std::uint16_t>(1 + random() % 65535);
    s.destination_port = static_cast<std::uint16_t>(1 + random() % 65535);
    FlowKey to = six ? kTo4 : kTo6;
    to.source_port = static_cast<std::uint16_t>(1 + random() % 65535);
    to.destination_port = static_cast<std::uint16_t>(1 + random() % 65535);
    s.ttl = static_cast<std::uint8_t>(2 + random() % 250);
    s.traffic_class = static_cast<std::uint8_t>(random());
    if (!six && random() % 4 == 0) s.ip_options.assign(4 * (1 + random() % 10), 1);
    if (kind == 0) s.protocol = 6, s.flags = kAck, s.seq = static_cast<std::uint32_t>(random());
    if (kind == 2) {
      s.protocol = six ? 58 : 1;
      const bool reply = random() % 2 == 0;
      s.icmp_type = static_cast<std::uint8_t>(six ? (reply ? 129 : 128) : (reply ? 0 : 8));
      s.destination_port = s.source_port;
      to.destination_port = to.source_port;
    }
    to.protocol = kind == 0 ? 6 : kind == 1 ? 17 : six ? 1 : 58;
    const Outcome out = translate(build(s), to, {}, random() % 2 == 0 ? 64 : static_cast<std::uint32_t>(random() % 30));
    ASSERT_EQ(out.verdict, Nat64::done);
    const Seen seen = look(out.bytes);
    ASSERT_TRUE(seen.checksums) << "packet " << i << " kind " << kind;
    EXPECT_EQ(seen.source, to.source.to_string());
    EXPECT_EQ(seen.destination, to.destination.to_string());
    EXPECT_EQ(seen.source_port, to.source_port);
    EXPECT_EQ(seen.destination_port, to.destination_port);
    EXPECT_EQ(seen.ttl, s.ttl - 1);
    EXPECT_EQ(seen.traffic_class, s.traffic_class);
    EXPECT_EQ(seen.payload, s.payload);
    if (kind == 2) {
      const bool reply = s.icmp_type == 0 || s.icmp_type == 129;
      EXPECT_EQ(seen.icmp_type, six ? (reply ? 0 : 8) : (reply ? 129 : 128));
    }
    // And back: what was sent, but for the hop limit, options and identification.
    FlowKey back = key(s.source, s.source_port, s.destination, s.destination_port, s.protocol);
    if (seen.ttl == 1) continue;
    const Outcome again = translate(out.bytes, back);
    ASSERT_EQ(again.verdict, Nat64::done);
    const Seen home = look(again.bytes);
    ASSERT_TRUE(home.checksums);
    EXPECT_EQ(home.transport, look(build(s)).transport) << "packet " << i;
  }
}

TEST(Nat64Packet, NoRoomIsRefused) {
  Buffer tight(build(from4()), 10, 9);
  EXPECT_EQ(translate_nat64(tight.packet, tight.headers, kTo6, {}), Nat64::too_long);
  Buffer enough(build(from4()), 10, 10);
  EXPECT_EQ(translate_nat64(enough.packet, enough.headers, kTo6, {}), Nat64::done);
  EXPECT_TRUE(look(enough.bytes()).checksums);
  // An IPv6 payload of 65516 octets and more has no IPv4 packet.
  EXPECT_EQ(translate(build(from6(65515 - 8)), kTo4).verdict, Nat64::done);
  EXPECT_EQ(translate(build(from6(65516 - 8)), kTo4).verdict, Nat64::too_long);
}

// -- Fragments --

TEST(Nat64Fragments, Ipv6FragmentsOfSection511) {
  const Spec s = from6(3000);
  std::vector<Bytes> out;
  for (const Bytes& piece : fragments_of(build(s), 1232, 0x12345678)) {
    FlowKey to = kTo4;
    if (!out.empty()) to.source_port = to.destination_port = 0;
    out.push_back(translate(piece, to).bytes);
    EXPECT_EQ(at16(out.back(), 4), 0x5678U) << "identification: the low 16 bits";
    EXPECT_EQ(out.back()[6] & 0x40, 0) << "DF is 0";
    EXPECT_EQ(out.back()[9], 17);
  }
  ASSERT_EQ(out.size(), 3U);
  const Seen seen = look(reassembled(out));
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.payload, s.payload);
  EXPECT_EQ(seen.source_port, 5000);
}

TEST(Nat64Fragments, FragmentedExtensionHeadersAreRefused) {
  Spec s = from6(100);
  s.v6_first = 60;
  s.v6_extensions = {17, 0, 1, 4, 0, 0, 0, 0};
  for (const Bytes& piece : fragments_of(build(s), 64)) {
    EXPECT_EQ(translate(piece, kTo4).verdict, Nat64::protocol_unknown);
  }
  // In front of the fragment header they are dropped like any other.
  Spec before = from6(64);
  before.v6_first = 60;
  before.v6_extensions = {44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9};
  EXPECT_EQ(translate(build(before), kTo4).verdict, Nat64::done);
}

TEST(Nat64Fragments, AtomicFragmentsBecomeWholePackets) {
  Spec s = from6(1400);
  s.v6_first = 44;
  s.v6_extensions = {17, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd};
  const Bytes out = translate(build(s), kTo4).bytes;
  EXPECT_EQ(at16(out, 4), 0xccddU);
  EXPECT_EQ(at16(out, 6), 0U);
  EXPECT_TRUE(look(out).checksums);
}

TEST(Nat64Fragments, Ipv4FragmentsOfSection41) {
  const Spec s = from4(3000);
  std::vector<Bytes> out;
  for (const Bytes& piece : fragments_of(build(s), 1200, 0x4321)) {
    FlowKey to = kTo6;
    if (!out.empty()) to.source_port = to.destination_port = 0;
    const Outcome o = translate(piece, to);
    EXPECT_EQ(o.verdict, Nat64::done);
    out.push_back(o.bytes);
    EXPECT_EQ(out.back()[6], 44);
    EXPECT_EQ(at16(out.back(), 44), 0U) << "identification: the high 16 bits are 0";
    EXPECT_EQ(at16(out.back(), 46), 0x4321U);
  }
  ASSERT_EQ(out.size(), 3U);
  const Seen seen = look(reassembled(out));
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.payload, s.payload);
}

std::vector<Bytes> cut(const Bytes& in, const FlowKey& to, std::uint32_t mtu) {
  Buffer buffer(in, 64, 0);
  Nat64Options options;
  options.ipv6_mtu = mtu;
  EXPECT_EQ(translate_nat64(buffer.packet, buffer.headers, to, options), Nat64::fragment);
  Bytes scratch(mtu);
  std::vector<Bytes> out;
  cut_ipv6(buffer.headers, mtu, scratch.data(), [&](const std::uint8_t* data, std::uint32_t length) {
    EXPECT_LE(length, mtu);
    out.emplace_back(data, data + length);
  });
  return out;
}

TEST(Nat64Fragments, PacketsThatDoNotFitAreCut) {
  for (const std::uint32_t mtu : {1280U, 1500U, 4001U}) {
    for (const std::size_t payload : {1400U, 2464U, 4000U, 60000U}) {
      if (payload + 48 <= mtu) continue;
      const Spec s = from4(payload);
      const auto pieces = cut(build(s), kTo6, mtu);
      EXPECT_EQ(pieces.size(), (payload + 8 + ((mtu - 48) & ~7U) - 1) / ((mtu - 48) & ~7U));
      const Seen seen = look(reassembled(pieces));
      EXPECT_TRUE(seen.checksums) << mtu << " " << payload;
      EXPECT_EQ(seen.payload, s.payload);
    }
  }
  // Exactly the MTU fits.
  EXPECT_EQ(translate(build(from4(1280 - 48)), kTo6).verdict, Nat64::done);
  EXPECT_EQ(translate(build(from4(1280 - 47)), kTo6).verdict, Nat64::fragment);
}

TEST(Nat64Fragments, FragmentsThatDoNotFitAreCutFurther) {
  const Spec s = from4(4040);
  std::vector<Bytes> all;
  for (const Bytes& piece : fragments_of(build(s), 1360, 99)) {
    FlowKey to = kTo6;
    if (!all.empty()) to.source_port = to.destination_port = 0;
    const auto pieces = cut(piece, to, 1280);
    all.insert(all.end(), pieces.begin(), pieces.end());
  }
  EXPECT_EQ(all.size(), 6U) << "each of three in two";
  const Seen seen = look(reassembled(all));
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.payload, s.payload);
}

TEST(Nat64Fragments, WithDontFragmentTheyAreRefused) {
  Spec s = from4(1280 - 47);
  s.dont_fragment = true;
  EXPECT_EQ(translate(build(s), kTo6).verdict, Nat64::too_big);
  s.payload.pop_back();
  EXPECT_EQ(translate(build(s), kTo6).verdict, Nat64::done);
}

TEST(Nat64Fragments, IcmpInFragmentsIsRefused) {
  Spec four = echo(kServer4, kPool4, 9);
  four.payload.resize(2000);
  for (const Bytes& piece : fragments_of(build(four), 1000)) {
    EXPECT_EQ(translate(piece, as(kTo6, 58)).verdict, Nat64::icmp_fragment);
  }
  Spec six = echo(kHost6, kServer6, 9);
  six.payload.resize(2000);
  EXPECT_EQ(translate(fragments_of(build(six), 1000)[0], as(kTo4, 1)).verdict, Nat64::icmp_fragment);
}

// -- Packets that the kernel has not finished (node/packet/packet.h) --

TEST(Nat64Offload, SegmentsMustFitOneByOne) {
  Spec s = tcp(kServer4, 80, kPool4, 5000, kAck, 1, 2, 20000);
  const FlowKey to = as(kTo6, 6);
  const auto run = [&](std::uint16_t segment, bool df, std::uint16_t& after) {
    s.dont_fragment = df;
    Buffer buffer(build(s), 64, 0);
    buffer.packet.segment_bytes = segment;
    buffer.packet.partial_checksum = true;
    const Nat64 verdict = translate_nat64(buffer.packet, buffer.headers, to, {});
    after = buffer.packet.segment_bytes;
    return verdict;
  };
  std::uint16_t after = 0;
  EXPECT_EQ(run(1220, true, after), Nat64::done);
  EXPECT_EQ(after, 1220);
  EXPECT_EQ(run(1221, true, after), Nat64::too_big);
  EXPECT_EQ(run(1460, false, after), Nat64::done);
  EXPECT_EQ(after, 1220) << "smaller segments, of 1280 octets each";

  Spec datagrams = from4(6000);
  Buffer buffer(build(datagrams), 64, 0);
  buffer.packet.segment_bytes = 1400;
  buffer.packet.partial_checksum = true;
  EXPECT_EQ(translate_nat64(buffer.packet, buffer.headers, kTo6, {}), Nat64::too_long);
  // DF of the IPv4 packet: by the length of a segment.
  for (const std::uint16_t segment : std::initializer_list<std::uint16_t>{1220, 1221}) {
    Buffer six(build(tcp(kHost6, 40000, kServer6, 80, kAck, 1, 2, 20000)), 0, 0);
    six.packet.segment_bytes = segment;
    six.packet.partial_checksum = true;
    EXPECT_EQ(translate_nat64(six.packet, six.headers, as(kTo4, 6), {}), Nat64::done);
    EXPECT_EQ((six.packet.data[6] & 0x40) != 0, segment > 1220);
  }
}

TEST(Nat64Offload, WhatIsCutGetsItsChecksum) {
  for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{6, 17}) {
    Spec s = from4(1400);
    s.protocol = protocol;
    s.flags = kAck;
    Bytes p = build(s);
    p[protocol == 6 ? 36 : 26] ^= 0x5a;  // what the field holds has no meaning
    Buffer buffer(p, 64, 0);
    buffer.packet.partial_checksum = true;
    ASSERT_EQ(translate_nat64(buffer.packet, buffer.headers, as(kTo6, protocol), {}), Nat64::fragment);
    EXPECT_FALSE(buffer.packet.partial_checksum);
    EXPECT_TRUE(look(buffer.bytes()).checksums);
  }
}

TEST(Nat64Packet, InformationalIcmpHasNoEqual) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{5, 9, 10, 13, 14, 15, 16, 17, 18}) {
    Spec s = echo(kServer4, kPool4, 9);
    s.icmp_type = type;
    EXPECT_EQ(translate(build(s), as(kTo6, 58)).verdict, Nat64::icmp_no_equal) << int{type};
  }
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{130, 131, 133, 134, 135, 136, 137, 143}) {
    Spec s = echo(kHost6, kServer6, 9);
    s.icmp_type = type;
    EXPECT_EQ(translate(build(s), as(kTo4, 1)).verdict, Nat64::icmp_no_equal) << int{type};
  }
}

}  // namespace
}  // namespace icr::node::test
