// Builds the trees of flows and conversations: by interface and service set, with two flows for each session.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/builders/counts.h"
#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/record/session.h"

namespace icr::cli {

class FlowBuilder {
 public:
  /// REQUIRES: `cluster` and `tree` outlive the builder. `limit` is a number of flows, or of conversations.
  FlowBuilder(const Cluster& cluster, Tree& tree, Level level, bool conversations, std::optional<std::uint32_t> limit);

  /// Adds a session. REQUIRES: sessions are grouped by interface and service set.
  void add(const Source& source, const SessionRecord& record);
  void finish();

 private:
  void add_flows(const SessionRecord& record);

  const Cluster& cluster_;
  Tree& tree_;
  const Level level_;
  const bool conversations_;
  const std::optional<std::uint32_t> limit_;
  std::optional<std::pair<std::string, StableId>> group_;  ///< the interface and service set that have begun
  std::uint64_t flows_ = 0;
};

/// Builds `show services flows count`; a session has two flows.
void build_flow_counts(Tree& tree, const std::vector<ServiceSetRow>& rows);

}  // namespace icr::cli
