// Tests the echo requests to the peer's machine in a network namespace, with the answers of its kernel.
#include "node/kernel/prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::counter;
using test::output_of;
using namespace std::chrono_literals;

constexpr std::uint64_t kNonce = 0x1122334455667788ULL;

class ProberTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("ip link add in0 type veth peer name in0p && ip link set in0 up && ip link set in0p up");
    output_of("ip addr add 198.18.0.1/24 dev in0 && ip addr add 2001:db8:18::1/64 dev in0 nodad");
    output_of("ip neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev in0");
    output_of("ip neigh add 2001:db8:18::2 lladdr 02:00:00:00:00:02 dev in0");
    output_of("ip route add 192.0.2.0/24 via 198.18.0.2");
  }
  static IpAddress address(const char* text) { return *IpAddress::parse(text); }
  static std::uint64_t count(const Prober& prober, const std::string& name) {
    CounterList counters;
    prober.append_to(counters);
    return counter(counters, name).value();
  }
  /// Returns the IPv4 TTL or IPv6 hop limit of the request that arrives at the other end of the cable.
  static int hop_limit(const test::Wire& wire) {
    const auto is_echo = [](const Bytes& frame) {
      if (frame.size() < 14 + 20 + 24) return false;
      const bool v4 = frame[12] == 8 && frame[13] == 0 && frame[14 + 9] == IPPROTO_ICMP && frame[14 + 20] == 8;
      const bool v6 = frame[12] == 0x86 && frame[14 + 6] == IPPROTO_ICMPV6 && frame[14 + 40] == 128;
      return v4 || v6;
    };
    const auto frame = wire.receive(is_echo, 2s);
    if (!frame) return -1;
    return (*frame)[12] == 8 ? (*frame)[14 + 8] : (*frame)[14 + 7];
  }

  const TimePoint now_{1s};
};

TEST_F(ProberTest, TheKernelAnswersWithTheNonceOfTheRequest) {
  Prober prober(7, {});
  ASSERT_EQ(prober.warning(), "");
  for (const char* text : {"198.18.0.1", "2001:db8:18::1"}) {
    prober.send(now_, address(text), kNonce);
    std::vector<std::uint64_t> seen;
    EXPECT_TRUE(test::wait_until(
        [&] {
          const auto answers = prober.take_answers(now_);
          seen.insert(seen.end(), answers.begin(), answers.end());
          return !seen.empty();
        },
        2s))
        << text;
    EXPECT_THAT(seen, testing::ElementsAre(kNonce));
  }
}

TEST_F(ProberTest, AddressesThatThePeerTellsAreNotAskedBeyondARouter) {
  const test::Wire other_end("in0p");
  Prober prober(7, address("192.0.2.9"));
  prober.send(now_, address("198.18.0.2"), kNonce);
  EXPECT_EQ(hop_limit(other_end), 1);
  prober.send(now_, address("2001:db8:18::2"), kNonce);
  EXPECT_EQ(hop_limit(other_end), 1);
  prober.send(now_, address("192.0.2.8"), kNonce);
  EXPECT_EQ(hop_limit(other_end), 1) << "a stranger behind a router is not reached";
  prober.send(now_, address("192.0.2.9"), kNonce);
  EXPECT_EQ(hop_limit(other_end), 64) << "the inter-chassis address of the cluster file may be behind routers";
  EXPECT_EQ(count(prober, "probes-not-sent"), 0U);
}

TEST_F(ProberTest, AFloodOfAnswersKeepsTheWorkerForAFewMessagesOnly) {
  Prober prober(7, {});
  prober.send(now_, address("198.18.0.1"), kNonce);
  ASSERT_TRUE(test::wait_until([&] { return !prober.take_answers(now_).empty(); }, 2s));
  // Answers of another program, of another prober, without a nonce, and cut short.
  const int raw = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  ASSERT_GE(raw, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(address("198.18.0.1").to_v4());
  Bytes answer(24, 0);
  answer[5] = 8;  // another identifier
  std::memcpy(answer.data() + 8, "icr live", 8);
  std::memcpy(answer.data() + 16, &kNonce, 8);
  const auto flood = [&](const Bytes& bytes) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(::sendto(raw, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
                static_cast<ssize_t>(bytes.size()));
    }
  };
  std::vector<Bytes> kinds = {answer};
  answer[5] = 7;
  for (const std::size_t length : {23U, 16U, 8U}) kinds.emplace_back(answer.begin(), answer.begin() + length);
  std::uint64_t read = 0;
  for (const Bytes& kind : kinds) {
    flood(kind);
    std::size_t looks = 0;
    for (const std::uint64_t all = read + 100; read < all; ++looks) {
      ASSERT_LT(looks, 100U);
      EXPECT_THAT(prober.take_answers(now_), testing::IsEmpty());
      const std::uint64_t now = count(prober, "probes-strange-answers");
      EXPECT_LE(now - read, Prober::kMessagesPerLook);
      read = now;
    }
    EXPECT_GE(looks, 2U);
  }
  ::close(raw);
}

TEST_F(ProberTest, AddressesOfTheClusterFileMayBeBehindRoutersAndBehindOneInterface) {
  const test::Wire other_end("in0p");
  output_of("ip link add out0 type veth peer name out0p && ip link set out0 up && ip link set out0p up");
  output_of("ip addr add 198.19.0.1/24 dev out0 && ip addr add 2001:db8:19::1/64 dev out0 nodad");
  output_of("ip neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev out0");
  const test::Wire elsewhere("out0p");
  Prober any(7, Prober::Anywhere{}, "");
  any.send(now_, address("192.0.2.8"), kNonce);
  EXPECT_EQ(hop_limit(other_end), 64);
  Prober bound(7, Prober::Anywhere{}, "out0");
  bound.send(now_, address("198.18.0.2"), kNonce);  // which the routes would send by in0
  EXPECT_EQ(hop_limit(elsewhere), 64);
  Prober nowhere(7, Prober::Anywhere{}, "gone0");
  nowhere.send(now_, address("198.18.0.2"), kNonce);
  EXPECT_EQ(count(nowhere, "probes-not-sent"), 1U);
  output_of("ip link add gone0 type veth peer name gone0p && ip link set gone0 up && ip link set gone0p up");
  output_of("ip addr add 203.0.113.1/24 dev gone0 && ip neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev gone0");
  const test::Wire late("gone0p");
  nowhere.send(now_, address("198.18.0.2"), kNonce);
  EXPECT_EQ(hop_limit(late), 64) << "the interface has come";
}

}  // namespace
}  // namespace icr::node
