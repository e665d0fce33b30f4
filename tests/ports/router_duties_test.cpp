#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "node/packet/checksum.h"
#include "node/packet/headers.h"
#include "node/packet/reply.h"
#include "tests/ports/ethernet_port_fixture.h"

namespace icr::node {
namespace {

using testing::ElementsAre;

/// The IPv4 header's checksum, after a change.
void set_checksum(Bytes& packet) {
  packet[10] = packet[11] = 0;
  const auto header = static_cast<long>(packet[0] & 0x0f) * 4;
  const auto sum = test::internet_checksum(Bytes(packet.begin(), packet.begin() + header));
  packet[10] = static_cast<std::uint8_t>(sum >> 8);
  packet[11] = static_cast<std::uint8_t>(sum);
}

/// Puts options (whole words) behind the header of an IPv4 packet without.
Bytes with_options(Bytes packet, const Bytes& options) {
  packet[0] = static_cast<std::uint8_t>(packet[0] + options.size() / 4);
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
  packet[3] = static_cast<std::uint8_t>(packet.size());
  set_checksum(packet);
  return packet;
}

/// Its ICMP error: type, code, who from, and what it quotes.
void expect_error(const Bytes& packet, bool v6, int type, int code, const char* from, const Bytes& quoted) {
  Bytes copy = packet;
  Headers headers;
  ASSERT_EQ(read_headers(copy.data(), static_cast<std::uint32_t>(copy.size()), headers), HeaderError::none);
  EXPECT_EQ(headers.icmp, IcmpKind::error);
  EXPECT_TRUE(icmp_checksum_ok(headers));
  EXPECT_EQ(headers.l4[0], type);
  EXPECT_EQ(headers.l4[1], code);
  EXPECT_EQ(headers.key.source.to_string(), from);
  const std::size_t at = (v6 ? 40 : 20) + 8;
  ASSERT_GE(packet.size(), at + 28);
  const std::size_t length = std::min(packet.size() - at, quoted.size());
  EXPECT_EQ(Bytes(packet.begin() + static_cast<long>(at), packet.begin() + static_cast<long>(at + length)),
            Bytes(quoted.begin(), quoted.begin() + static_cast<long>(length)));
}

using RouterDuties = EthernetPortTest;

TEST_F(RouterDuties, TheSenderIsToldWhenNoHopIsLeft) {
  output_of("ip neigh add 198.18.0.10 lladdr 02:00:00:00:00:10 dev in0");
  output_of("ip neigh add 2001:db8:18::10 lladdr 02:00:00:00:00:10 dev in0");
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  for (const bool v6 : {false, true}) {
    Bytes last =
        v6 ? test::udp6("2001:db8:18::10", "2001:db8:ffff::5", "x") : test::udp4("198.18.0.10", "192.0.2.5", "x");
    last[v6 ? 7 : 8] = 1;
    if (!v6) set_checksum(last);
    peer.send(test::ethernet(mac, peer.address(), last));
    EXPECT_EQ(next(*port, 50ms), nullptr);
    const auto told = peer.receive(
        [v6](const Bytes& f) { return f.size() > 62 && f[0] == 2 && f[v6 ? 20 : 23] == (v6 ? 58 : 1); }, 2s);
    ASSERT_TRUE(told);
    expect_error(Bytes(told->begin() + 14, told->end()), v6, v6 ? 3 : 11, 0, v6 ? "2001:db8:18::1" : "198.18.0.1",
                 last);
  }
  EXPECT_EQ(count(*port, "rx-dropped-hop-limit"), 2U);
  EXPECT_EQ(count(*port, "icmp-errors-sent"), 2U);
}

TEST_F(RouterDuties, WhatIsTooLongComesBackAsAnErrorOfTheNextRouter) {
  const auto port = open("out0", 2);
  Bytes four = test::udp4("203.0.113.1", "198.19.0.20", std::string(1500, 'x'));
  four[6] = 0x40;
  set_checksum(four);
  const Bytes six = test::udp6("2001:db8:18::10", "2001:db8:19::20", std::string(1500, 'x'));
  for (const Bytes& packet : {four, six}) {
    const bool v6 = packet == six;
    transmit(*port, packet);
    const Packet* const error = next(*port, 100ms);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->unit, 2U) << "the side on which the next router is";
    expect_error(bytes_of(*error), v6, v6 ? 2 : 3, v6 ? 0 : 4, v6 ? "2001:db8:19::1" : "198.19.0.1", packet);
    const std::size_t mtu = (v6 ? 40 : 20) + 6;
    EXPECT_EQ(error->data[mtu] << 8 | error->data[mtu + 1], 1500);
    transmit(*port, bytes_of(*error));  // an error that is too long itself has none
  }
  for (int i = 0; i < 300; ++i) transmit(*port, four);
  int errors = 0;
  while (next(*port, 5ms) != nullptr) ++errors;
  EXPECT_LE(errors, 16) << "no more than wait for a burst";
  EXPECT_GT(count(*port, "icmp-errors-suppressed"), 0U);
}

TEST_F(RouterDuties, ANextHopThatDoesNotAnswerCostsABoundedNumberOfPackets) {
  const auto port = open("out0", 2);
  for (int i = 0; i < 100; ++i) transmit(*port, test::udp4("203.0.113.1", "198.19.0.40", "x"));
  EXPECT_EQ(count(*port, "tx-held-for-next-hop"), 64U);
  EXPECT_EQ(count(*port, "tx-dropped-unresolved"), 36U);
  EXPECT_EQ(count(*port, "next-hop-requests"), 1U);
  EXPECT_TRUE(test::wait_until(
      [&] {
        (void)next(*port, 1ms);
        return count(*port, "tx-dropped-unresolved") == 100;
      },
      8s))
      << "those that waited are given up";
  EXPECT_GT(count(*port, "icmp-errors-sent"), 0U);
}

/// Fragments, in order, as they are on the wire; those of the same identification are put together in `whole`.
std::vector<Bytes> receive_fragments(const test::Wire& wire, std::size_t count, Bytes& whole) {
  std::vector<Bytes> out;
  whole.clear();
  while (out.size() < count) {
    const auto frame = wire.receive([](const Bytes& f) { return f[12] == 8 && f[13] == 0 && f[23] == 17; }, 2s);
    if (!frame) break;
    Bytes packet(frame->begin() + 14, frame->end());
    packet.resize(static_cast<std::size_t>(packet[2] << 8 | packet[3]));
    const auto header = static_cast<long>(packet[0] & 0x0f) * 4;
    EXPECT_EQ(test::internet_checksum(Bytes(packet.begin(), packet.begin() + header)), 0);
    EXPECT_EQ(static_cast<std::size_t>((packet[6] & 0x1f) << 8 | packet[7]) * 8, whole.size());
    whole.insert(whole.end(), packet.begin() + header, packet.end());
    out.push_back(std::move(packet));
  }
  return out;
}

TEST_F(RouterDuties, Rfc1812Section4227WhatIsTooLongAndMayBeFragmentedIs) {
  const auto port = open("out0", 2);
  const test::Wire peer("out0p");
  std::string text;
  for (int i = 0; i < 1700; ++i) text += static_cast<char>('a' + i % 23);
  // An option that every fragment carries, and one that only the first one does.
  const Bytes options = {0x94, 4, 0, 0, 0x1e, 4, 7, 7};
  const Bytes packet = with_options(test::udp4("203.0.113.1", "198.19.0.20", text), options);
  transmit(*port, packet);
  Bytes whole;
  const auto fragments = receive_fragments(peer, 2, whole);
  ASSERT_EQ(fragments.size(), 2U);
  EXPECT_EQ(whole, Bytes(packet.begin() + 28, packet.end()));
  EXPECT_LE(fragments[0].size(), 1500U);
  EXPECT_GT(fragments[0].size(), 1492U) << "as few as possible";
  EXPECT_EQ(fragments[0][0], 0x47);
  EXPECT_EQ(fragments[1][0], 0x46);
  EXPECT_EQ(Bytes(fragments[1].begin() + 20, fragments[1].begin() + 24), Bytes(options.begin(), options.begin() + 4));
  EXPECT_EQ(fragments[0][6] & 0x20, 0x20) << "more fragments";
  EXPECT_EQ(fragments[1][6] & 0x20, 0);
  EXPECT_EQ(count(*port, "tx-fragmented"), 1U);
  EXPECT_EQ(count(*port, "tx-fragments"), 2U);
  EXPECT_EQ(next(*port, 20ms), nullptr) << "nobody is told";
}

TEST_F(RouterDuties, DatagramsInOnePacketAreFragmentedEachForItself) {
  const auto port = open("out0", 2);
  const test::Wire peer("out0p");
  Bytes both = test::udp4("203.0.113.1", "198.19.0.20", std::string(2000, 'a') + std::string(1800, 'b'));
  Packet large{both.data(), static_cast<std::uint32_t>(both.size()), static_cast<std::uint32_t>(both.size()), 2};
  large.segment_bytes = 2000;
  large.partial_checksum = true;
  port->tx(large);
  port->flush();
  for (const auto& [letter, size] : {std::pair('a', 2000U), std::pair('b', 1800U)}) {
    Bytes whole;
    const auto fragments = receive_fragments(peer, 2, whole);
    ASSERT_EQ(fragments.size(), 2U);
    ASSERT_EQ(whole.size(), 8 + size);
    EXPECT_EQ(Bytes(whole.begin() + 8, whole.end()), Bytes(size, static_cast<std::uint8_t>(letter)));
    EXPECT_EQ(whole[4] << 8 | whole[5], static_cast<int>(8 + size));
    Bytes summed = {203, 0, 113, 1, 198, 19, 0, 20, 0, 17, whole[4], whole[5]};
    summed.insert(summed.end(), whole.begin(), whole.end());
    EXPECT_EQ(test::internet_checksum(summed), 0) << "the datagram's checksum is complete before it is cut";
  }
}

TEST_F(RouterDuties, Rfc1812Section5271WhoHasNoWayIsTold) {
  output_of("ip route add unreachable 192.0.2.0/25 && ip route add prohibit 192.0.2.128/25");
  output_of("ip route add blackhole 203.0.113.128/25");
  const auto port = open("out0", 2);
  struct {
    const char* destination;
    int code;
  } cases[] = {{"198.51.100.1", 0}, {"192.0.2.1", 1}, {"192.0.2.129", 13}, {"203.0.113.129", -1}};
  for (const auto& each : cases) {
    const Bytes packet = test::udp4("203.0.113.1", each.destination, "x");
    transmit(*port, packet);
    const Packet* const error = next(*port, 100ms);
    ASSERT_EQ(error == nullptr, each.code < 0) << each.destination;
    if (error != nullptr) expect_error(bytes_of(*error), false, 3, each.code, "198.19.0.1", packet);
  }
  const Bytes six = test::udp6("2001:db8:18::10", "2001:db8:ffff::1", "x");
  transmit(*port, six);
  const Packet* const error = next(*port, 100ms);
  ASSERT_NE(error, nullptr);
  expect_error(bytes_of(*error), true, 1, 0, "2001:db8:19::1", six);
  EXPECT_EQ(count(*port, "tx-dropped-no-route"), 5U);
}

TEST_F(RouterDuties, Rfc1812Section5271ANextHopThatDoesNotAnswerIsUnreachable) {
  const auto port = open("out0", 2);
  const Bytes four = test::udp4("203.0.113.1", "198.19.0.40", "x");
  const Bytes six = test::udp6("2001:db8:18::10", "2001:db8:19::40", "x");
  transmit(*port, four);
  transmit(*port, six);
  for (const Bytes& packet : {four, six}) {
    const bool v6 = packet == six;
    const Packet* const error = next(*port, 8s);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->unit, 2U);
    expect_error(bytes_of(*error), v6, v6 ? 1 : 3, v6 ? 3 : 1, v6 ? "2001:db8:19::1" : "198.19.0.1", packet);
  }
  transmit(*port, four);
  EXPECT_NE(next(*port, 20ms), nullptr) << "who comes just after need not wait";
  EXPECT_EQ(count(*port, "tx-dropped-unresolved"), 3U);
}

TEST_F(RouterDuties, Rfc2644NothingIsForwardedToAllHostsOfANetwork) {
  output_of("ip addr add 198.19.1.1/24 broadcast 198.19.1.255 dev out0");
  const auto in = open("in0", 1), out = open("out0", 2);
  const test::Wire peer("in0p"), outside("out0p");
  transmit(*out, test::udp4("203.0.113.1", "198.19.1.255", "x"));
  EXPECT_TRUE(test::wait_until(
      [&] {
        (void)next(*out, 1ms);
        return count(*out, "tx-dropped-broadcast") == 1;
      },
      2s));
  EXPECT_FALSE(outside.receive([](const Bytes& f) { return f[0] == 0xff && f[12] == 8 && f[13] == 0; }, 50ms));
  peer.send(
      test::ethernet(test::Wire("in0").address(), peer.address(), test::udp4("198.18.0.10", "198.19.1.255", "x")));
  EXPECT_EQ(next(*in, 50ms), nullptr);
  EXPECT_EQ(count(*in, "rx-for-this-machine"), 1U);
}

TEST_F(RouterDuties, WhatNoRouterForwardsIsDroppedAndCounted) {
  output_of("ip neigh add 198.18.0.10 lladdr 02:00:00:00:00:10 dev in0");
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  const Bytes good = test::udp4("198.18.0.10", "192.0.2.5", "x");
  // RFC 2464 section 3: the frame says IPv6, the packet IPv4; and the other way round.
  Bytes frame = test::ethernet(mac, peer.address(), good);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  peer.send(frame);
  frame = test::ethernet(mac, peer.address(), test::udp6("2001:db8:18::10", "2001:db8:ffff::5", "x"));
  frame[12] = 8;
  frame[13] = 0;
  peer.send(frame);
  // RFC 3927 section 7: link-local, either end.
  peer.send(test::ethernet(mac, peer.address(), test::udp4("169.254.1.1", "192.0.2.5", "x")));
  peer.send(test::ethernet(mac, peer.address(), test::udp4("198.18.0.10", "169.254.1.1", "x")));
  EXPECT_EQ(next(*port, 100ms), nullptr);
  EXPECT_EQ(count(*port, "rx-dropped-ether-type"), 2U);
  EXPECT_EQ(count(*port, "rx-dropped-link-local"), 2U);
  // RFC 1812 section 4.3.3.5: an option longer than the header; its sender is told where.
  const Bytes bad = with_options(good, {1, 1, 0x94, 40});
  peer.send(test::ethernet(mac, peer.address(), bad));
  EXPECT_EQ(next(*port, 100ms), nullptr);
  EXPECT_EQ(count(*port, "rx-dropped-bad-option"), 1U);
  const auto told = peer.receive([](const Bytes& f) { return f.size() > 62 && f[0] == 2 && f[23] == 1; }, 2s);
  ASSERT_TRUE(told);
  expect_error(Bytes(told->begin() + 14, told->end()), false, 12, 0, "198.18.0.1", bad);
  EXPECT_EQ(told->at(14 + 20 + 4), 22) << "the pointer";
}

TEST_F(RouterDuties, NoErrorIsMadeAboutAnErrorOrALaterFragment) {
  const auto port = open("out0", 2);
  Bytes error = test::udp4("203.0.113.1", "198.51.100.1", std::string(20, '\0'));
  error[9] = 1;
  error[20] = 3;
  Bytes fragment = test::udp4("203.0.113.1", "198.51.100.1", "12345678");
  fragment[7] = 100;
  for (Bytes* packet : {&error, &fragment}) {
    set_checksum(*packet);
    transmit(*port, *packet);
  }
  EXPECT_EQ(next(*port, 50ms), nullptr);
  EXPECT_EQ(count(*port, "tx-dropped-no-route"), 2U);
  EXPECT_EQ(count(*port, "icmp-errors-sent"), 0U);
}

}  // namespace
}  // namespace icr::node
