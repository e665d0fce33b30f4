// NAT pools and rules, in the layouts of ms- cards (JSF) and vms- cards (USF).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/merge/nat_selection.h"
#include "model/cluster.h"
#include "model/query.h"

namespace icr::cli {

/// "Interface: ms-0/0/0, Service set: ss1\n".
[[nodiscard]] std::string nat_heading(std::string_view interface, std::string_view service_set);
/// "192.0.2.0-192.0.2.255".
[[nodiscard]] std::string range_text(const AddressRange& range);

// `show services nat pool`: the line of one pool under render_pool_columns(), or its block.
[[nodiscard]] std::string render_pool_columns();
[[nodiscard]] std::string render_pool_brief(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
[[nodiscard]] std::string render_pool_detail(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
// `show services nat source pool`, `destination pool`.
[[nodiscard]] std::string render_source_pool(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
[[nodiscard]] std::string render_destination_pool(const Cluster& cluster, const PoolUse& use);

/// A pool on a card.
struct PoolRow {
  PoolUse use;
  NatPoolStatus status;
};
// `show services nat source summary`, `destination summary`, `resource-usage source-pool`, of one service set.
[[nodiscard]] std::string render_source_summary(const Cluster& cluster, std::uint16_t service_set,
                                                const std::vector<PoolRow>& pools);
[[nodiscard]] std::string render_destination_summary(const Cluster& cluster, std::uint16_t service_set,
                                                     const std::vector<PoolRow>& pools);
[[nodiscard]] std::string render_pool_usage(const Cluster& cluster, const std::vector<PoolRow>& pools);
/// `show services nat source rule` and its relatives: one term.
[[nodiscard]] std::string render_nat_rule(const Cluster& cluster, std::uint16_t service_set, const TermUse& use,
                                          NatRules which);

}  // namespace icr::cli
