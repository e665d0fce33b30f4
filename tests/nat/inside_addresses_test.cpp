// Tests which addresses are inside according to the cluster file.
#include "node/nat/inside_addresses.h"

#include <gtest/gtest.h>

namespace icr::node::test {
namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
AddressRange net(const char* text) { return AddressRange::of(*Prefix::parse(text)); }

/// One service set with one rule on units 1 (inside) and 2.
struct Lab {
  Lab() {
    cluster.service_sets.resize(1);
    cluster.service_sets[0].inside_unit = 1;
    cluster.service_sets[0].outside_unit = 2;
    cluster.service_sets[0].nat_rules = {0};
    cluster.nat_rules.resize(1);
    cluster.nat_rules[0].terms.resize(1);
    cluster.chassis.resize(1);
    cluster.chassis[0].cards.resize(1);
    cluster.chassis[0].cards[0].name = "ms-0/0/0";
    cluster.redundancy_sets.resize(1);
    cluster.redundancy_sets[0].service_sets = {0};
    cluster.redundancy_sets[0].members = {{0, "ms-0/0/0", 100}};
  }
  [[nodiscard]] NatTerm& term() { return cluster.nat_rules[0].terms[0]; }
  [[nodiscard]] bool inside(const char* address) const { return InsideAddresses(cluster, 0).contains(ip(address)); }
  Cluster cluster;
};

TEST(InsideAddresses, WhereRulesSendWhatComesFromOutside) {
  for (const auto direction : {MatchDirection::input, MatchDirection::output, MatchDirection::input_output}) {
    Lab lab;
    lab.cluster.nat_rules[0].direction = direction;
    lab.term().type = NatType::dnat44;
    lab.term().destination_prefix = Prefix::parse("198.18.9.0/30");
    const bool from_outside = direction != MatchDirection::input;
    EXPECT_EQ(lab.inside("198.18.9.3"), from_outside);
    EXPECT_FALSE(lab.inside("198.18.9.4"));
    NatPool pool;
    pool.addresses = {net("198.18.7.1/32"), net("198.18.5.1/32")};
    lab.cluster.nat_pools = {pool};
    lab.term().destination_prefix.reset();
    lab.term().destination_pool = 0;
    EXPECT_EQ(lab.inside("198.18.5.1"), from_outside);
    EXPECT_EQ(lab.inside("198.18.7.1"), from_outside);
    EXPECT_FALSE(lab.inside("198.18.6.1"));
  }
}

TEST(InsideAddresses, SourcesOfPacketsFromInside) {
  Lab lab;
  lab.term().from.source_addresses = {net("198.18.0.0/24"), net("198.18.0.128/25"), net("2001:db8::/64")};
  EXPECT_TRUE(lab.inside("198.18.0.255"));
  EXPECT_FALSE(lab.inside("198.18.1.0"));
  EXPECT_FALSE(lab.inside("2001:db8::1")) << "no rule translates a destination to it";
  lab.term().from.source_addresses = {net("0.0.0.0/0")};
  EXPECT_FALSE(lab.inside("198.18.0.1")) << "everywhere is nowhere";
  lab.cluster.nat_rules[0].direction = MatchDirection::output;
  lab.term().from.source_addresses = {net("192.0.2.0/24")};
  EXPECT_FALSE(lab.inside("192.0.2.1")) << "callers outside";
}

TEST(InsideAddresses, NetworksOfVirtualAddresses) {
  for (const bool ethernet : {false, true}) {
    Lab lab;
    for (const std::uint32_t unit : {1U, 2U}) {
      PacketPort port;
      port.unit = unit;
      port.kind = ethernet ? PacketPort::Kind::af_packet : PacketPort::Kind::tun;
      const std::string interface = unit == 1 ? "inside0" : "outside0";
      port.device = ethernet ? interface : "tun" + std::to_string(unit);
      if (!ethernet) port.steer_from = {interface};
      lab.cluster.chassis[0].cards[0].ports.push_back(port);
    }
    lab.cluster.redundancy_sets[0].virtual_addresses = {{"inside0", ip("198.18.0.1"), 24},
                                                        {"outside0", ip("192.0.2.1"), 24}};
    EXPECT_TRUE(lab.inside("198.18.0.20"));
    EXPECT_FALSE(lab.inside("192.0.2.20"));
    // What is certainly outside stays there, whatever a rule is written for.
    lab.term().from.source_addresses = {net("192.0.0.0/16")};
    EXPECT_TRUE(lab.inside("192.0.3.1"));
    EXPECT_FALSE(lab.inside("192.0.2.20"));
  }
}

}  // namespace
}  // namespace icr::node::test
