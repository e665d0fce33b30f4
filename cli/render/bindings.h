// Renders the bindings of NAT pools: mappings, blocks of ports, deterministic blocks.
#pragma once

#include <string>
#include <vector>

#include "cli/merge/survey.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// Renders `show services nat mappings`, with headings where interface, service set or pool changes.
class MappingRenderer {
 public:
  /// REQUIRES: `cluster` outlives the renderer.
  explicit MappingRenderer(const Cluster& cluster) : cluster_(cluster) {}
  /// Appends a mapping or pairing. REQUIRES: records are grouped by interface, service set and pool.
  void add(const Source& source, const SessionRecord& record, const BindingUse& use, std::string& out);
  /// Appends a prefix that NPTv6 translates.
  void add_prefix(const Source& source, std::uint16_t service_set, const std::string& from, const std::string& to,
                  std::string& out);

 private:
  void head(const Source& source, const std::string& service_set, std::string& out);

  const Cluster& cluster_;
  std::string heading_;
  std::optional<StableId> pool_;
};

struct MappingTotals {
  std::uint64_t addresses = 0;
  std::uint64_t endpoints = 0;
  std::uint64_t filters = 0;
};
/// Renders one interface of `show services nat mappings summary`.
[[nodiscard]] std::string render_mapping_totals(const std::string& interface, const MappingTotals& totals);

/// Renders `show services nat deterministic-nat`.
[[nodiscard]] std::string render_deterministic(const Cluster& cluster, const std::string& interface,
                                               const DeterministicRow& row);

// Render `show services nat source deterministic` and `port-block`: the heading of a pool, and a row.
[[nodiscard]] std::string render_deterministic_head(const NatPool& pool, const NatPoolStatus& status);
[[nodiscard]] std::string render_deterministic_row(const DeterministicRow& row, std::uint32_t block_size);
[[nodiscard]] std::string render_block_head(const NatPool& pool, const NatPoolStatus& status);
[[nodiscard]] std::string render_block_row(const SessionRecord& record, const BindingUse& use);

}  // namespace icr::cli
