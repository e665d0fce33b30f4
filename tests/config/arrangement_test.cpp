// A cluster that comes after another one keeps the places of what both have.
#include "model/config/arrangement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "model/config/cluster_file.h"
#include "model/config/difference.h"
#include "model/config/settings.h"

namespace icr {
namespace {

using Lines = std::vector<std::string>;

std::string joined(Lines lines, std::mt19937& dice) {
  std::shuffle(lines.begin(), lines.end(), dice);
  std::string out;
  for (const auto& line : lines) out += line;
  return out;
}

/// A cluster of left and right, and of some other chassis, service sets, pools and applications, in any order.
Cluster some_cluster(std::mt19937& dice) {
  Lines chassis, sets, pools, nat_rules, applications, terms;
  const auto add_chassis = [&](const std::string& name, int number) {
    chassis.push_back(fmt::format(
        "  - {{ name: {0}, inter-chassis: {{ address: 192.0.2.{1}, port: 7400 }}, query: {{ address: 192.0.2.{1}, "
        "port: "
        "7300 }}, cards: [ {{ name: ms-0/0/0, ports: [ {{ unit: 1, type: tun, device: {2}1 }}, {{ unit: 2, type: tun, "
        "device: {2}2 }} ] }} ] }}\n",
        name, number, name.substr(0, 4)));
  };
  const auto add_pool = [&](int number) {
    pools.push_back(fmt::format("    - {{ name: pool{0}, addresses: 203.0.113.{0} }}\n", number));
    nat_rules.push_back(
        fmt::format("    - {{ name: nat{0}, match-direction: input, terms: [ {{ name: all, from: {{ source-address: "
                    "198.18.0.0/16 }}, then: {{ translated: {{ source-pool: pool{0}, translation-type: napt-44 }} }} "
                    "}} ] }}\n",
                    number));
  };
  add_chassis("left", 1);
  add_chassis("right", 2);
  add_pool(1);
  sets.emplace_back(
      "  - { name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: out, nat-rules: nat1 }\n");
  for (int i = 0; i < 5; ++i) {
    if (dice() % 2 == 0) continue;
    const std::string name = fmt::format("oth{}", i);
    add_chassis(name, 10 + i);
    add_pool(10 + i);
    sets.push_back(
        fmt::format("  - {{ name: of-{0}, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: out, nat-rules: "
                    "nat{1}, interface: {{ chassis: {0}, card: ms-0/0/0 }} }}\n",
                    name, 10 + i));
  }
  for (int i = 0; i < 6; ++i) {
    if (i != 0 && dice() % 2 == 0) continue;
    applications.push_back(fmt::format("  - {{ name: app{0}, protocol: udp, destination-port: {1} }}\n", i, 100 + i));
    terms.push_back(fmt::format("{{ name: t{0}, from: {{ applications: app{0} }}, then: accept }}", i));
  }
  std::shuffle(terms.begin(), terms.end(), dice);
  const std::string text = fmt::format(
      "cluster: some\nchassis:\n{}redundancy-sets:\n  - {{ name: rs1, id: 1, members: [ {{ chassis: left, card: "
      "ms-0/0/0, priority: 200 }}, {{ chassis: right, card: ms-0/0/0 }} ], service-sets: [cgn], max-sessions: 1024 "
      "}}\nservice-sets:\n{}"
      "stateful-firewall:\n  rules:\n    - {{ name: out, match-direction: input, terms: [ {} ] }}\nnat:\n  pools:\n{}  "
      "rules:\n{}applications:\n{}",
      joined(chassis, dice), joined(sets, dice), fmt::join(terms, ", "), joined(pools, dice), joined(nat_rules, dice),
      joined(applications, dice));
  auto cluster = parse_cluster(text, "some");
  if (!cluster) throw std::runtime_error(cluster.error().message + "\n" + text);
  return std::move(*cluster);
}

template <class T>
void expect_same_places(const std::vector<T>& before, const std::vector<T>& after) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].name.empty()) continue;
    const auto at =
        std::find_if(after.begin(), after.end(), [&](const T& each) { return each.name == before[i].name; });
    if (at == after.end()) continue;
    EXPECT_EQ(static_cast<std::size_t>(at - after.begin()), i) << before[i].name;
  }
}

/// What a cluster means, without regard to places.
std::vector<std::string> meaning(const Cluster& cluster) {
  std::vector<std::string> out;
  for (const auto& part : parts_of(cluster)) {
    for (const auto& setting : part.settings) out.push_back(setting.path + " = " + setting.value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Arrangement, KeepsPlacesAndMeaning) {
  std::mt19937 dice(1);
  Cluster running = some_cluster(dice);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    const Cluster next = some_cluster(dice);
    Cluster got = arranged(running, next);
    expect_same_places(running.chassis, got.chassis);
    expect_same_places(running.redundancy_sets, got.redundancy_sets);
    expect_same_places(running.service_sets, got.service_sets);
    expect_same_places(running.nat_pools, got.nat_pools);
    expect_same_places(running.applications, got.applications);
    EXPECT_EQ(meaning(got), meaning(next));
    EXPECT_TRUE(difference(next, got).empty());
    // The digests are those of what it says, and not of the file that it came from.
    const std::uint64_t digest = got.digest;
    compute_digests(got);
    EXPECT_EQ(got.digest, digest);
    EXPECT_EQ(got.digest, next.digest);
    for (const auto& set : next.redundancy_sets) {
      const auto at = got.set_ids.find(set.stable_id);
      ASSERT_TRUE(at);
      EXPECT_EQ(got.redundancy_sets[*at].name, set.name);
      EXPECT_EQ(got.redundancy_sets[*at].parity, set.parity);
    }
    for (const auto& set : next.service_sets) {
      EXPECT_EQ(got.service_sets[got.service_set_ids.find(set.stable_id).value()].name, set.name);
    }
    for (const auto& pool : next.nat_pools) {
      EXPECT_EQ(got.nat_pools[got.pool_ids.find(pool.stable_id).value()].addresses, pool.addresses);
    }
    running = std::move(got);
  }
}

TEST(Arrangement, AnApplicationThatIsRemovedKeepsItsPlaceForItsSessions) {
  std::mt19937 dice(2);
  Cluster before = some_cluster(dice);
  const Cluster all = before;
  Cluster after = before;
  const std::string name = after.applications.back().name;
  for (auto& rule : after.firewall_rules) {
    rule.terms.erase(std::remove_if(rule.terms.begin(), rule.terms.end(),
                                    [&](const FirewallTerm& term) {
                                      return after.applications[term.from.applications[0]].name == name;
                                    }),
                     rule.terms.end());
  }
  after.applications.pop_back();
  const Cluster without = arranged(before, after);
  ASSERT_EQ(without.applications.size(), all.applications.size());
  EXPECT_EQ(without.applications.back().name, "");
  EXPECT_EQ(without.applications.back().destination_port->low, all.applications.back().destination_port->low);
  // One of that name comes back as another one.
  const Cluster again = arranged(without, all);
  EXPECT_EQ(again.applications.size(), all.applications.size() + 1);
  EXPECT_EQ(again.applications.back().name, name);
}

}  // namespace
}  // namespace icr
