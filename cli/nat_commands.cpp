#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "cli/builders/bindings.h"
#include "cli/builders/nat.h"
#include "cli/commands.h"
#include "cli/merge/nat_selection.h"
#include "cli/render/nat.h"
#include "cli/result/inferred.h"
#include "cli/result/junos.h"
#include "cli/term_hits.h"

namespace icr::cli {
namespace {

/// The figures of every pool of the sources, by source (index) and service set.
using PoolsBySource = std::map<std::pair<std::size_t, std::uint16_t>, std::vector<PoolRow>>;

/// A selected service set of a source.
struct SelectedServiceSet {
  std::size_t source = 0;
  std::uint16_t service_set = 0;
};

std::vector<SelectedServiceSet> service_sets_of(const Cluster& cluster, const std::vector<Source>& sources,
                                                const SessionFilter& filter) {
  std::vector<SelectedServiceSet> out;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const auto service_set : cluster.redundancy_sets[sources[i].set].service_sets) {
      if (filter.has_service_set(cluster.service_sets[service_set].stable_id)) out.push_back({i, service_set});
    }
  }
  return out;
}

Read read_of(const Source& source, QueryKind kind, const SessionFilter& filter) {
  Read out{source, {}};
  out.request.kind = kind;
  out.request.filter = filter;
  return out;
}

/// The sources, service sets and pools that a NAT command selects.
struct NatSelection {
  Selection selection;
  NamedPool pool;
  std::vector<Source> sources;
  std::vector<SelectedServiceSet> service_sets;
};

NatSelection select_nat(Asking& asking) {
  NatSelection out;
  out.selection = select(asking.cluster(), asking.command());
  out.pool = named_pool(asking.cluster(), asking.command().name);
  if (!out.pool.found) out.selection.nothing = true;
  out.sources = asking.sources(out.selection);
  out.service_sets = service_sets_of(asking.cluster(), out.sources, out.selection.filter);
  return out;
}

/// Moves the figures of a pool that several service sets of a source share to the first of them.
void count_once(PoolsBySource& pools) {
  std::map<std::pair<std::size_t, std::uint16_t>, PoolRow*> first;
  for (auto& [where, rows] : pools) {
    for (auto& row : rows) {
      if (row.use.destination) continue;
      const auto [known, fresh] = first.emplace(std::pair(where.first, row.use.pool), &row);
      if (fresh) continue;
      PoolRow& counted = *known->second;
      row.use.counted_with = counted.use.service_set;
      // Each service set has its own mappings; all other figures belong to the pool.
      counted.status.mappings += row.status.mappings;
      counted.status.pairings += row.status.pairings;
      row.status.mappings = row.status.pairings = 0;
    }
  }
}

/// Asks the sources for the figures of the selected pools.
PoolsBySource ask_for_pools(Asking& asking, const NatSelection& selected) {
  const Cluster& cluster = asking.cluster();
  std::vector<Read> reads;
  std::map<std::uint16_t, std::size_t> by_set;  // a set has one source, with and without --chassis
  for (std::size_t i = 0; i < selected.sources.size(); ++i) {
    by_set[selected.sources[i].set] = i;
    reads.push_back(read_of(selected.sources[i], QueryKind::nat_pools, selected.selection.filter));
  }
  std::map<std::tuple<std::size_t, StableId, StableId>, NatPoolStatus> status;
  std::vector<bool> answered(selected.sources.size());
  asking.stream_pages(reads, [&](const Read& read, const QueryReply& page, std::string&) {
    const std::size_t source = by_set[read.source.set];
    answered[source] = true;
    for (const auto& row : page.nat_pools) status[{source, row.service_set, row.pool}] = row;
  });
  PoolsBySource out;
  for (const auto& each : selected.service_sets) {
    if (!answered[each.source]) continue;
    auto& rows = out[{each.source, each.service_set}];
    for (const auto& use : pools_of(cluster, each.service_set)) {
      if (!selected.pool.includes(use.pool)) continue;
      PoolRow row{use, {}};
      row.status.use = NatPoolUse::destination;
      if (!use.destination) {
        // A pool that the card does not report is not used there.
        const auto found = status.find(
            {each.source, cluster.service_sets[each.service_set].stable_id, cluster.nat_pools[use.pool].stable_id});
        if (found == status.end()) continue;
        row.status = found->second;
      }
      rows.push_back(row);
    }
  }
  count_once(out);
  return out;
}

using RenderPools = std::function<std::string(std::uint16_t service_set, const std::vector<PoolRow>& rows)>;
using BuildPools = void (*)(Tree& tree, const Cluster& cluster, const PoolGroups& groups);

/// Shows the selected pools: as text, which `render` makes for the pools of one service set at a time, or as a tree,
/// which `build` makes for all pools at once.
void show_pools_with(Asking& asking, const RenderPools& render, BuildPools build) {
  const NatSelection selected = select_nat(asking);
  auto pools = ask_for_pools(asking, selected);
  if (!asking.is_text()) {
    PoolGroups groups;
    for (auto& [where, rows] : pools) {
      groups.push_back({selected.sources[where.first].interface, where.second, std::move(rows)});
    }
    return build(asking.tree(), asking.cluster(), groups);
  }
  bool first = true;
  for (const auto& [where, rows] : pools) {
    const std::string text = render(where.second, rows);
    if (text.empty()) continue;
    asking.environment().out(
        (first ? "" : "\n") +
        nat_heading(selected.sources[where.first].interface, asking.cluster().service_sets[where.second].name) + text);
    first = false;
  }
}

void keep(std::vector<PoolRow>& rows, bool destination) {
  rows.erase(
      std::remove_if(rows.begin(), rows.end(), [&](const PoolRow& row) { return row.use.destination != destination; }),
      rows.end());
}

std::uint8_t kinds_of(Mappings which) {
  switch (which) {
    case Mappings::all:
      return kind_bit(RecordKind::mapping) | kind_bit(RecordKind::pairing);
    case Mappings::endpoint_independent:
      return kind_bit(RecordKind::mapping);
    case Mappings::address_pooling_paired:
      return kind_bit(RecordKind::pairing);
    case Mappings::nptv6:
      break;
  }
  return 0;
}

void restrict_to_addresses(const Command& command, SessionFilter& filter) {
  filter.source_prefix = command.private_prefix;
  filter.destination_prefix = command.public_prefix;
  filter.source_port = command.port;
}

/// Returns true if only some blocks of a table are selected.
bool asks_for_some(const Command& command) { return command.host || command.xlated_ip || command.xlated_port; }

bool is_host(const std::optional<Prefix>& prefix) {
  return prefix && prefix->length == (prefix->base.is_v4() ? 32 : 128);
}

std::optional<Prefix> host_prefix(const Command& command) {
  if (!command.host) return std::nullopt;
  return Prefix::of(*command.host, command.host->is_v4() ? 32 : 128);
}

/// Returns true if one of the prefixes contains the other.
bool overlap(const Prefix& a, const Prefix& b) { return a.contains(b.base) || b.contains(a.base); }

/// Shows the prefixes that NPTv6 translates. They come from the configuration, because NPTv6 has no state.
void show_nptv6(Asking& asking, const NatSelection& selected) {
  const Cluster& cluster = asking.cluster();
  std::vector<PrefixRow> rows;
  for (const auto& each : selected.service_sets) {
    for (const auto& use : terms_of(cluster, each.service_set, NatRules::fixed)) {
      if (use.term->type != NatType::nptv6 || !use.term->source_prefix || use.term->from.source_addresses.empty()) {
        continue;
      }
      const Prefix to = *use.term->source_prefix;
      const Prefix from = Prefix::of(use.term->from.source_addresses[0].low, to.length);
      const auto& wanted_from = asking.command().private_prefix;
      const auto& wanted_to = asking.command().public_prefix;
      if (wanted_from && !overlap(from, *wanted_from)) continue;
      if (wanted_to && !overlap(to, *wanted_to)) continue;
      const Source& source = selected.sources[each.source];
      rows.push_back({source.interface, cluster.service_sets[each.service_set].name, from.to_string(), to.to_string()});
    }
  }
  build_nptv6(asking.tree(), rows);
}

/// Returns a question for bindings for each pool of each service set, so that the answers are grouped.
std::vector<Read> reads_by_pool(const Cluster& cluster, const NatSelection& selected, std::uint8_t kinds,
                                const Command& command) {
  std::vector<Read> out;
  for (const auto& each : selected.service_sets) {
    for (const auto& use : pools_of(cluster, each.service_set)) {
      if (use.destination || !selected.pool.includes(use.pool)) continue;
      Read read = read_of(selected.sources[each.source], QueryKind::bindings, selected.selection.filter);
      read.request.record_kinds = kinds;
      read.request.filter.service_sets = {cluster.service_sets[each.service_set].stable_id};
      read.request.filter.nat_pool = cluster.nat_pools[use.pool].stable_id;
      restrict_to_addresses(command, read.request.filter);
      out.push_back(std::move(read));
    }
  }
  return out;
}

}  // namespace

void show_nat_pools(Asking& asking) {
  const bool detail = asking.command().level == Level::detail;
  const BuildPools build = [](Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
    build_nat_pools(tree, cluster, groups, false);
  };
  const BuildPools build_detail = [](Tree& tree, const Cluster& cluster, const PoolGroups& groups) {
    build_nat_pools(tree, cluster, groups, true);
  };
  show_pools_with(
      asking,
      [&](std::uint16_t, const std::vector<PoolRow>& rows) {
        std::string out;
        if (!detail && !rows.empty()) out = render_pool_columns();
        for (const auto& row : rows) {
          out += detail ? render_pool_detail(asking.cluster(), row.use, row.status)
                        : render_pool_brief(asking.cluster(), row.use, row.status);
        }
        return out;
      },
      detail ? build_detail : build);
}

void show_source_pools(Asking& asking) {
  show_pools_with(
      asking,
      [&](std::uint16_t, std::vector<PoolRow> rows) {
        keep(rows, false);
        std::string out;
        for (const auto& row : rows) {
          out += (out.empty() ? "" : "\n") + render_source_pool(asking.cluster(), row.use, row.status);
        }
        return out;
      },
      build_source_pools);
}

void show_destination_pools(Asking& asking) {
  show_pools_with(
      asking,
      [&](std::uint16_t, std::vector<PoolRow> rows) {
        keep(rows, true);
        std::string out;
        for (const auto& row : rows)
          out += (out.empty() ? "" : "\n") + render_destination_pool(asking.cluster(), row.use);
        return out;
      },
      build_destination_pools);
}

void show_source_summary(Asking& asking) {
  show_pools_with(
      asking,
      [&](std::uint16_t service_set, std::vector<PoolRow> rows) {
        keep(rows, false);
        return render_source_summary(asking.cluster(), service_set, rows);
      },
      build_source_summary);
}

void show_destination_summary(Asking& asking) {
  show_pools_with(
      asking,
      [&](std::uint16_t service_set, std::vector<PoolRow> rows) {
        keep(rows, true);
        return render_destination_summary(asking.cluster(), service_set, rows);
      },
      build_destination_summary);
}

void show_pool_usage(Asking& asking) {
  show_pools_with(
      asking,
      [&](std::uint16_t, std::vector<PoolRow> rows) {
        keep(rows, false);
        const auto elsewhere = [](const PoolRow& row) { return row.use.counted_with.has_value(); };
        rows.erase(std::remove_if(rows.begin(), rows.end(), elsewhere), rows.end());
        return rows.empty() ? std::string() : render_pool_usage(asking.cluster(), rows);
      },
      build_pool_usage);
}

void show_nat_rules(Asking& asking) {
  const Cluster& cluster = asking.cluster();
  const NatRules which = asking.command().rules;
  const Selection selection = select(cluster, asking.command());
  const auto sources = asking.sources(selection);
  std::vector<RuleGroup> groups;
  for (const auto& each : service_sets_of(cluster, sources, selection.filter)) {
    RuleGroup group{sources[each.source].interface, each.service_set, terms_of(cluster, each.service_set, which)};
    std::erase_if(group.terms, [&](const TermUse& use) {
      return asking.command().name && *asking.command().name != use.rule->name;
    });
    groups.push_back(std::move(group));
  }
  // Hits name the rule and the term.
  using NamesOfTerm = std::tuple<std::string_view, StableId, std::string_view, std::string_view>;
  std::map<NamesOfTerm, std::vector<TermUse*>> uses;
  for (RuleGroup& group : groups) {
    const StableId service_set = cluster.service_sets[group.service_set].stable_id;
    for (TermUse& use : group.terms) {
      uses[{group.interface, service_set, use.rule->name, use.term->name}].push_back(&use);
    }
  }
  const bool all = read_term_hits(asking, sources, selection.filter, [&](const Source& source, const TermHitsRow& row) {
    if (row.kind != TermKind::nat) return;
    const auto known = uses.find({source.interface, row.service_set, row.rule, row.term});
    if (known == uses.end()) return;
    for (TermUse* use : known->second) use->hits = row;
  });
  if (!all) return;
  if (!asking.is_text()) return build_nat_rules(asking.tree(), cluster, groups, which);
  bool first = true;
  for (const auto& [interface, service_set, terms] : groups) {
    if (terms.empty()) continue;
    std::string out = first ? "" : "\n";
    first = false;
    out += nat_heading(interface, cluster.service_sets[service_set].name);
    out += fmt::format("Total rules: {}\n", terms.size());
    for (const auto& use : terms) out += "\n" + render_nat_rule(cluster, service_set, use, which);
    asking.environment().out(out);
  }
}

void show_mappings(Asking& asking) {
  const NatSelection selected = select_nat(asking);
  if (asking.command().mappings == Mappings::nptv6) return show_nptv6(asking, selected);
  MappingBuilder builder(asking.cluster(), asking.tree());
  asking.read(reads_by_pool(asking.cluster(), selected, kinds_of(asking.command().mappings), asking.command()),
              std::nullopt, [&](const Read& read, const SessionRecord& record, const BindingUse& use) {
                builder.add(read.source, record, use);
              });
  builder.finish();
}

void show_mappings_summary(Asking& asking) {
  const NatSelection selected = select_nat(asking);
  std::map<std::string, MappingTotals> totals;
  for (const auto& [where, rows] : ask_for_pools(asking, selected)) {
    auto& total = totals[selected.sources[where.first].interface];
    for (const auto& [use, status] : rows) {
      total.addresses += status.pairings;
      total.endpoints += status.mappings;
      if (lets_in(asking.cluster(), selected.sources[where.first].set, use.pool)) total.filters += status.mappings;
    }
  }
  build_mapping_totals(asking.tree(), totals);
}

namespace {

/// A pool of a table of blocks, which begins with its first block, or at once if no blocks are selected: a pool without
/// any of the selected blocks is not shown.
class BlockTable {
 public:
  BlockTable(Asking& asking, const Source& source, const PoolRow& row, std::uint16_t service_set)
      : asking_(asking), source_(source), row_(row), service_set_(service_set) {
    if (!asks_for_some(asking.command())) begin();
  }
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;
  ~BlockTable() {
    if (begun_) asking_.tree().end();
  }
  /// Returns what takes the next block.
  Tree& tree() {
    if (!begun_) begin();
    return asking_.tree();
  }

 private:
  void begin() {
    begun_ = true;
    begin_block_pool(asking_.tree(), asking_.cluster(), source_.interface, service_set_, row_.use.pool, row_.status);
  }

  Asking& asking_;
  const Source& source_;
  const PoolRow& row_;
  const std::uint16_t service_set_;
  bool begun_ = false;
};

/// Shows the blocks of each selected pool that is used in that way. `show` asks for them and adds them to the table.
void show_blocks(Asking& asking, std::string_view answer, NatPoolUse use,
                 const std::function<void(const Read& read, const PoolRow& row, BlockTable& table)>& show) {
  const NatSelection selected = select_nat(asking);
  begin_answer(asking.tree(), answer);
  for (const auto& [where, rows] : ask_for_pools(asking, selected)) {
    const auto& source = selected.sources[where.first];
    for (const auto& row : rows) {
      if (row.status.use != use) continue;
      Read read = read_of(source, QueryKind::bindings, {});
      read.request.filter.service_sets = {asking.cluster().service_sets[where.second].stable_id};
      read.request.filter.nat_pool = asking.cluster().nat_pools[row.use.pool].stable_id;
      BlockTable table(asking, source, row, where.second);
      show(read, row, table);
    }
  }
  asking.tree().end();
}

}  // namespace

void show_port_blocks(Asking& asking) {
  show_blocks(asking, inferred::kPortBlocks, NatPoolUse::port_blocks,
              [&](Read read, const PoolRow&, BlockTable& table) {
                read.request.filter.source_prefix = host_prefix(asking.command());
                read.request.filter.xlated_prefix = asking.command().xlated_ip;
                read.request.filter.xlated_port = asking.command().xlated_port;
                read.request.record_kinds = kind_bit(RecordKind::port_block);
                asking.read({read}, std::nullopt, [&](const Read&, const SessionRecord& record, const BindingUse& use) {
                  add_port_block(table.tree(), record, use);
                });
              });
}

void show_deterministic(Asking& asking) {
  const NatSelection selected = select_nat(asking);
  std::vector<Read> reads;
  for (const auto& source : selected.sources) {
    reads.push_back(read_of(source, QueryKind::deterministic, selected.selection.filter));
    reads.back().request.host = asking.command().host;
    reads.back().request.translated = asking.command().translated;
    reads.back().request.port = asking.command().port;
  }
  asking.read_pages(reads, [&](const Read& read, const QueryReply& page) {
    for (const auto& row : page.deterministic) {
      if (!read.request.filter.has_service_set(row.service_set)) continue;
      build_deterministic(asking.tree(), asking.cluster(), read.source.interface, row);
    }
    return true;
  });
}

void show_deterministic_usf(Asking& asking) {
  const Command& command = asking.command();
  show_blocks(
      asking, inferred::kDeterministic, NatPoolUse::deterministic,
      [&](Read read, const PoolRow& row, BlockTable& table) {
        read.request.kind = QueryKind::deterministic;
        read.request.host = command.host;
        // The chassis looks up a single address; all other selections are applied here.
        if (!command.host && is_host(command.xlated_ip)) read.request.translated = command.xlated_ip->base;
        if (read.request.translated) read.request.port = command.xlated_port;
        asking.read_pages({read}, [&](const Read&, const QueryReply& page) {
          for (const auto& block : page.deterministic) {
            const auto& b = block.binding;
            if (command.xlated_ip && !command.xlated_ip->contains(IpAddress::v4(b.external))) continue;
            if (command.xlated_port && (*command.xlated_port < b.first_port || *command.xlated_port > b.last_port)) {
              continue;
            }
            // As in Junos, only blocks in use are shown. A block selected by host or by port is shown in any case.
            const bool one = command.host || (command.xlated_port && is_host(command.xlated_ip));
            if (block.ports_in_use == 0 && !one) continue;
            add_deterministic_block(table.tree(), block, row.status.block_size);
          }
          return true;
        });
      });
}

void clear_mappings(Asking& asking) {
  const NatSelection selected = select_nat(asking);
  const auto sources = asking.masters(selected.selection, "mappings");
  const auto rows = asking.ask_for_rows(sources, [&](const Source&, QueryRequest& request) {
    request.kind = QueryKind::clear_bindings;
    request.filter = selected.selection.filter;
    request.record_kinds = kinds_of(asking.command().mappings);
    restrict_to_addresses(asking.command(), request.filter);
  });
  if (!rows.empty()) build_cleared_mappings(asking.tree(), rows);
}

}  // namespace icr::cli
