// Screens: exact numbers of sessions, rates, odd packets.
#include "node/service/screen.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace icr::node::test {
namespace {

IpAddress host(std::uint32_t n) { return IpAddress::v4(0xc6120000U + n); }

TEST(AddressCounts, AreExact) {
  // Against a map; few addresses in a small table, so that chains form, wrap and close.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    constexpr std::uint32_t kMost = 40;
    AddressCounts counts(kMost, seed);
    std::map<IpAddress, std::uint32_t> model;
    for (int i = 0; i < 20'000; ++i) {
      const IpAddress address = host(static_cast<std::uint32_t>(random() % 100));
      if (random() % 2 == 0) {
        if (model.count(address) != 0 || model.size() < kMost) {
          counts.add(address);
          ++model[address];
        }
      } else {
        counts.remove(address);
        const auto found = model.find(address);
        if (found != model.end() && --found->second == 0) model.erase(found);
      }
      const IpAddress other = host(static_cast<std::uint32_t>(random() % 100));
      const auto found = model.find(other);
      ASSERT_EQ(counts.of(other), found == model.end() ? 0U : found->second) << i;
    }
    for (std::uint32_t n = 0; n < 100; ++n) {
      const auto found = model.find(host(n));
      ASSERT_EQ(counts.of(host(n)), found == model.end() ? 0U : found->second);
    }
  }
}

TEST(RateTable, CountsPerSecond) {
  RateTable rates(1);
  EXPECT_EQ(rates.count(host(1), 80, 100), 1U);
  EXPECT_EQ(rates.count(host(1), 80, 105), 2U);
  EXPECT_EQ(rates.count(host(1), 81, 105), 1U) << "another port";
  EXPECT_EQ(rates.count(host(2), 80, 105), 1U) << "another address";
  EXPECT_EQ(rates.count(host(1), 80, 109), 3U);
  EXPECT_EQ(rates.count(host(1), 80, 110), 1U) << "another second";
}

TEST(RateTable, TheBusyStayCountedAmongMany) {
  RateTable rates(7);
  std::uint32_t seen = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    (void)rates.count(host(1000 + i), 0, 50);  // spoofed: each once
    if (i % 10 == 0) seen = rates.count(host(1), 0, 50);
  }
  // 10,000 events; some of the first may be lost before the address is the busiest of its set.
  EXPECT_GT(seen, 9'000U);
  EXPECT_LE(seen, 10'000U);
}

Headers packet(std::uint32_t from, std::uint32_t to, std::uint8_t protocol, std::uint16_t port = 80) {
  Headers out;
  out.key = {host(from), host(to), 40000, port, protocol};
  out.protocol = protocol;
  if (protocol == ip_protocol::tcp) out.tcp_flags = tcp_flag::syn;
  out.l3_length = 60;
  return out;
}

TEST(ScreenGuard, SynFloods) {
  Screen screen;
  screen.syn_flood = Screen::SynFlood{3, 5, 7, 2};
  ScreenGuard guard(screen, 64, 1);
  EXPECT_EQ(guard.open_timeout_s(5), 2U);
  EXPECT_EQ(guard.open_timeout_s(1), 1U);
  const auto admit = [&](std::uint32_t from, std::uint32_t to, std::uint16_t port, Ticks now) {
    return guard.admit(packet(from, to, ip_protocol::tcp, port), now);
  };
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(admit(i, 100, 80, 0), ScreenDrop::none);
  EXPECT_EQ(admit(9, 100, 80, 0), ScreenDrop::syn_flood) << "the fourth to one port";
  for (std::uint16_t i = 0; i < 4; ++i) {
    EXPECT_EQ(admit(10U + i, 100, static_cast<std::uint16_t>(81 + i), 5), ScreenDrop::none);
  }
  EXPECT_EQ(admit(20, 100, 99, 5), ScreenDrop::syn_flood_destination) << "the eighth to one address";
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(admit(30, 200 + i, 80, 5), ScreenDrop::none);
  EXPECT_EQ(admit(30, 300, 80, 5), ScreenDrop::syn_flood_source) << "the sixth from one address";
  EXPECT_EQ(admit(30, 300, 80, 10), ScreenDrop::none) << "another second";
  // A SYN with ACK begins nothing.
  Headers answer = packet(1, 100, ip_protocol::tcp);
  answer.tcp_flags = tcp_flag::syn | tcp_flag::ack;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(guard.admit(answer, 20), ScreenDrop::none);
}

TEST(ScreenGuard, OtherFloods) {
  Screen screen;
  screen.icmp_flood_threshold = 2;
  screen.udp_flood_threshold = 1;
  ScreenGuard guard(screen, 64, 1);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::icmp), 0), ScreenDrop::none);
  EXPECT_EQ(guard.admit(packet(2, 2, ip_protocol::icmp), 0), ScreenDrop::none);
  EXPECT_EQ(guard.admit(packet(3, 2, ip_protocol::icmp), 0), ScreenDrop::icmp_flood);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::udp), 0), ScreenDrop::none);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::udp), 0), ScreenDrop::udp_flood);
  EXPECT_EQ(guard.admit(packet(1, 3, ip_protocol::udp), 0), ScreenDrop::none);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::tcp), 0), ScreenDrop::none);
}

TEST(ScreenGuard, LimitsSessionsOfAnAddress) {
  Screen screen;
  screen.sessions_per_source = 2;
  screen.sessions_per_destination = 3;
  ScreenGuard guard(screen, 64, 1);
  EXPECT_EQ(guard.open_timeout_s(5), 5U);
  const auto admit = [&](std::uint32_t from, std::uint32_t to) {
    return guard.admit(packet(from, to, ip_protocol::udp), 0);
  };
  guard.begin(host(1), host(100));
  EXPECT_EQ(admit(1, 101), ScreenDrop::none);
  guard.begin(host(1), host(101));
  EXPECT_EQ(admit(1, 102), ScreenDrop::sessions_of_source);
  guard.end(host(1), host(101));
  EXPECT_EQ(admit(1, 102), ScreenDrop::none);
  guard.begin(host(2), host(100));
  guard.begin(host(3), host(100));
  EXPECT_EQ(admit(4, 100), ScreenDrop::sessions_of_destination);
  EXPECT_EQ(admit(4, 101), ScreenDrop::none);
}

}  // namespace
}  // namespace icr::node::test
