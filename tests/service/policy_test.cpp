// Rules of a service set: first match wins.
#include "node/service/policy.h"

#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

FlowKey key(const char* from, const char* to, std::uint16_t dport, std::uint8_t protocol = 6) {
  return {*IpAddress::parse(from), *IpAddress::parse(to), 40000, dport, protocol};
}

constexpr auto kHost = "198.18.0.10";
constexpr auto kServer = "198.19.0.10";

TEST(Policy, FirstMatchWinsAndTheRestIsDiscarded) {
  Plan plan;
  plan.applications =
      "  - { name: web, protocol: tcp, destination-port: 80-90 }\n"
      "  - { name: dns, protocol: udp, destination-port: 53 }\n"
      "  - { name: from-ntp, protocol: udp, source-port: 40000, destination-port: 123 }\n";
  plan.firewall_terms =
      "      - { name: bad-host, from: { source-address: [198.18.0.66/32] }, then: discard }\n"
      "      - { name: apps, from: { applications: [dns, web, from-ntp] }, then: accept }\n"
      "      - { name: nets, from: { source-address: [198.18.0.0/24, 198.18.7.0/24], destination-address: "
      "[198.19.0.0/24] }, then: reject }\n"
      "      - { name: six, from: { source-address: [\"2001:db8:18::/64\"] }, then: accept }\n";
  const Cluster cluster = make_cluster(plan);
  const ServicePolicy policy(cluster, 0);
  const auto firewall = [&](const FlowKey& k) { return policy.firewall(k, true); };

  EXPECT_EQ(firewall(key("198.18.0.66", kServer, 80)).action, FirewallAction::discard);
  EXPECT_EQ(firewall(key("198.18.0.66", kServer, 80)).policy, 1);
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{90}}) {
    const FirewallDecision d = firewall(key(kHost, kServer, port));
    EXPECT_EQ(d.action, FirewallAction::accept);
    EXPECT_EQ(d.policy, 2);
    ASSERT_TRUE(d.application.has_value());
    EXPECT_EQ(cluster.applications[*d.application].name, "web");
  }
  EXPECT_EQ(firewall(key(kHost, kServer, 91)).action, FirewallAction::reject);
  EXPECT_EQ(firewall(key(kHost, kServer, 91)).policy, 3);
  EXPECT_FALSE(firewall(key(kHost, kServer, 91)).application.has_value());
  EXPECT_EQ(firewall(key(kHost, kServer, 53, 17)).policy, 2);
  EXPECT_EQ(firewall(key(kHost, kServer, 53, 6)).policy, 3);
  EXPECT_EQ(firewall(key(kHost, kServer, 123, 17)).policy, 2);
  EXPECT_EQ(firewall(key("198.18.7.1", "198.19.1.1", 99)).action, FirewallAction::discard);
  EXPECT_EQ(firewall(key("198.18.7.1", "198.19.1.1", 99)).policy, 0);
  EXPECT_EQ(firewall(key("2001:db8:18::5", "2001:db8:19::5", 99)).policy, 4);
  EXPECT_EQ(firewall(key("2001:db8:18:1::5", "2001:db8:19::5", 99)).action, FirewallAction::discard);
}

TEST(Policy, AQueryOfTheOtherKindIsOfIcmpV4Alone) {
  Plan plan;
  plan.applications =
      "  - { name: ping, protocol: icmp, icmp-type: echo-request }\n"
      "  - { name: ping6, protocol: icmp6, icmp-type: echo-request }\n";
  plan.firewall_terms =
      "      - { name: pings, from: { applications: [ping, ping6] }, then: discard }\n"
      "      - { name: all, then: accept }\n";
  const Cluster cluster = make_cluster(plan);
  const ServicePolicy policy(cluster, 0);
  EXPECT_TRUE(policy.admits_only_the_other(key(kHost, kServer, 40000, 1), true, IcmpQuery::echo));
  EXPECT_FALSE(policy.admits_only_the_other(key(kHost, kServer, 40000, 1), true, IcmpQuery::timestamp));
  const FlowKey six = key("2001:db8:18::5", "2001:db8:19::5", 40000, 58);
  ASSERT_EQ(policy.firewall(six, true, IcmpQuery::echo).action, FirewallAction::discard);
  EXPECT_FALSE(policy.admits_only_the_other(six, true, IcmpQuery::echo)) << "ICMPv6 has no timestamps";
}

TEST(Policy, Directions) {
  Cluster cluster = make_cluster({});
  const FlowKey k = key(kHost, kServer, 80);
  for (const auto direction : {MatchDirection::input, MatchDirection::output, MatchDirection::input_output}) {
    cluster.firewall_rules[0].direction = direction;
    const ServicePolicy policy(cluster, 0);
    EXPECT_EQ(policy.firewall(k, true).action == FirewallAction::accept, direction != MatchDirection::output);
    EXPECT_EQ(policy.firewall(k, false).action == FirewallAction::accept, direction != MatchDirection::input);
  }
  const ServicePolicy policy(cluster, 0);
  EXPECT_TRUE(policy.nat(k, true).translates());
  EXPECT_FALSE(policy.nat(k, false).translates());
}

TEST(Policy, NatTranslatesWhatItsTermsSay) {
  Cluster cluster = make_cluster({});
  const ServicePolicy policy(cluster, 0);
  const NatDecision decision = policy.nat(key(kHost, kServer, 80), true);
  EXPECT_EQ(decision.term, &cluster.nat_rules[0].terms[0]);
  EXPECT_FALSE(policy.nat(key("198.51.100.7", kServer, 80), true).translates());
  EXPECT_FALSE(policy.nat(key("2001:db8::1", "2001:db8::2", 80), true).translates());
  // no-translation before it.
  NatTerm none;
  none.name = "none";
  none.from.destination_addresses = {AddressRange::of(*Prefix::parse("198.19.0.0/24"))};
  cluster.nat_rules[0].terms.insert(cluster.nat_rules[0].terms.begin(), none);
  const ServicePolicy changed(cluster, 0);
  EXPECT_FALSE(changed.nat(key(kHost, kServer, 80), true).translates());
  EXPECT_EQ(changed.nat(key(kHost, kServer, 80), true).term, &cluster.nat_rules[0].terms[0]);
  EXPECT_TRUE(changed.nat(key(kHost, "198.19.1.1", 80), true).translates());
}

TEST(Policy, WithoutAFirewallEverythingIsAccepted) {
  Cluster cluster = make_cluster({});
  cluster.service_sets[0].firewall_rules.clear();
  const ServicePolicy policy(cluster, 0);
  const FirewallDecision d = policy.firewall(key(kHost, kServer, 80), true);
  EXPECT_EQ(d.action, FirewallAction::accept);
  EXPECT_EQ(d.policy, 0);
}

/// Commits may use more terms, one after the other, than sessions can number. Those that come too late have no number,
/// and none that another one has.
TEST(Policy, TermsThatComeWhenAllNumbersAreGivenAwayHaveNone) {
  Cluster cluster = make_cluster({});
  cluster.service_sets[0].firewall_rules = {0};
  cluster.firewall_rules.resize(1);
  cluster.firewall_rules[0].direction = MatchDirection::input;
  auto& terms = cluster.firewall_rules[0].terms;
  const auto use = [&terms](StableId first, std::size_t count) {
    terms.assign(count, FirewallTerm{});
    for (std::size_t i = 0; i < count; ++i) terms[i].stable_id = first + static_cast<StableId>(i);
  };
  use(1, 65'534);
  const ServicePolicy first(cluster, 0);
  use(100'000, 2);
  const ServicePolicy second(cluster, 0, &first);
  EXPECT_EQ(second.policy_with_id(100'000), 65'535);
  EXPECT_EQ(second.policy_with_id(100'001), 0);
  const FirewallDecision d = second.firewall(key(kHost, kServer, 80), true);
  EXPECT_EQ(d.policy, 65'535);
  terms.erase(terms.begin());
  const ServicePolicy third(cluster, 0, &second);
  EXPECT_EQ(third.firewall(key(kHost, kServer, 80), true).policy, 0);
  EXPECT_EQ(third.id_of(65'535), 100'000U) << "a session that has it is told of the term that admitted it";
}

}  // namespace
}  // namespace icr::node::test
