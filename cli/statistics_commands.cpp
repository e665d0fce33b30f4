#include <algorithm>
#include <map>
#include <set>

#include "cli/builders/cards.h"
#include "cli/builders/statistics.h"
#include "cli/commands.h"

namespace icr::cli {
namespace {

/// The group of counters that a command shows, restricted to counters whose name contains one of these texts (without
/// texts: all).
struct View {
  StatisticsGroup group;
  std::vector<std::string_view> parts;
};

View view_of(StatisticsView view) {
  switch (view) {
    case StatisticsView::drop_flow_limit:
      return {StatisticsGroup::packet_drops, {"drop-flow", "flowlimit"}};
    case StatisticsView::integrity_drops:
      return {StatisticsGroup::integrity_drops, {}};
    case StatisticsView::tcp:
      return {StatisticsGroup::tcp, {}};
    case StatisticsView::tcp_mss:
      return {StatisticsGroup::tcp_mss, {}};
    case StatisticsView::screen_drops:
      return {StatisticsGroup::screen_drops, {}};
    case StatisticsView::screen_session_limits:
      return {StatisticsGroup::screen_drops, {"session-limit", "limit-session"}};
    case StatisticsView::packet_drops:
      return {StatisticsGroup::packet_drops, {}};
  }
  return {StatisticsGroup::tcp, {}};
}

CounterList shown(const CounterList& counters, const View& view) {
  if (view.parts.empty()) return counters;
  CounterList out;
  for (const auto& counter : counters) {
    if (std::any_of(view.parts.begin(), view.parts.end(),
                    [&](std::string_view part) { return counter.name.find(part) != std::string::npos; })) {
      out.push_back(counter);
    }
  }
  return out;
}

std::vector<Read> reads_of(Asking& asking, StatisticsGroup group) {
  const Selection selection = select(asking.cluster(), asking.command());
  std::vector<Read> out;
  for (auto& source : asking.sources(selection)) {
    Read read{std::move(source), {}};
    read.request.kind = QueryKind::statistics;
    read.request.group = group;
    read.request.filter = selection.filter;
    out.push_back(std::move(read));
  }
  return out;
}

/// Shows the counters of a view. Service sets without any are left out, unless `all` are asked for.
void show_group(Asking& asking, const View& view, const StatisticsNames& names, bool all = false) {
  StatisticsBuilder builder(asking.tree(), names);
  asking.read_pages(reads_of(asking, view.group), [&](const Read& read, const QueryReply& page) {
    for (const auto& status : page.statistics) {
      const CounterList counters = shown(status.group(view.group), view);
      if (counters.empty() && !all) continue;
      builder.add(read.source.interface, asking.cluster().name_of_service_set(status.service_set), counters);
    }
    return true;
  });
  builder.finish();
}

/// Returns the cards that answered and that the command selects, in the order of their names.
std::vector<CardReport> cards_of(const Asking& asking) {
  std::vector<CardReport> out;
  const auto& interface = asking.command().interface;
  for (const auto& report : asking.surveyed().cards) {
    const auto& card = asking.cluster().chassis[report.chassis].cards[report.card];
    if (!interface || interface->card == card.name) out.push_back(report);
  }
  const auto name = [&](const CardReport& report) -> const std::string& {
    return asking.cluster().chassis[report.chassis].cards[report.card].name;
  };
  std::stable_sort(out.begin(), out.end(), [&](const CardReport& a, const CardReport& b) { return name(a) < name(b); });
  return out;
}

/// Asks each card the same question, and calls `take` for the replies in the order of the cards.
void ask_cards(
    Asking& asking, QueryKind kind,
    const std::function<void(const CardReport& report, const CardConfig& card, const QueryReply& reply)>& take) {
  const auto cards = cards_of(asking);
  for (const auto& report : cards) {
    QueryRequest request;
    request.kind = kind;
    request.card = report.card;
    asking.environment().transport.ask(report.chassis, std::move(request));
  }
  std::map<std::pair<std::uint16_t, std::uint16_t>, QueryReply> answers;
  while (auto answer = asking.environment().transport.next()) {
    if (asking.accepted(*answer) == nullptr) continue;
    answers[{answer->chassis, answer->request.card}] = std::move(*answer->reply);
  }
  for (const auto& report : cards) {
    const auto answer = answers.find({report.chassis, report.card});
    if (answer == answers.end()) continue;
    take(report, asking.cluster().chassis[report.chassis].cards[report.card], answer->second);
  }
}

/// Returns the service sets that are configured on a card.
std::vector<std::uint16_t> service_sets_of(const Cluster& cluster, std::uint16_t chassis, const CardConfig& card) {
  std::vector<std::uint16_t> out;
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto& member : set.members) {
      if (member.chassis == chassis && member.card == card.name) {
        out.insert(out.end(), set.service_sets.begin(), set.service_sets.end());
      }
    }
  }
  return out;
}

/// Returns the live sessions of each card whose sources have all answered. A card that is no source has none.
std::map<std::pair<std::uint16_t, std::uint16_t>, LiveSessions> live_on_cards(Asking& asking,
                                                                              const std::vector<CardReport>& cards) {
  std::map<std::pair<std::uint16_t, std::uint16_t>, LiveSessions> out;
  for (const auto& card : cards) out[{card.chassis, card.card}] = {};
  const auto sources = asking.sources(select(asking.cluster(), asking.command()));
  std::set<std::pair<std::uint16_t, std::uint16_t>> answered;
  asking.ask_each(
      sources, [](const Source&, QueryRequest& request) { request.kind = QueryKind::live; },
      [&](const Source& source, const QueryReply& reply) {
        out[{source.chassis, source.card}].add(reply.live);
        answered.emplace(source.chassis, source.set);
      });
  for (const auto& source : sources) {
    if (answered.count({source.chassis, source.set}) == 0) out.erase({source.chassis, source.card});
  }
  return out;
}

}  // namespace

void show_service_set_statistics(Asking& asking) {
  const StatisticsView view = asking.command().statistics;
  show_group(asking, view_of(view), names_of(view));
}

void show_nat_statistics(Asking& asking) { show_group(asking, {StatisticsGroup::nat, {}}, names_of_nat_statistics()); }

void show_firewall_statistics(Asking& asking) {
  const Level level = asking.command().level;
  const bool table = level != Level::detail && level != Level::extensive;
  show_group(asking, {StatisticsGroup::stateful_firewall, {}}, names_of_firewall_statistics(), table);
}

void clear_statistics(Asking& asking, StatisticsGroup group) {
  const Selection selection = select(asking.cluster(), asking.command());
  asking.ask_each(
      asking.masters(selection, "statistics"),
      [&](const Source&, QueryRequest& request) {
        request.kind = QueryKind::clear_statistics;
        request.group = group;
        request.filter = selection.filter;
      },
      [](const Source&, const QueryReply&) {});
}

void clear_service_set_statistics(Asking& asking) {
  clear_statistics(asking, view_of(asking.command().statistics).group);
}

void show_service_set_summary(Asking& asking) {
  std::vector<SummaryRow> rows;
  ask_cards(asking, QueryKind::usage, [&](const CardReport& report, const CardConfig& card, const QueryReply& reply) {
    rows.push_back({card.family, card.name, service_sets_of(asking.cluster(), report.chassis, card).size(), reply.usage,
                    report.utilization.cpu_permyriad});
  });
  build_summary(asking.tree(), rows);
}

void show_memory_usage(Asking& asking) {
  const Selection selection = select(asking.cluster(), asking.command());
  std::vector<UsageRow> rows;
  if (!selection.nothing) {
    ask_cards(asking, QueryKind::usage, [&](const CardReport&, const CardConfig& card, const QueryReply& reply) {
      std::uint64_t of_service_sets = 0;
      for (const auto& use : reply.usage.service_sets) {
        of_service_sets += use.bytes;
        if (!selection.filter.has_service_set(use.service_set)) continue;
        rows.push_back({card.name, asking.cluster().name_of_service_set(use.service_set), use.bytes});
      }
      if (!selection.filter.service_sets.empty()) return;
      rows.push_back({card.name, "system", reply.usage.used - std::min(reply.usage.used, of_service_sets)});
    });
  }
  build_memory(asking.tree(), rows);
}

void show_cpu_usage(Asking& asking) {
  // A worker does everything in turn, so its time cannot be divided among service sets, unless there is only one.
  const Selection selection = select(asking.cluster(), asking.command());
  std::vector<UsageRow> rows;
  for (const auto& report : selection.nothing ? std::vector<CardReport>() : cards_of(asking)) {
    const auto& card = asking.cluster().chassis[report.chassis].cards[report.card];
    const std::uint32_t busy = std::min(10000U, report.utilization.cpu_permyriad);
    const auto service_sets = service_sets_of(asking.cluster(), report.chassis, card);
    const bool told = service_sets.size() == 1;
    const bool meant = std::any_of(service_sets.begin(), service_sets.end(), [&](std::uint16_t each) {
      return selection.filter.has_service_set(asking.cluster().service_sets[each].stable_id);
    });
    if (told && meant) rows.push_back({card.name, asking.cluster().service_sets[service_sets[0]].name, busy});
    if (!selection.filter.service_sets.empty()) {
      if (meant && !told) {
        asking.refuse(fmt::format(
            "{} of chassis {} has several service sets: how much processor time each of them uses is not known",
            card.name, asking.cluster().chassis[report.chassis].name));
      }
      continue;
    }
    rows.push_back({card.name, "System", told ? 0 : busy});
    rows.push_back({card.name, "Idle", 10000 - busy});
  }
  build_cpu(asking.tree(), rows);
}

void show_analysis(Asking& asking) {
  const auto live = live_on_cards(asking, cards_of(asking));
  std::vector<AnalysisRow> rows;
  ask_cards(asking, QueryKind::analysis,
            [&](const CardReport& report, const CardConfig& card, const QueryReply& reply) {
              const auto sessions = live.find({report.chassis, report.card});
              if (sessions == live.end()) return;
              rows.push_back({card.family, card.name, sessions->second, report.utilization, reply.analysis});
            });
  build_analysis(asking.tree(), rows);
}

void clear_analysis(Asking& asking) {
  ask_cards(asking, QueryKind::clear_analysis, [](const CardReport&, const CardConfig&, const QueryReply&) {});
}

}  // namespace icr::cli
