// Translations that are computed.
#include "node/nat/nat_arithmetic.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

std::uint16_t sum_of(const IpAddress& address) {
  return checksum_finish(checksum_add(address.bytes.data(), address.bytes.size()));
}

TEST(MapPrefix, KeepsTheHost) {
  EXPECT_EQ(map_prefix(ip("198.18.5.77"), prefix("198.18.4.0/22"), prefix("203.0.112.0/22")), ip("203.0.113.77"));
  EXPECT_EQ(map_prefix(ip("198.18.0.3"), prefix("198.18.0.3/32"), prefix("203.0.113.9/32")), ip("203.0.113.9"));
  EXPECT_EQ(map_prefix(ip("198.18.0.14"), prefix("198.18.0.8/29"), prefix("203.0.113.32/29")), ip("203.0.113.38"));
}

/// RFC 6296 section 3.4 and its example: fd01:203:405::/48 inside, 2001:db8:1::/48 outside.
TEST(Nptv6, TheExampleOfRfc6296) {
  const Prefix inside = prefix("fd01:203:405::/48");
  const Prefix outside = prefix("2001:db8:1::/48");
  EXPECT_EQ(map_nptv6(ip("fd01:203:405:1::1234"), inside, outside), ip("2001:db8:1:d550::1234"));
  EXPECT_EQ(map_nptv6(ip("2001:db8:1:d550::1234"), outside, inside), ip("fd01:203:405:1::1234"));
}

TEST(Nptv6, IsChecksumNeutralAndReversible) {
  std::mt19937 random(5);
  const std::vector<std::pair<const char*, const char*>> pairs = {
      {"fd01:203:405::/48", "2001:db8:1::/48"},         {"fd01:203:400::/40", "2001:db8:ff00::/40"},
      {"fd01:203:405:600::/56", "2001:db8:1:200::/56"}, {"fd01:203:405:678::/64", "2001:db8:1:234::/64"},
      {"fd01:203:405::/48", "fd01:203:405::/48"},
  };
  for (const auto& [a, b] : pairs) {
    const Prefix inside = prefix(a);
    const Prefix outside = prefix(b);
    unsigned refused = 0;
    for (int i = 0; i < 3000; ++i) {
      IpAddress host = inside.base;
      for (unsigned bit = inside.length; bit < 128; ++bit) {
        // Many ones, so that words of 0xffff come up.
        if (random() % 4 != 0) host.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
      }
      const auto mapped = map_nptv6(host, inside, outside);
      if (!mapped) {
        ++refused;
        continue;
      }
      EXPECT_TRUE(outside.contains(*mapped));
      EXPECT_EQ(sum_of(host) % 0xffff, sum_of(*mapped) % 0xffff) << host.to_string();
      EXPECT_EQ(map_nptv6(*mapped, outside, inside), host);
    }
    EXPECT_LT(refused, 300U);
  }
}

TEST(Nptv6, RefusesWhatOnesComplementCannotRestore) {
  EXPECT_FALSE(map_nptv6(ip("fd01:203:405:ffff::1"), prefix("fd01:203:405::/48"), prefix("2001:db8:1::/48")));
  const Prefix inside = prefix("fd01:203:405:678::/64");
  const Prefix outside = prefix("2001:db8:1:234::/64");
  EXPECT_FALSE(map_nptv6(ip("fd01:203:405:678:ffff:ffff:ffff:ffff"), inside, outside));
  EXPECT_FALSE(map_nptv6(ip("fd01:203:405:678::"), inside, outside)) << "subnet-router anycast";
  EXPECT_TRUE(map_nptv6(ip("fd01:203:405:678:ffff:ffff:ffff:1"), inside, outside));
}

TEST(StaticNat, GoesBothWaysAndKeepsExceptionsOut) {
  NatTerm term;
  term.type = NatType::basic_nat44;
  term.from.source_addresses = {AddressRange::of(prefix("198.18.4.0/24"))};
  term.from.source_except = {AddressRange::of(prefix("198.18.4.9/32"))};
  term.source_prefix = prefix("203.0.113.0/24");
  EXPECT_EQ(static_external(term, ip("198.18.4.7")), ip("203.0.113.7"));
  EXPECT_EQ(static_internal(term, ip("203.0.113.7")), ip("198.18.4.7"));
  EXPECT_FALSE(static_internal(term, ip("203.0.113.9")));
  EXPECT_FALSE(static_internal(term, ip("203.0.114.7")));
  EXPECT_FALSE(static_external(term, ip("198.18.5.7")));
}

/// RFC 7422 section 2: what a host has follows from the configuration alone, and the other way round.
TEST(DeterministicBlocks, EveryHostHasItsOwnPorts) {
  NatPool pool;
  pool.addresses = {AddressRange::of(prefix("203.0.113.0/31")), AddressRange::of(prefix("203.0.113.8/32"))};
  pool.port_low = 1024;
  pool.port_high = 2047;
  pool.deterministic = NatPool::Deterministic{100, true};
  NatTerm term;
  term.from.source_addresses = {AddressRange::of(prefix("198.18.0.0/28")), AddressRange::of(prefix("198.18.1.0/28"))};
  const DeterministicBlocks blocks(pool, term);
  ASSERT_EQ(blocks.hosts(), 32U);
  std::set<std::pair<std::uint32_t, std::uint16_t>> ports;
  unsigned hosts = 0;
  for (const std::uint32_t base : {0xc6120000U, 0xc6120100U}) {
    for (std::uint32_t n = 0; n < 16; ++n) {
      const auto block = blocks.of_host(IpAddress::v4(base + n));
      if (!block) continue;
      ++hosts;
      EXPECT_GE(block->first, 1024);
      EXPECT_LE(block->last, 2047);
      EXPECT_EQ(block->last - block->first, 99);
      for (std::uint32_t port = block->first; port <= block->last; ++port) {
        EXPECT_TRUE(ports.insert({block->external, static_cast<std::uint16_t>(port)}).second);
        EXPECT_EQ(blocks.host_of(IpAddress::v4(block->external), static_cast<std::uint16_t>(port)), base + n);
      }
    }
  }
  // Three addresses of ten blocks: there is none for the last two hosts.
  EXPECT_EQ(hosts, 30U);
  EXPECT_FALSE(blocks.of_host(IpAddress::v4(0xc612010f)));
  EXPECT_FALSE(blocks.of_host(IpAddress::v4(0xc6120200)));
  EXPECT_FALSE(blocks.host_of(IpAddress::v4(0xcb007100), 2030)) << "above the last whole block";
  EXPECT_FALSE(blocks.host_of(IpAddress::v4(0xcb007109), 1024));
  EXPECT_FALSE(blocks.host_of(IpAddress::v4(0xcb007100), 1023));
}

/// Where a UDP packet to a port of 203.0.113.x is sent on to.
std::optional<DestinationMap::Target> whole_target(const Cluster& cluster, const NatTerm& term, const IpAddress& to,
                                                   std::uint16_t port = 80, std::uint8_t protocol = ip_protocol::udp) {
  return DestinationMap(cluster, term)({ip("192.0.2.1"), to, 1000, port, protocol});
}
std::optional<IpAddress> target(const Cluster& cluster, const NatTerm& term, const IpAddress& to) {
  const auto whole = whole_target(cluster, term, to);
  return whole ? std::optional(whole->address) : std::nullopt;
}

TEST(DestinationMap, OneToOneOrToASingleServer) {
  Cluster cluster;
  cluster.nat_pools.resize(2);
  cluster.nat_pools[0].addresses = {AddressRange::of(prefix("198.18.9.5/32"))};
  cluster.nat_pools[1].addresses = {AddressRange::of(prefix("198.18.9.8/30"))};
  NatTerm term;
  term.type = NatType::dnat44;
  term.from.destination_addresses = {AddressRange::of(prefix("203.0.113.4/30"))};
  term.destination_pool = 0;
  EXPECT_EQ(target(cluster, term, ip("203.0.113.6")), ip("198.18.9.5"));
  term.destination_pool = 1;
  EXPECT_EQ(target(cluster, term, ip("203.0.113.6")), ip("198.18.9.10"));
  EXPECT_FALSE(target(cluster, term, ip("203.0.113.8")));
  term.destination_pool.reset();
  term.destination_prefix = prefix("198.18.40.0/30");
  EXPECT_EQ(target(cluster, term, ip("203.0.113.6")), ip("198.18.40.2"));
  EXPECT_FALSE(target(cluster, term, ip("203.0.113.8")));
}

/// Junos' translated-port: one port for all, or a range for a range, in order.
TEST(DestinationMap, PortsAreForwarded) {
  Cluster cluster;
  NatTerm term;
  term.type = NatType::dnat44;
  term.from.destination_addresses = {AddressRange::of(*Prefix::parse("203.0.113.8/32"))};
  term.destination_prefix = Prefix::parse("198.18.64.253/32");
  term.from.destination_ports = {{8080, 8080}, {9000, 9009}};
  term.translated_ports = PortRange{80, 80};
  const IpAddress outer = ip("203.0.113.8");
  EXPECT_EQ(whole_target(cluster, term, outer, 8080)->port, 80);
  EXPECT_EQ(whole_target(cluster, term, outer, 9005, ip_protocol::tcp)->port, 80);
  EXPECT_FALSE(whole_target(cluster, term, outer, 8080, ip_protocol::sctp)) << "its ports are not translated";
  term.from.destination_ports = {{9000, 9009}};
  term.translated_ports = PortRange{100, 109};
  EXPECT_EQ(whole_target(cluster, term, outer, 9000)->port, 100);
  EXPECT_EQ(whole_target(cluster, term, outer, 9009)->port, 109);
  term.translated_ports.reset();
  EXPECT_EQ(whole_target(cluster, term, outer, 9009)->port, 9009);
}

/// Many ranges, in any order, and ranges that overlap, of which the first in the list counts.
TEST(AddressList, NumbersInTheOrderOfTheList) {
  for (const bool overlap : {false, true}) {
    for (const std::uint32_t count : {1U, 3U, 8U, 50U}) {
      std::vector<AddressRange> ranges;
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t low = 0xc6120000U + (i * 37 % count) * 16;
        ranges.push_back({IpAddress::v4(low), IpAddress::v4(low + (overlap ? 20 : 7))});
      }
      const AddressList list(ranges);
      for (std::uint32_t v4 = 0xc611fff0U; v4 < 0xc6120000U + count * 16 + 30; ++v4) {
        std::optional<std::uint32_t> expected;
        std::uint32_t before = 0;
        for (const AddressRange& range : ranges) {
          if (!expected && range.contains(IpAddress::v4(v4))) expected = before + (v4 - range.low.to_v4());
          before += static_cast<std::uint32_t>(range.count());
        }
        ASSERT_EQ(list.index_of(v4), expected);
      }
      std::uint32_t number = 0;
      for (const AddressRange& range : ranges) {
        for (std::uint32_t v4 = range.low.to_v4(); v4 <= range.high.to_v4(); ++v4) ASSERT_EQ(list.at(number++), v4);
      }
      EXPECT_EQ(list.size(), number);
    }
  }
}

}  // namespace
}  // namespace icr::node
