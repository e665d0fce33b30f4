// Builds the trees of hits of firewall terms, and of the peers of redundancy sets.
#pragma once

#include <string>
#include <vector>

#include "cli/merge/survey.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/term_hits.h"

namespace icr::cli {

struct PolicyRow {
  std::string interface;
  std::string service_set;
  TermHitsRow hits;
};
/// Builds `show services policies hit-count`.
void build_hit_counts(Tree& tree, const std::vector<PolicyRow>& rows);

/// Builds `show services ha`: one answer for each member of a redundancy set, as it sees its peer. With `statistics`,
/// what it has sent and received is added.
void build_ha(Tree& tree, const Cluster& cluster, const std::vector<SetReport>& reports, bool statistics);

}  // namespace icr::cli
