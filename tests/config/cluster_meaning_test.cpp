// What the words of a cluster file come to: defaults, overrides, stand-alone sets, warnings, the digest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/config/cluster_file.h"
#include "model/config/settings.h"

namespace icr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Two service sets on the cards of one chassis and a redundancy set; leaves out whatever has a default.
constexpr std::string_view kText = R"(cluster: lab
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports:
          - { unit: 1, type: tun, device: a1 }
          - { unit: 2, type: tun, device: a2 }
          - { unit: 3, type: tun, device: a3, steer-from: inside0 }
          - { unit: 4, type: tun, device: a4 }
          - { unit: 5, type: tun, device: a5 }
          - { unit: 6, type: pcap, read: in.pcap }
  - name: right
    inter-chassis: { address: "::1", port: 7400 }
    query: { address: "::1", port: 7300 }
    cards:
      - name: ms-0/0/0
        ports:
          - { unit: 1, type: tun, device: a1 }
          - { unit: 2, type: tun, device: a2 }
redundancy-sets:
  - name: rs7
    id: 7
    members:
      - { chassis: left, card: ms-0/0/0 }
      - { chassis: right, card: ms-0/0/0, priority: 200 }
    service-sets: [shared]
service-sets:
  - name: alone
    interface: { chassis: left, card: ms-0/0/0, max-sessions: 4096 }
    inside-unit: 3
    outside-unit: 4
    stateful-firewall-rules: all
    nat-rules: nat2
  - name: shared
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: all
    session-limit: 1000
    max-session-setup-rate: 20k
    tcp-non-syn: allow
    timeouts: { inactivity-tcp-timeout: 600, session-timeout: 86400 }
  - name: other
    interface: { chassis: left, card: ms-0/0/0 }
    inside-unit: 5
    outside-unit: 6
    stateful-firewall-rules: all
stateful-firewall:
  rules:
    - name: all
      match-direction: input-output
      terms:
        - { name: web, from: { destination-address: 198.19.0.0/16, applications: [web, high] }, then: reject }
        - { name: rest, then: accept }
nat:
  pools:
    - { name: pool2, addresses: 203.0.113.9, port-range: { low: 5000, high: 5999 } }
  rules:
    - name: nat2
      match-direction: input
      terms:
        - { name: not, from: { destination-address: 198.18.0.0/15 }, then: no-translation }
        - { name: all, then: { translated: { source-pool: pool2, translation-type: napt-44 } } }
applications:
  - { name: web, protocol: tcp, destination-port: 80-89, application-protocol: http }
  - { name: high, protocol: 17, source-port: 1024-65535 }
timeouts: { inactivity-timeout: 45, inactivity-non-tcp-timeout: 20, open-timeout: 10, close-timeout: 2, reassembly-timeout: 3, fragment-limit: 8 }
)";

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kText);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Cluster parsed(const std::string& text) {
  auto cluster = parse_cluster(text, "f");
  EXPECT_TRUE(cluster.has_value()) << (cluster ? "" : cluster.error().message);
  return cluster ? *std::move(cluster) : Cluster{};
}

TEST(ClusterMeaning, WeightsOfHealthAreRead) {
  const auto c =
      parsed(replaced("service-sets: [shared]\n",
                      "service-sets: [shared]\n    health: { interface: 128, kernel: 1, store: 255, self-test: 0 }\n"));
  const auto& health = c.redundancy_sets.at(0).health;
  EXPECT_EQ(health.interface, 128U);
  EXPECT_EQ(health.kernel, 1U);
  EXPECT_EQ(health.store, 255U);
  EXPECT_EQ(health.self_test, 0U);
}

TEST(ClusterMeaning, DefaultsAreThoseOfTheModel) {
  const auto c = parsed(std::string(kText));
  const auto& set = c.redundancy_sets.at(0);
  const RedundancySet defaults;
  EXPECT_EQ(set.heartbeat_interval, defaults.heartbeat_interval);
  EXPECT_EQ(set.heartbeat_count, defaults.heartbeat_count);
  EXPECT_EQ(set.hold_time, defaults.hold_time);
  EXPECT_EQ(set.preempt, defaults.preempt);
  EXPECT_EQ(set.max_sessions, defaults.max_sessions);
  EXPECT_EQ(set.members.at(0).priority, 100U);
  EXPECT_THAT(set.virtual_addresses, IsEmpty());
  const auto& other = c.service_sets.at(2);
  EXPECT_FALSE(other.max_sessions);
  EXPECT_FALSE(other.max_session_setup_rate);
  EXPECT_EQ(other.tcp_non_syn, TcpNonSyn::drop_flow);
}

TEST(ClusterMeaning, SchedulingIsRealTimeUnlessTheFileSaysOtherwise) {
  const auto usual = parsed(std::string(kText));
  EXPECT_EQ(usual.chassis.at(0).scheduling.policy, Scheduling::Policy::real_time);
  EXPECT_EQ(usual.chassis.at(0).scheduling.priority, 20U);
  const auto with = [](const std::string& value) {
    return parsed(replaced("inter-chassis: { address: 127.0.0.1, port: 7400 }\n",
                           "inter-chassis: { address: 127.0.0.1, port: 7400 }\n    scheduling: " + value + "\n"));
  };
  const auto nice = with("{ policy: nice }");
  EXPECT_EQ(nice.chassis.at(0).scheduling.policy, Scheduling::Policy::nice);
  EXPECT_EQ(nice.chassis.at(1).scheduling.policy, Scheduling::Policy::real_time);
  EXPECT_EQ(with("{ policy: default }").chassis.at(0).scheduling.policy, Scheduling::Policy::ordinary);
  EXPECT_EQ(with("{ policy: real-time, priority: 1 }").chassis.at(0).scheduling.priority, 1U);
}

TEST(ClusterMeaning, StandAloneSetsFollowTheConfiguredOnes) {
  const auto c = parsed(std::string(kText));
  ASSERT_EQ(c.redundancy_sets.size(), 3U);
  EXPECT_EQ(c.redundancy_sets[0].name, "rs7");
  EXPECT_THAT(c.redundancy_sets[0].service_sets, ElementsAre(1));
  EXPECT_EQ(c.redundancy_sets[1].name, "alone");
  EXPECT_EQ(c.redundancy_sets[1].id, 0);
  EXPECT_TRUE(c.redundancy_sets[1].stand_alone());
  EXPECT_EQ(c.redundancy_sets[1].max_sessions, 4096U);
  EXPECT_THAT(c.redundancy_sets[1].service_sets, ElementsAre(0));
  EXPECT_EQ(c.redundancy_sets[2].name, "other");
  EXPECT_EQ(c.redundancy_sets[2].id, 0);
  EXPECT_NE(c.redundancy_sets[1].number(), c.redundancy_sets[2].number());
  EXPECT_EQ(c.redundancy_sets[2].members.at(0).card, "ms-0/0/0");
  for (std::uint16_t s = 0; s < 3; ++s) {
    const auto has = [s](const RedundancySet& set) { return testing::Value(set.service_sets, Contains(s)); };
    EXPECT_EQ(std::count_if(c.redundancy_sets.begin(), c.redundancy_sets.end(), has), 1) << "service set " << s;
  }
  EXPECT_FALSE(c.member_on(1, 1));
}

TEST(ClusterMeaning, TimeoutsOfAServiceSetOverrideTheClusters) {
  const auto c = parsed(std::string(kText));
  const auto& own = c.service_sets.at(1).timeouts;
  EXPECT_EQ(own.inactivity_s, 45U);
  EXPECT_EQ(own.inactivity_tcp_s, 600U);
  EXPECT_EQ(own.inactivity_non_tcp_s, 20U);
  EXPECT_EQ(own.session_s, 86400U);
  EXPECT_EQ(own.open_s, 10U);
  EXPECT_EQ(own.close_s, 2U);
  EXPECT_EQ(own.reassembly_s, 3U);
  EXPECT_EQ(own.fragment_limit, 8U);
  EXPECT_FALSE(c.service_sets.at(0).timeouts.inactivity_tcp_s);
  EXPECT_EQ(c.service_sets.at(0).timeouts.session_s, 0U);
}

TEST(ClusterMeaning, RulesAndLimitsAreResolved) {
  const auto c = parsed(std::string(kText));
  const auto& shared = c.service_sets.at(1);
  EXPECT_EQ(shared.max_sessions, 1000U);
  EXPECT_EQ(shared.max_session_setup_rate, 20'000U);
  EXPECT_EQ(shared.tcp_non_syn, TcpNonSyn::allow);
  const auto& rule = c.firewall_rules.at(0);
  EXPECT_EQ(rule.direction, MatchDirection::input_output);
  EXPECT_EQ(rule.terms.at(0).then, FirewallAction::reject);
  EXPECT_THAT(rule.terms.at(0).from.applications, ElementsAre(0, 1));
  EXPECT_THAT(rule.terms.at(1).from.applications, IsEmpty());
  const auto& nat = c.nat_rules.at(0);
  EXPECT_EQ(nat.terms.at(0).type, NatType::none);
  EXPECT_THAT(nat.terms.at(1).source_pools, ElementsAre(0));
  EXPECT_EQ(c.nat_pools.at(0).address_count(), 1U);
  EXPECT_EQ(c.nat_pools.at(0).port_low, 5000);
}

TEST(ClusterMeaning, ApplicationsMatchProtocolAndPorts) {
  const auto c = parsed(std::string(kText));
  FlowKey key;
  key.protocol = ip_protocol::tcp;
  key.source_port = 2000;
  key.destination_port = 85;
  EXPECT_TRUE(c.applications.at(0).matches(key));
  EXPECT_FALSE(c.applications.at(1).matches(key));
  key.destination_port = 90;
  EXPECT_FALSE(c.applications.at(0).matches(key));
  key.protocol = ip_protocol::udp;
  EXPECT_TRUE(c.applications.at(1).matches(key));
  key.source_port = 1023;
  EXPECT_FALSE(c.applications.at(1).matches(key));
}

TEST(ClusterWarnings, AreGivenForWhatIsLegalButSurprising) {
  EXPECT_THAT(parsed(std::string(kText)).warnings, IsEmpty());
  EXPECT_THAT(
      parsed(replaced("application-protocol: http", "application-protocol: ftp")).warnings,
      ElementsAre(HasSubstr("Application web has application-protocol ftp, whose payload is not inspected yet")));
  EXPECT_THAT(parsed(replaced("protocol: 17, source-port: 1024-65535", "protocol: icmp, icmp-type: 13")).warnings,
              IsEmpty());
  EXPECT_THAT(
      parsed(replaced("protocol: 17, source-port: 1024-65535", "protocol: icmp, icmp-type: 15")).warnings,
      ElementsAre(HasSubstr("Application high matches nothing: sessions begin with an ICMP echo request (type 8) "
                            "or timestamp request (type 13) of code 0.")));
  EXPECT_THAT(parsed(replaced("protocol: 17, source-port: 1024-65535", "protocol: icmp6, icmp-type: 13")).warnings,
              ElementsAre(HasSubstr("matches nothing: sessions begin with an ICMPv6 echo request (type 128)")));
  EXPECT_THAT(parsed(replaced("protocol: 17, source-port: 1024-65535", "protocol: icmp, icmp-code: 1")).warnings,
              ElementsAre(HasSubstr("Application high matches nothing")));
  EXPECT_THAT(parsed(replaced("port-range: { low: 5000, high: 5999 }",
                              "port: { secured-port-block-allocation: { block-size: 512 }, preserve-range: yes }"))
                  .warnings,
              ElementsAre(HasSubstr("NAT pool pool2 preserves ranges, but has no ports below 1024")));
  EXPECT_THAT(parsed(replaced("port-range: { low: 5000, high: 5999 }",
                              "port: { secured-port-block-allocation: { block-size: 500 } }"))
                  .warnings,
              ElementsAre(HasSubstr("NAT pool pool2: 12 ports of each address are left over by blocks of 500")));
  EXPECT_THAT(parsed(replaced("    nat-rules: nat2\n", "")).warnings,
              ElementsAre(HasSubstr("The nat rule nat2 is used by no service set")));
  EXPECT_THAT(
      parsed(replaced("{ translated: { source-pool: pool2, translation-type: napt-44 } }", "no-translation")).warnings,
      ElementsAre(HasSubstr("The nat pool pool2 is used by no nat rule")));
  EXPECT_THAT(
      parsed(replaced("    stateful-firewall-rules: all\n    nat-rules: nat2\n", "    nat-rules: nat2\n")).warnings,
      ElementsAre(HasSubstr("Service set alone has no stateful-firewall rules")));
  EXPECT_THAT(
      parsed(
          replaced("    service-sets: [shared]\n",
                   "    service-sets: [shared]\n    virtual-addresses: [{ interface: i, address: 203.0.113.9/24 }]\n"))
          .warnings,
      ElementsAre(HasSubstr("Virtual address 203.0.113.9 of redundancy set rs7 is in nat pool pool2")));
}

TEST(ClusterWarnings, AreGivenForEveryApplicationProtocolThatNeedsItsPayloadRead) {
  for (const std::string word : {"ftp", "sip", "h323", "pptp", "rtsp", "rpc", "rpc-portmap", "tftp", "sqlnet", "rsh"}) {
    EXPECT_EQ(parsed(replaced("application-protocol: http", "application-protocol: " + word)).warnings.size(), 1U)
        << word;
  }
  for (const std::string word : {"none", "dns", "https", "ssh", "icmp", "ignore"}) {
    EXPECT_THAT(parsed(replaced("application-protocol: http", "application-protocol: " + word)).warnings, IsEmpty())
        << word;
  }
}

TEST(ClusterDigest, DoesNotDependOnTheSpelling) {
  const auto digest = parsed(std::string(kText)).digest;
  EXPECT_EQ(parsed("# a comment\n" + std::string(kText)).digest, digest);
  EXPECT_EQ(parsed(replaced("cluster: lab", "cluster: \"lab\"")).digest, digest);
  EXPECT_EQ(
      parsed(replaced("    inside-unit: 3\n    outside-unit: 4\n", "    outside-unit: 4\n    inside-unit: 3\n")).digest,
      digest);
  EXPECT_EQ(parsed(replaced("    service-sets: [shared]\n", "    service-sets:\n      - shared\n    preempt: false\n"))
                .digest,
            digest);
  EXPECT_EQ(parsed(replaced("20k", "20000")).digest, digest);
  EXPECT_EQ(parsed(replaced("protocol: 17", "protocol: udp")).digest, digest);
  EXPECT_EQ(parsed(replaced("addresses: 203.0.113.9,", "addresses: [203.0.113.9/32],")).digest, digest);
}

using Changes = std::vector<std::pair<std::string_view, std::string_view>>;

/// Everything that peers compare, of each redundancy set.
std::vector<std::uint64_t> parities(const Cluster& cluster) {
  std::vector<std::uint64_t> out;
  for (std::uint16_t i = 0; i < cluster.redundancy_sets.size(); ++i) out.push_back(cluster.digest_for_peers(i));
  return out;
}

TEST(ClusterDigest, DependsOnEveryValueThatAllMustHaveAlike) {
  const Changes changes = {
      {"cluster: lab", "cluster: lab2"},
      {"inter-chassis: { address: 127.0.0.1, port: 7400", "inter-chassis: { address: 127.0.0.2, port: 7400"},
      {"port: 7400", "port: 7500"},
      {"query: { address: 127.0.0.1", "query: { address: 127.0.0.2"},
      {"port: 7300", "port: 7301"},
      {"id: 7", "id: 6"},
      {"name: rs7", "name: rs8"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    max-sessions: 131073\n"},
      {"service-sets: [shared]\n",
       "service-sets: [shared]\n    virtual-addresses: [{ interface: i, address: 198.18.0.1/24 }]\n"},
      {"service-sets: [shared]\n",
       "service-sets: [shared]\n    virtual-addresses: [{ interface: i, address: 198.18.0.1/25 }]\n"},
      {"service-sets: [shared]\n",
       "service-sets: [shared]\n    virtual-addresses: [{ interface: j, address: 198.18.0.1/24 }]\n"},
      {"max-sessions: 4096", "max-sessions: 4097"},
      {"inside-unit: 3\n    outside-unit: 4", "inside-unit: 4\n    outside-unit: 3"},
      {"match-direction: input-output", "match-direction: output"},
      {"match-direction: input\n", "match-direction: output\n"},
      {"destination-address: 198.19.0.0/16", "destination-address: 198.19.0.0/17"},
      {"destination-address: 198.19.0.0/16", "source-address: 198.19.0.0/16"},
      {"applications: [web, high]", "applications: [high, web]"},
      {"then: reject", "then: discard"},
      {"name: rest", "name: others"},
      {"addresses: 203.0.113.9", "addresses: 203.0.113.8"},
      {"low: 5000", "low: 5001"},
      {"high: 5999", "high: 5998"},
      {"then: no-translation", "then: { translated: { source-pool: pool2, translation-type: napt-44 } }"},
      {"80-89", "80-90"},
      {"protocol: 17", "protocol: 132"},
      {"source-port: 1024-65535", "destination-port: 1024-65535"},
      {"application-protocol: http", "application-protocol: https"},
      {"application-protocol: http", "inactivity-timeout: 60"},
  };
  std::set<std::uint64_t> digests = {parsed(std::string(kText)).digest};
  for (const auto& change : changes) {
    EXPECT_TRUE(digests.insert(parsed(replaced(change.first, change.second)).digest).second)
        << change.first << " -> " << change.second;
  }
}

TEST(ClusterDigest, OfPeersDependsOnEveryValueThatOnlyTheyMustHaveAlike) {
  const Changes changes = {
      {"priority: 200", "priority: 201"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    heartbeat-interval: 101\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    heartbeat-count: 6\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    hold-time: 3.5\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    preempt: yes\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    health: { store: 255 }\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    health: { self-test: 0 }\n"},
      {"session-limit: 1000", "session-limit: 1001"},
      {"    session-limit: 1000\n", ""},
      {"20k", "21k"},
      {"tcp-non-syn: allow", "tcp-non-syn: drop-flow"},
      {"inactivity-tcp-timeout: 600", "inactivity-tcp-timeout: 601"},
      {"session-timeout: 86400", "session-timeout: 86399"},
      {"inactivity-timeout: 45", "inactivity-timeout: 46"},
      {"inactivity-non-tcp-timeout: 20", "inactivity-non-tcp-timeout: 21"},
      {"open-timeout: 10", "open-timeout: 11"},
      {"close-timeout: 2", "close-timeout: 3"},
      {"reassembly-timeout: 3", "reassembly-timeout: 4"},
      {"fragment-limit: 8", "fragment-limit: 9"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    silence-limit: 1501\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    claim-limit: 51\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    asymmetric-traffic: relay\n"},
  };
  const auto usual = parsed(std::string(kText));
  std::set<std::vector<std::uint64_t>> seen = {parities(usual)};
  for (const auto& change : changes) {
    const auto changed = parsed(replaced(change.first, change.second));
    EXPECT_TRUE(seen.insert(parities(changed)).second) << change.first << " -> " << change.second;
    EXPECT_EQ(changed.digest, usual.digest) << change.first << " -> " << change.second;
  }
}

TEST(ClusterDigest, DoesNotDependOnWhatConcernsOneChassisAlone) {
  const Changes changes = {
      {"port: 7300 }\n", "port: 7300 }\n    data-folder: data\n"},
      {"port: 7300 }\n", "port: 7300 }\n    kernel-guard: no\n"},
      {"device: a1", "device: b1"},
      {"steer-from: inside0", "steer-from: inside1"},
      {"read: in.pcap", "read: on.pcap"},
      {"read: in.pcap", "write: in.pcap"},
      {"      - name: ms-0/0/0\n", "      - name: ms-0/0/0\n        workers: 2\n"},
      {"port: 7300 }\n", "port: 7300 }\n    scheduling: { policy: nice }\n"},
      {"port: 7300 }\n", "port: 7300 }\n    scheduling: { priority: 21 }\n"},
  };
  const auto usual = parities(parsed(std::string(kText)));
  for (const auto& change : changes) {
    EXPECT_EQ(parities(parsed(replaced(change.first, change.second))), usual)
        << change.first << " -> " << change.second;
  }
}

TEST(ClusterDigest, IsTheSameWhereADefaultIsWrittenOut) {
  const Changes changes = {
      {"port: 7300 }\n", "port: 7300 }\n    kernel-guard: yes\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    heartbeat-interval: 100\n    heartbeat-count: 5\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    silence-limit: 1500\n    claim-limit: 50\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    asymmetric-traffic: drop\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    hold-time: 3.0\n    max-sessions: 131072\n"},
      {"service-sets: [shared]\n", "service-sets: [shared]\n    health: { interface: 255, store: 100 }\n"},
      {"session-limit: 1000", "session-limit: 1000\n    session-refusal: icmp"},
      {"session-limit: 1000", "session-limit: 1000\n    nat-options: { stateful-nat64: { ipv6-mtu: 1280 } }"},
  };
  const auto usual = parities(parsed(std::string(kText)));
  for (const auto& change : changes) {
    EXPECT_EQ(parities(parsed(replaced(change.first, change.second))), usual)
        << change.first << " -> " << change.second;
  }
}

TEST(Settings, ADefaultMakesNone) {
  Cluster cluster;
  cluster.chassis.resize(2);
  RedundancySet set;
  set.members.resize(2);
  set.members[1].chassis = 1;
  set.service_sets = {0};
  cluster.redundancy_sets = {set};
  cluster.service_sets.resize(1);
  cluster.nat_pools.resize(1);
  cluster.applications.resize(1);
  cluster.screens.resize(1);
  cluster.screens[0].syn_flood = Screen::SynFlood{};
  for (const auto& part : parts_of(cluster)) {
    for (const auto& setting : part.settings) {
      // What a file must say is empty here, and so are addresses; things say that they are there, or in which place.
      const bool required = setting.value.empty() || setting.value == "0" || setting.value == "1" ||
                            setting.value == kExists || setting.path.ends_with(".address");
      EXPECT_TRUE(required) << setting.path << " = " << setting.value << " is a default of the structures only";
    }
  }
}

TEST(Settings, NameTheServiceSetsThatUseAPart) {
  const auto c = parsed(std::string(kText));
  EXPECT_THAT(parts_used_by_set(c, 0), Contains("redundancy-sets[rs7]"));
  EXPECT_THAT(parts_used_by_set(c, 0), Not(Contains("nat.pools[pool2]")));
  EXPECT_THAT(parts_used_by_set(c, 1), Contains("nat.pools[pool2]"));
}

}  // namespace
}  // namespace icr
