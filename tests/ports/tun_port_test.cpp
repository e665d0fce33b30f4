#include "node/ports/tun_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "node/kernel/tun_routing.h"
#include "node/ports/factory.h"
#include "tests/ports/router_fixture.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::counter;
using test::output_of;
using testing::Ge;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr const char* kDevice = "ms000.1";

/// A router with a TUN device, and a host behind each interface.
class TunPortTest : public RouterTest {
 protected:
  void SetUp() override {
    RouterTest::SetUp();
    if (IsSkipped()) return;
    for (const char* address : {"198.18.0.10", "2001:db8:18::10"}) add_neighbour("in0", address, "02:00:00:00:00:10");
    for (const char* address : {"198.19.0.10", "2001:db8:19::10"}) add_neighbour("out0", address, "02:00:00:00:00:20");
  }

  static PacketPort config(std::vector<std::string> steer_from, std::uint32_t queues = 1) {
    PacketPort port;
    port.queues = queues;
    port.unit = 1;
    port.device = kDevice;
    port.steer_from = std::move(steer_from);
    return port;
  }

  static std::unique_ptr<Port> open(std::vector<std::string> steer_from, std::uint32_t queues = 1) {
    auto port = open_port(config(std::move(steer_from), queues));
    if (!port) throw std::runtime_error(port.error().message);
    return std::move(*port);
  }

  static TimePoint monotonic_now() { return TimePoint(std::chrono::steady_clock::now().time_since_epoch()); }

  static Bytes in0_mac() { return test::Wire("in0").address(); }

  /// Sends a packet into `in0` as the host behind it would.
  static void arrive(const test::Wire& peer, const Bytes& packet) {
    peer.send(test::ethernet(in0_mac(), peer.address(), packet));
  }

  /// The same for many packets, on their way together.
  static void arrive(const test::Wire& peer, const std::vector<Bytes>& packets) {
    const Bytes to = in0_mac();
    const Bytes from = peer.address();
    for (const Bytes& packet : packets) peer.send(test::ethernet(to, from, packet));
  }

  /// `flood` packets of one flow, then one of each of 32 others (to 203.0.113.10 and so on).
  static std::vector<Bytes> flood_and_others(std::size_t flood) {
    std::vector<Bytes> out(flood, test::udp4("198.18.0.10", "203.0.113.5", "flood"));
    for (int i = 0; i < 32; ++i) {
      out.push_back(test::udp4("198.18.0.10", fmt::format("203.0.113.{}", 10 + i), "other"));
    }
    return out;
  }
  static bool is_flood(const std::uint8_t* packet) { return packet[19] == 5; }

  /// The next packet out of the port.
  static std::optional<Bytes> next(Port& port, std::chrono::milliseconds limit) {
    PacketBuffers buffers(1);
    const Packet& packet = buffers.packets()[0];
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
      if (port.rx_burst(buffers.packets()) == 1) break;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
      pollfd waiting{port.descriptor(), POLLIN, 0};
      if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    }
    EXPECT_EQ(packet.unit, 1U);
    return Bytes(packet.data, packet.data + packet.length);
  }

  static void transmit(Port& port, Bytes bytes) {
    port.tx(
        Packet{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 1});
  }
};

TEST_F(TunPortTest, SteersArrivingPacketsIntoTheDeviceUnchanged) {
  const auto port = open({"in0"});
  const test::Wire peer("in0p");
  for (const Bytes& packet : {test::udp4("198.18.0.10", "203.0.113.5", "four"),
                              test::udp4("198.18.0.10", "198.19.0.10", "connected elsewhere"),
                              test::udp6("2001:db8:18::10", "2001:db8:ffff::5", "six"),
                              test::udp6("2001:db8:18::10", "2001:db8:19::10", "connected elsewhere")}) {
    // The kernel drops IPv6 packets to a device whose carrier it has not noticed yet.
    std::optional<Bytes> came;
    for (int attempt = 0; attempt < 5 && !came; ++attempt) {
      arrive(peer, packet);
      came = next(*port, 2s);
    }
    EXPECT_EQ(came, one_hop_later(packet));
  }
  EXPECT_EQ(count(*port, "rx-packets"), 4U);
}

TEST_F(TunPortTest, PacketsForTheRouterItselfAreNotSteered) {
  const auto port = open({"in0"});
  const test::Wire peer("in0p");
  arrive(peer, test::udp4("198.18.0.10", "198.18.0.1", "nobody listens here"));
  const auto unreachable = [](const Bytes& frame) {
    return frame.size() > 34 && frame[12] == 8 && frame[13] == 0 && frame[23] == 1 && frame[34] == 3;
  };
  EXPECT_TRUE(peer.receive(unreachable, 2s)) << "the kernel answers for its own addresses";
  EXPECT_EQ(next(*port, 0s), std::nullopt);
}

TEST_F(TunPortTest, WhatIsSentIsForwardedByTheKernel) {
  const auto port = open({"in0"});
  const test::Wire peer("out0p");
  // Sources that the kernel has no route back to: reverse path filtering must not drop them.
  for (const Bytes& packet :
       {test::udp4("203.0.113.1", "198.19.0.10", "out"), test::udp6("2001:db8:ffff::1", "2001:db8:19::10", "out")}) {
    transmit(*port, packet);
    const Bytes expected = one_hop_later(packet);
    const auto same = [&expected](const Bytes& frame) {
      return frame.size() >= 14 && Bytes(frame.begin() + 14, frame.end()) == expected;
    };
    EXPECT_TRUE(peer.receive(same, 2s));
  }
  EXPECT_EQ(count(*port, "tx-packets"), 2U);
}

TEST_F(TunPortTest, ABurstTakesWhatWaitsAndNoMore) {
  const auto port = open({"in0"});
  const test::Wire peer("in0p");
  for (int i = 0; i < 5; ++i) arrive(peer, test::udp4("198.18.0.10", "203.0.113.5", std::string(1, char('a' + i))));
  PacketBuffers buffers(4);
  auto& packets = buffers.packets();
  std::size_t got = 0;
  std::string payloads;
  ASSERT_TRUE(test::wait_until(
      [&] {
        const std::size_t now = port->rx_burst({packets.data(), 4});
        for (std::size_t i = 0; i < now; ++i) payloads += static_cast<char>(packets[i].data[28]);
        got += now;
        return got >= 5;
      },
      2s));
  EXPECT_EQ(payloads, "abcde");
  EXPECT_EQ(port->rx_burst({packets.data(), 4}), 0U);
}

TEST_F(TunPortTest, AFlowThatFloodsItsQueueDropsNothingOfOtherQueues) {
  // How many of 32 flows with one packet each come through beside one that has sent ten times what a queue holds.
  const auto survivors = [](std::uint32_t queues) {
    const auto port = open({"in0"}, queues);
    output_of(
        fmt::format("ip link set dev {} txqueuelen 100 && tc qdisc replace dev {} root noqueue", kDevice, kDevice));
    const test::Wire peer("in0p");
    arrive(peer, flood_and_others(1000));
    int others = 0;
    int flood = 0;
    while (const auto packet = next(*port, 200ms)) (is_flood(packet->data()) ? flood : others) += 1;
    EXPECT_LE(flood, 150) << "the queue is as long as it was made";
    return others;
  };
  EXPECT_EQ(survivors(1), 0);
  // With four queues a flow shares the flooded one with a chance of one in four.
  EXPECT_THAT(survivors(4), Ge(12));
}

TEST_F(TunPortTest, EachQueueHasItsShareOfABurst) {
  const auto port = open({"in0"}, 4);
  const test::Wire peer("in0p");
  arrive(peer, flood_and_others(500));
  PacketBuffers buffers(64);
  const auto& packets = buffers.packets();
  ASSERT_EQ(port->rx_burst(buffers.packets()), 64U) << "what other queues leave of a burst is there for the full one";
  const auto flood = std::count_if(packets.begin(), packets.end(), [](const Packet& p) { return is_flood(p.data); });
  EXPECT_GE(flood, 32);
  EXPECT_LE(flood, 52) << "others had their share";
}

TEST_F(TunPortTest, PacketsOfAFlowKeepTheirOrderThroughSeveralQueues) {
  const auto port = open({"in0"}, 4);
  const test::Wire peer("in0p");
  std::map<std::string, std::string> seen;  // by flow
  for (char round = 'a'; round < 'f'; ++round) {
    for (int flow = 0; flow < 8; ++flow) {
      const std::string address = fmt::format("203.0.113.{}", flow);
      arrive(peer, test::udp4("198.18.0.10", address, std::string(1, round)));
      // What is sent teaches the kernel where the flow's next packets go.
      transmit(*port, test::udp4(address, "198.18.0.10", "answer"));
    }
  }
  while (const auto packet = next(*port, 200ms)) {
    seen[std::to_string((*packet)[19])] += static_cast<char>(packet->back());
  }
  EXPECT_EQ(seen.size(), 8U);
  for (const auto& [flow, payloads] : seen) EXPECT_EQ(payloads, "abcde") << flow;
}

TEST_F(TunPortTest, OfAnAbsenceTheOldestPacketsAreDroppedAndCounted) {
  const auto port = open({"in0"});
  const test::Wire peer("in0p");
  PacketBuffers buffers(64);
  const Bytes frame = test::ethernet(in0_mac(), peer.address(), test::udp4("198.18.0.10", "203.0.113.5", "one"));
  // A hundred packets, one a millisecond, tell the rate.
  std::size_t early = 0;
  for (int i = 0; i < 100; ++i) {
    peer.send(frame);
    std::this_thread::sleep_for(1ms);
    while (const std::size_t n = port->rx_burst(buffers.packets())) early += n;
  }
  const auto begun = std::chrono::steady_clock::now();
  // The last of them may arrive late on a busy machine.
  while (early < 100 && std::chrono::steady_clock::now() - begun < 2s) early += port->rx_burst(buffers.packets());
  ASSERT_EQ(early, 100U);
  const auto away = std::chrono::steady_clock::now();
  for (int i = 0; i < 300; ++i) {
    peer.send(frame);
    std::this_thread::sleep_for(1ms);
  }
  const auto absence = std::chrono::steady_clock::now() - away;
  port->was_away(absence, monotonic_now());
  EXPECT_EQ(port->waited(), 0ms) << "it may catch up";
  std::size_t got = 0;
  while (const std::size_t n = port->rx_burst(buffers.packets())) got += n;
  // All but those of the last 200 ms; a busy machine makes the rates differ, or the reading slow.
  // The kernel's own multicast reports, up to three of them, may be among those that are dropped unread.
  EXPECT_GE(got + count(*port, "rx-dropped-overload"), 300U);
  EXPECT_LE(got + count(*port, "rx-dropped-overload"), 303U);
  EXPECT_GE(got, 10U);
  EXPECT_LE(got, 270U);
  EXPECT_EQ(port->waited(), 0ms);
}

/// A queue that never has anything must not keep what an absence made of it.
TEST_F(TunPortTest, AfterAnAbsenceNothingWaitsInQueuesThatAreEmpty) {
  const auto port = open({"in0"}, 4);
  const test::Wire peer("in0p");
  port->was_away(50ms, monotonic_now());
  port->was_away(50ms, monotonic_now());  // so that no grace is left
  EXPECT_GT(port->waited(), 20ms);
  arrive(peer, test::udp4("198.18.0.10", "203.0.113.5", "one"));
  EXPECT_TRUE(next(*port, 1s));
  EXPECT_FALSE(next(*port, 10ms));
  EXPECT_EQ(port->waited(), 0ms);
}

TEST_F(TunPortTest, AMarkerTellsHowLongPacketsWaitAndIsNeverHandedOn) {
  for (const std::uint32_t queues : {1U, 4U}) {
    const auto port = open({"in0"}, queues);
    const test::Wire peer("in0p");
    arrive(peer, flood_and_others(500));
    PacketBuffers buffers(8);
    // The queue does not become empty for a while: a marker goes to its end.
    const auto read = [&] {
      const std::size_t n = port->rx_burst(buffers.packets());
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(buffers.packets()[i].data[9], 17);
      return n;
    };
    for (int i = 0; i < 10; ++i) {
      EXPECT_NE(read(), 0U);
      std::this_thread::sleep_for(1ms);
    }
    // What comes after the marker waits as long as the marker does: too long.
    arrive(peer, flood_and_others(100));
    std::this_thread::sleep_for(80ms);
    const auto before = count(*port, "rx-packets");
    while (read() != 0 || count(*port, "rx-dropped-overload") == 0) {
      ASSERT_LT(count(*port, "rx-packets") - before, 664U) << "nothing was too old";
    }
    EXPECT_GE(count(*port, "rx-markers"), 1U);
    EXPECT_GE(count(*port, "rx-dropped-overload"), 1U);
    // The queue is empty: what comes now is fresh.
    while (read() != 0) {
    }
    arrive(peer, test::udp4("198.18.0.10", "203.0.113.5", "fresh"));
    EXPECT_TRUE(next(*port, 2s));
  }
}

TEST_F(TunPortTest, WhatFindsTheQueueFullIsCounted) {
  const auto port = open({"in0"});
  const test::Wire peer("in0p");
  // The kernel itself sends router solicitations and reports of multicast groups into the device while IPv6 is on.
  output_of(fmt::format("sysctl -qw net.ipv6.conf.{0}.disable_ipv6=1; ip link set {0} txqueuelen 100", kDevice));
  PacketBuffers buffers(64);
  while (port->rx_burst(buffers.packets()) != 0) {
  }
  const std::uint64_t before = count(*port, "rx-dropped-queue-full");
  arrive(peer, std::vector<Bytes>(150, test::udp4("198.18.0.10", "203.0.113.5", "many")));
  std::size_t got = 0;
  while (const std::size_t n = port->rx_burst(buffers.packets())) got += n;
  const std::uint64_t dropped = count(*port, "rx-dropped-queue-full") - before;
  EXPECT_EQ(got + dropped, 150U);
  EXPECT_GE(dropped, 20U);
}

TEST_F(TunPortTest, ADeviceOfSeveralQueuesBelongsToOneProcess) {
  const auto port = open({}, 4);
  for (const std::uint32_t queues : {1U, 4U}) EXPECT_FALSE(open_port(config({}, queues))) << queues;
  EXPECT_THAT(open_port(config({}, 4)).error().message, HasSubstr("in use by another process"));
}

TEST_F(TunPortTest, TheDeviceIsQuietAndHasLongQueuesOfItsOwnOnlyAndNoMtu) {
  for (const std::uint32_t queues : {1U, 4U}) {
    const auto port = open({}, queues);
    const std::string link = output_of(std::string("ip -d link show dev ") + kDevice);
    for (const char* word : {"mtu 65535", "qlen 10000", "qdisc noqueue"}) EXPECT_THAT(link, HasSubstr(word));
    EXPECT_THAT(output_of(std::string("ip addr show dev ") + kDevice), Not(HasSubstr("inet6")));
    EXPECT_EQ(next(*port, 500ms), std::nullopt) << "what the kernel says by itself is no traffic";
    EXPECT_GT(count(*port, "rx-dropped-link-local"), 0U);
  }
}

TEST_F(TunPortTest, AfterTheDeviceIsGonePacketsAreDroppedNotForwarded) {
  output_of("ip route add default via 198.19.0.10 && ip -6 route add default via 2001:db8:19::10");
  const test::Wire inside("in0p"), outside("out0p");
  const auto forwarded = [&](const Bytes& packet, std::chrono::milliseconds limit) {
    arrive(inside, packet);
    const Bytes expected = one_hop_later(packet);
    const auto same = [&](const Bytes& frame) {
      return frame.size() >= 14 && Bytes(frame.begin() + 14, frame.end()) == expected;
    };
    return outside.receive(same, limit).has_value();
  };
  const Bytes four = test::udp4("198.18.0.10", "203.0.113.5", "x");
  const Bytes six = test::udp6("2001:db8:18::10", "2001:db8:ffff::5", "x");
  ASSERT_TRUE(forwarded(four, 2s)) << "without steering the kernel forwards";
  ASSERT_TRUE(forwarded(six, 2s));
  open({"in0"}).reset();
  EXPECT_FALSE(forwarded(four, 200ms));
  EXPECT_FALSE(forwarded(six, 200ms));
  const auto port = open({"in0"});
  arrive(inside, four);
  EXPECT_EQ(next(*port, 2s), one_hop_later(four)) << "a restart picks the traffic up again";
}

TEST_F(TunPortTest, ADeviceThatIsDeletedWakesNobodyAndIsToldOnce) {
  for (const std::uint32_t queues : {1U, 4U}) {
    const auto port = open({"in0"}, queues);
    ASSERT_GE(port->descriptor(), 0);
    output_of(fmt::format("ip link delete {}", kDevice));
    pollfd ready{port->descriptor(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 2000), 1) << "the worker learns of it";
    PacketBuffers buffers(64);
    EXPECT_EQ(port->rx_burst(buffers.packets()), 0U);
    EXPECT_EQ(port->descriptor(), -1) << "a worker that waits for it would never sleep again";
    const auto errors = count(*port, "rx-errors");
    EXPECT_GE(errors, 1U);
    EXPECT_EQ(port->rx_burst(buffers.packets()), 0U);
    EXPECT_EQ(count(*port, "rx-errors"), errors);
  }
}

TEST_F(TunPortTest, RestartingLeavesOneRuleAndReplacesStaleOnes) {
  const std::string table = std::to_string(routing_table_of(kDevice));
  for (const char* family : {"-4", "-6"}) {
    output_of(std::string("ip ") + family + " rule add priority 7300 iif in0 lookup 4711");
    output_of(std::string("ip ") + family + " rule add priority 100 iif out0 lookup 4711");
  }
  for (int i = 0; i < 3; ++i) open({"in0", "out0"}).reset();
  const auto port = open({"in0", "out0"});
  for (const char* family : {"-4", "-6"}) {
    const std::string rules = output_of(std::string("ip ") + family + " rule show priority 7300");
    EXPECT_EQ(rules, fmt::format("7300:\tfrom all iif in0 lookup {0} proto 73\n"
                                 "7300:\tfrom all iif out0 lookup {0} proto 73\n",
                                 table));
    EXPECT_THAT(output_of(std::string("ip ") + family + " rule show priority 100"), HasSubstr("lookup 4711"));
    const std::string routes = output_of(std::string("ip ") + family + " route show table " + table);
    EXPECT_THAT(routes, HasSubstr(std::string("default dev ") + kDevice));
    EXPECT_THAT(routes, HasSubstr("blackhole default"));
    EXPECT_THAT(routes, HasSubstr("metric 4294967295"));
  }
}

TEST_F(TunPortTest, TheDocumentedCommandsRemoveRulesAndRoutes) {
  open({"in0"}).reset();
  output_of("ip rule flush protocol 73 && ip -6 rule flush protocol 73");
  output_of("ip route flush table all proto 73 && ip -6 route flush table all proto 73");
  for (const char* family : {"-4", "-6"}) {
    EXPECT_EQ(output_of(std::string("ip ") + family + " rule show priority 7300"), "");
    EXPECT_THAT(output_of(std::string("ip ") + family + " route show table all"), Not(HasSubstr("blackhole")));
  }
}

TEST_F(TunPortTest, ATableOfAnotherDeviceIsNotTakenOver) {
  output_of("ip route add default dev out0 table " + std::to_string(routing_table_of(kDevice)));
  const auto port = open_port(config({"in0"}));
  ASSERT_FALSE(port);
  EXPECT_THAT(port.error().message, HasSubstr("already routes into out0"));
}

TEST_F(TunPortTest, AnInterfaceThatComesLateIsSteeredFromItsFirstPacket) {
  testing::internal::CaptureStderr();
  const auto port = open({"in0", "late0"});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("device=ms000.1 steer-from: waiting for interface late0, which does not exist yet"));
  EXPECT_THAT(log, Not(HasSubstr("interface in0")));
  const auto rules = output_of("ip rule show priority 7300");
  EXPECT_THAT(rules, HasSubstr("iif late0 [detached]"));
  output_of("ip link add late0 type veth peer name late0p");
  EXPECT_THAT(output_of("ip rule show priority 7300"),
              HasSubstr(fmt::format("iif late0 lookup {}", routing_table_of(kDevice))));
}

TEST_F(TunPortTest, ADeviceBelongsToOneProcess) {
  const auto port = open({});
  const auto second = open_port(config({}));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("in use by another process"));
}

TEST_F(TunPortTest, AnInterfaceThatIsNotATunDeviceIsRefused) {
  PacketPort wrong = config({});
  wrong.device = "in0";
  const auto port = open_port(wrong);
  ASSERT_FALSE(port);
  EXPECT_THAT(port.error().message, HasSubstr("not a TUN device"));
  wrong.device = "sixteen-letters-";
  EXPECT_THAT(open_port(wrong).error().message, HasSubstr("1 to 15 characters"));
}

TEST_F(TunPortTest, WithoutTheCapabilityTheReasonIsClear) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    syscall(SYS_capset, &header, none);
    const auto port = open_port(config({}));
    const std::string text = port ? "opened" : port.error().message;
    const ssize_t written = write(pipe_ends[1], text.data(), text.size());
    _exit(written < 0);
  }
  close(pipe_ends[1]);
  char text[512] = "";
  EXPECT_GT(read(pipe_ends[0], text, sizeof text - 1), 0);
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_THAT(text, HasSubstr("CAP_NET_ADMIN"));
}

TEST_F(TunPortTest, DropsHaveNames) {
  const auto port = open({});
  transmit(*port, {0xff, 0, 0, 0});
  EXPECT_EQ(count(*port, "tx-dropped-refused"), 1U);
  Bytes big(kMaxPacketBytes + 1, 0x45);
  transmit(*port, big);
  EXPECT_EQ(count(*port, "tx-dropped-oversize"), 1U);
  output_of(std::string("ip link set down dev ") + kDevice);
  transmit(*port, test::udp4("203.0.113.1", "198.19.0.10", "down"));
  EXPECT_EQ(count(*port, "tx-dropped-device-down"), 1U);
  output_of(std::string("ip link del dev ") + kDevice);
  transmit(*port, test::udp4("203.0.113.1", "198.19.0.10", "gone"));
  EXPECT_EQ(count(*port, "tx-dropped-device-down"), 2U);
  PacketBuffers buffers(1);
  EXPECT_EQ(port->rx_burst(buffers.packets()), 0U);
  EXPECT_EQ(count(*port, "rx-errors"), 1U);
  EXPECT_EQ(count(*port, "tx-packets"), 0U);
}

TEST_F(TunPortTest, OnlyTheForwardingThatIcrdCannotSwitchOnIsAskedFor) {
  output_of("sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=1");
  const auto port = open({"in0"});
  EXPECT_EQ(ipv6_forwarding_trouble(kDevice), "");
  output_of("sysctl -qw net.ipv6.conf.all.forwarding=0");
  const bool for_each_interface =
      test::run(fmt::format("test -e /proc/sys/net/ipv6/conf/{}/force_forwarding", kDevice)) == 0;
  const std::string trouble = ipv6_forwarding_trouble(kDevice);
  EXPECT_EQ(trouble.empty(), for_each_interface) << trouble;
  if (!for_each_interface) {
    EXPECT_THAT(trouble, HasSubstr("net.ipv6.conf.all.forwarding=1"));
  }
  // Nothing is said of IPv4, because it is forwarded all the same.
  EXPECT_EQ(output_of(fmt::format("cat /proc/sys/net/ipv4/conf/{}/forwarding", kDevice)), "1\n");
}

TEST(RoutingTable, IsStableAndInRange) {
  EXPECT_EQ(routing_table_of("ms000.1"), routing_table_of("ms000.1"));
  EXPECT_NE(routing_table_of("ms000.1"), routing_table_of("ms000.2"));
  for (const char* name : {"", "a", "ms000.1", "vms100.20"}) {
    EXPECT_GE(routing_table_of(name), 10000U);
    EXPECT_LT(routing_table_of(name), 60000U);
  }
}

}  // namespace
}  // namespace icr::node
