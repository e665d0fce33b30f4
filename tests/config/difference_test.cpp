// What differs between two cluster files, and which chassis has to restart for it.
#include "model/config/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"
#include "model/config/snapshot.h"

namespace icr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// Three chassis: rs1 on left and right, and a stand-alone service set on third.
constexpr std::string_view kText = R"(cluster: lab
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
  - name: right
    inter-chassis: { address: 127.0.0.2, port: 7400 }
    query: { address: 127.0.0.2, port: 7300 }
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
  - name: third
    inter-chassis: { address: 127.0.0.3, port: 7400 }
    query: { address: 127.0.0.3, port: 7300 }
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
redundancy-sets:
  - name: rs1
    id: 1
    members: [{ chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-0/0/0 }]
    service-sets: [shared]
service-sets:
  - { name: shared, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all, nat-rules: source }
  - name: alone
    inside-unit: 1
    outside-unit: 2
    interface: { chassis: third, card: ms-0/0/0 }
    stateful-firewall-rules: all
stateful-firewall:
  rules: [{ name: all, match-direction: input, terms: [{ name: all, then: accept }] }]
nat:
  pools: [{ name: pool1, addresses: 203.0.113.0/28 }]
  rules:
    - name: source
      match-direction: input
      terms:
        - name: all
          from: { source-address: 198.18.0.0/24 }
          then: { translated: { source-pool: pool1, translation-type: napt-44 } }
)";

Cluster parsed(std::string text) {
  auto cluster = parse_cluster(text, "f");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return cluster.value_or(Cluster{});
}

std::string with(std::string_view what, std::string_view instead, std::string text = std::string(kText)) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

struct Step {
  Cluster before = parsed(std::string(kText));
  Cluster after;
  std::vector<ConfigChange> changes;
  explicit Step(std::string text) : after(parsed(std::move(text))), changes(difference(before, after)) {}
  [[nodiscard]] bool restarts(std::string_view chassis) const {
    return !changes_that_restart(changes, before, after, chassis).empty();
  }
};

TEST(Difference, OfTheSameMeaningIsNone) {
  const Step step("# a comment\n" + with("priority: 200", "priority:   200"));
  EXPECT_THAT(step.changes, IsEmpty());
  EXPECT_FALSE(step.restarts("left"));
}

TEST(Difference, NamesPathAndBothValues) {
  const Step step(
      with("addresses: 203.0.113.0/28", "addresses: 203.0.113.0/28, port-range: { low: 2000, high: 65535 }"));
  EXPECT_THAT(step.changes, ElementsAre(ConfigChange{"nat.pools[pool1]", "nat.pools[pool1].port.range.low",
                                                     std::nullopt, "2000", Scope::cluster, Applies::restart}));
}

TEST(Difference, OfAValueThatIsBackAtItsDefaultHasNoAfter) {
  const Step step(with("    service-sets: [shared]\n", "    service-sets: [shared]\n    heartbeat-count: 9\n"));
  const auto back = difference(step.after, step.before);
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].path, "redundancy-sets[rs1].heartbeat-count");
  EXPECT_EQ(back[0].before, "9");
  EXPECT_EQ(back[0].after, std::nullopt);
}

TEST(Difference, TellsThingsThatAreAddedAndRemovedAsAWhole) {
  const std::string more = with("pools: [", "pools: [{ name: more, addresses: 203.0.113.64/28 }, ");
  const Step step(more);
  const auto added = [](const ConfigChange& change) { return change.adds_part() && change.part == "nat.pools[more]"; };
  EXPECT_THAT(step.changes, Contains(testing::Truly(added)));
  const auto back = difference(step.after, step.before);
  const auto removed = [](const ConfigChange& change) {
    return change.removes_part() && change.part == "nat.pools[more]";
  };
  EXPECT_THAT(back, Contains(testing::Truly(removed)));
}

TEST(Restart, OfWhatBindsSessionsConcernsTheChassisThatUseIt) {
  const Step pool(with("addresses: 203.0.113.0/28", "addresses: 203.0.113.0/27"));
  EXPECT_TRUE(pool.restarts("left") && pool.restarts("right"));
  EXPECT_FALSE(pool.restarts("third"));
  const Step units(with("interface: { chassis: third, card: ms-0/0/0 }",
                        "interface: { chassis: third, card: ms-0/0/0, max-sessions: 2048 }"));
  EXPECT_TRUE(units.restarts("third"));
  EXPECT_FALSE(units.restarts("left") || units.restarts("right"));
}

TEST(Restart, IsNotNeededForRulesTimersAndLimits) {
  const Step steps[] = {
      Step(with("{ name: all, then: accept }", "{ name: all, then: discard }")),
      Step(with("{ name: all, then: accept }", "{ name: all, then: accept }, { name: more, then: discard }")),
      Step(with("rules: [{ name: all,",
                "rules: [{ name: more, match-direction: output, terms: [{ name: all, then: accept }] }, { name: all,")),
      Step(with("source-address: 198.18.0.0/24", "source-address: 198.18.0.0/23")),
      Step(with("    service-sets: [shared]\n", "    service-sets: [shared]\n    heartbeat-count: 9\n")),
      Step(with("priority: 200", "priority: 210")),
      Step(with("inside-unit: 1, outside-unit: 2, stateful",
                "inside-unit: 1, outside-unit: 2, session-limit: 9, stateful")),
      Step(std::string(kText) + "timeouts: { open-timeout: 9 }\n"),
      Step(std::string(kText) + "applications: [{ name: more, protocol: tcp }]\n"),
      Step(std::string(kText) + "screens: [{ name: more, tcp: { land: yes } }]\n"),
      // Whether a pool that is used can be added depends on what it is used for (node/card/live_change).
      Step(with("source-pool: pool1", "source-pool: [pool1, more]",
                with("pools: [", "pools: [{ name: more, addresses: 203.0.113.64/28 }, "))),
  };
  for (const Step& step : steps) {
    ASSERT_FALSE(step.changes.empty());
    SCOPED_TRACE(step.changes[0].path);
    for (const std::string_view name : {"left", "right", "third"}) EXPECT_FALSE(step.restarts(name)) << name;
  }
}

TEST(Restart, OfWhatOneChassisHasAloneConcernsThatOneOnly) {
  const Step step(with("{ name: ms-0/0/0, ports", "{ name: ms-0/0/0, workers: 2, ports"));
  EXPECT_TRUE(step.restarts("left"));
  EXPECT_FALSE(step.restarts("right"));
}

TEST(Restart, OfAnAddressConcernsThePeerAsWell) {
  const Step step(with("inter-chassis: { address: 127.0.0.1", "inter-chassis: { address: 127.0.0.9"));
  EXPECT_TRUE(step.restarts("left") && step.restarts("right"));
  EXPECT_FALSE(step.restarts("third"));
}

TEST(Restart, IsNotNeededForAChassisThatIsAddedAtTheEnd) {
  const Step step(with("redundancy-sets:\n", R"(  - name: fourth
    inter-chassis: { address: 127.0.0.4, port: 7400 }
    query: { address: 127.0.0.4, port: 7300 }
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
redundancy-sets:
)"));
  EXPECT_FALSE(step.changes.empty());
  for (const std::string_view name : {"left", "right", "third"}) EXPECT_FALSE(step.restarts(name)) << name;
  EXPECT_TRUE(step.restarts("fourth"));
}

TEST(Restart, IsNotNeededForClients) {
  const Step step(
      std::string(kText) +
      "clients: [{ name: noc, class: view, public-keys: [\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"] }]\n");
  ASSERT_EQ(step.changes.size(), 3U);
  EXPECT_EQ(step.changes[0].path, "clients[noc]");
  EXPECT_EQ(step.changes[1].path, "clients[noc].class");
  EXPECT_EQ(step.changes[2].path, "clients[noc].public-keys");
  EXPECT_FALSE(step.restarts("left"));
  EXPECT_EQ(step.before.digest, step.after.digest);
}

TEST(Snapshot, HoldsTheTextAsItIsAndWhatItMeans) {
  const auto snapshot = make_snapshot(std::string(kText), "f");
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ((*snapshot)->text, kText);
  EXPECT_EQ((*snapshot)->digest, digest_of_text(kText));
  EXPECT_EQ((*snapshot)->cluster.chassis.size(), 3U);
  EXPECT_NE(digest_of_text(kText), digest_of_text(std::string(kText) + " "));
  const auto wrong = make_snapshot("cluster: 1", "the-file");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, testing::HasSubstr("the-file:1:"));
}

}  // namespace
}  // namespace icr
