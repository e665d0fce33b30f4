#include "cli/builders/policies.h"

#include <algorithm>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::string_view direction_of(const TermHitsRow& row) {
  return !row.output ? "input" : row.input ? "input-output" : "output";
}

}  // namespace

void build_hit_counts(Tree& tree, const std::vector<PolicyRow>& rows) {
  begin_answer(tree, "policy-hit-count-service-router");
  tree.leaf("policy-hit-count-num", rows.size());
  std::size_t index = 0;
  for (const PolicyRow& row : rows) {
    const Scope entry(tree, "policy-hit-count-service-router-entry");
    tree.leaf("policy-hit-count-service-router-policy-name", row.hits.term);
    tree.leaf("policy-hit-count-service-router-sfw-rule-name", row.hits.rule);
    tree.leaf("policy-hit-count-service-router-index", ++index);
    tree.leaf("policy-hit-count-service-router-service-set", row.service_set);
    tree.leaf("policy-hit-count-service-router-interface", row.interface);
    tree.leaf("policy-hit-count-service-router-count", row.hits.hits);
    tree.leaf("policy-hit-count-service-router-direction", direction_of(row.hits));
  }
  tree.end();
}

void build_ha(Tree& tree, const Cluster& cluster, const std::vector<SetReport>& reports, bool statistics) {
  for (const SetReport& report : reports) {
    const SetStatus& status = report.status;
    const RedundancySet& set = cluster.redundancy_sets[status.set];
    const auto& peer = set.members[0].chassis == report.chassis ? set.members[1] : set.members[0];
    const Endpoint local = cluster.control_endpoint(status.set, report.chassis);
    const Endpoint remote = cluster.control_endpoint(status.set, peer.chassis);
    begin_answer(tree, "service-ha-info");
    tree.leaf("interface-name", cluster.chassis[report.chassis].cards[report.card].name);
    tree.leaf("ha-type", "inter-chassis");
    tree.leaf("ha-role", to_string(status.role));
    tree.leaf("ha-conn-status", status.connected ? "Connected" : "Not connected");
    tree.leaf("ha-sync-type", to_string(status.sync));
    tree.leaf("ha-local-ip", local.address.to_string());
    tree.leaf("ha-local-port", local.port);
    tree.leaf("ha-remote-ip", remote.address.to_string());
    tree.leaf("ha-remote-port", remote.port);
    if (statistics) {
      for (const auto& counter : status.counters) {
        const Scope one(tree, inferred::kCounter);
        tree.leaf(inferred::kCounterName, counter.name);
        tree.leaf(inferred::kCounterValue, counter.value);
      }
    }
    tree.end();
  }
}

}  // namespace icr::cli
