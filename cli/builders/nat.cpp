#include "cli/builders/nat.h"

#include <algorithm>
#include <functional>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::string joined_range(const AddressRange& range) {
  return fmt::format("{}-{}", range.low.to_string(), range.high.to_string());
}

void add_place(Tree& tree, const Cluster& cluster, const std::string& interface, std::uint16_t service_set) {
  tree.leaf("interface-name", interface);
  tree.leaf("service-set-name", cluster.service_sets[service_set].name);
}

/// Adds which service set shows the figures of a pool that this one shares.
void add_sharing(Tree& tree, const Cluster& cluster, const PoolUse& use) {
  tree.leaf(inferred::kSharedWith, cluster.service_sets[*use.counted_with].name);
}

void add_block_figures(Tree& tree, const NatPool& pool, const NatPoolStatus& s) {
  const std::uint32_t ports = std::uint32_t{pool.port_high} - pool.port_low + 1;
  const std::uint32_t whole = s.block_size == 0 ? 0 : ports / s.block_size;
  tree.leaf("max-port-blocks-used", s.max_blocks_in_use);
  tree.leaf(inferred::kBlocksInUse, s.blocks_in_use);
  tree.leaf(inferred::kBlockErrors, s.out_of_block_errors);
  tree.leaf(inferred::kBlockLimitErrors, s.max_blocks_exceeded_errors);
  tree.leaf(inferred::kBlockAllocations, s.block_allocations);
  tree.leaf(inferred::kBlockReleases, s.block_releases);
  tree.leaf(inferred::kBlockLogsLost, s.block_log_overflows);
  tree.leaf(inferred::kBlockSize, s.block_size);
  tree.leaf(inferred::kBlocksOfHost, s.max_blocks_per_host);
  tree.leaf(inferred::kBlockTimeout, pool.blocks ? pool.blocks->active_block_timeout_s : 0);
  tree.leaf(inferred::kEffectiveRange,
            fmt::format("{}-{}", pool.port_low,
                        whole == 0 ? std::uint32_t{pool.port_high} : pool.port_low + whole * s.block_size - 1));
  tree.leaf(inferred::kEffectiveBlocks, s.blocks);
  tree.leaf(inferred::kEffectivePorts, s.blocks * s.block_size);
}

/// Adds the figures of a pool with ports, in the form of ms- cards.
void add_port_figures(Tree& tree, const Cluster& cluster, std::uint16_t index, const NatPoolStatus& s) {
  const NatPool& pool = cluster.nat_pools[index];
  tree.leaf("pool-port-range", fmt::format("{}-{}", pool.port_low, pool.port_high));
  tree.leaf("pool-ports-in-use", s.ports_in_use);
  tree.leaf("pool-out-of-port-errors", s.out_of_port_errors);
  tree.leaf("pool-max-ports-in-use", s.max_ports_in_use);
  tree.leaf("pool-parity-port-errors", s.parity_port_errors);
  tree.leaf("pool-preserve-range-errors", s.preserve_range_errors);
  tree.leaf("pool-app-port-errors", s.app_port_errors);
  tree.leaf("pool-app-exceed-port-limit-errors", s.app_exceed_port_limit_errors);
  tree.leaf("pool-mem-alloc-errors", s.memory_allocation_errors);
  tree.leaf("eif-inbound-session-count", s.eif_sessions);
  tree.leaf("eif-inbound-session-limit-exceed-drop", s.eif_limit_exceeded);
  if (s.use == NatPoolUse::port_blocks) add_block_figures(tree, pool, s);
  if (s.use == NatPoolUse::deterministic) {
    tree.leaf(inferred::kBlockSize, s.block_size);
    tree.leaf(inferred::kEffectiveBlocks, s.blocks);
    tree.leaf(inferred::kBlocksInUse, s.blocks_in_use);
  }
  if (counts_users(cluster, index, s)) tree.leaf("pool-users", s.users);
  tree.leaf(inferred::kAddressMappings, s.pairings);
  tree.leaf(inferred::kEndpointMappings, s.mappings);
  tree.leaf(inferred::kEifCreated, s.eif_sessions_created);
  tree.leaf(inferred::kEifRefused, s.eif_refused);
  tree.leaf(inferred::kConflicts, s.conflicts_refused);
  tree.leaf(inferred::kHeld, s.held);
  tree.leaf(inferred::kReusedEarly, s.reused_early);
}

void add_figures(Tree& tree, const Cluster& cluster, const PoolUse& use, const NatPoolStatus& s) {
  if (use.destination || s.use == NatPoolUse::one_to_one) return;
  if (use.counted_with) return add_sharing(tree, cluster, use);
  if (has_port_range(s)) return add_port_figures(tree, cluster, use.pool, s);
  tree.leaf(inferred::kAddressesAvailable, s.addresses - std::min(s.addresses, s.addresses_in_use));
  tree.leaf("pool-out-of-address-errors", s.out_of_address_errors);
  tree.leaf("pool-addresses-in-use", s.addresses_in_use);
  tree.leaf(inferred::kConflicts, s.conflicts_refused);
}

void add_error_counters(Tree& tree, const NatPoolStatus& s) {
  const Scope errors(tree, "source-pool-error-counters");
  tree.leaf("out-of-port-error", s.out_of_port_errors);
  tree.leaf("out-of-addr-error", s.out_of_address_errors);
  tree.leaf("parity-port-error", s.parity_port_errors);
  tree.leaf("preserve-range-error", s.preserve_range_errors);
  tree.leaf("app-out-of-port-error", s.app_port_errors);
  tree.leaf("app-exceed-port-limit-error", s.app_exceed_port_limit_errors);
  tree.leaf("out-of-blk-error", s.out_of_block_errors);
  tree.leaf("blk-exceed-limit-error", s.max_blocks_exceeded_errors);
  tree.leaf("blk-mem-alloc-error", s.memory_allocation_errors);
}

void add_source_pool(Tree& tree, const Cluster& cluster, const PoolUse& use, const NatPoolStatus& s) {
  const NatPool& pool = cluster.nat_pools[use.pool];
  tree.leaf("pool-name", pool.name);
  tree.leaf("pool-id", use.pool + 1);
  tree.leaf("routing-instance-name", "default");
  tree.leaf("host-address-base", "0.0.0.0");
  tree.leaf("source-pool-port-translation",
            has_port_range(s) ? fmt::format("[{}, {}]", pool.port_low, pool.port_high) : "no translation");
  tree.leaf("port-overloading-factor", 1);
  tree.leaf("source-pool-address-assignment", use.term->address_pooling_paired ? "paired" : "no-paired");
  tree.leaf("total-pool-address", pool.address_count());
  if (pool.deterministic) {
    tree.leaf("source-pool-include-boundary-address", pool.deterministic->include_boundary_addresses ? "yes" : "no");
  }
  tree.leaf("source-pool-eim-timeout", pool.mapping_timeout_s);
  tree.leaf("source-pool-mapping-timeout", pool.mapping_timeout_s);
  if (use.counted_with) return add_sharing(tree, cluster, use);
  tree.leaf("source-pool-eif-inbound-flows-count", s.eif_sessions);
  tree.leaf("source-pool-eif-flow-limit-exceed-drops", s.eif_limit_exceeded);
  if (s.use == NatPoolUse::port_blocks) {
    tree.leaf("source-pool-blk-size", s.block_size);
    tree.leaf("source-pool-blk-max-per-host", s.max_blocks_per_host);
    tree.leaf("source-pool-blk-atv-timeout", pool.blocks ? pool.blocks->active_block_timeout_s : 0);
    tree.leaf("source-pool-blk-used", s.blocks_in_use);
    tree.leaf("source-pool-blk-total", s.blocks);
  }
  if (counts_users(cluster, use.pool, s)) tree.leaf("source-pool-users", s.users);
  for (const auto& range : pool.addresses) {
    const Scope addresses(tree, "source-pool-address-range");
    tree.leaf("address-range-low", range.low.to_string());
    tree.leaf("address-range-high", range.high.to_string());
    // Ports are counted per pool, so one of several ranges has no figure.
    if (pool.addresses.size() == 1) tree.leaf("single-port", s.ports_in_use);
  }
  {
    const Scope sum(tree, "source-pool-address-range-sum");
    tree.leaf("single-port-sum", s.ports_in_use);
  }
  add_error_counters(tree, s);
}

/// Adds an element `name` for each destination pool, or for each source pool. `add` adds the leaves of one element.
void add_rows(Tree& tree, const Cluster& cluster, const PoolGroups& groups, bool destination, std::string_view name,
              const std::function<void(const PoolRow& row)>& add) {
  for (const auto& group : groups) {
    for (const auto& row : group.pools) {
      if (row.use.destination != destination) continue;
      const Scope entry(tree, name);
      add_place(tree, cluster, group.interface, group.service_set);
      add(row);
    }
  }
}

/// Adds the pools and rules of a summary, which a service set has one of each.
void add_summary(Tree& tree, const Cluster& cluster, const PoolGroup& group, NatRules which) {
  const bool source = which == NatRules::source;
  const auto is_meant = [&](const PoolRow& row) { return row.use.destination != source; };
  tree.leaf(inferred::kTotalPools, std::count_if(group.pools.begin(), group.pools.end(), is_meant));
  const auto terms = terms_of(cluster, group.service_set, which);
  tree.leaf(inferred::kTotalRules, terms.size());
  for (const auto& row : group.pools) {
    if (!is_meant(row)) continue;
    const NatPool& pool = cluster.nat_pools[row.use.pool];
    const Scope entry(tree, inferred::kSummaryPool);
    tree.leaf("pool-name", pool.name);
    for (const auto& range : pool.addresses) tree.leaf("pool-address-range", joined_range(range));
    tree.leaf("routing-instance-name", "default");
    if (source) tree.leaf(inferred::kPat, row.status.ports != 0 ? "yes" : "no");
    tree.leaf("total-pool-address", pool.address_count());
  }
  for (const auto& use : terms) {
    const Scope entry(tree, inferred::kSummaryRule);
    tree.leaf("rule-name", use.rule->name);
    tree.leaf(inferred::kTerm, use.term->name);
    tree.leaf("translation-type", to_string(use.term->type));
    tree.leaf(inferred::kAction, action_of(cluster, *use.term, which));
  }
}

void add_address_ranges(Tree& tree, std::string_view entry, std::string_view low, std::string_view high,
                        const std::vector<AddressRange>& ranges) {
  for (const auto& range : ranges) {
    const Scope one(tree, entry);
    tree.leaf(low, range.low.to_string());
    tree.leaf(high, range.high.to_string());
  }
}

void add_port_ranges(Tree& tree, std::string_view name, const std::vector<PortRange>& ranges) {
  for (const auto& range : ranges) tree.leaf(name, fmt::format("{}-{}", range.low, range.high));
}

void add_term(Tree& tree, const Cluster& cluster, const TermUse& use, NatRules which) {
  const NatTerm& term = *use.term;
  static constexpr std::string_view kDirections[] = {"input", "output", "input-output"};
  tree.leaf("rule-name", use.rule->name);
  tree.leaf(inferred::kTerm, term.name);
  tree.leaf("rule-matching-position", use.position);
  tree.leaf(inferred::kDirection, kDirections[static_cast<std::size_t>(use.rule->direction)]);
  add_address_ranges(tree, "source-address-range-entry", inferred::kSourceLow, inferred::kSourceHigh,
                     term.from.source_addresses);
  add_address_ranges(tree, inferred::kSourceExcept, inferred::kSourceLow, inferred::kSourceHigh,
                     term.from.source_except);
  add_address_ranges(tree, "destination-address-range-entry", inferred::kDestinationLow, inferred::kDestinationHigh,
                     term.from.destination_addresses);
  add_address_ranges(tree, inferred::kDestinationExcept, inferred::kDestinationLow, inferred::kDestinationHigh,
                     term.from.destination_except);
  add_port_ranges(tree, inferred::kSourcePorts, term.from.source_ports);
  add_port_ranges(tree, inferred::kDestinationPorts, term.from.destination_ports);
  for (const auto application : term.from.applications) {
    const Scope entry(tree, "src-nat-app-entry");
    tree.leaf(inferred::kApplication, cluster.applications[application].name);
  }
  if (which != NatRules::source) {
    tree.leaf(inferred::kAction, action_of(cluster, term, which));
    if (which == NatRules::destination && term.translated_ports) {
      add_port_ranges(tree, inferred::kTranslatedPorts, {*term.translated_ports});
    }
    tree.leaf("translation-type", to_string(term.type));
    return;
  }
  tree.leaf("translation-type", to_string(term.type));
  const Scope action(tree, "source-nat-rule-action-entry");
  tree.leaf("source-nat-rule-action", action_of(cluster, term, which));
  tree.leaf(inferred::kPooling, term.address_pooling_paired ? "paired" : "no-paired");
  // NAT64 has endpoint-independent mappings only (RFC 6146).
  const bool endpoint = term.endpoint_independent_mapping || term.type == NatType::stateful_nat64;
  tree.leaf("rule-source-mapping-type", endpoint ? "endpoint-independent" : "address-port-mapping");
  tree.leaf(inferred::kFiltering,
            term.endpoint_independent_filtering ? "endpoint-independent" : "address-port-filtering");
}

/// Adds how often a term was matched. Junos puts these numbers into an element of their own for source NAT only.
void add_hits(Tree& tree, const TermHitsRow& hits, NatRules which) {
  if (which == NatRules::source) tree.begin("source-nat-rule-hits-entry");
  tree.leaf("rule-translation-hits", hits.hits);
  tree.leaf("succ-hits", hits.hits - std::min(hits.hits, hits.failures));
  tree.leaf("failed-hits", hits.failures);
  if (which == NatRules::source) tree.end();
}

}  // namespace

void build_nat_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups, bool detail) {
  begin_answer(tree, "service-nat-pool-information");
  for (const auto& group : groups) {
    if (group.pools.empty()) continue;
    const Scope entry(tree, "sfw-per-service-set-nat-pool", {{"junos:style", detail ? "detail" : "brief"}});
    add_place(tree, cluster, group.interface, group.service_set);
    for (const auto& [use, status] : group.pools) {
      const NatPool& pool = cluster.nat_pools[use.pool];
      const Scope one(tree, "service-nat-pool");
      tree.leaf("pool-name", pool.name);
      tree.leaf("translation-type", to_string(use.type));
      // Clients read the type of `brief` from here.
      if (!detail) tree.leaf("description", to_string(use.type));
      {
        const Scope ranges(tree, "pool-address-range-list");
        for (const auto& range : pool.addresses) tree.leaf("pool-address-range", joined_range(range));
      }
      if (detail) {
        add_figures(tree, cluster, use, status);
      } else if (!use.destination && !use.counted_with && has_port_range(status)) {
        tree.leaf("pool-port-range", fmt::format("{}-{}", pool.port_low, pool.port_high));
        tree.leaf("pool-ports-in-use", status.ports_in_use);
      }
    }
  }
  tree.end();
}

void build_source_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
  begin_answer(tree, "source-nat-pool-detail-information");
  add_rows(tree, cluster, groups, false, "source-nat-pool-info-entry",
           [&](const PoolRow& row) { add_source_pool(tree, cluster, row.use, row.status); });
  tree.end();
}

void build_destination_pools(Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
  begin_answer(tree, "destination-nat-pool-information");
  add_rows(tree, cluster, groups, true, "destination-nat-pool-entry", [&](const PoolRow& row) {
    const NatPool& pool = cluster.nat_pools[row.use.pool];
    tree.leaf("pool-name", pool.name);
    tree.leaf("pool-id", row.use.pool + 1);
    tree.leaf("routing-instance-name", "default");
    tree.leaf("total-pool-address", pool.address_count());
    add_address_ranges(tree, "pool-address-range", "address-range-low", "address-range-high", pool.addresses);
  });
  tree.end();
}

void build_source_summary(Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
  begin_answer(tree, inferred::kSourceSummary);
  for (const auto& group : groups) {
    std::uint64_t ports = 0;
    std::uint64_t used = 0;
    for (const auto& row : group.pools) {
      if (row.use.destination) continue;
      ports += row.status.ports;
      used += row.status.ports_in_use;
    }
    const Scope entry(tree, inferred::kSourceSummaryEntry);
    add_place(tree, cluster, group.interface, group.service_set);
    tree.leaf(inferred::kPortsUsed, used);
    tree.leaf(inferred::kPortsMaximum, ports);
    add_summary(tree, cluster, group, NatRules::source);
  }
  tree.end();
}

void build_destination_summary(Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
  begin_answer(tree, inferred::kDestinationSummary);
  for (const auto& group : groups) {
    const Scope entry(tree, inferred::kDestinationSummaryEntry);
    add_place(tree, cluster, group.interface, group.service_set);
    add_summary(tree, cluster, group, NatRules::destination);
  }
  tree.end();
}

void build_pool_usage(Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
  begin_answer(tree, inferred::kPoolUsage);
  add_rows(tree, cluster, groups, false, inferred::kPoolUsageEntry, [&](const PoolRow& row) {
    const NatPoolStatus& s = row.status;
    const std::uint64_t used = std::min(s.ports, s.ports_in_use);
    tree.leaf("pool-name", cluster.nat_pools[row.use.pool].name);
    if (row.use.counted_with) return add_sharing(tree, cluster, row.use);
    tree.leaf("total-pool-address", s.addresses);
    if (s.ports == 0) return;
    tree.leaf(inferred::kPortsUsed, used);
    tree.leaf(inferred::kPortsAvailable, s.ports - used);
    tree.leaf(inferred::kPortsMaximum, s.ports);
    tree.leaf(inferred::kUsage, fmt::format("{}%", used * 100 / s.ports));
    tree.leaf(inferred::kPeak, s.max_ports_in_use);
  });
  tree.end();
}

void build_nat_rules(Tree& tree, const Cluster& cluster, const std::vector<RuleGroup>& groups, NatRules which) {
  static constexpr std::string_view kAnswers[] = {"source-nat-rule-detail-information",
                                                  "destination-nat-rule-information", "static-nat-rule-information"};
  static constexpr std::string_view kEntries[] = {"source-nat-rule-entry", "destination-nat-rule-entry",
                                                  "static-nat-rule-entry"};
  begin_answer(tree, kAnswers[static_cast<std::size_t>(which)]);
  for (const auto& group : groups) {
    for (const auto& use : group.terms) {
      const Scope entry(tree, kEntries[static_cast<std::size_t>(which)]);
      add_place(tree, cluster, group.interface, group.service_set);
      add_term(tree, cluster, use, which);
      if (use.hits) add_hits(tree, *use.hits, which);
    }
  }
  tree.end();
}

}  // namespace icr::cli
