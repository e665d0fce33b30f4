// Unfinished packets through the kernel: what one TUN port received with partial checksums and many segments leaves by
// another one, and a plain TUN device, for which the kernel has to finish everything, shows what is on the wire.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "node/packet/headers.h"
#include "node/packet/rewrite.h"
#include "node/ports/factory.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::output_of;
using namespace std::chrono_literals;

constexpr std::uint16_t kSegment = 1000;

/// A TUN device without any offload.
class PlainTun {
 public:
  explicit PlainTun(const char* name) : descriptor_(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (descriptor_ < 0 || ioctl(descriptor_, TUNSETIFF, &request) < 0) throw std::runtime_error("no plain TUN device");
    output_of(fmt::format("ip link set {} up", name));
  }
  ~PlainTun() { close(descriptor_); }
  PlainTun(const PlainTun&) = delete;
  PlainTun& operator=(const PlainTun&) = delete;

  /// The next TCP or UDP packet.
  [[nodiscard]] std::optional<Bytes> next(int milliseconds = 2000) const {
    for (;;) {
      Bytes packet(70000);
      const ssize_t got = read(descriptor_, packet.data(), packet.size());
      if (got > 0) {
        packet.resize(static_cast<std::size_t>(got));
        const std::uint8_t protocol = packet[packet[0] >> 4 == 6 ? 6 : 9];
        if (protocol == 6 || protocol == 17) return packet;
        continue;
      }
      pollfd waiting{descriptor_, POLLIN, 0};
      if (poll(&waiting, 1, milliseconds) <= 0) return std::nullopt;
    }
  }

 private:
  int descriptor_;
};

/// Local sockets -> `ms000.1`; what comes out of `ms000.2` goes to `plain0`; 198.51.100.77 and its like go to
/// `ms000.1`.
class TunOffloadTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0");
    output_of("ip addr add 198.18.0.1/32 dev lo && ip addr add 2001:db8:18::1/128 dev lo nodad");
    inside = open("ms000.1", 1);
    outside = open("ms000.2", 2);
    plain = std::make_unique<PlainTun>("plain0");
    for (const char* family : {"-4", "-6"}) {
      output_of(fmt::format("ip {} route add default dev ms000.1", family));
      output_of(fmt::format("ip {} rule add iif ms000.2 lookup 100", family));
      output_of(fmt::format("ip {} route add default dev plain0 table 100", family));
    }
    output_of("ip route add 198.51.100.77 dev ms000.1 table 100");
    output_of("ip route add 2001:db8::77 dev ms000.1 table 100");
  }

  static std::unique_ptr<Port> open(const char* device, std::uint32_t unit) {
    PacketPort config;
    config.device = device;
    config.unit = unit;
    auto port = open_port(config);
    if (!port) throw std::runtime_error(port.error().message);
    return std::move(*port);
  }

  Packet* next(Port& port) {
    const auto received = [&] { return port.rx_burst({buffers.packets().data(), 1}) == 1; };
    return test::wait_until(received, 2s) ? buffers.packets().data() : nullptr;
  }

  static std::uint64_t count(const Port& port, const std::string& name) {
    CounterList counters;
    port.append_to(counters);
    return test::counter(counters, name).value();
  }

  /// Sends `size` octets by UDP, `segment` in a datagram (0: all in one).
  static void send_datagrams(bool v6, std::size_t size, int segment) {
    const int descriptor = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(2000);
    const IpAddress to6 = *IpAddress::parse("2001:db8:ffff::5");
    std::memcpy(&six.sin6_addr, to6.bytes.data(), 16);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(2000);
    four.sin_addr.s_addr = htonl(IpAddress::parse("198.51.100.5")->to_v4());
    if (segment != 0) {
      ASSERT_EQ(setsockopt(descriptor, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    }
    Bytes payload(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    const auto* to = v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    EXPECT_EQ(sendto(descriptor, payload.data(), size, 0, to, v6 ? sizeof six : sizeof four),
              static_cast<ssize_t>(size));
    close(descriptor);
  }

  /// What a translation does: another source.
  static void translate(Packet& packet, bool v6) {
    Headers headers;
    ASSERT_EQ(read_headers(packet.data, packet.length, headers), HeaderError::none);
    FlowKey to = headers.key;
    to.source = *IpAddress::parse(v6 ? "2001:db8:aaaa::1" : "203.0.113.1");
    to.source_port = 40001;
    rewrite(headers, to);
  }

  static Bytes tcp(bool v6, const char* to, std::size_t payload) {
    Bytes out = v6 ? test::udp6("2001:db8:aaaa::1", to, std::string(12 + payload, '\0'))
                   : test::udp4("203.0.113.1", to, std::string(12 + payload, '\0'));
    const std::size_t ip = v6 ? 40 : 20;
    out[v6 ? 6 : 9] = 6;
    if (!v6) {
      out[10] = out[11] = 0;
      const auto sum = test::internet_checksum(Bytes(out.begin(), out.begin() + 20));
      out[10] = static_cast<std::uint8_t>(sum >> 8);
      out[11] = static_cast<std::uint8_t>(sum);
    }
    const Bytes rest = {0, 0, 1, 0, 0, 0, 0, 9, 0x50, 0x10, 0x10, 0, 0xde, 0xad, 0, 0};
    std::copy(rest.begin(), rest.end(), out.begin() + static_cast<long>(ip) + 4);
    for (std::size_t i = 0; i < payload; ++i) out[ip + 20 + i] = static_cast<std::uint8_t>(i / 7);
    return out;
  }

  static void expect_right_checksums(const Bytes& packet) {
    const bool v6 = packet[0] >> 4 == 6;
    const std::size_t ip = v6 ? 40 : 20;
    if (!v6) {
      EXPECT_EQ(test::internet_checksum(Bytes(packet.begin(), packet.begin() + 20)), 0);
    }
    const std::size_t length = packet.size() - ip;
    Bytes summed(packet.begin() + (v6 ? 8 : 12), packet.begin() + static_cast<long>(ip));
    summed.insert(summed.end(),
                  {0, packet[v6 ? 6 : 9], static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
    summed.insert(summed.end(), packet.begin() + static_cast<long>(ip), packet.end());
    EXPECT_EQ(test::internet_checksum(summed), 0);
  }

  PacketBuffers buffers{1};
  std::unique_ptr<Port> inside, outside;
  std::unique_ptr<PlainTun> plain;
};

TEST_F(TunOffloadTest, ADatagramWithAPartialChecksumIsTranslatedAndFinished) {
  for (const bool v6 : {false, true}) {
    send_datagrams(v6, 777, 0);
    Packet* const packet = next(*inside);
    ASSERT_NE(packet, nullptr);
    EXPECT_TRUE(packet->partial_checksum) << "else the kernel had to compute it";
    translate(*packet, v6);
    outside->tx(*packet);
    const auto seen = plain->next();
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->size(), 777U + 8 + (v6 ? 40 : 20));
    expect_right_checksums(*seen);
  }
}

TEST_F(TunOffloadTest, DatagramsThatCameInOnePacketLeaveAsDatagrams) {
  for (const bool v6 : {false, true}) {
    send_datagrams(v6, 10 * kSegment + 17, kSegment);
    std::size_t datagrams = 0;
    std::size_t octets = 0;
    while (octets < 10 * kSegment + 17) {
      Packet* const packet = next(*inside);
      ASSERT_NE(packet, nullptr);
      // A kernel before 6.2 hands over one by one.
      EXPECT_TRUE(packet->segment_bytes == kSegment || packet->length <= kSegment + 48U) << packet->segment_bytes;
      octets += packet->length - (v6 ? 48 : 28);
      translate(*packet, v6);
      outside->tx(*packet);
    }
    octets = 0;
    while (octets < 10 * kSegment + 17) {
      const auto seen = plain->next();
      ASSERT_TRUE(seen);
      expect_right_checksums(*seen);
      const std::size_t header = v6 ? 48 : 28;
      EXPECT_EQ((*seen)[header], static_cast<std::uint8_t>(octets * 7 + octets / 256)) << "in order, nothing missing";
      octets += seen->size() - header;
      ++datagrams;
    }
    EXPECT_EQ(datagrams, 11U);
  }
}

TEST_F(TunOffloadTest, TcpSegmentsOfOnePacketAreOnTheWireOneByOne) {
  for (const bool v6 : {false, true}) {
    Bytes bytes = tcp(v6, v6 ? "2001:db8:ffff::5" : "198.51.100.5", 60 * kSegment + 1);
    Packet packet{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 2};
    packet.segment_bytes = kSegment;
    packet.partial_checksum = true;
    outside->tx(packet);
    const std::size_t header = v6 ? 60 : 40;
    for (std::uint32_t i = 0; i <= 60; ++i) {
      const auto seen = plain->next();
      ASSERT_TRUE(seen) << i;
      EXPECT_EQ(seen->size() - header, i == 60 ? 1U : kSegment);
      expect_right_checksums(*seen);
      const Bytes sequence((*seen).begin() + static_cast<long>(header) - 16,
                           (*seen).begin() + static_cast<long>(header) - 12);
      const std::uint32_t expected = 0x100 + i * kSegment;
      EXPECT_EQ(sequence, (Bytes{0, 0, static_cast<std::uint8_t>(expected >> 8), static_cast<std::uint8_t>(expected)}));
    }
  }
  EXPECT_EQ(count(*outside, "tx-large-packets"), 2U);
}

TEST_F(TunOffloadTest, TcpSegmentsStayTogetherFromPortToPort) {
  for (const bool v6 : {false, true}) {
    Bytes bytes = tcp(v6, v6 ? "2001:db8::77" : "198.51.100.77", 60 * kSegment + 1);
    Packet packet{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 2};
    packet.segment_bytes = kSegment;
    packet.partial_checksum = true;
    outside->tx(packet);
    const Packet* const again = next(*inside);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->length, bytes.size());
    EXPECT_EQ(again->segment_bytes, kSegment);
    EXPECT_TRUE(again->partial_checksum);
  }
  EXPECT_EQ(count(*inside, "rx-large-packets"), 2U);
}

TEST_F(TunOffloadTest, AnUnfinishedPacketThatIsNoLongerTcpIsDroppedAndCounted) {
  Bytes bytes = tcp(false, "198.51.100.5", 100);
  bytes[9] = 47;
  Packet packet{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 2};
  packet.partial_checksum = true;
  outside->tx(packet);
  EXPECT_EQ(count(*outside, "tx-dropped-bad-offload"), 1U);
  EXPECT_EQ(count(*outside, "tx-packets"), 0U);
}

}  // namespace
}  // namespace icr::node
