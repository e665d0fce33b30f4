// Which rules of NAT a running shard can take with its sessions and bindings.
#include "node/nat/nat_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

NatRules rules_of(const Cluster& cluster) { return {cluster, 0, reserved_endpoints(cluster)}; }

class NatRulesTest : public ::testing::Test {
 protected:
  NatRulesTest() {
    bed.pool("203.0.113.0/30");
    bed.term(NatType::napt44).name = "t";
    bed.start();
  }
  /// Returns what keeps a shard from taking the rules after `change`.
  [[nodiscard]] std::string after(const std::function<void(Cluster&)>& change) const {
    Cluster next = bed.cluster;
    change(next);
    EXPECT_TRUE(assign_identities(next).empty());
    return obstacle(rules_of(bed.cluster), rules_of(next));
  }
  static NatTerm& term(Cluster& cluster) { return cluster.nat_rules[0].terms[0]; }

  NatBed bed;
};

TEST_F(NatRulesTest, TermsOfAPoolOfPortsMayChange) {
  EXPECT_THAT(after([](Cluster&) {}), IsEmpty());
  EXPECT_THAT(
      after([](Cluster& c) { term(c).from.source_addresses = {AddressRange::of(*Prefix::parse("10.0.0.0/8"))}; }),
      IsEmpty());
  EXPECT_THAT(after([](Cluster& c) { c.nat_rules[0].terms.push_back(term(c)); }), IsEmpty());
  EXPECT_THAT(after([](Cluster& c) {
                NatTerm none;
                none.name = "none";
                c.nat_rules[0].terms.insert(c.nat_rules[0].terms.begin(), none);
              }),
              IsEmpty());
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].preserve_parity = true; }), IsEmpty());
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].mapping_timeout_s = 9; }), IsEmpty());
}

TEST_F(NatRulesTest, WhatMemoryIsDividedByMayNot) {
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].port_low = 2000; }), HasSubstr("addresses or ports"));
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].assignment = NatPool::Assignment::sequential; }),
              HasSubstr("addresses or ports"));
  EXPECT_THAT(after([](Cluster& c) { term(c).endpoint_independent_mapping = true; }), HasSubstr("another kind of NAT"));
  EXPECT_THAT(after([](Cluster& c) { term(c).address_pooling_paired = true; }), HasSubstr("another kind of NAT"));
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].limit_ports_per_host = 5; }), HasSubstr("limit the ports"));
  EXPECT_THAT(after([](Cluster& c) { c.nat_pools[0].reuse_hold_s = 5; }), HasSubstr("hold ports"));
  EXPECT_THAT(after([](Cluster& c) { c.nat_rules[0].terms.clear(); }), HasSubstr("no rule uses the pool pool0"));
  EXPECT_THAT(after([](Cluster& c) { c.service_sets[0].max_sessions_per_subscriber = 5; }), HasSubstr("subscriber"));
  EXPECT_THAT(after([](Cluster& c) {
                NatPool more = c.nat_pools[0];
                more.name = "more";
                more.addresses = {AddressRange::of(*Prefix::parse("203.0.113.8/30"))};
                c.nat_pools.push_back(more);
                term(c).source_pools.push_back(1);
              }),
              HasSubstr("begin to use the pool more"));
}

TEST_F(NatRulesTest, WhoOwnsABindingMustStayAdmitted) {
  bed.cluster.nat_rules[0].terms[0].endpoint_independent_mapping = true;
  EXPECT_THAT(
      after([](Cluster& c) { term(c).from.source_addresses = {AddressRange::of(*Prefix::parse("10.0.0.0/8"))}; }),
      HasSubstr("not admitted any more"));
  EXPECT_THAT(after([](Cluster& c) {
                NatTerm more = term(c);
                more.from.source_addresses = {AddressRange::of(*Prefix::parse("10.0.0.0/8"))};
                c.nat_rules[0].terms.push_back(more);
              }),
              IsEmpty());
}

TEST_F(NatRulesTest, ATermThatMapsByArithmeticMayBeAddedButNotChanged) {
  NatTerm inbound;
  inbound.name = "server";
  inbound.type = NatType::dnat44;
  inbound.from.destination_addresses = {AddressRange::of(*Prefix::parse("198.51.100.7/32"))};
  inbound.destination_prefix = Prefix::parse("198.18.0.7/32");
  EXPECT_THAT(after([&](Cluster& c) { c.nat_rules[0].terms.push_back(inbound); }), IsEmpty());
  bed.cluster.nat_rules[0].terms.push_back(inbound);
  EXPECT_THAT(after([](Cluster&) {}), IsEmpty());
  EXPECT_THAT(after([](Cluster& c) { c.nat_rules[0].terms[1].destination_prefix = Prefix::parse("198.18.0.8/32"); }),
              HasSubstr("server"));
  EXPECT_THAT(after([](Cluster& c) { c.nat_rules[0].terms.pop_back(); }), HasSubstr("server"));
  EXPECT_THAT(after([](Cluster& c) { std::swap(c.nat_rules[0].terms[0], c.nat_rules[0].terms[1]); }), IsEmpty());
}

TEST_F(NatRulesTest, AStateThatTookOthersGoesOnWithItsPorts) {
  const NatSession first = bed.open(key({"198.18.0.1", 1000}, {"192.0.2.1", 53}));
  Cluster next = bed.cluster;
  next.nat_rules[0].terms.insert(next.nat_rules[0].terms.begin(), NatTerm{});
  next.nat_rules[0].terms[0].name = "none";
  ASSERT_TRUE(assign_identities(next).empty());
  {
    NatRules rules = rules_of(next);
    bed.nat->take(rules);
  }
  EXPECT_TRUE(bed.nat->consistent(first));
  const NatTerm* const term = &next.nat_rules[0].terms[1];
  const NatSession second = bed.open_by(term, key({"198.18.0.1", 1001}, {"192.0.2.1", 53}), true);
  EXPECT_NE(first.responder.destination_port, second.responder.destination_port);
  EXPECT_EQ(bed.nat->ports_in_use(), 2U);
  bed.close(first);
  bed.close(second);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
}

}  // namespace
}  // namespace icr::node::test
