// Two members whose cluster files differ find out in what, and name it on both sides.
#include "node/redundancy/configuration_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"

namespace icr::node {
namespace {

namespace rep = icr::replication;

constexpr std::string_view kText = R"(cluster: lab
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }, { unit: 3, type: tun, device: a3 }, { unit: 4, type: tun, device: a4 }] }]
  - name: right
    inter-chassis: { address: "::1", port: 7400 }
    query: { address: "::1", port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: b1 }, { unit: 2, type: tun, device: b2 }, { unit: 3, type: tun, device: b3 }, { unit: 4, type: tun, device: b4 }] }]
redundancy-sets:
  - name: rs1
    id: 1
    members: [{ chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-0/0/0 }]
    service-sets: [cgn, plain]
service-sets:
  - { name: cgn, inside-unit: 1, outside-unit: 2, nat-rules: r }
  - { name: plain, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: all }
stateful-firewall:
  rules: [{ name: all, match-direction: input, terms: [{ name: t, then: accept }] }]
nat:
  pools: [{ name: p, address: 203.0.113.0/28, port-range: { low: 1024, high: 65000 } }]
  rules: [{ name: r, match-direction: input, terms: [{ name: t, then: { translated: { source-pool: p, translation-type: napt-44 } } }] }]
)";

Cluster with(std::string_view from, std::string_view to) {
  std::string text(kText);
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  auto cluster = parse_cluster(text, "f");
  EXPECT_TRUE(cluster) << (cluster ? "" : cluster.error().message);
  return *std::move(cluster);
}

/// What the two say about each other after they have talked, as messages.
std::pair<std::string, std::string> compared(const Cluster& a, const Cluster& b) {
  ConfigurationCheck left(a, 0);
  ConfigurationCheck right(b, 0);
  TimePoint now{1s};
  left.on_other_digest(now);
  right.on_other_digest(now);
  int sent = 0;
  const auto tell = [&](ConfigurationCheck& from, const Cluster& file, ConfigurationCheck& to) {
    const auto message = from.due(now);
    if (!message) return;
    ++sent;
    rep::MessageWriter writer;
    // The reader expects another digest.
    rep::MessageReader reader(rep::Header{file.digest_for_peers(0) + 1, 0, 0, 0, 0});
    const auto* read = reader.read(writer.write(rep::Header{file.digest_for_peers(0), 7, 1, 0, 0}, *message));
    ASSERT_NE(read, nullptr);
    to.on_configuration(std::get<rep::Configuration>(read->body));
  };
  for (int i = 0; i < 50; ++i) {
    now += 100ms;
    tell(left, a, right);
    tell(right, b, left);
  }
  EXPECT_LE(sent, 10) << "about once a second each";
  return {left.difference(), right.difference()};
}

TEST(ConfigurationCheck, NamesAValueThatDiffersAndTheServiceSetThatUsesIt) {
  const auto [left, right] = compared(with("", ""), with("high: 65000", "high: 64000"));
  EXPECT_EQ(left, "service sets: cgn; keys: nat.pools[p].port.range.high (this chassis: 65000)");
  EXPECT_EQ(right, "service sets: cgn; keys: nat.pools[p].port.range.high (this chassis: 64000)");
}

TEST(ConfigurationCheck, NamesAKeyThatOnlyOneSideHas) {
  const auto [left, right] =
      compared(with("", ""), with("service-sets: [cgn, plain]", "service-sets: [cgn, plain]\n    heartbeat-count: 7"));
  EXPECT_EQ(left, "service sets: none; keys: redundancy-sets[rs1].heartbeat-count (the peer only)");
  EXPECT_EQ(right,
            "service sets: none; keys: redundancy-sets[rs1].heartbeat-count (this chassis: 7, the peer: not set)");
}

TEST(ConfigurationCheck, NamesAThingThatOnlyOneSideHas) {
  const auto [left, right] =
      compared(with("", ""), with("high: 65000 } }", "high: 65000 } }, { name: q, address: 203.0.113.16/28 }"));
  EXPECT_THAT(left, testing::HasSubstr("keys: nat.pools[q] (the peer only), nat.pools[q].addresses (the peer only)"));
  EXPECT_THAT(
      right, testing::HasSubstr("nat.pools[q].addresses (this chassis: 203.0.113.16-203.0.113.31, the peer: not set)"));
}

TEST(ConfigurationCheck, SaysNothingOfWhatConcernsOneChassis) {
  const auto [left, right] = compared(with("", ""), with("device: b4", "device: c4"));
  EXPECT_EQ(left, "service sets: none; keys: none");
  EXPECT_EQ(right, left);
}

TEST(ConfigurationCheck, SaysNothingWhileACommitGoesFromOneMemberToTheOther) {
  const Cluster file = with("", "");
  ConfigurationCheck check(file, 0);
  TimePoint now{1s};
  check.on_other_digest(now);
  EXPECT_FALSE(check.due(now + 1999ms));
  check.on_same_digest();
  EXPECT_FALSE(check.due(now + 10s));

  now += 20s;
  check.on_other_digest(now);
  check.on_other_digest(now + 1900ms);
  EXPECT_FALSE(check.due(now + 1999ms));
  EXPECT_TRUE(check.due(now + 2s));
}

TEST(ConfigurationCheck, IsBounded) {
  std::string pools;
  for (int i = 0; i < 30; ++i) pools += fmt::format(", {{ name: q{}, address: 203.0.114.{}/32 }}", i, i);
  const auto many =
      with("port-range: { low: 1024, high: 65000 } }", "port-range: { low: 1024, high: 65000 } }" + pools);
  const auto [left, right] = compared(with("", ""), many);
  EXPECT_THAT(left, testing::HasSubstr(" and 44 more"));
  EXPECT_LT(right.size(), 2000U);
}

}  // namespace
}  // namespace icr::node
