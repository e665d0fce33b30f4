#include "node/ports/ethernet_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "node/packet/headers.h"
#include "node/packet/reply.h"
#include "node/packet/rewrite.h"
#include "node/ports/factory.h"
#include "tests/ports/network_namespace.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::output_of;
using testing::HasSubstr;
using namespace std::chrono_literals;

const Bytes kServer = {0x02, 0, 0, 0, 0, 0x20};

/// A router with `in0` (198.18.0.1/24) and `out0` (198.19.0.1/24), each with a peer that the test holds.
class EthernetPortTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0");
    for (const char* name : {"in0", "out0"}) {
      output_of(fmt::format("ip link add {0} type veth peer name {0}p", name));
      output_of(fmt::format("ip link set {0} up && ip link set {0}p up", name));
    }
    output_of("ip addr add 198.18.0.1/24 dev in0 && ip addr add 198.19.0.1/24 dev out0");
    output_of("ip addr add 2001:db8:18::1/64 dev in0 nodad && ip addr add 2001:db8:19::1/64 dev out0 nodad");
    output_of("ip neigh add 198.19.0.20 lladdr 02:00:00:00:00:20 dev out0");
    output_of("ip neigh add 2001:db8:19::20 lladdr 02:00:00:00:00:20 dev out0");
  }

  static std::unique_ptr<Port> open(const char* interface, std::uint32_t unit) {
    auto port = open_port(config(interface, unit));
    if (!port) throw std::runtime_error(port.error().message);
    return std::move(*port);
  }
  static PacketPort config(const char* interface, std::uint32_t unit) {
    PacketPort out;
    out.kind = PacketPort::Kind::af_packet;
    out.unit = unit;
    out.device = interface;
    return out;
  }

  static std::uint64_t count(const Port& port, const std::string& name) {
    CounterList counters;
    port.append_to(counters);
    return test::counter(counters, name).value();
  }

  /// The next packet that the port has, as the engine would get it.
  Packet* next(Port& port, std::chrono::milliseconds limit = 2s) {
    const auto received = [&] { return port.rx_burst({buffers.packets().data(), 1}) == 1; };
    return test::wait_until(received, limit) ? buffers.packets().data() : nullptr;
  }
  static Bytes bytes_of(const Packet& packet) { return {packet.data, packet.data + packet.length}; }

  static void transmit(Port& port, Bytes bytes) {
    port.tx({bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 2});
    port.flush();
  }

  static Bytes one_hop_later(Bytes packet) {
    if (packet[0] >> 4 == 6) {
      --packet[7];
      return packet;
    }
    --packet[8];
    packet[10] = packet[11] = 0;
    const std::uint16_t sum = test::internet_checksum(Bytes(packet.begin(), packet.begin() + 20));
    packet[10] = static_cast<std::uint8_t>(sum >> 8);
    packet[11] = static_cast<std::uint8_t>(sum);
    return packet;
  }

  static auto carries(const Bytes& packet) {
    return [packet](const Bytes& frame) {
      return frame.size() >= 14 + packet.size() && std::equal(packet.begin(), packet.end(), frame.begin() + 14);
    };
  }

  PacketBuffers buffers{1};
};

TEST_F(EthernetPortTest, WhatIsRoutedHereIsReceivedAndNotForwardedByTheKernel) {
  const test::Wire inside("in0p"), outside("out0p");
  const Bytes mac = test::Wire("in0").address();
  const Bytes four = test::udp4("198.18.0.10", "198.19.0.20", "four");
  const Bytes six = test::udp6("2001:db8:18::10", "2001:db8:19::20", "six");
  inside.send(test::ethernet(mac, inside.address(), four));
  ASSERT_TRUE(outside.receive(carries(one_hop_later(four)), 2s)) << "without a port the kernel forwards";
  const auto port = open("in0", 1);
  for (const Bytes& packet : {four, six}) {
    inside.send(test::ethernet(mac, inside.address(), packet));
    const Packet* const got = next(*port);
    ASSERT_NE(got, nullptr);
    EXPECT_EQ(bytes_of(*got), one_hop_later(packet));
    EXPECT_EQ(got->unit, 1U);
    EXPECT_FALSE(outside.receive(carries(one_hop_later(packet)), 100ms)) << "it would arrive twice";
  }
  EXPECT_EQ(count(*port, "rx-packets"), 2U);
}

TEST_F(EthernetPortTest, TheMachinesOwnTrafficIsLeftToIt) {
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  peer.send(test::ethernet(mac, peer.address(), test::udp4("198.18.0.10", "198.18.0.1", "nobody listens here")));
  // To answer, the kernel asks for the sender first.
  EXPECT_TRUE(peer.receive([](const Bytes& f) { return f[12] == 8 && f[13] == 6; }, 2s));
  EXPECT_EQ(next(*port, 50ms), nullptr);
  EXPECT_EQ(count(*port, "rx-for-this-machine"), 1U);

  output_of("ip addr add 198.18.0.99/24 dev in0");  // a virtual address that comes later
  const Bytes late = test::ethernet(mac, peer.address(), test::udp4("198.18.0.10", "198.18.0.99", "x"));
  EXPECT_TRUE(test::wait_until(
      [&] {
        peer.send(late);
        return next(*port, 10ms) == nullptr && count(*port, "rx-for-this-machine") > 1;
      },
      2s));
}

TEST_F(EthernetPortTest, FramesOfOthersAndOtherProtocolsAreNotReceived) {
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  const Bytes packet = test::udp4("198.18.0.10", "192.0.2.5", "x");
  peer.send(test::ethernet(Bytes(6, 0xff), peer.address(), packet));            // broadcast
  peer.send(test::ethernet({0x02, 0, 0, 0, 0, 0x77}, peer.address(), packet));  // somebody else's
  peer.send(test::ethernet({0x33, 0x33, 0, 0, 0, 1}, peer.address(), packet));  // multicast
  Bytes tagged = test::ethernet(mac, peer.address(), packet);
  const Bytes tag = {0x81, 0, 0, 100};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  peer.send(tagged);
  Bytes arp = test::ethernet(mac, peer.address(), packet);
  arp[13] = 6;
  peer.send(arp);
  test::run("ping -c 1 -W 0.1 198.18.0.10");  // what the machine sends itself
  peer.send(test::ethernet(mac, peer.address(), test::udp6("fe80::1", "2001:db8:ffff::1", "never routed")));
  peer.send(test::ethernet(mac, peer.address(), packet));
  const Packet* const got = next(*port);
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(bytes_of(*got), one_hop_later(packet)) << "the last one, and nothing before it";
  EXPECT_EQ(count(*port, "rx-dropped-link-local"), 1U);
  EXPECT_EQ(count(*port, "rx-packets"), 1U);
}

TEST_F(EthernetPortTest, AVlanIsAnInterfaceOfItsOwn) {
  if (test::run("ip link add link in0 name in0.100 type vlan id 100") != 0) {
    GTEST_SKIP() << "this kernel has no VLAN interfaces";
  }
  output_of("ip link set in0.100 up");
  const auto port = open("in0.100", 1);
  const test::Wire peer("in0p");
  const Bytes packet = test::udp4("198.18.0.10", "192.0.2.5", "tagged");
  Bytes tagged = test::ethernet(test::Wire("in0").address(), peer.address(), packet);
  const Bytes tag = {0x81, 0, 0, 100};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  peer.send(tagged);
  const Packet* const got = next(*port);
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(bytes_of(*got), one_hop_later(packet));
  output_of(
      "ip addr add 198.51.100.1/24 dev in0.100 && ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev in0.100");
  const Bytes answer = test::udp4("192.0.2.5", "198.51.100.9", "back");
  ASSERT_TRUE(test::wait_until(
      [&] {
        (void)next(*port, 1ms);  // it hears of route and neighbour
        transmit(*port, answer);
        return count(*port, "tx-packets") != 0;
      },
      2s));
  // veth hands the tag over beside the frame; a tap shows the rest.
  EXPECT_TRUE(peer.receive(carries(answer), 2s));
}

TEST_F(EthernetPortTest, PacketsAreFramedForTheNextHopOfTheMainTable) {
  output_of("ip route add 192.0.2.0/24 via 198.19.0.20 && ip route add 192.0.2.64/26 via 198.19.0.21");
  output_of("ip neigh add 198.19.0.21 lladdr 02:00:00:00:00:21 dev out0");
  output_of("ip -6 route add default via 2001:db8:19::20");
  const auto port = open("out0", 2);
  const test::Wire peer("out0p");
  const Bytes mac = test::Wire("out0").address();
  const auto expect_at = [&](const Bytes& packet, const Bytes& hop) {
    transmit(*port, packet);
    const auto frame = peer.receive(carries(packet), 2s);
    ASSERT_TRUE(frame);
    EXPECT_EQ(Bytes(frame->begin(), frame->begin() + 6), hop);
    EXPECT_EQ(Bytes(frame->begin() + 6, frame->begin() + 12), mac);
  };
  expect_at(test::udp4("203.0.113.1", "198.19.0.20", "connected"), kServer);
  expect_at(test::udp4("203.0.113.1", "192.0.2.9", "by a gateway"), kServer);
  expect_at(test::udp4("203.0.113.1", "192.0.2.70", "by the longer prefix"), {0x02, 0, 0, 0, 0, 0x21});
  expect_at(test::udp6("2001:db8:18::10", "2001:db8:19::20", "connected"), kServer);
  expect_at(test::udp6("2001:db8:18::10", "2001:db8:ffff::1", "by default"), kServer);
  EXPECT_EQ(count(*port, "tx-packets"), 5U);
  transmit(*port, test::udp4("203.0.113.1", "10.0.0.1", "no default route"));
  EXPECT_EQ(count(*port, "tx-dropped-no-route"), 1U);

  // The next hop moves, as a virtual address does.
  output_of("ip neigh replace 198.19.0.20 lladdr 02:00:00:00:00:99 dev out0");
  const Bytes moved = test::udp4("203.0.113.1", "198.19.0.20", "moved");
  EXPECT_TRUE(test::wait_until(
      [&] {
        (void)next(*port, 1ms);
        transmit(*port, moved);
        const auto frame = peer.receive(carries(moved), 1s);
        return frame && (*frame)[5] == 0x99;
      },
      2s));
}

TEST_F(EthernetPortTest, TheKernelResolvesWhatIsNotKnownAndNothingIsLost) {
  const auto port = open("out0", 2);
  const test::Wire peer("out0p");
  const Bytes first = test::udp4("203.0.113.1", "198.19.0.30", "first");
  const Bytes second = test::udp4("203.0.113.1", "198.19.0.30", "second");
  transmit(*port, first);
  transmit(*port, second);
  // Two datagrams in one packet must still be two when it leaves.
  Bytes both = test::udp4("203.0.113.1", "198.19.0.30", std::string(1200, 'd'));
  Packet large{both.data(), static_cast<std::uint32_t>(both.size()), static_cast<std::uint32_t>(both.size()), 2};
  large.segment_bytes = 600;
  large.partial_checksum = true;
  port->tx(large);
  port->flush();
  EXPECT_EQ(count(*port, "tx-held-for-next-hop"), 3U);
  const auto question = peer.receive(
      [](const Bytes& f) { return f.size() >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 1 && f[41] == 30; }, 2s);
  ASSERT_TRUE(question) << "the kernel asks by ARP";
  Bytes answer = *question;
  const Bytes owner = {0x02, 0, 0, 0, 0, 0x30};
  answer[21] = 2;
  std::copy(question->begin() + 6, question->begin() + 12, answer.begin());  // to who asked
  std::copy(owner.begin(), owner.end(), answer.begin() + 6);
  std::copy(question->begin() + 22, question->begin() + 32, answer.begin() + 32);
  std::copy(owner.begin(), owner.end(), answer.begin() + 22);
  std::copy(question->begin() + 38, question->begin() + 42, answer.begin() + 28);
  peer.send(answer);
  pollfd waiting{port->descriptor(), POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 2000), 1) << "a worker that sleeps is woken by the news";
  EXPECT_TRUE(test::wait_until(
      [&] {
        (void)next(*port, 1ms);
        return count(*port, "tx-packets") == 3;
      },
      2s));
  EXPECT_EQ(count(*port, "tx-large-packets"), 1U);
  for (const Bytes& packet : {first, second}) {
    const auto frame = peer.receive(carries(packet), 2s);
    ASSERT_TRUE(frame);
    EXPECT_EQ(Bytes(frame->begin(), frame->begin() + 6), owner);
  }
  EXPECT_EQ(count(*port, "tx-dropped-unresolved"), 0U);
}

TEST_F(EthernetPortTest, ANextHopThatDoesNotAnswerCostsABoundedNumberOfPackets) {
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
}

TEST_F(EthernetPortTest, AnUnfinishedPacketIsTranslatedAndFinished) {
  // A sender on the other end of the wire whose kernel leaves the checksum to the hardware.
  output_of("ip addr add 198.18.0.10/32 dev in0p");
  output_of("ip route add 192.0.2.0/24 dev in0p");
  Bytes mac = test::Wire("in0").address();
  output_of(fmt::format("ip neigh add 192.0.2.5 lladdr {:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x} dev in0p", mac[0],
                        mac[1], mac[2], mac[3], mac[4], mac[5]));
  output_of("ip neigh add 198.19.0.5 lladdr 02:00:00:00:00:20 dev out0");
  const auto in = open("in0", 1), out = open("out0", 2);
  output_of("bash -c 'echo -n unfinished > /dev/udp/192.0.2.5/53'");
  Packet* const packet = next(*in);
  ASSERT_NE(packet, nullptr);
  EXPECT_TRUE(packet->partial_checksum);

  // From here on frames have to be finished.
  ifreq request{};
  std::strncpy(request.ifr_name, "out0", IFNAMSIZ - 1);
  ethtool_value off{ETHTOOL_STXCSUM, 0};
  request.ifr_data = reinterpret_cast<char*>(&off);
  const int control = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_EQ(ioctl(control, SIOCETHTOOL, &request), 0);
  close(control);
  Headers headers;
  ASSERT_EQ(read_headers(packet->data, packet->length, headers), HeaderError::none);
  FlowKey to = headers.key;
  to.source = *IpAddress::parse("203.0.113.1");
  to.destination = *IpAddress::parse("198.19.0.5");
  to.source_port = 40001;
  rewrite(headers, to);
  const test::Wire peer("out0p");
  out->tx(*packet);
  out->flush();
  const auto frame = peer.receive([](const Bytes& f) { return f.size() > 42 && f[23] == 17; }, 2s);
  ASSERT_TRUE(frame);
  const Bytes ip(frame->begin() + 14, frame->end());
  Bytes summed = {0, 17, 0, static_cast<std::uint8_t>(ip.size() - 20)};
  summed.insert(summed.end(), ip.begin() + 12, ip.end());
  EXPECT_EQ(test::internet_checksum(summed), 0);
  EXPECT_EQ(test::internet_checksum(Bytes(ip.begin(), ip.begin() + 20)), 0);
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

TEST_F(EthernetPortTest, TheSenderIsToldWhenNoHopIsLeft) {
  output_of("ip neigh add 198.18.0.10 lladdr 02:00:00:00:00:10 dev in0");
  output_of("ip neigh add 2001:db8:18::10 lladdr 02:00:00:00:00:10 dev in0");
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  for (const bool v6 : {false, true}) {
    Bytes last =
        v6 ? test::udp6("2001:db8:18::10", "2001:db8:ffff::5", "x") : test::udp4("198.18.0.10", "192.0.2.5", "x");
    last[v6 ? 7 : 8] = 1;
    if (!v6) {
      last[10] = last[11] = 0;
      const auto sum = test::internet_checksum(Bytes(last.begin(), last.begin() + 20));
      last[10] = static_cast<std::uint8_t>(sum >> 8);
      last[11] = static_cast<std::uint8_t>(sum);
    }
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

TEST_F(EthernetPortTest, WhatIsTooLongComesBackAsAnErrorOfTheNextRouter) {
  const auto port = open("out0", 2);
  Bytes four = test::udp4("203.0.113.1", "198.19.0.20", std::string(1500, 'x'));
  transmit(*port, four);
  EXPECT_EQ(next(*port, 20ms), nullptr) << "it might have been fragmented";
  EXPECT_EQ(count(*port, "tx-dropped-mtu"), 1U);
  four[6] = 0x40;
  four[10] = four[11] = 0;
  const auto sum = test::internet_checksum(Bytes(four.begin(), four.begin() + 20));
  four[10] = static_cast<std::uint8_t>(sum >> 8);
  four[11] = static_cast<std::uint8_t>(sum);
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

TEST_F(EthernetPortTest, DropsHaveNames) {
  const auto in = open("in0", 1), out = open("out0", 2);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  Bytes last_hop = test::udp4("198.18.0.10", "192.0.2.5", "x");
  last_hop[8] = 1;
  peer.send(test::ethernet(mac, peer.address(), last_hop));
  EXPECT_TRUE(
      test::wait_until([&] { return next(*in, 1ms) == nullptr && count(*in, "rx-dropped-hop-limit") == 1; }, 2s));
  transmit(*out, test::udp4("203.0.113.1", "198.19.0.20", std::string(1473, 'x')));
  EXPECT_EQ(count(*out, "tx-dropped-mtu"), 1U);
  transmit(*out, {0x10, 0, 0, 0});
  EXPECT_EQ(count(*out, "tx-dropped-error"), 1U);
  output_of("ip link set out0p down");
  output_of("ip link set out0 down");
  // Its routes are gone with it, once the port has heard of it.
  EXPECT_TRUE(test::wait_until(
      [&] {
        transmit(*out, test::udp4("203.0.113.1", "198.19.0.20", "x"));
        (void)next(*out, 1ms);
        return count(*out, "tx-dropped-no-route") != 0;
      },
      2s));
  EXPECT_EQ(count(*out, "tx-packets"), 0U);
}

TEST_F(EthernetPortTest, WhatWaitedTooLongIsDroppedByItsStampAndCounted) {
  const auto port = open("in0", 1);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  const Bytes frame = test::ethernet(mac, peer.address(), test::udp4("198.18.0.10", "203.0.113.5", "one"));
  for (int i = 0; i < 100; ++i) peer.send(frame);
  std::this_thread::sleep_for(100ms);
  for (int i = 0; i < 50; ++i) peer.send(frame);
  PacketBuffers several(64);
  std::size_t got = 0;
  // Frames are judged by the batch: of those that came later some share one with the old.
  for (int i = 0; i < 10; ++i) got += port->rx_burst(several.packets());
  EXPECT_GE(count(*port, "rx-dropped-overload"), 100U);
  EXPECT_GE(got, 20U);
  EXPECT_EQ(got + count(*port, "rx-dropped-overload"), 150U);
  EXPECT_EQ(port->waited(), 0ms);
}

TEST_F(EthernetPortTest, ErrorsNameTheInterface) {
  EXPECT_THAT(open_port(config("nosuch0", 1)).error().message,
              HasSubstr("interface nosuch0: there is no such interface"));
  EXPECT_THAT(open_port(config("lo", 1)).error().message, HasSubstr("it is no Ethernet interface"));
}

TEST_F(EthernetPortTest, WithoutThePortTransitTrafficStaysOutAndTheDocumentedCommandsEndThat) {
  open("in0", 1).reset();
  const test::Wire inside("in0p"), outside("out0p");
  const Bytes mac = test::Wire("in0").address();
  const Bytes packet = test::udp4("198.18.0.10", "198.19.0.20", "x");
  inside.send(test::ethernet(mac, inside.address(), packet));
  EXPECT_FALSE(outside.receive(carries(one_hop_later(packet)), 200ms));
  output_of("ip rule flush protocol 73 && ip -6 rule flush protocol 73");
  inside.send(test::ethernet(mac, inside.address(), packet));
  EXPECT_TRUE(outside.receive(carries(one_hop_later(packet)), 2s));
}

}  // namespace
}  // namespace icr::node
