#include "cli/builders/bindings.h"

#include "cli/builders/sessions.h"
#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

/// Returns "Active", or "Timeout (25s)" with the seconds that are left of a mapping or pairing that nothing uses.
std::string state_of_binding(RecordKind kind, const BindingRecord& binding, const BindingUse& use) {
  // A pairing that is held only by mappings without sessions has no session. Its timeout begins when these mappings are
  // gone.
  const bool in_use = kind != RecordKind::pairing && (binding.flags & kBindingInUse) != 0;
  const bool active = use.sessions != 0 || in_use;
  return active ? std::string("Active") : fmt::format("Timeout ({}s)", seconds_left(binding.timeout_s, binding.idle));
}

}  // namespace

MappingBuilder::MappingBuilder(const Cluster& cluster, Tree& tree) : cluster_(cluster), tree_(tree) {
  begin_answer(tree_, inferred::kMappings);
}

void MappingBuilder::add(const Source& source, const SessionRecord& record, const BindingUse& use) {
  const BindingRecord& b = record.binding;
  const std::pair group(source.interface, b.service_set);
  if (group_ != group) {
    if (pool_) tree_.end();
    if (group_) tree_.end();
    pool_.reset();
    tree_.begin(inferred::kMappingsOfSet);
    tree_.leaf("interface-name", source.interface);
    tree_.leaf("service-set-name", cluster_.name_of_service_set(b.service_set));
    group_ = group;
  }
  if (pool_ != b.pool) {
    if (pool_) tree_.end();
    tree_.begin(inferred::kMappingsOfPool);
    tree_.leaf("pool-name", cluster_.name_of_pool(b.pool));
    pool_ = b.pool;
  }
  const bool mapping = record.kind == RecordKind::mapping;
  const Scope one(tree_, inferred::kMapping);
  tree_.leaf(inferred::kMappingKind, mapping ? "endpoint-independent" : "address-pooling-paired");
  tree_.leaf(inferred::kInternal, b.internal.to_string());
  if (mapping) tree_.leaf(inferred::kInternalPort, b.internal_port);
  tree_.leaf(inferred::kExternal, b.external.to_string());
  if (mapping) tree_.leaf(inferred::kExternalPort, b.external_port);
  if (!mapping) tree_.leaf(inferred::kPortsUsed, use.ports);
  tree_.leaf("session-count", use.sessions);
  tree_.leaf(inferred::kMappingState, state_of_binding(record.kind, b, use));
}

void MappingBuilder::finish() {
  if (pool_) tree_.end();
  if (group_) tree_.end();
  tree_.end();
}

void build_nptv6(Tree& tree, const std::vector<PrefixRow>& rows) {
  for (const auto& row : rows) {
    begin_answer(tree, "service-nat-mapping-nptv6-information");
    tree.leaf("nptv6-interface-name", row.interface);
    tree.leaf("nptv6-service-set", row.service_set);
    tree.leaf("nptv6-internal-ip", row.internal);
    tree.leaf("nptv6-external-ip", row.external);
    tree.end();
  }
}

void build_mapping_totals(Tree& tree, const std::map<std::string, MappingTotals>& totals) {
  begin_answer(tree, inferred::kMappingSummary);
  for (const auto& [interface, total] : totals) {
    const Scope entry(tree, inferred::kMappingSummaryEntry);
    tree.leaf("interface-name", interface);
    tree.leaf(inferred::kTotalAddressMappings, total.addresses);
    tree.leaf(inferred::kTotalEndpointMappings, total.endpoints);
    tree.leaf(inferred::kTotalFilters, total.filters);
  }
  tree.end();
}

void build_deterministic(Tree& tree, const Cluster& cluster, const std::string& interface,
                         const DeterministicRow& row) {
  begin_answer(tree, "service-detnat-information");
  tree.leaf("service-set-name", cluster.name_of_service_set(row.service_set));
  tree.leaf("interface-name", interface);
  tree.leaf("pool-name", cluster.name_of_pool(row.pool));
  tree.leaf("detnat-internal-host", IpAddress::v4(row.binding.internal).to_string());
  tree.leaf("detnat-nat-ip", IpAddress::v4(row.binding.external).to_string());
  tree.leaf("detnat-nat-port-low", row.binding.first_port);
  tree.leaf("detnat-nat-port-high", row.binding.last_port);
  tree.end();
}

void begin_block_pool(Tree& tree, const Cluster& cluster, const std::string& interface, std::uint16_t service_set,
                      std::uint16_t pool, const NatPoolStatus& status) {
  const NatPool& config = cluster.nat_pools[pool];
  tree.begin(inferred::kBlockPool);
  tree.leaf("interface-name", interface);
  tree.leaf("service-set-name", cluster.service_sets[service_set].name);
  tree.leaf("pool-name", config.name);
  tree.leaf("port-overloading-factor", 1);
  tree.leaf(inferred::kBlockSize, status.block_size);
  if (status.use == NatPoolUse::port_blocks) {
    tree.leaf(inferred::kBlocksOfHost, status.max_blocks_per_host);
    tree.leaf(inferred::kBlockTimeout, config.blocks ? config.blocks->active_block_timeout_s : 0);
  }
  tree.leaf(inferred::kBlocksInUse, status.blocks_in_use);
  tree.leaf(inferred::kEffectiveBlocks, status.blocks);
}

void add_deterministic_block(Tree& tree, const DeterministicRow& row, std::uint32_t block_size) {
  const Scope block(tree, inferred::kBlock);
  tree.leaf(inferred::kInternal, IpAddress::v4(row.binding.internal).to_string());
  tree.leaf(inferred::kExternal, IpAddress::v4(row.binding.external).to_string());
  tree.leaf(inferred::kBlockRange, fmt::format("{}-{}", row.binding.first_port, row.binding.last_port));
  tree.leaf(inferred::kPortsUsed, row.ports_in_use);
  tree.leaf(inferred::kPortsMaximum, block_size);
}

void add_port_block(Tree& tree, const SessionRecord& record, const BindingUse& use) {
  const BindingRecord& b = record.binding;
  const Scope block(tree, inferred::kBlock);
  tree.leaf(inferred::kInternal, b.internal.to_string());
  tree.leaf(inferred::kExternal, b.external.to_string());
  tree.leaf(inferred::kBlockRange, fmt::format("{}-{}", b.external_port, b.last_port));
  tree.leaf(inferred::kPortsUsed, use.ports);
  tree.leaf(inferred::kPortsMaximum, b.last_port - b.external_port + 1);
  tree.leaf(inferred::kBlockState, (b.flags & kBindingActiveBlock) != 0 ? "Active" : "Inactive");
  // A block without sessions ends when its timeout is over.
  if (use.ports == 0 && (b.flags & kBindingInUse) == 0) {
    tree.leaf(inferred::kBlockTimeLeft, seconds_left(b.timeout_s, b.idle));
  }
}

}  // namespace icr::cli
