// Builds the trees of the bindings of NAT: mappings, pairings, blocks of ports, deterministic blocks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cli/merge/survey.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// Builds `show services nat mappings` as its records come.
class MappingBuilder {
 public:
  /// REQUIRES: `cluster` and `tree` outlive the builder.
  MappingBuilder(const Cluster& cluster, Tree& tree);

  /// Adds a mapping or pairing. REQUIRES: records are grouped by interface, service set and pool.
  void add(const Source& source, const SessionRecord& record, const BindingUse& use);
  void finish();

 private:
  const Cluster& cluster_;
  Tree& tree_;
  std::optional<std::pair<std::string, StableId>> group_;  ///< the interface and service set that have begun
  std::optional<StableId> pool_;                           ///< the pool that has begun
};

/// A prefix that NPTv6 translates.
struct PrefixRow {
  std::string interface;
  std::string service_set;
  std::string internal;
  std::string external;
};
void build_nptv6(Tree& tree, const std::vector<PrefixRow>& rows);

struct MappingTotals {
  std::uint64_t addresses = 0;
  std::uint64_t endpoints = 0;
  std::uint64_t filters = 0;
};
/// Builds `show services nat mappings summary`, by interface.
void build_mapping_totals(Tree& tree, const std::map<std::string, MappingTotals>& totals);

/// Adds one answer of `show services nat deterministic-nat`; Junos repeats the answer for each.
void build_deterministic(Tree& tree, const Cluster& cluster, const std::string& interface, const DeterministicRow& row);

/// Begins the pool of a table of blocks, with the figures that stand above the table.
void begin_block_pool(Tree& tree, const Cluster& cluster, const std::string& interface, std::uint16_t service_set,
                      std::uint16_t pool, const NatPoolStatus& status);
void add_deterministic_block(Tree& tree, const DeterministicRow& row, std::uint32_t block_size);
void add_port_block(Tree& tree, const SessionRecord& record, const BindingUse& use);

}  // namespace icr::cli
