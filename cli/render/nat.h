// Renders NAT pools and rules in the layouts of ms- cards (JSF) and vms- cards (USF).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/merge/nat_selection.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// Returns "Interface: ms-0/0/0, Service set: ss1\n".
[[nodiscard]] std::string nat_heading(std::string_view interface, std::string_view service_set);
/// Returns "192.0.2.0-192.0.2.255".
[[nodiscard]] std::string range_text(const AddressRange& range);

// Render `show services nat pool`: the heading of `brief`, the line of one pool below it, and one pool in `detail`.
[[nodiscard]] std::string render_pool_columns();
[[nodiscard]] std::string render_pool_brief(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
[[nodiscard]] std::string render_pool_detail(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
// Render one pool of `show services nat source pool` and of `destination pool`.
[[nodiscard]] std::string render_source_pool(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status);
[[nodiscard]] std::string render_destination_pool(const Cluster& cluster, const PoolUse& use);

// Render `show services nat source summary`, `destination summary` and `resource-usage source-pool` for one service
// set.
[[nodiscard]] std::string render_source_summary(const Cluster& cluster, std::uint16_t service_set,
                                                const std::vector<PoolRow>& pools);
[[nodiscard]] std::string render_destination_summary(const Cluster& cluster, std::uint16_t service_set,
                                                     const std::vector<PoolRow>& pools);
[[nodiscard]] std::string render_pool_usage(const Cluster& cluster, const std::vector<PoolRow>& pools);
/// Renders one term of `show services nat {source | destination | static} rule`.
[[nodiscard]] std::string render_nat_rule(const Cluster& cluster, std::uint16_t service_set, const TermUse& use,
                                          NatRules which);

}  // namespace icr::cli
