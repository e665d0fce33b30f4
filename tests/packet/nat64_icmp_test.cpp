// ICMP errors between IPv6 and IPv4: the tables of RFC 7915 sections 4.2 and 5.2, and the packet inside (4.3, 5.3).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "node/packet/nat64.h"
#include "node/packet/reply.h"
#include "tests/support/packets.h"

namespace icr::node::test {
namespace {

constexpr const char* kHost6 = "2001:db8:1::10";
constexpr const char* kPool4 = "203.0.113.1";
constexpr const char* kServer4 = "198.51.100.7";
constexpr const char* kServer6 = "2001:db8:64::c633:6407";
constexpr const char* kRouter4 = "192.0.2.250";
constexpr const char* kRouter6 = "2001:db8:64::c000:2fa";

std::uint32_t at16(const Bytes& p, std::size_t at) { return static_cast<std::uint32_t>(p[at] << 8 | p[at + 1]); }
std::uint32_t at32(const Bytes& p, std::size_t at) { return at16(p, at) << 16 | at16(p, at + 2); }

FlowKey key(const std::string& source, std::uint16_t sport, const std::string& destination, std::uint16_t dport,
            std::uint8_t protocol) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), sport, dport, protocol};
}

struct Outcome {
  Nat64 verdict = Nat64::done;
  Bytes bytes;
};

Outcome translate(const Bytes& in, const std::string& source, const std::string& destination, const FlowKey& quoted_to,
                  const Nat64Options& options = {}) {
  Bytes packet = in;
  Headers error;
  EXPECT_EQ(read_headers(packet.data(), static_cast<std::uint32_t>(packet.size()), error), HeaderError::none);
  EXPECT_EQ(error.icmp, IcmpKind::error);
  EXPECT_TRUE(icmp_checksum_ok(error));
  Headers quoted;
  EXPECT_TRUE(read_quoted_headers(error.l4 + 8, error.l4_length - 8, quoted));
  FlowKey outer = error.key;
  outer.source = *IpAddress::parse(source);
  outer.destination = *IpAddress::parse(destination);
  Bytes out(kReplyBytes);
  std::uint32_t length = 0;
  const Nat64 verdict = translate_nat64_error(error, outer, quoted, quoted_to, options, out.data(), length);
  EXPECT_EQ(packet, in) << "the input is only read";
  out.resize(verdict == Nat64::done ? length : 0);
  return {verdict, out};
}

/// The packet as the IPv4 side sent or saw it, and its key on the other side.
Bytes inside4(std::size_t payload = 30) { return build(udp(kPool4, 5000, kServer4, 80, payload)); }
const FlowKey kInside6 = key(kHost6, 40000, kServer6, 80, 17);
Bytes inside6(std::size_t payload = 30) { return build(udp(kServer6, 80, kHost6, 40000, payload)); }
const FlowKey kInside4 = key(kServer4, 80, kPool4, 5000, 17);

Bytes error4(std::uint8_t type, std::uint8_t code, std::uint32_t field = 0, const Bytes& inside = inside4()) {
  Spec s = echo(kRouter4, kPool4, static_cast<std::uint16_t>(field >> 16));
  s.icmp_type = type;
  s.icmp_code = code;
  s.icmp_sequence = static_cast<std::uint16_t>(field);
  s.payload = inside;
  return build(s);
}
Bytes error6(std::uint8_t type, std::uint8_t code, std::uint32_t field = 0, const Bytes& inside = inside6()) {
  Spec s = echo(kRouter6, kServer6, static_cast<std::uint16_t>(field >> 16));
  s.icmp_type = type;
  s.icmp_code = code;
  s.icmp_sequence = static_cast<std::uint16_t>(field);
  s.payload = inside;
  return build(s);
}
Outcome to6(const Bytes& in, const Nat64Options& o = {}) { return translate(in, kRouter6, kHost6, kInside6, o); }
Outcome to4(const Bytes& in, const Nat64Options& o = {}) { return translate(in, kPool4, kServer4, kInside4, o); }

constexpr int kNone = -1;

TEST(Nat64Icmp, TypesAndCodesToIpv6OfSection42) {
  const struct {
    int type, code, to_type, to_code;
  } kRows[] = {
      {3, 0, 1, 0},  {3, 1, 1, 0},  {3, 2, 4, 1},  {3, 3, 1, 4},      {3, 4, 2, 0},      {3, 5, 1, 0},
      {3, 6, 1, 0},  {3, 7, 1, 0},  {3, 8, 1, 0},  {3, 9, 1, 1},      {3, 10, 1, 1},     {3, 11, 1, 0},
      {3, 12, 1, 0}, {3, 13, 1, 1}, {3, 15, 1, 1}, {3, 14, kNone, 0}, {3, 16, kNone, 0}, {4, 0, kNone, 0},
      {11, 0, 3, 0}, {11, 1, 3, 1}, {12, 0, 4, 0}, {12, 2, 4, 0},     {12, 1, kNone, 0}, {12, 3, kNone, 0},
  };
  for (const auto& row : kRows) {
    const Outcome o = to6(error4(static_cast<std::uint8_t>(row.type), static_cast<std::uint8_t>(row.code)));
    if (row.to_type == kNone) {
      EXPECT_EQ(o.verdict, Nat64::icmp_no_equal) << row.type << " " << row.code;
      continue;
    }
    ASSERT_EQ(o.verdict, Nat64::done);
    const Seen seen = look(o.bytes);
    EXPECT_TRUE(seen.checksums) << row.type << " " << row.code;
    EXPECT_EQ(seen.protocol, 58);
    EXPECT_EQ(seen.icmp_type, row.to_type) << row.type << " " << row.code;
    EXPECT_EQ(seen.icmp_code, row.to_code) << row.type << " " << row.code;
    if (row.type == 3 && row.code == 2) {
      EXPECT_EQ(at32(o.bytes, 44), 6U) << "next header";
    }
  }
}

TEST(Nat64Icmp, TypesAndCodesToIpv4OfSection52) {
  const struct {
    int type, code, to_type, to_code;
  } kRows[] = {
      {1, 0, 3, 1}, {1, 1, 3, 10}, {1, 2, 3, 1},  {1, 3, 3, 1},  {1, 4, 3, 3}, {1, 5, kNone, 0}, {1, 6, kNone, 0},
      {2, 0, 3, 4}, {3, 0, 11, 0}, {3, 1, 11, 1}, {4, 0, 12, 0}, {4, 1, 3, 2}, {4, 2, kNone, 0},
  };
  for (const auto& row : kRows) {
    const Outcome o = to4(error6(static_cast<std::uint8_t>(row.type), static_cast<std::uint8_t>(row.code)));
    if (row.to_type == kNone) {
      EXPECT_EQ(o.verdict, Nat64::icmp_no_equal) << row.type << " " << row.code;
      continue;
    }
    ASSERT_EQ(o.verdict, Nat64::done);
    const Seen seen = look(o.bytes);
    EXPECT_TRUE(seen.checksums) << row.type << " " << row.code;
    EXPECT_EQ(seen.protocol, 1);
    EXPECT_EQ(seen.icmp_type, row.to_type) << row.type << " " << row.code;
    EXPECT_EQ(seen.icmp_code, row.to_code) << row.type << " " << row.code;
  }
}

TEST(Nat64Icmp, PointersOfFigures3And6) {
  const std::array<int, 20> kTo6 = {0, 1, 4, 4, -1, -1, -1, -1, 7, 6, -1, -1, 8, 8, 8, 8, 24, 24, 24, 24};
  for (std::uint32_t pointer = 0; pointer < 30; ++pointer) {
    const Outcome o = to6(error4(12, 0, pointer << 24));
    const int expected = pointer < kTo6.size() ? kTo6[pointer] : -1;
    ASSERT_EQ(o.verdict, expected < 0 ? Nat64::icmp_no_equal : Nat64::done) << pointer;
    if (expected >= 0) {
      EXPECT_EQ(at32(o.bytes, 44), static_cast<std::uint32_t>(expected)) << pointer;
    }
  }
  for (std::uint32_t pointer = 0; pointer < 300; ++pointer) {
    const int expected = pointer <= 1                    ? static_cast<int>(pointer)
                         : pointer == 4 || pointer == 5  ? 2
                         : pointer == 6                  ? 9
                         : pointer == 7                  ? 8
                         : pointer >= 8 && pointer < 24  ? 12
                         : pointer >= 24 && pointer < 40 ? 16
                                                         : -1;
    const Outcome o = to4(error6(4, 0, pointer));
    ASSERT_EQ(o.verdict, expected < 0 ? Nat64::icmp_no_equal : Nat64::done) << pointer;
    if (expected >= 0) {
      EXPECT_EQ(at32(o.bytes, 24), static_cast<std::uint32_t>(expected) << 24) << pointer;
    }
  }
}

TEST(Nat64Icmp, MtuIsAdjusted) {
  Nat64Options wide;
  wide.ipv6_mtu = 9000;
  const auto mtu6 = [&](std::uint32_t told, const Nat64Options& o, std::size_t payload = 30) {
    return at32(to6(error4(3, 4, told, inside4(payload)), o).bytes, 44);
  };
  EXPECT_EQ(mtu6(1400, wide), 1420U);
  EXPECT_EQ(mtu6(8999, wide), 9000U) << "not above the MTU of the IPv6 side";
  EXPECT_EQ(mtu6(576, wide), 1280U) << "not below the minimum of IPv6";
  // A router that does not tell: the plateau below the length of the packet (RFC 1191 section 7.1).
  EXPECT_EQ(mtu6(0, wide, 2100 - 28), 2022U);
  EXPECT_EQ(mtu6(0, wide, 1492 - 28), 1280U);
  const auto mtu4 = [&](std::uint32_t told, const Nat64Options& o) {
    return at32(to4(error6(2, 0, told), o).bytes, 24);
  };
  EXPECT_EQ(mtu4(1400, wide), 1380U);
  EXPECT_EQ(mtu4(1280, wide), 1260U);
  EXPECT_EQ(mtu4(1500, {}), 1260U);
  EXPECT_EQ(mtu4(0, wide), 68U);
  EXPECT_EQ(mtu4(0xffffffffU, wide), 8980U);
}

TEST(Nat64Icmp, PacketInsideToIpv6OfSection43) {
  Spec s = udp(kPool4, 5000, kServer4, 80, 40);
  s.ttl = 1;
  s.traffic_class = 0x12;
  Bytes outer = error4(11, 0, 0, build(s));
  outer[1] = 0xc0;
  fix_ip_checksum(outer);
  const Bytes out = to6(outer).bytes;
  const Seen seen = look(out);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, kRouter6);
  EXPECT_EQ(seen.destination, kHost6);
  EXPECT_EQ(seen.ttl, 63);
  EXPECT_EQ(seen.traffic_class, 0xc0);
  const Seen inside = look(seen.payload);
  EXPECT_TRUE(inside.checksums) << "also the UDP checksum inside is that of the translated packet";
  EXPECT_EQ(inside.ttl, 1) << "as it was";
  EXPECT_EQ(inside.traffic_class, 0x12);
  EXPECT_EQ(inside.source, kHost6);
  EXPECT_EQ(inside.source_port, 40000);
  EXPECT_EQ(inside.destination, kServer6);
  EXPECT_EQ(inside.payload, s.payload);
}

TEST(Nat64Icmp, PacketInsideToIpv4OfSection53) {
  Spec s = tcp(kServer6, 443, kHost6, 40000, kAck, 77, 88, 30);
  const Bytes out = translate(error6(1, 4, 0, build(s)), kPool4, kServer4, key(kServer4, 443, kPool4, 6000, 6)).bytes;
  const Seen seen = look(out);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, kPool4);
  EXPECT_EQ(seen.destination, kServer4);
  const Seen inside = look(seen.payload);
  EXPECT_TRUE(inside.checksums);
  EXPECT_EQ(inside.source, kServer4);
  EXPECT_EQ(inside.destination, kPool4);
  EXPECT_EQ(inside.destination_port, 6000);
  EXPECT_EQ(inside.seq, 77U);
  EXPECT_EQ(inside.payload, s.payload);
}

TEST(Nat64Icmp, EchoInside) {
  const Spec four = echo(kPool4, kServer4, 5000);
  const Seen six = look(
      look(translate(error4(3, 1, 0, build(four)), kRouter6, kHost6, key(kHost6, 77, kServer6, 77, 58)).bytes).payload);
  EXPECT_TRUE(six.checksums);
  EXPECT_EQ(six.icmp_type, 128);
  EXPECT_EQ(six.source_port, 77);
  const Spec reply = echo(kServer6, kHost6, 77, true);
  const Seen back =
      look(look(translate(error6(1, 0, 0, build(reply)), kPool4, kServer4, key(kServer4, 5000, kPool4, 5000, 1)).bytes)
               .payload);
  EXPECT_TRUE(back.checksums);
  EXPECT_EQ(back.icmp_type, 0);
  EXPECT_EQ(back.source_port, 5000);
}

TEST(Nat64Icmp, QuotesOfEveryLengthAndExtensionHeadersInside) {
  const Bytes four = inside4(600);
  for (std::size_t size = 28; size <= four.size(); ++size) {
    const Bytes cut(four.begin(), four.begin() + static_cast<std::ptrdiff_t>(size));
    const Bytes out = to6(error4(3, 1, 0, cut)).bytes;
    ASSERT_EQ(out.size(), 48 + size + 20);
    ASSERT_TRUE(look(out).checksums) << size;
    EXPECT_EQ(at16(out, 48 + 4), four.size() - 20) << "the length is the packet's, not what is quoted";
  }
  const Bytes six = inside6(1400);
  for (std::size_t size = 48; size <= 1232; ++size) {
    const Bytes cut(six.begin(), six.begin() + static_cast<std::ptrdiff_t>(size));
    const Bytes out = to4(error6(1, 0, 0, cut)).bytes;
    ASSERT_EQ(out.size(), std::min<std::size_t>(576, 28 + size - 20));
    ASSERT_TRUE(look(out).checksums) << size;
    EXPECT_EQ(at16(out, 28 + 2), six.size() - 20);
    EXPECT_EQ(out[28 + 6] & 0x40, 0x40);
  }
  Spec s = udp(kServer6, 80, kHost6, 40000, 30);
  s.v6_first = 60;
  s.v6_extensions = {17, 0, 1, 4, 0, 0, 0, 0};
  const Seen inside = look(look(to4(error6(1, 0, 0, build(s))).bytes).payload);
  EXPECT_TRUE(inside.checksums);
  EXPECT_EQ(inside.payload, s.payload);
}

TEST(Nat64Icmp, FragmentInside) {
  const auto pieces6 = fragments_of(inside6(2000), 1200, 0xabcd1234);
  Bytes cut(pieces6[0].begin(), pieces6[0].begin() + 400);
  const Bytes out4 = to4(error6(1, 0, 0, cut)).bytes;
  EXPECT_EQ(at16(out4, 28 + 4), 0x1234U);
  EXPECT_EQ(at16(out4, 28 + 6), 0x2000U);
  const auto pieces4 = fragments_of(inside4(2000), 1200, 0x7777);
  const Bytes out6 = to6(error4(11, 1, 0, Bytes(pieces4[0].begin(), pieces4[0].begin() + 400))).bytes;
  EXPECT_EQ(out6[48 + 6], 44);
  EXPECT_EQ(at16(out6, 48 + 42), 1U);
  EXPECT_EQ(at32(out6, 48 + 44), 0x7777U);
  EXPECT_TRUE(look(out6).checksums);
}

TEST(Nat64Icmp, ProtocolsInsideThatMeanSomethingElse) {
  Bytes inside = inside4();
  for (const int protocol : {0, 2, 43, 58, 60}) {
    inside[9] = static_cast<std::uint8_t>(protocol);
    EXPECT_EQ(to6(error4(3, 1, 0, inside)).verdict, Nat64::icmp_no_equal) << protocol;
  }
}

TEST(Nat64Icmp, HopLimitOfTheErrorItself) {
  Bytes p = error4(3, 1);
  p[8] = 1;
  fix_ip_checksum(p);
  EXPECT_EQ(to6(p).verdict, Nat64::hop_limit);
}

// RFC 4884: the length counts words of 4 octets in ICMP and of 8 in ICMPv6; the datagram is padded to 128 octets at
// least.
TEST(Nat64Icmp, ExtensionsOfRfc4884) {
  const Bytes extension = {0x20, 0, 0, 0, 0, 8, 1, 1, 0xaa, 0xbb, 0xcc, 0xdd};
  Bytes datagram = inside4(30);
  datagram.resize(128);
  Bytes quoted = datagram;
  quoted.insert(quoted.end(), extension.begin(), extension.end());
  const Bytes out = to6(error4(11, 0, 32U << 16, quoted)).bytes;
  EXPECT_TRUE(look(out).checksums);
  EXPECT_EQ(out[44] * 8U, 152U) << "128 and 20 octets, in whole words of 8";
  ASSERT_EQ(out.size(), 48 + 152 + extension.size());
  EXPECT_EQ(Bytes(out.end() - static_cast<std::ptrdiff_t>(extension.size()), out.end()), extension);
  // And back.
  Bytes six = inside6(100);
  Bytes quoted6 = six;
  quoted6.resize(152);
  quoted6.insert(quoted6.end(), extension.begin(), extension.end());
  const Bytes back = to4(error6(3, 0, 19U << 24, quoted6)).bytes;
  EXPECT_TRUE(look(back).checksums);
  EXPECT_EQ(back[25] * 4U, 132U);
  EXPECT_EQ(Bytes(back.end() - static_cast<std::ptrdiff_t>(extension.size()), back.end()), extension);
  // "Packet too big" has none.
  const Bytes big = to6(error4(3, 4, 32U << 16 | 1400, quoted)).bytes;
  EXPECT_EQ(big.size(), 48U + 148);
  EXPECT_EQ(at32(big, 44), 1280U);
  // A length that is not true is no reason to read beyond the end.
  for (unsigned words = 0; words < 256; ++words) {
    const Outcome o = to6(error4(11, 0, words << 16, quoted));
    ASSERT_EQ(o.verdict, Nat64::done);
    ASSERT_TRUE(look(o.bytes).checksums) << words;
  }
}

}  // namespace
}  // namespace icr::node::test
