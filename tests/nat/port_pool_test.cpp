// Ports of a NAT pool: who owns what.
#include "node/nat/port_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>
#include <tuple>

namespace icr::node::test {
namespace {

using Owned = std::tuple<std::string, std::uint8_t, std::uint16_t>;

NatPool pool_of(std::initializer_list<const char*> prefixes, std::uint16_t low, std::uint16_t high) {
  NatPool pool;
  for (const char* p : prefixes) pool.addresses.push_back(AddressRange::of(*Prefix::parse(p)));
  pool.port_low = low;
  pool.port_high = high;
  return pool;
}

const IpAddress kHost = *IpAddress::parse("198.18.0.10");

/// Another flow each time.
std::uint64_t nonce() {
  static std::uint64_t last = 0;
  return icr::detail::mix(++last, 0x9e3779b97f4a7c15ULL);
}

std::optional<PortPool::ExternalEndpoint> give(PortPool& pool, const IpAddress& host, std::uint8_t protocol,
                                               std::uint16_t original = 4000) {
  PortPool::Refusal why{};
  return pool.allocate(host, protocol, original, nonce(), why);
}

TEST(PortPool, GivesEachPortOnceAndThenNoMore) {
  // Not a multiple of 64, over two ranges of addresses.
  for (const std::uint16_t high : {std::uint16_t{2000}, std::uint16_t{2063}, std::uint16_t{2100}}) {
    PortPool pool(pool_of({"203.0.113.4/31", "203.0.113.9/32"}, 2000, high), 1);
    const std::size_t all = 3U * (high - 2000U + 1);
    std::set<Owned> owned;
    for (std::size_t i = 0; i < all; ++i) {
      EXPECT_FALSE(pool.exhausted(17));
      const auto b = give(pool, kHost, 17);
      ASSERT_TRUE(b.has_value()) << i;
      EXPECT_TRUE(pool.contains(b->address));
      EXPECT_TRUE(pool.in_range(b->port));
      ASSERT_TRUE(owned.insert({b->address.to_string(), 17, b->port}).second) << "given twice";
    }
    EXPECT_TRUE(pool.exhausted(17));
    EXPECT_FALSE(pool.exhausted(6));
    EXPECT_FALSE(give(pool, kHost, 17).has_value());
    EXPECT_EQ(pool.in_use(), all);
    EXPECT_TRUE(give(pool, kHost, 6).has_value());
    EXPECT_TRUE(give(pool, kHost, 1).has_value());
    const auto& [address, protocol, port] = *owned.begin();
    pool.release(*IpAddress::parse(address), protocol, port);
    const auto b = give(pool, kHost, 17);
    ASSERT_TRUE(b.has_value());
    EXPECT_EQ(b->port, port);
    EXPECT_EQ(b->address.to_string(), address);
  }
}

TEST(PortPool, AHostKeepsItsAddressWhileItHasPorts) {
  PortPool pool(pool_of({"203.0.113.0/28"}, 1024, 65535), 7);
  std::set<std::string> used;
  for (std::uint32_t host = 0; host < 50; ++host) {
    const IpAddress internal = IpAddress::v4(0xc6120000U + host);
    const std::string paired = pool.hashed_address(internal)->to_string();
    used.insert(paired);
    for (int i = 0; i < 20; ++i) {
      for (const std::uint8_t protocol : {std::uint8_t{6}, std::uint8_t{17}, std::uint8_t{1}}) {
        EXPECT_EQ(give(pool, internal, protocol)->address.to_string(), paired);
      }
    }
  }
  EXPECT_GT(used.size(), 8U) << "hosts are spread over the pool";
}

TEST(PortPool, PortsAreNotPredictable) {
  PortPool a(pool_of({"203.0.113.1/32"}, 1024, 65535), 1);
  PortPool b(pool_of({"203.0.113.1/32"}, 1024, 65535), 2);
  int near = 0;
  int same = 0;
  std::uint16_t last = 0;
  PortPool::Refusal why{};
  for (int i = 0; i < 1000; ++i) {
    // The seed alone makes the difference.
    const std::uint64_t flow = nonce();
    const std::uint16_t port = a.allocate(kHost, 17, 4000, flow, why)->port;
    if (port == last + 1) ++near;
    if (port == b.allocate(kHost, 17, 4000, flow, why)->port) ++same;
    last = port;
  }
  EXPECT_LT(near, 20);
  EXPECT_LT(same, 20);
}

TEST(PortPool, ClaimsAndReleasesLikeASetWithCounts) {
  PortPool pool(pool_of({"203.0.113.4/31"}, 100, 180), 3);
  std::map<Owned, int> model;
  std::mt19937_64 random(5);
  const auto address = [&] { return IpAddress::v4(0xcb007104U + static_cast<std::uint32_t>(random() % 2)); };
  const auto protocol = [&] { return std::array<std::uint8_t, 3>{6, 17, 1}[random() % 3]; };
  for (int step = 0; step < 60000; ++step) {
    switch (random() % 3) {
      case 0: {
        const std::uint8_t p = protocol();
        const auto b = give(pool, kHost, p);
        if (!b) break;
        Owned key{b->address.to_string(), p, b->port};
        ASSERT_EQ(model[key], 0) << "an owned port was given away";
        model[key] = 1;
        break;
      }
      case 1: {
        const IpAddress a = address();
        const std::uint8_t p = protocol();
        const auto port = static_cast<std::uint16_t>(95 + random() % 90);
        int& owners = model[{a.to_string(), p, port}];
        const bool in_range = port >= 100 && port <= 180;
        ASSERT_EQ(pool.claim(a, p, port), in_range && owners == 0);
        if (in_range) ++owners;
        break;
      }
      default: {
        const IpAddress a = address();
        const std::uint8_t p = protocol();
        const auto port = static_cast<std::uint16_t>(95 + random() % 90);
        pool.release(a, p, port);
        int& owners = model[{a.to_string(), p, port}];
        if (owners > 0) --owners;
      }
    }
    if (step % 100 != 0) continue;
    std::size_t owned = 0;
    std::size_t contested = 0;
    for (const auto& [key, owners] : model) {
      owned += owners > 0 ? 1 : 0;
      contested += owners > 1 ? 1 : 0;
    }
    ASSERT_EQ(pool.in_use(), owned);
    ASSERT_EQ(pool.contested(), contested);
  }
}

TEST(PortPool, WhatIsNotItsOwnIsIgnored) {
  PortPool pool(pool_of({"203.0.113.4/31"}, 100, 180), 3);
  EXPECT_FALSE(pool.claim(*IpAddress::parse("203.0.113.6"), 17, 120));
  EXPECT_FALSE(pool.claim(*IpAddress::parse("2001:db8::1"), 17, 120));
  EXPECT_FALSE(pool.claim(*IpAddress::parse("203.0.113.4"), 17, 99));
  EXPECT_FALSE(pool.claim(*IpAddress::parse("203.0.113.4"), 17, 181));
  pool.release(*IpAddress::parse("203.0.113.4"), 17, 120);
  pool.release(*IpAddress::parse("203.0.113.6"), 17, 120);
  EXPECT_EQ(pool.in_use(), 0U);
  EXPECT_EQ(pool.contested(), 0U);
  EXPECT_TRUE(PortPool::translates_port(6));
  EXPECT_FALSE(PortPool::translates_port(47));
  EXPECT_FALSE(PortPool::translates_port(132));
}

TEST(PortPool, AWholePoolOfPortsOfOneAddress) {
  PortPool pool(pool_of({"203.0.113.1/32"}, 1, 65535), 3);
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 65535; ++i) ASSERT_TRUE(ports.insert(give(pool, kHost, 6)->port).second);
  EXPECT_FALSE(give(pool, kHost, 6).has_value());
  EXPECT_FALSE(ports.contains(0));
}

/// RFC 4787 section 4.2.2: the mapped port has the parity of the host's; and there are as many of either.
TEST(PortPool, PreservesParity) {
  for (const std::uint16_t low : {std::uint16_t{2000}, std::uint16_t{2001}}) {
    NatPool config = pool_of({"203.0.113.1/32"}, low, static_cast<std::uint16_t>(low + 9));
    config.preserve_parity = true;
    PortPool pool(config, 3);
    for (int i = 0; i < 5; ++i) {
      const auto odd = give(pool, kHost, 17, 4001);
      ASSERT_TRUE(odd);
      EXPECT_EQ(odd->port % 2, 1);
    }
    PortPool::Refusal why{};
    EXPECT_FALSE(pool.allocate(kHost, 17, 4001, nonce(), why));
    EXPECT_EQ(why, PortPool::Refusal::parity);
    const auto even = give(pool, kHost, 17, 4000);
    ASSERT_TRUE(even);
    EXPECT_EQ(even->port % 2, 0);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(give(pool, kHost, 1, 7)) << "an ICMP identifier has no parity";
  }
}

/// RFC 4787 section 4.2.1: well-known ports stay below 1024, the others do not go there.
TEST(PortPool, PreservesTheRange) {
  NatPool config = pool_of({"203.0.113.1/32"}, 1020, 1029);
  config.preserve_range = true;
  PortPool pool(config, 3);
  PortPool::Refusal why{};
  for (int i = 0; i < 4; ++i) EXPECT_LT(give(pool, kHost, 6, 500)->port, 1024);
  EXPECT_FALSE(pool.allocate(kHost, 6, 500, nonce(), why));
  EXPECT_EQ(why, PortPool::Refusal::range);
  for (int i = 0; i < 6; ++i) EXPECT_GE(give(pool, kHost, 6, 5000)->port, 1024);
  EXPECT_FALSE(pool.allocate(kHost, 6, 5000, nonce(), why));
  EXPECT_EQ(why, PortPool::Refusal::out_of_ports);
}

TEST(PortPool, GoesInSequenceAndRoundRobinWhenToldSo) {
  NatPool config = pool_of({"203.0.113.0/30"}, 2000, 2003);
  config.assignment = NatPool::Assignment::sequential;
  config.round_robin = true;
  PortPool pool(config, 3);
  for (std::uint16_t round = 0; round < 4; ++round) {
    for (std::uint32_t address = 0; address < 4; ++address) {
      const auto b = give(pool, kHost, 6);
      ASSERT_TRUE(b);
      EXPECT_EQ(b->address.to_v4(), 0xcb007100U + address);
      EXPECT_EQ(b->port, 2000 + round);
    }
  }
  // A port that comes back is not the next one to go out (RFC 6056 section 2.3).
  pool.release(IpAddress::v4(0xcb007100), 6, 2001);
  pool.release(IpAddress::v4(0xcb007100), 6, 2003);
  PortPool::Refusal why{};
  EXPECT_EQ(pool.allocate_on(0, pool.whole(), 6, 4000, nonce(), why), 2001);
  EXPECT_EQ(pool.allocate_on(0, pool.whole(), 6, 4000, nonce(), why), 2003);
  EXPECT_EQ(pool.allocate_on(0, pool.whole(), 6, 4000, nonce(), why), std::nullopt);
}

TEST(PortPool, StaysInsideASpan) {
  PortPool pool(pool_of({"203.0.113.0/31"}, 1024, 65535), 3);
  std::set<std::uint16_t> ports;
  PortPool::Refusal why{};
  for (int i = 0; i < 100; ++i) {
    const auto port = pool.allocate_on(1, {5000, 5099}, 17, 4000, nonce(), why);
    ASSERT_TRUE(port);
    EXPECT_GE(*port, 5000);
    EXPECT_LE(*port, 5099);
    EXPECT_TRUE(ports.insert(*port).second);
  }
  EXPECT_FALSE(pool.allocate_on(1, {5000, 5099}, 17, 4000, nonce(), why));
  EXPECT_EQ(why, PortPool::Refusal::out_of_ports);
  EXPECT_EQ(pool.in_use(), 100U);
  EXPECT_EQ(pool.max_in_use(), 100U);
  EXPECT_EQ(pool.addresses_in_use(), 1U);
  for (const std::uint16_t port : ports) pool.release(IpAddress::v4(0xcb007101), 17, port);
  EXPECT_EQ(pool.addresses_in_use(), 0U);
  EXPECT_EQ(pool.max_in_use(), 100U);
}

}  // namespace
}  // namespace icr::node::test
