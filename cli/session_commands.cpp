#include <algorithm>

#include "cli/builders/flows.h"
#include "cli/builders/session_groups.h"
#include "cli/builders/sessions.h"
#include "cli/commands.h"
#include "cli/merge/groups.h"
#include "cli/merge/largest.h"

namespace icr::cli {
namespace {

/// Returns the family of the heading of an empty table: that of the selected interface, otherwise that of the
/// configured cards.
CardFamily empty_family(const Asking& asking) {
  if (asking.command().interface) {
    return asking.command().interface->card.substr(0, 3) == "vms" ? CardFamily::vms : CardFamily::ms;
  }
  for (const auto& chassis : asking.cluster().chassis) {
    for (const auto& card : chassis.cards) {
      if (card.family == CardFamily::ms) return CardFamily::ms;
    }
  }
  return CardFamily::vms;
}

Asking::Fill filtered(QueryKind kind, const SessionFilter& filter) {
  return [kind, &filter](const Source& source, QueryRequest& request) {
    request.kind = kind;
    request.by_state = source.family == CardFamily::vms;
    request.filter = filter;
  };
}

std::vector<ServiceSetRow> count(Asking& asking) {
  const Selection selection = select(asking.cluster(), asking.command());
  return asking.ask_for_rows(asking.sources(selection), filtered(QueryKind::count, selection.filter));
}

/// If no chassis answered, a heading alone would look like an answer.
bool nobody_answered(Asking& asking) { return asking.surveyed().sets.empty() && !asking.unreachable().empty(); }

SessionOrder order_of(const Command& command) {
  switch (command.order.value_or(Order::bytes)) {
    case Order::packets:
      return SessionOrder::packets;
    case Order::bytes:
      return SessionOrder::bytes;
    case Order::age:
    case Order::sessions:  // of groups only
      break;
  }
  return SessionOrder::age;
}

GroupingRule rule_of(const GroupBy& group_by) {
  switch (group_by.what) {
    case GroupBy::What::service_set:
      return {SessionGrouping::service_set, 0};
    case GroupBy::What::source_prefix:
      return {SessionGrouping::source_prefix, group_by.length};
    case GroupBy::What::application_protocol:
      return {SessionGrouping::application_protocol, 0};
    case GroupBy::What::nat_pool:
      return {SessionGrouping::nat_pool, 0};
    case GroupBy::What::chassis:
      break;
  }
  return {SessionGrouping::source, 0};
}

std::string name_of_group(const Cluster& cluster, const GroupBy& group_by, const SessionGroupKey& key) {
  switch (group_by.what) {
    case GroupBy::What::service_set:
      return cluster.name_of_service_set(key.id);
    case GroupBy::What::source_prefix: {
      const std::uint8_t longest = key.prefix.is_v4() ? 32 : 128;
      return Prefix::of(key.prefix, std::min(group_by.length, longest)).to_string();
    }
    case GroupBy::What::application_protocol:
      return std::string(application_protocol_keyword(static_cast<ApplicationProtocol>(key.id)));
    case GroupBy::What::nat_pool:
      return key.id == 0 ? std::string("none") : cluster.name_of_pool(key.id);
    case GroupBy::What::chassis:
      break;
  }
  return cluster.chassis[key.id].name;
}

/// `show services sessions top N`, and `sort-by` with a limit. A tree has all ms- cards before all vms- cards, so the
/// ranks of a cluster with both are told in two tables.
void show_largest_sessions(Asking& asking) {
  const Command& command = asking.command();
  const Selection selection = select(asking.cluster(), command);
  const auto sources = asking.sources(selection);
  const std::uint32_t count = command.top ? *command.top : *command.limit;
  const auto largest = read_largest(asking.cluster(), asking.environment().transport, sources,
                                    {selection.filter, order_of(command), count}, asking.unreachable());
  SessionBuilder builder(asking.cluster(), asking.tree(), command.level == Level::extensive,
                         asking.environment().wall_now);
  for (const auto family : {CardFamily::ms, CardFamily::vms}) {
    for (std::size_t i = 0; i < largest.size(); ++i) {
      const Source& source = sources[largest[i].source];
      if (source.family != family) continue;
      builder.add(source, largest[i].record, Rank{i + 1, asking.cluster().chassis[source.chassis].name});
    }
  }
  builder.finish(empty_family(asking));
}

}  // namespace

void show_sessions(Asking& asking) {
  if (asking.command().as_of) return show_past_sessions(asking);
  if (asking.command().order || asking.command().top) return show_largest_sessions(asking);
  const Selection selection = select(asking.cluster(), asking.command());
  std::vector<Read> reads;
  for (auto& source : asking.sources(selection)) reads.push_back(read_sessions(std::move(source), selection.filter));
  SessionBuilder builder(asking.cluster(), asking.tree(), asking.command().level == Level::extensive,
                         asking.environment().wall_now);
  asking.read(reads, asking.command().limit, [&](const Read& read, const SessionRecord& record, const BindingUse&) {
    builder.add(read.source, record);
  });
  builder.finish(empty_family(asking));
}

void show_session_groups(Asking& asking) {
  const Command& command = asking.command();
  const Selection selection = select(asking.cluster(), command);
  const auto sources = asking.sources(selection);
  const auto sums = read_groups(asking.cluster(), asking.environment().transport, sources,
                                {selection.filter, rule_of(*command.group_by)}, asking.unreachable());
  if (!sums) {
    return asking.refuse(
        fmt::format("more than {} groups: a shorter prefix or a filter makes fewer of them", kMostGroups));
  }
  if (nobody_answered(asking)) return;
  std::vector<NamedGroup> groups;
  groups.reserve(sums->size());
  for (const auto& [key, sum] : *sums) {
    groups.push_back({name_of_group(asking.cluster(), *command.group_by, key), sum});
  }
  build_session_groups(asking.tree(), command.group_by->word, std::move(groups),
                       command.order.value_or(Order::sessions), command.top);
}

void count_sessions(Asking& asking) {
  const auto rows = count(asking);
  if (!nobody_answered(asking)) build_counts(asking.tree(), rows, empty_family(asking));
}

void show_flows(Asking& asking, bool conversations) {
  const Selection selection = select(asking.cluster(), asking.command());
  const auto reads = reads_by_service_set(asking.cluster(), asking.sources(selection), selection.filter);
  std::optional<std::uint32_t> sessions = asking.command().limit;
  if (sessions && !conversations) sessions = *sessions / 2 + *sessions % 2;
  FlowBuilder builder(asking.cluster(), asking.tree(), asking.command().level, conversations, asking.command().limit);
  asking.read(reads, sessions, [&](const Read& read, const SessionRecord& record, const BindingUse&) {
    builder.add(read.source, record);
  });
  builder.finish();
}

void count_flows(Asking& asking) {
  const auto rows = count(asking);
  if (!nobody_answered(asking)) build_flow_counts(asking.tree(), rows);
}

void clear_sessions(Asking& asking, const ClearedNames& names) {
  const Selection selection = select(asking.cluster(), asking.command());
  const auto sources = asking.masters(selection, "sessions");
  const auto rows = asking.ask_for_rows(sources, filtered(QueryKind::clear, selection.filter));
  if (!rows.empty()) build_cleared(asking.tree(), rows, names);
}

}  // namespace icr::cli
