// Reading packet headers: every error, every length, and what is not an error.
#include "node/packet/headers.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "model/record/protocol.h"
#include "tests/support/packets.h"

namespace icr::node::test {
namespace {

constexpr auto kA = "198.18.0.10";
constexpr auto kB = "198.19.0.10";
constexpr auto kA6 = "2001:db8:18::1";
constexpr auto kB6 = "2001:db8:19::1";

HeaderError read(Bytes packet) {
  Headers h;
  // An exact buffer: reading beyond it is seen by the sanitizer.
  packet.shrink_to_fit();
  return read_headers(packet.data(), static_cast<std::uint32_t>(packet.size()), h);
}

/// IPv4 UDP packet with some octets of the header replaced, and its header checksum right again.
Bytes changed(const Spec& spec, std::initializer_list<std::pair<std::size_t, std::uint8_t>> octets) {
  Bytes p = build(spec);
  for (const auto& [at, value] : octets) p[at] = value;
  if (p[0] >> 4 == 4) fix_ip_checksum(p);
  return p;
}

TEST(Headers, EachErrorHasItsPacket) {
  std::set<HeaderError> seen;
  const auto expect = [&](const Bytes& packet, HeaderError error) {
    EXPECT_EQ(read(packet), error) << static_cast<int>(error);
    seen.insert(error);
  };
  const Spec u = udp(kA, 1, kB, 2, 30);
  const Spec t = tcp(kA, 1, kB, 2, kSyn, 1, 0);
  const Spec u6 = udp(kA6, 1, kB6, 2, 30);
  expect(build(u), HeaderError::none);
  expect(build(t), HeaderError::none);
  expect(build(u6), HeaderError::none);
  expect({}, HeaderError::ip_version);
  expect({0x55, 0, 0, 0}, HeaderError::ip_version);
  expect({0x45, 0, 0, 0}, HeaderError::ip_header_length);
  {
    Bytes p = build(u);
    p[0] = 0x44;
    expect(p, HeaderError::ip_header_length);
    p[0] = 0x4f;  // 60 octets of header in a packet of 58
    expect(p, HeaderError::ip_header_length);
  }
  expect(Bytes(39, 0x60), HeaderError::ip_header_length);
  expect(changed(u, {{3, 19}}), HeaderError::ip_total_length);
  expect(changed(u, {{3, 59}}), HeaderError::ip_total_length);
  expect(changed(u6, {{5, 200}}), HeaderError::ip_total_length);
  {
    Bytes p = build(u);
    p[8] ^= 1;
    expect(p, HeaderError::ip_checksum);
  }
  for (const char* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"}) {
    expect(build(udp(source, 1, kB, 2)), HeaderError::ip_bad_source);
  }
  for (const char* destination : {"0.0.0.0", "127.9.9.9"}) {
    expect(build(udp(kA, 1, destination, 2)), HeaderError::ip_bad_destination);
  }
  for (const char* source : {"::", "::1", "ff02::1", "::ffff:192.0.2.1"}) {
    expect(build(udp(source, 1, kB6, 2)), HeaderError::ip_bad_source);
  }
  for (const char* destination : {"::", "::1", "::ffff:192.0.2.1"}) {
    expect(build(udp(kA6, 1, destination, 2)), HeaderError::ip_bad_destination);
  }
  expect(build(udp(kA, 1, kA, 2)), HeaderError::ip_land);
  expect(build(udp(kA6, 1, kA6, 2)), HeaderError::ip_land);
  expect(build(udp(kA, 1, "224.0.0.5", 2)), HeaderError::ip_multicast);
  expect(build(udp(kA, 1, "255.255.255.255", 2)), HeaderError::ip_multicast);
  expect(build(udp(kA6, 1, "ff02::1", 2)), HeaderError::ip_multicast);
  {
    Spec s = u6;
    s.v6_first = 43;
    s.v6_extensions = {17, 0, 0, 0, 0, 0, 0, 0};
    expect(build(s), HeaderError::ip_extension_header);  // routing header type 0
    s.v6_extensions[2] = 4;
    expect(build(s), HeaderError::none);
    s.v6_first = 60;
    s.v6_extensions[1] = 9;  // longer than the packet
    expect(build(s), HeaderError::ip_extension_header);
  }
  expect(changed(u, {{6, 0x20}, {7, 0}, {3, 20 + 4}}), HeaderError::bad_fragment);
  expect(changed(u, {{6, 0x20}, {3, 20}}), HeaderError::bad_fragment);     // empty, and more to come
  expect(changed(u, {{6, 0x1f}, {7, 0xff}}), HeaderError::ping_of_death);  // beyond 65535
  expect(changed(t, {{6, 0x20}, {3, 20 + 16}}), HeaderError::tiny_fragment);
  expect(changed(t, {{3, 20 + 19}}), HeaderError::short_tcp);
  expect(changed(t, {{32, 4 << 4}}), HeaderError::short_tcp);
  expect(changed(t, {{32, 6 << 4}}), HeaderError::short_tcp);  // options beyond the packet
  expect(changed(u, {{3, 20 + 7}}), HeaderError::short_udp);
  expect(changed(echo(kA, kB, 1), {{3, 20 + 7}}), HeaderError::short_icmp);
  expect(changed(u, {{25, 7}}), HeaderError::udp_length);
  expect(changed(u, {{25, 39}}), HeaderError::udp_length);
  for (const int flags : {0x00, 0x08, 0x20}) {
    expect(changed(t, {{33, static_cast<std::uint8_t>(flags)}}), HeaderError::tcp_no_flag);
  }
  for (const int flags : {0x03, 0x06, 0x13}) {
    expect(changed(t, {{33, static_cast<std::uint8_t>(flags)}}), HeaderError::tcp_syn_fin);
  }
  expect(changed(t, {{33, 0x01}}), HeaderError::tcp_fin_no_ack);
  expect(changed(t, {{8, 0}}), HeaderError::ip_ttl_zero);
  expect(changed(t, {{9, 0}}), HeaderError::ip_protocol);
  expect(changed(t, {{9, 255}}), HeaderError::ip_protocol);
  for (const int flags : {0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x18, 0xc2}) {
    expect(changed(t, {{33, static_cast<std::uint8_t>(flags)}}), HeaderError::none);
  }
  expect(build(udp(kA, 0, kB, 2)), HeaderError::udp_port_zero);
  expect(build(tcp(kA, 1, kB, 0, kSyn, 1, 0)), HeaderError::tcp_port_zero);
  for (std::size_t e = 0; e < static_cast<std::size_t>(HeaderError::count); ++e) {
    EXPECT_TRUE(seen.contains(static_cast<HeaderError>(e))) << "no packet for error " << e;
  }
}

TEST(Headers, Ipv4OptionsAndPadding) {
  Spec s = tcp(kA, 10, kB, 20, kAck, 5, 6, 11);
  for (std::size_t options = 0; options <= 40; options += 4) {
    s.ip_options.assign(options, 1);
    Bytes p = build(s);
    p.resize(p.size() + 9, 0xee);
    Headers h;
    ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
    EXPECT_EQ(h.l3_length, p.size() - 9);
    EXPECT_EQ(h.l4, p.data() + 20 + options);
    EXPECT_EQ(h.l4_length, 31U);
    EXPECT_EQ(h.payload_length, 11U);
    EXPECT_EQ(h.key.source_port, 10);
    EXPECT_EQ(h.key.destination_port, 20);
    EXPECT_EQ(h.key.source.to_string(), kA);
    EXPECT_FALSE(h.fragment);
  }
}

TEST(Headers, Ipv6ExtensionChains) {
  Spec s = udp(kA6, 10, kB6, 20, 5);
  for (std::size_t count = 1; count <= 10; ++count) {
    s.v6_first = 60;
    s.v6_extensions.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t next = i + 1 == count ? 17 : 60;
      s.v6_extensions.insert(s.v6_extensions.end(), {next, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    }
    Bytes p = build(s);
    Headers h;
    const HeaderError error = read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h);
    EXPECT_EQ(error, count <= 8 ? HeaderError::none : HeaderError::ip_extension_header) << count;
    if (count > 8) continue;
    EXPECT_EQ(h.key.destination_port, 20);
    EXPECT_EQ(h.l4, p.data() + 40 + 16 * count);
  }
  // Hop-by-hop, then an atomic fragment, then destination options: a whole packet.
  s.v6_first = 0;
  s.v6_extensions = {44, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3, 4, 17, 0, 0, 0, 0, 0, 0, 0};
  Bytes p = build(s);
  Headers h;
  ASSERT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
  EXPECT_FALSE(h.fragment);
  EXPECT_EQ(h.key.source_port, 10);
  // Two fragment headers, one that says more.
  s.v6_first = 44;
  s.v6_extensions = {44, 0, 0, 1, 0, 0, 0, 1, 17, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(read(build(s)), HeaderError::ip_extension_header);
}

TEST(Headers, FragmentsOfBothFamilies) {
  for (const auto& [a, b] : {std::pair{kA, kB}, std::pair{kA6, kB6}}) {
    auto pieces = fragments_of(build(udp(a, 10, b, 20, 500)), 256, 0xabcd);
    Headers h;
    ASSERT_EQ(read_headers(pieces[0].data(), static_cast<std::uint32_t>(pieces[0].size()), h), HeaderError::none);
    EXPECT_TRUE(h.fragment && h.more_fragments && !h.later_fragment);
    EXPECT_EQ(h.fragment_id, 0xabcdU);
    EXPECT_EQ(h.key.source_port, 10);
    ASSERT_EQ(read_headers(pieces[1].data(), static_cast<std::uint32_t>(pieces[1].size()), h), HeaderError::none);
    EXPECT_TRUE(h.fragment && !h.more_fragments && h.later_fragment);
    EXPECT_EQ(h.fragment_offset, 256U);
    EXPECT_EQ(h.key.source_port, 0);
    EXPECT_EQ(h.l4_length, 252U);
  }
}

TEST(Headers, TruncationAtEveryLengthIsAnError) {
  Spec options = tcp(kA, 1, kB, 2, kSyn, 1, 0, 17);
  options.ip_options.assign(12, 1);
  options.scale = 7;
  Spec chain = udp(kA6, 1, kB6, 2, 9);
  chain.v6_first = 60;
  chain.v6_extensions = {17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const Bytes& whole :
       {build(options), build(chain), build(echo(kA, kB, 1)), build(echo(kA6, kB6, 1)),
        icmp_error(kA, kB, 3, 1, build(udp(kB, 1, kA, 2))), fragments_of(build(udp(kA, 1, kB, 2, 900)), 256)[1]}) {
    EXPECT_EQ(read(whole), HeaderError::none);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_NE(read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), HeaderError::none)
          << size;
    }
  }
}

TEST(Headers, QuotedPacketsMayBeCutShort) {
  const auto quoted = [](Bytes p, std::size_t size, Headers& h) {
    static Bytes kept;
    kept.assign(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(std::min(size, p.size())));
    return read_quoted_headers(kept.data(), static_cast<std::uint32_t>(kept.size()), h);
  };
  Headers h;
  const Bytes t = build(tcp(kA, 10, kB, 20, kAck, 1, 1, 100));
  for (std::size_t size = 0; size < 24; ++size) EXPECT_FALSE(quoted(t, size, h)) << size;
  for (std::size_t size = 24; size <= t.size(); ++size) {
    ASSERT_TRUE(quoted(t, size, h)) << size;
    EXPECT_EQ(h.key.source_port, 10);
    EXPECT_EQ(h.key.destination_port, 20);
  }
  const Bytes e = build(echo(kA6, kB6, 77));
  EXPECT_FALSE(quoted(e, 47, h));
  ASSERT_TRUE(quoted(e, 48, h));
  EXPECT_EQ(h.key.source_port, 77);
  EXPECT_EQ(h.icmp, IcmpKind::echo_request);
  // A router may have changed TTL and checksum already; addresses that a packet may not have do not matter here.
  Bytes spoiled = t;
  spoiled[10] ^= 0xff;
  EXPECT_TRUE(quoted(spoiled, 28, h));
  // Errors about errors, later fragments, other versions.
  EXPECT_FALSE(quoted(icmp_error(kA, kB, 3, 1, t), 60, h));
  EXPECT_FALSE(quoted(fragments_of(build(udp(kA, 1, kB, 2, 900)), 256)[1], 60, h));
  EXPECT_FALSE(quoted(Bytes(60, 0x11), 60, h));
  // A protocol without ports is known by its addresses.
  Spec gre = udp(kA, 0, kB, 0, 8);
  gre.protocol = 47;
  EXPECT_TRUE(quoted(build(gre), 28, h));
  EXPECT_EQ(h.key.source_port, 0);
}

TEST(Headers, WindowScaleOption) {
  const auto scale = [](Bytes options) {
    Bytes p = build(tcp(kA, 1, kB, 2, kSyn, 1, 0));
    options.resize((options.size() + 3) / 4 * 4, 0);
    p.insert(p.end(), options.begin(), options.end());
    p[32] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
    p[3] = static_cast<std::uint8_t>(p.size());
    fix_ip_checksum(p);
    p.shrink_to_fit();
    Headers h;
    EXPECT_EQ(read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h), HeaderError::none);
    return window_scale_option(h);
  };
  EXPECT_EQ(scale({}), -1);
  EXPECT_EQ(scale({3, 3, 7}), 7);
  EXPECT_EQ(scale({1, 1, 2, 4, 5, 0xb4, 3, 3, 14}), 14);
  EXPECT_EQ(scale({3, 3, 200}), 14);
  EXPECT_EQ(scale({0, 3, 3, 7}), -1) << "after the end of options";
  EXPECT_EQ(scale({2, 0, 3, 3}), -1) << "an option of no length";
  EXPECT_EQ(scale({2, 40, 3, 3}), -1) << "an option that is too long";
  EXPECT_EQ(scale({1, 1, 1, 3}), -1) << "cut off";
  EXPECT_EQ(scale({3, 2, 1, 1}), -1) << "wrong length";
}

TEST(Headers, RandomOctetsAreReadWithinTheirBounds) {
  std::mt19937_64 random(4711);
  int good = 0;
  for (int i = 0; i < 200000; ++i) {
    Bytes p(random() % 120);
    for (auto& octet : p) octet = static_cast<std::uint8_t>(random());
    if (!p.empty()) p[0] = static_cast<std::uint8_t>(random() % 2 == 0 ? 0x45 + random() % 3 : 0x60);
    if (p.size() >= 40 && p[0] >> 4 == 4) {
      p[2] = 0;
      p[3] = static_cast<std::uint8_t>(p.size());
      p[9] = std::array<std::uint8_t, 4>{6, 17, 1, 132}[random() % 4];
      fix_ip_checksum(p);
    } else if (p.size() >= 40) {
      p[4] = 0;
      p[5] = static_cast<std::uint8_t>(p.size() - 40);
      p[6] = std::array<std::uint8_t, 8>{6, 17, 58, 0, 43, 44, 60, 59}[random() % 8];
    }
    p.shrink_to_fit();
    Headers h;
    if (read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h) == HeaderError::none) {
      ++good;
      ASSERT_GE(h.l4, p.data());
      ASSERT_LE(h.l4 + h.l4_length, p.data() + p.size());
      ASSERT_EQ(h.l4 + h.l4_length, p.data() + h.l3_length);
      if (h.icmp == IcmpKind::error && !h.fragment) {
        Headers inner;
        (void)read_quoted_headers(h.l4 + 8, h.l4_length - 8, inner);
      }
    }
  }
  EXPECT_GT(good, 100);
}

}  // namespace
}  // namespace icr::node::test
