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
#include "tests/ports/ethernet_port_fixture.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::output_of;
using testing::HasSubstr;
using namespace std::chrono_literals;

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

TEST_F(EthernetPortTest, DropsHaveNames) {
  const auto in = open("in0", 1), out = open("out0", 2);
  const test::Wire peer("in0p");
  const Bytes mac = test::Wire("in0").address();
  Bytes last_hop = test::udp4("198.18.0.10", "192.0.2.5", "x");
  last_hop[8] = 1;
  peer.send(test::ethernet(mac, peer.address(), last_hop));
  EXPECT_TRUE(
      test::wait_until([&] { return next(*in, 1ms) == nullptr && count(*in, "rx-dropped-hop-limit") == 1; }, 2s));
  transmit(*out, test::udp6("2001:db8::1", "2001:db8:19::20", std::string(1473, 'x')));
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
  std::size_t sent = 0, got = 0;
  const auto send = [&](int frames) {
    for (int i = 0; i < frames; ++i) peer.send(frame);
    sent += static_cast<std::size_t>(frames);
  };
  PacketBuffers several(64);
  const auto read_all = [&] {
    return test::wait_until(
        [&] {
          got += port->rx_burst(several.packets());
          return got + count(*port, "rx-dropped-overload") == sent;
        },
        2s);
  };
  send(100);
  std::this_thread::sleep_for(100ms);  // That they wait is what the test is about.
  send(50);
  EXPECT_TRUE(read_all());
  EXPECT_GE(count(*port, "rx-dropped-overload"), 100U);
  // Frames are judged by the batch: of those that came later some share one with the old. Where this test had to wait
  // for a processor, they have become old themselves, and others follow.
  for (int attempt = 0; attempt < 20 && got < 20; ++attempt) {
    send(50);
    EXPECT_TRUE(read_all());
  }
  EXPECT_GE(got, 20U);
  EXPECT_EQ(port->waited(), 0ms);
}

TEST_F(EthernetPortTest, ErrorsNameTheInterface) {
  EXPECT_THAT(EthernetPort::open(config("nosuch0", 1), [] {}).error().message,
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
