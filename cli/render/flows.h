// Renders flows and conversations as the commands of the stateful firewall print them: by interface and service set,
// with two flows for each session.
#pragma once

#include <optional>
#include <string>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "cli/render/tables.h"
#include "model/config/cluster.h"
#include "model/record/session.h"

namespace icr::cli {

class FlowRenderer {
 public:
  /// REQUIRES: `cluster` outlives the renderer. `limit` is a number of flows, or of conversations.
  FlowRenderer(const Cluster& cluster, Level level, bool conversations, std::optional<std::uint32_t> limit)
      : cluster_(cluster), level_(level), conversations_(conversations), limit_(limit) {}

  /// Appends a session. REQUIRES: sessions are grouped by interface and service set.
  void add(const Source& source, const SessionRecord& record, std::string& out);

 private:
  const Cluster& cluster_;
  const Level level_;
  const bool conversations_;
  const std::optional<std::uint32_t> limit_;
  std::string heading_;  ///< the heading that was printed last
  std::uint64_t flows_ = 0;
};

/// Renders `show services flows count`; a session has two flows.
[[nodiscard]] std::string render_flow_counts(const std::vector<ServiceSetRow>& rows);

}  // namespace icr::cli
