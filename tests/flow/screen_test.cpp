// Screens: exact numbers of sessions, rates, odd packets.
#include "node/services/screen.h"

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

/// One service set with a screen.
Cluster cluster_with(const Screen& screen, std::uint32_t per_subscriber = 0) {
  Cluster out;
  out.screens = {screen};
  out.service_sets.resize(2);
  out.service_sets[0].screen = 0;
  out.service_sets[0].max_sessions_per_subscriber = per_subscriber;
  return out;
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
  const Cluster cluster = cluster_with(screen);
  ScreenGuard guard(cluster, 0, 64, 1);
  EXPECT_EQ(guard.open_timeout_s(), 2U);
  EXPECT_EQ(ScreenGuard(cluster, 1, 64, 1).open_timeout_s(), 5U);
  const auto admit = [&](std::uint32_t from, std::uint32_t to, std::uint16_t port, Ticks now) {
    return guard.admit(packet(from, to, ip_protocol::tcp, port), false, now);
  };
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(admit(i, 100, 80, 0), ScreenDrop::count);
  EXPECT_EQ(admit(9, 100, 80, 0), ScreenDrop::syn_flood) << "the fourth to one port";
  for (std::uint16_t i = 0; i < 4; ++i) {
    EXPECT_EQ(admit(10U + i, 100, static_cast<std::uint16_t>(81 + i), 5), ScreenDrop::count);
  }
  EXPECT_EQ(admit(20, 100, 99, 5), ScreenDrop::syn_flood_destination) << "the eighth to one address";
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(admit(30, 200 + i, 80, 5), ScreenDrop::count);
  EXPECT_EQ(admit(30, 300, 80, 5), ScreenDrop::syn_flood_source) << "the sixth from one address";
  EXPECT_EQ(admit(30, 300, 80, 10), ScreenDrop::count) << "another second";
  EXPECT_EQ(guard.drops(ScreenDrop::syn_flood), 1U);
  EXPECT_EQ(guard.drops(ScreenDrop::syn_flood_destination), 1U);
  EXPECT_EQ(guard.drops(ScreenDrop::syn_flood_source), 1U);
  // A SYN with ACK begins nothing.
  Headers answer = packet(1, 100, ip_protocol::tcp);
  answer.tcp_flags = tcp_flag::syn | tcp_flag::ack;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(guard.admit(answer, false, 20), ScreenDrop::count);
}

TEST(ScreenGuard, OtherFloods) {
  Screen screen;
  screen.icmp_flood_threshold = 2;
  screen.udp_flood_threshold = 1;
  const Cluster cluster = cluster_with(screen);
  ScreenGuard guard(cluster, 0, 64, 1);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::icmp), true, 0), ScreenDrop::count);
  EXPECT_EQ(guard.admit(packet(2, 2, ip_protocol::icmp), true, 0), ScreenDrop::count);
  EXPECT_EQ(guard.admit(packet(3, 2, ip_protocol::icmp), true, 0), ScreenDrop::icmp_flood);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::udp), true, 0), ScreenDrop::count);
  EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::udp), true, 0), ScreenDrop::udp_flood);
  EXPECT_EQ(guard.admit(packet(1, 3, ip_protocol::udp), true, 0), ScreenDrop::count);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(guard.admit(packet(1, 2, ip_protocol::tcp), true, 0), ScreenDrop::count);
}

TEST(ScreenGuard, LimitsSessionsOfAnAddress) {
  Screen screen;
  screen.sessions_per_source = 2;
  screen.sessions_per_destination = 3;
  const Cluster cluster = cluster_with(screen, 4);
  ScreenGuard guard(cluster, 0, 64, 1);
  const auto admit = [&](std::uint32_t from, std::uint32_t to) {
    return guard.admit(packet(from, to, ip_protocol::udp), true, 0);
  };
  guard.begin(host(1), host(100), host(1));
  EXPECT_EQ(admit(1, 101), ScreenDrop::count);
  guard.begin(host(1), host(101), host(1));
  EXPECT_EQ(admit(1, 102), ScreenDrop::source_session_limit);
  guard.end(host(1), host(101), host(1));
  EXPECT_EQ(admit(1, 102), ScreenDrop::count);
  guard.begin(host(2), host(100), host(2));
  guard.begin(host(3), host(100), host(3));
  EXPECT_EQ(admit(4, 100), ScreenDrop::destination_session_limit);
  // Sessions from outside count for the inside host.
  for (std::uint32_t i = 0; i < 4; ++i) guard.begin(host(200 + i), host(5), host(6));
  EXPECT_EQ(admit(6, 102), ScreenDrop::subscriber_session_limit);
  EXPECT_EQ(guard.admit(packet(6, 102, ip_protocol::udp), false, 0), ScreenDrop::count) << "not from the inside";
  CounterList list;
  guard.append_to(list);
  ASSERT_EQ(list.size(), static_cast<std::size_t>(ScreenDrop::count));
  for (const auto& counter : list) {
    const bool counted = counter.name == "source-session-limit" || counter.name == "destination-session-limit" ||
                         counter.name == "subscriber-session-limit";
    EXPECT_EQ(counter.value, counted ? 1U : 0U) << counter.name;
  }
}

TEST(ScreenGuard, OddPackets) {
  const auto check = [](bool Screen::*on, const Headers& headers) {
    Screen screen;
    const Cluster without = cluster_with(screen);
    EXPECT_FALSE(ScreenGuard(without, 0, 64, 1).checks_packets());
    EXPECT_EQ(ScreenGuard(without, 0, 64, 1).check(headers), ScreenDrop::count);
    screen.*on = true;
    const Cluster cluster = cluster_with(screen);
    ScreenGuard guard(cluster, 0, 64, 1);
    EXPECT_TRUE(guard.checks_packets());
    EXPECT_EQ(guard.check(packet(1, 2, ip_protocol::udp)), ScreenDrop::count) << "a plain packet";
    const ScreenDrop reason = guard.check(headers);
    EXPECT_EQ(guard.drops(reason == ScreenDrop::count ? ScreenDrop::syn_flood : reason),
              reason == ScreenDrop::count ? 0U : 1U);
    return reason;
  };
  Headers h = packet(1, 2, ip_protocol::tcp, 139);
  h.tcp_flags = tcp_flag::ack;
  EXPECT_EQ(check(&Screen::tcp_winnuke, h), ScreenDrop::count);
  h.tcp_flags |= tcp_flag::urg;
  EXPECT_EQ(check(&Screen::tcp_winnuke, h), ScreenDrop::tcp_winnuke);
  h = packet(1, 2, ip_protocol::tcp);
  EXPECT_EQ(check(&Screen::tcp_syn_frag, h), ScreenDrop::count);
  h.fragment = true;
  EXPECT_EQ(check(&Screen::tcp_syn_frag, h), ScreenDrop::tcp_syn_fragment);
  EXPECT_EQ(check(&Screen::ip_block_frag, h), ScreenDrop::ip_block_fragment);
  EXPECT_EQ(check(&Screen::icmp_fragment, h), ScreenDrop::count);
  h = packet(1, 2, ip_protocol::icmp6);
  h.l3_length = 1024;
  EXPECT_EQ(check(&Screen::icmp_large, h), ScreenDrop::count);
  h.l3_length = 1025;
  EXPECT_EQ(check(&Screen::icmp_large, h), ScreenDrop::icmp_large);
  h.fragment = true;
  EXPECT_EQ(check(&Screen::icmp_fragment, h), ScreenDrop::icmp_fragment);
  h = packet(1, 2, 200);
  EXPECT_EQ(check(&Screen::ip_unknown_protocol, h), ScreenDrop::ip_unknown_protocol);
  h.source_route = true;
  EXPECT_EQ(check(&Screen::ip_source_route_option, h), ScreenDrop::ip_source_route);
  h.bad_option = true;
  EXPECT_EQ(check(&Screen::ip_bad_option, h), ScreenDrop::ip_bad_option);
}

}  // namespace
}  // namespace icr::node::test
