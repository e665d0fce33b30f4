#include "tests/sim/files.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/config/cluster_file.h"
#include "model/config/settings.h"
#include "model/record/stable_id.h"

namespace icr::sim {
namespace {

/// The host that kEditRefuses is about.
constexpr std::string_view kRefused = "198.18.0.7";

std::string chassis(const std::string& name, int host, char device) {
  std::string ports;
  for (int unit = 1; unit <= 4; ++unit) {
    ports += fmt::format("{}{{ unit: {}, type: tun, device: {}{} }}", unit == 1 ? "" : ", ", unit, device, unit);
  }
  return fmt::format(
      "  - {{ name: {0}, inter-chassis: {{ address: 192.0.2.{1}, port: 7400 }}, query: {{ address: 192.0.2.{1}, port: "
      "7300 }}, cards: [ {{ name: ms-{2}/0/0, ports: [ {3} ] }} ] }}\n",
      name, host, host - 1, ports);
}

/// Returns the entries, in the order of the first file or in the opposite one.
std::string list(std::vector<std::string> entries, bool turned) {
  if (turned) std::reverse(entries.begin(), entries.end());
  std::string out;
  for (const auto& entry : entries) out += entry;
  return out;
}

std::string text_with(bool preempt, NatFlavour flavour, std::uint32_t edits, std::string guarantee, bool by_term) {
  std::string of_term;
  if (by_term) {
    const auto rest = guarantee.find(", ");
    of_term = ", " + guarantee.substr(0, rest);
    guarantee = rest == std::string::npos ? "" : guarantee.substr(rest + 2);
  }
  const bool turned = (edits & kEditOrder) != 0;
  const auto has = [edits](Edit edit) { return (edits & edit) != 0; };
  const bool whole = flavour == NatFlavour::addresses;
  const char* pool = has(kEditPoolReplaced) ? "pool2" : "pool1";
  const char* addresses = has(kEditPoolReplaced) ? (whole ? "203.0.113.16/30" : "203.0.113.16/31")
                          : has(kEditPoolMoves)
                              ? (whole ? "203.0.113.8/31, 203.0.113.2/31" : "203.0.113.8/32, 203.0.113.1/32")
                              : (whole ? "203.0.113.0/30" : "203.0.113.0/31");
  const int last_port = has(kEditFewerPorts) ? 1055 : 1071;

  std::vector<std::string> all_chassis = {chassis("left", 1, 'a'), chassis("right", 2, 'b')};
  std::vector<std::string> sets = {
      fmt::format("  - {{ name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [outbound], nat-rules: "
                  "[to-the-pool], policy-rematch: {}{}{} }}\n",
                  has(kEditRefuses) ? "yes" : "no", guarantee.empty() ? "" : ", ", guarantee)};
  std::vector<std::string> pools = {fmt::format(
      "    - {{ name: {}, addresses: [{}], port-range: {{ low: 1024, high: {} }} }}\n", pool, addresses, last_port)};
  std::vector<std::string> rules = {fmt::format(
      "    - {{ name: to-the-pool, match-direction: input, terms: [ {{ name: all, then: {{ translated: {{ source-pool: "
      "{}, translation-type: {} }} }} }} ] }}\n",
      pool, whole ? "dynamic-nat44" : "napt-44")};
  std::vector<std::string> applications = {"  - { name: echo, protocol: udp, destination-port: 7 }\n"};
  const int priority = has(kEditPriority) ? 50 : 200;
  const std::string members = list({fmt::format("{{ chassis: left, card: ms-0/0/0, priority: {} }}, ", priority),
                                    "{ chassis: right, card: ms-1/0/0, priority: 100 }, "},
                                   turned);
  std::string first_term;
  std::string service_sets = "cgn";
  if (has(kEditRefuses)) {
    first_term = fmt::format("{{ name: refused, from: {{ source-address: {}/32 }}, then: discard }}, ", kRefused);
  }
  if (has(kEditService)) {
    sets.emplace_back(
        "  - { name: another, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: [outbound], nat-rules: "
        "[to-another-pool] }\n");
    pools.emplace_back(
        "    - { name: another, addresses: [203.0.113.32/31], port-range: { low: 2000, high: 2031 } }\n");
    rules.emplace_back(
        "    - { name: to-another-pool, match-direction: input, terms: [ { name: all, then: { translated: { "
        "source-pool: another, translation-type: napt-44 } } } ] }\n");
    service_sets = turned ? "another, cgn" : "cgn, another";
  }
  if (has(kEditRules)) {
    first_term += fmt::format(
        "{{ name: never, from: {{ applications: never }}, then: discard }}, {{ name: echo, from: {{ applications: echo "
        "}}, then: accept{} }}, ",
        of_term);
    applications.emplace_back("  - { name: never, protocol: udp, destination-port: 9 }\n");
  }
  if (has(kEditChassis)) all_chassis.push_back(chassis("third", 3, 'c'));
  return fmt::format(
      "cluster: simulated\nchassis:\n{}redundancy-sets:\n  - {{ name: rs1, id: 1, members: [ {} ], service-sets: [{}], "
      "heartbeat-interval: {}, heartbeat-count: 3, hold-time: 1, preempt: {} }}\nservice-sets:\n{}stateful-firewall:\n"
      "  rules:\n    - {{ name: outbound, match-direction: input, terms: [ {}{{ name: all, then: accept{} }} ] "
      "}}\nnat:\n"
      "  pools:\n{}  rules:\n{}applications:\n{}timeouts: {{ inactivity-timeout: {}, open-timeout: 4, close-timeout: "
      "1 }}\n",
      list(all_chassis, turned), members, service_sets, has(kEditHeartbeat) ? 80 : 100, preempt ? "yes" : "no",
      list(sets, turned), first_term, of_term, list(pools, turned), list(rules, turned), list(applications, turned),
      has(kEditTimeouts) ? 6 : 4);
}

}  // namespace

Cluster simulated_cluster(bool preempt, NatFlavour flavour, std::uint32_t edits, const std::string& guarantee,
                          bool by_term) {
  auto cluster = parse_cluster(text_with(preempt, flavour, edits, guarantee, by_term), "simulated");
  if (!cluster) {
    ADD_FAILURE() << cluster.error().message;
    return {};
  }
  // What follows is less than a file may ask for.
  cluster->redundancy_sets[0].max_sessions = (edits & kEditMoreSlots) != 0 ? 200 : 160;
  const bool mapped = flavour == NatFlavour::mappings || flavour == NatFlavour::mappings_in_blocks;
  for (NatPool& pool : cluster->nat_pools) {
    pool.mapping_timeout_s = 1;
    if (flavour == NatFlavour::blocks || flavour == NatFlavour::mappings_in_blocks) {
      pool.blocks = NatPool::BlockAllocation{8, 3, flavour == NatFlavour::blocks ? 2U : 0U};
    }
  }
  for (NatRule& rule : cluster->nat_rules) {
    rule.terms[0].endpoint_independent_mapping = mapped;
    rule.terms[0].address_pooling_paired = mapped;
  }
  compute_digests(*cluster);  // the text said something else
  return std::move(*cluster);
}

std::shared_ptr<const Snapshot> Files::with(std::uint32_t edits) {
  auto& made = made_[edits];
  if (!made) {
    // The flavour is not in the text.
    const std::uint64_t digest = digest_of_text(fmt::format("{} {} {}", preempt_, static_cast<int>(flavour_), edits));
    made = std::make_shared<const Snapshot>(
        Snapshot{{}, digest, simulated_cluster(preempt_, flavour_, edits, guarantee_, by_term_)});
  }
  return made;
}

const NatTerm& term_of(const Cluster& cluster) {
  const auto& rules = cluster.nat_rules;
  return std::find_if(rules.begin(), rules.end(), [](const NatRule& r) { return r.name == "to-the-pool"; })->terms[0];
}

const NatPool& pool_of(const Cluster& cluster) { return cluster.nat_pools[term_of(cluster).source_pools[0]]; }

bool has_place(const Cluster& cluster, const SessionRecord& session) {
  const NatPool& pool = pool_of(cluster);
  const std::uint16_t port = session.flow[1].destination_port;
  const bool with_port = term_of(cluster).type != NatType::dynamic_nat44;
  return session.ref.slot < cluster.redundancy_sets[0].max_sessions && pool.contains(session.flow[1].destination) &&
         (!with_port || (pool.port_low <= port && port <= pool.port_high));
}

bool lives_on(const Cluster& cluster, const SessionRecord& session) {
  const auto& sets = cluster.service_sets;
  const auto& cgn = *std::find_if(sets.begin(), sets.end(), [](const ServiceSet& s) { return s.name == "cgn"; });
  return has_place(cluster, session) && !(cgn.policy_rematch && session.flow[0].source.to_string() == kRefused);
}

}  // namespace icr::sim
