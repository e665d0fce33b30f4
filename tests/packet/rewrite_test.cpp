// Rewriting: the incremental checksums are those that a computation from scratch gives.
#include "node/packet/rewrite.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "model/record/protocol.h"
#include "node/packet/checksum.h"
#include "tests/support/packets.h"

namespace icr::node::test {
namespace {

using Random = std::mt19937_64;

std::string random_v4(Random& random) {
  return std::to_string(1 + random() % 100) + "." + std::to_string(random() % 256) + "." +
         std::to_string(random() % 256) + "." + std::to_string(random() % 256);
}
std::string random_v6(Random& random) {
  IpAddress a;
  for (auto& octet : a.bytes) octet = random() % 3 == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(random());
  a.bytes[0] = 0x20;
  return a.to_string();
}
std::uint16_t random_port(Random& random) { return static_cast<std::uint16_t>(1 + random() % 65535); }

FlowKey random_key(Random& random, bool six, std::uint8_t protocol, bool echo_id) {
  FlowKey key;
  key.source = *IpAddress::parse(six ? random_v6(random) : random_v4(random));
  key.destination = *IpAddress::parse(six ? random_v6(random) : random_v4(random));
  key.protocol = protocol;
  if (has_ports(protocol) || echo_id) {
    key.source_port = random_port(random);
    key.destination_port = echo_id ? key.source_port : random_port(random);
  }
  return key;
}

Spec random_spec(Random& random, bool six, std::uint8_t protocol) {
  Spec s;
  s.source = six ? random_v6(random) : random_v4(random);
  s.destination = six ? random_v6(random) : random_v4(random);
  s.protocol = protocol;
  s.source_port = random_port(random);
  s.destination_port = random_port(random);
  s.flags = kAck;
  s.seq = static_cast<std::uint32_t>(random());
  s.icmp_type = six ? 128 : 8;
  if (!six && random() % 4 == 0) s.ip_options.assign(8, 1);
  s.payload.resize(random() % 70);
  for (auto& octet : s.payload) octet = static_cast<std::uint8_t>(random() % 5 == 0 ? 0xff : random());
  return s;
}

TEST(Rewrite, EqualsAComputationFromScratch) {
  Random random(1);
  for (int i = 0; i < 30000; ++i) {
    const bool six = random() % 3 == 0;
    const auto protocol =
        std::array<std::uint8_t, 4>{6, 17, static_cast<std::uint8_t>(six ? 58 : 1), 132}[random() % 4];
    Spec spec = random_spec(random, six, protocol);
    if (protocol == 132) spec.payload.resize(20, 1);
    Bytes p = build(spec);
    if (protocol == 132) {
      // Ports are all that the engine knows of SCTP.
      const std::size_t l4 = p.size() - spec.payload.size();
      p[l4] = 1, p[l4 + 2] = 2;
    }
    Headers h;
    const auto error = read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h);
    if (error == HeaderError::ip_land) continue;
    ASSERT_EQ(error, HeaderError::none);
    const FlowKey to = random_key(random, six, protocol, h.icmp == IcmpKind::echo_request);
    const Bytes before = p;
    rewrite(h, to);
    EXPECT_EQ(h.key, to);
    const Seen seen = look(p);
    ASSERT_TRUE(seen.checksums) << "packet " << i;
    EXPECT_EQ(seen.source, to.source.to_string());
    EXPECT_EQ(seen.destination, to.destination.to_string());
    EXPECT_EQ(seen.source_port, to.source_port);
    EXPECT_EQ(seen.destination_port, to.destination_port);
    if (protocol != 132) {
      EXPECT_EQ(seen.payload, spec.payload);
    }
    // And back again: octet by octet what it was.
    Headers again;
    if (read_headers(p.data(), static_cast<std::uint32_t>(p.size()), again) != HeaderError::none) continue;
    FlowKey from;
    from.source = *IpAddress::parse(spec.source);
    from.destination = *IpAddress::parse(spec.destination);
    from.protocol = protocol;
    const Seen old = look(before);
    from.source_port = old.source_port;
    from.destination_port = old.destination_port;
    rewrite(again, from);
    ASSERT_EQ(p, before);
  }
}

TEST(Rewrite, UdpChecksumsOfZero) {
  // None stays none.
  Spec none = udp("198.18.0.1", 5, "198.19.0.1", 6, 9);
  none.udp_without_checksum = true;
  Bytes p = build(none);
  Headers h;
  ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
  FlowKey to = h.key;
  to.source_port = 777;
  rewrite(h, to);
  EXPECT_EQ(load16(h.l4 + 6), 0);
  // A sum that comes out as zero is sent as 0xffff: search for a port where it does.
  Bytes q = build(udp("198.18.0.1", 5, "198.19.0.1", 6, 9));
  int found = 0;
  for (unsigned port = 1; port <= 65535; ++port) {
    Bytes copy = q;
    ASSERT_EQ(read_headers(copy.data(), static_cast<std::uint32_t>(copy.size()), h), HeaderError::none);
    to = h.key;
    to.source_port = static_cast<std::uint16_t>(port);
    rewrite(h, to);
    ASSERT_NE(load16(h.l4 + 6), 0) << "would mean: no checksum";
    if (load16(h.l4 + 6) == 0xffff) ++found;
    if (port % 997 == 0) {
      ASSERT_TRUE(look(copy).checksums);
    }
  }
  EXPECT_EQ(found, 1);
}

TEST(Rewrite, LaterFragmentsKeepTheirPayload) {
  const Bytes whole = build(udp("198.18.0.1", 5, "198.19.0.1", 6, 600));
  auto pieces = fragments_of(whole, 256);
  std::vector<Bytes> out;
  for (Bytes& piece : pieces) {
    Headers h;
    ASSERT_EQ(read_headers(piece.data(), static_cast<std::uint32_t>(piece.size()), h), HeaderError::none);
    FlowKey to = h.key;
    to.source = *IpAddress::parse("203.0.113.9");
    if (!h.later_fragment) to.source_port = 4444;
    rewrite(h, to);
    out.push_back(piece);
  }
  const Bytes again = reassembled(out);
  ASSERT_FALSE(again.empty());
  const Seen seen = look(again);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "203.0.113.9");
  EXPECT_EQ(seen.source_port, 4444);
  EXPECT_EQ(seen.payload, look(whole).payload);
}

TEST(Rewrite, IcmpErrorsWithQuotesOfEveryLength) {
  Random random(3);
  for (const std::uint8_t protocol : {std::uint8_t{6}, std::uint8_t{17}, std::uint8_t{1}}) {
    Spec inside = random_spec(random, false, protocol);
    inside.ip_options.clear();
    inside.payload.assign(31, 0xa5);
    const Bytes quoted_whole = build(inside);
    for (std::size_t size = 28; size <= quoted_whole.size(); ++size) {
      if (protocol == 6 && size == 37) continue;  // half a checksum cannot be repaired
      const Bytes quote(quoted_whole.begin(), quoted_whole.begin() + static_cast<std::ptrdiff_t>(size));
      Bytes p = icmp_error("198.51.100.1", inside.source, 3, 1, quote);
      Headers h, q;
      ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
      ASSERT_TRUE(read_quoted_headers(h.l4 + 8, h.l4_length - 8, q));
      FlowKey outer = h.key;
      outer.destination = *IpAddress::parse("198.18.0.77");
      FlowKey inner = q.key;
      inner.source = outer.destination;
      inner.source_port = 31337;
      if (protocol == 1) inner.destination_port = 31337;
      rewrite_icmp_error(h, outer, q, inner);
      const Seen seen = look(p);
      ASSERT_TRUE(seen.checksums) << size;
      EXPECT_EQ(seen.destination, "198.18.0.77");
      // What is quoted is the beginning of the packet as the other side built it.
      Spec original = inside;
      original.source = "198.18.0.77";
      original.source_port = 31337;
      const Bytes expected = build(original);
      ASSERT_EQ(seen.payload, Bytes(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(size))) << size;
    }
  }
}

TEST(Checksum, OddLengthsAndCarries) {
  Random random(9);
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes data(size);
    for (auto& octet : data) octet = static_cast<std::uint8_t>(random() % 2 == 0 ? 0xff : random());
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += i % 2 == 0 ? data[i] * 256U : data[i];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(checksum_finish(checksum_add(data.data(), size)), static_cast<std::uint16_t>(~sum));
  }
}

// -- Maximum segment size (RFC 9293 section 3.7.1) --

TEST(ClampMss, AtAnyPlaceAmongTheOptions) {
  for (const bool six : {false, true}) {
    for (unsigned padding = 0; padding < 8; ++padding) {
      for (const unsigned mss : {536U, 1300U, 1301U, 1460U, 65535U}) {
        Spec s = six ? tcp("2001:db8::1", 10, "2001:db8::2", 20, kSyn, 1, 0)
                     : tcp("198.18.0.1", 10, "198.19.0.1", 20, kSyn, 1, 0);
        s.tcp_options.assign(padding, 1);
        s.tcp_options.insert(s.tcp_options.end(),
                             {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)});
        while (s.tcp_options.size() % 4 != 0) s.tcp_options.push_back(0);
        Bytes p = build(s);
        Headers h;
        ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
        EXPECT_EQ(clamp_mss(h, 1300), mss > 1300);
        EXPECT_TRUE(look(p).checksums) << padding << " " << mss;
        EXPECT_EQ(load16(h.l4 + 20 + padding + 2), std::min(mss, 1300U));
      }
    }
  }
}

TEST(ClampMss, WithoutTheOptionNothingHappens) {
  for (const Bytes& options :
       {Bytes{}, Bytes{1, 1, 1, 0}, Bytes{2, 3, 0xff, 0xff}, Bytes{2, 9, 0xff, 0xff}, Bytes{0, 2, 4, 0xff}}) {
    Spec s = tcp("198.18.0.1", 10, "198.19.0.1", 20, kSyn, 1, 0);
    s.tcp_options = options;
    Bytes p = build(s);
    const Bytes before = p;
    Headers h;
    ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
    EXPECT_FALSE(clamp_mss(h, 536));
    EXPECT_EQ(p, before);
  }
}

// The quoted packet's checksum is cut off, or it has none: the message must still add up, also in IPv6.
TEST(Rewrite, Ipv6ErrorsWithQuotesOfEveryLength) {
  const Bytes whole = build(tcp("2001:db8::1", 10, "2001:db8:2::2", 20, kAck, 1, 2, 40));
  for (std::size_t size = 48; size <= whole.size(); ++size) {
    Bytes p = icmp_error("2001:db8:3::3", "2001:db8::1", 1, 4,
                         Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    Headers error, quoted;
    ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), error), HeaderError::none);
    ASSERT_TRUE(read_quoted_headers(error.l4 + 8, error.l4_length - 8, quoted));
    FlowKey outer = error.key;
    outer.destination = *IpAddress::parse("2001:db8:ffff::9");
    FlowKey inner = quoted.key;
    inner.source = outer.destination;
    rewrite_icmp_error(error, outer, quoted, inner);
    const Seen seen = look(p);
    EXPECT_TRUE(seen.checksums) << size;
    EXPECT_EQ(look(seen.payload).source, "2001:db8:ffff::9");
  }
}

}  // namespace
}  // namespace icr::node::test
