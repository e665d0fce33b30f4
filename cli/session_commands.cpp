#include "cli/builders/flows.h"
#include "cli/builders/sessions.h"
#include "cli/commands.h"
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
      break;
  }
  return SessionOrder::age;
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
