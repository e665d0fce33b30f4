// How long a cluster file of the greatest size is read: 1,000 chassis, and 10,000 redundancy sets with a service set, a
// NAT rule and a pool each.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "model/config/cluster_file.h"

namespace {

using namespace icr;

constexpr int kChassis = 1000;
constexpr int kSets = 10'000;
constexpr int kRuns = 3;
/// Sets whose first member is on one chassis; as many have their second one there.
constexpr int kSetsOfChassis = kSets / kChassis;

std::string text() {
  std::string out = "cluster: large\nchassis:\n";
  for (int i = 0; i < kChassis; ++i) {
    out += fmt::format(
        "  - name: chassis-{}\n    inter-chassis: {{ address: 10.{}.{}.1, port: 7400 }}\n"
        "    query: {{ address: 10.{}.{}.1, port: 7300 }}\n    cards:\n      - name: ms-0/0/0\n        ports:\n",
        i, i / 250, i % 250, i / 250, i % 250);
    for (int unit = 1; unit <= 4 * kSetsOfChassis; ++unit) {
      out += fmt::format("          - {{ unit: {}, type: tun, device: ms000.{} }}\n", unit, unit);
    }
  }
  out += "redundancy-sets:\n";
  std::string service_sets = "service-sets:\n";
  std::string pools;
  std::string rules;
  for (int i = 0; i < kSets; ++i) {
    const int first = i / kSetsOfChassis;
    const int place = i % kSetsOfChassis;
    out += fmt::format(
        "  - name: set-{0}\n    id: {1}\n    members:\n      - {{ chassis: chassis-{2}, card: ms-0/0/0, priority: 200 "
        "}}\n"
        "      - {{ chassis: chassis-{3}, card: ms-0/0/0, priority: 100 }}\n    service-sets: [service-set-{0}]\n",
        i, i + 1, first, (first + 1) % kChassis);
    // On even chassis the first half of the units, on odd ones the second half: neighbours share a set.
    const int unit = 1 + 2 * place + (first % 2 == 0 ? 0 : 2 * kSetsOfChassis);
    service_sets += fmt::format(
        "  - {{ name: service-set-{}, inside-unit: {}, outside-unit: {}, stateful-firewall-rules: [out], nat-rules: "
        "[rule-{}] }}\n",
        i, unit, unit + 1, i);
    pools += fmt::format("    - {{ name: pool-{}, address: 100.64.{}.{}/32 }}\n", i, i / 250, i % 250);
    rules += fmt::format(
        "    - {{ name: rule-{0}, match-direction: input, terms: [ {{ name: all, then: {{ translated: {{ source-pool: "
        "pool-{0}, translation-type: napt-44 }} }} }} ] }}\n",
        i);
  }
  return out + service_sets +
         "stateful-firewall:\n  rules:\n    - { name: out, match-direction: input, terms: [ { name: all, then: accept "
         "} ] }\n"
         "nat:\n  pools:\n" +
         pools + "  rules:\n" + rules;
}

}  // namespace

int main() {
  const std::string file = text();
  std::vector<double> seconds;
  for (int i = 0; i < kRuns; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto cluster = parse_cluster(file, "large");
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (!cluster) {
      fmt::print(stderr, "{}\n", cluster.error().message);
      return 1;
    }
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRuns / 2, seconds.end());
  fmt::print("config.read-10000-sets {:.3g} s\n", seconds[kRuns / 2]);
  return 0;
}
