// Builds the trees of NAT pools and rules, in the forms of ms- cards (`nat pool`) and of vms- cards (all others).
#pragma once

#include <string>
#include <vector>

#include "cli/merge/nat_selection.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// The selected pools of a service set on a card.
struct PoolGroup {
  std::string interface;
  std::uint16_t service_set = 0;  ///< index into Cluster::service_sets
  std::vector<PoolRow> pools;
};
using PoolGroups = std::vector<PoolGroup>;

void build_nat_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups, bool detail);
void build_source_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups);
void build_destination_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups);
// Build `show services nat source summary`, `destination summary` and `resource-usage source-pool`.
void build_source_summary(Tree& tree, const Cluster& cluster, const PoolGroups& groups);
void build_destination_summary(Tree& tree, const Cluster& cluster, const PoolGroups& groups);
void build_pool_usage(Tree& tree, const Cluster& cluster, const PoolGroups& groups);

/// The selected terms of a service set on a card.
struct RuleGroup {
  std::string interface;
  std::uint16_t service_set = 0;
  std::vector<TermUse> terms;
};
void build_nat_rules(Tree& tree, const Cluster& cluster, const std::vector<RuleGroup>& groups, NatRules which);

}  // namespace icr::cli
