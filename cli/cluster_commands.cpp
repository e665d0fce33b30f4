// Commands about cards, redundancy sets and all counters.
#include <algorithm>
#include <map>
#include <tuple>

#include "cli/builders/cards.h"
#include "cli/builders/groups.h"
#include "cli/commands.h"
#include "cli/render/failovers.h"
#include "cli/render/tables.h"

namespace icr::cli {

void show_utilization(Asking& asking) {
  std::vector<UtilizationRow> rows;
  for (const auto& report : asking.surveyed().cards) {
    const auto& card = asking.cluster().chassis[report.chassis].cards[report.card];
    if (asking.command().interface && asking.command().interface->card != card.name) continue;
    rows.push_back({card.name, report.utilization});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const UtilizationRow& a, const UtilizationRow& b) { return a.interface < b.interface; });
  build_utilization(asking.tree(), rows);
}

void show_redundancy_groups(Asking& asking) {
  if (!asking.is_text()) {
    return build_redundancy_groups(asking.tree(), asking.cluster(), asking.surveyed().sets, asking.command().level,
                                   asking.command().group);
  }
  bool first = true;
  for (std::size_t i = 0; i < asking.cluster().chassis.size(); ++i) {
    const auto text = render_redundancy_groups(asking.cluster(), static_cast<std::uint16_t>(i), asking.surveyed().sets,
                                               asking.command().level, asking.command().group);
    if (text.empty()) continue;
    if (!first) asking.environment().out("\n");
    first = false;
    asking.environment().out(text);
  }
}

void show_failovers(Asking& asking) {
  auto members = choose_sources(asking.cluster(), asking.surveyed(), true);
  const auto& group = asking.command().group;
  std::erase_if(members, [&](const Source& source) {
    return source.stand_alone || (group && asking.cluster().redundancy_sets[source.set].id != *group);
  });
  std::vector<FailoverRow> rows;
  asking.ask_each(
      members, [](const Source&, QueryRequest& request) { request.kind = QueryKind::failovers; },
      [&](const Source& source, const QueryReply& reply) {
        for (const FailoverReport& report : reply.failovers) {
          rows.push_back({asking.cluster().redundancy_sets[source.set].id, report});
        }
      });
  const bool extensive = asking.command().level == Level::extensive;
  if (!asking.is_text()) return build_failovers(asking.tree(), std::move(rows), extensive);
  asking.environment().out(render_failovers(std::move(rows), extensive));
}

namespace {

/// Asks every card that the command selects, of masters and of standbys, what each service set has dropped. Returns
/// the counters by chassis and card.
std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<CounterGroup>> packet_drops_of_service_sets(
    Asking& asking, const Selection& selection) {
  std::vector<Read> reads;
  for (auto& source : choose_sources(asking.cluster(), asking.surveyed(), true)) {
    if (!selection.includes(asking.cluster(), source)) continue;
    Read read{std::move(source), {}};
    read.request.kind = QueryKind::statistics;
    read.request.group = StatisticsGroup::packet_drops;
    read.request.filter = selection.filter;
    reads.push_back(std::move(read));
  }
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<CounterGroup>> out;
  asking.stream_pages(reads, [&](const Read& read, const QueryReply& page, std::string&) {
    for (const auto& status : page.statistics) {
      const auto& counters = status.group(StatisticsGroup::packet_drops);
      if (counters.empty()) continue;
      out[{read.source.chassis, read.source.card}].push_back(
          {asking.cluster().name_of_service_set(status.service_set), counters});
    }
  });
  return out;
}

/// Prints every named counter of the cards that are meant, and of the chassis themselves, which no card is asked about.
void show_every_counter(Asking& asking, const Selection& selection) {
  const Command& command = asking.command();
  const bool of_service_sets_only = command.service_set || (command.interface && command.interface->unit);
  // The survey showed which cards answer. The counters of the query server belong to no card.
  std::vector<std::uint16_t> chassis;
  for (const auto& report : asking.surveyed().cards) {
    const auto& name = asking.cluster().chassis[report.chassis].cards[report.card].name;
    if (selection.nothing || (!selection.card.empty() && selection.card != name)) continue;
    QueryRequest request;
    request.kind = QueryKind::counters;
    request.card = report.card;
    asking.environment().transport.ask(report.chassis, request);
    if (command.interface || of_service_sets_only) continue;
    if (std::find(chassis.begin(), chassis.end(), report.chassis) != chassis.end()) continue;
    chassis.push_back(report.chassis);
    request.kind = QueryKind::server_counters;
    asking.environment().transport.ask(report.chassis, std::move(request));
  }
  // Print chassis by chassis: first the cards, then the query server.
  std::map<std::tuple<std::uint16_t, bool, std::uint16_t>, std::vector<CounterGroup>> answers;
  while (auto answer = asking.environment().transport.next()) {
    const auto* reply = asking.accepted(*answer);
    const bool server = answer->request.kind == QueryKind::server_counters;
    if (reply != nullptr) answers[{answer->chassis, server, answer->request.card}] = reply->counters;
  }
  auto of_service_sets = packet_drops_of_service_sets(asking, selection);
  std::optional<std::uint16_t> shown;
  for (const auto& [key, groups] : answers) {
    const auto& [where, server, card] = key;
    const auto& drops = of_service_sets[{where, card}];
    if (of_service_sets_only && drops.empty()) continue;
    std::string out;
    if (shown != where) out = fmt::format("{}Chassis: {}\n", shown ? "\n" : "", asking.cluster().chassis[where].name);
    shown = where;
    const std::string interface =
        server ? "" : fmt::format("Interface: {}", asking.cluster().chassis[where].cards[card].name);
    for (const auto& group : groups) {
      const bool is_first = &group == &groups.front();
      if (of_service_sets_only && !is_first) continue;
      std::string heading = server ? "Query server and storage" : interface;
      if (!group.service_set.empty()) heading += fmt::format(", Service set: {}", group.service_set);
      out += render_counters(heading, of_service_sets_only ? CounterList() : group.counters);
      // The counters of service sets follow those of their card.
      if (server || !is_first) continue;
      for (const auto& each : drops) {
        out += render_counters(fmt::format("  Service set: {}", each.service_set), each.counters, 4);
      }
    }
    asking.environment().out(out);
  }
}

}  // namespace

void show_packet_drops(Asking& asking) {
  const Selection selection = select(asking.cluster(), asking.command());
  if (asking.is_text() && asking.command().level == Level::extensive) return show_every_counter(asking, selection);
  std::vector<DropsRow> rows;
  for (const auto& [where, groups] : packet_drops_of_service_sets(asking, selection)) {
    const auto& card = asking.cluster().chassis[where.first].cards[where.second];
    for (const auto& each : groups) rows.push_back({card.name, each.service_set, each.counters});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const DropsRow& a, const DropsRow& b) { return a.interface < b.interface; });
  build_packet_drops(asking.tree(), rows);
}

std::optional<std::uint16_t> addressed_set(const Command& command, const Cluster& cluster) {
  if (!command.set_id) return cluster.find_set(command.redundancy_set);
  for (std::uint16_t set = 0; set < cluster.redundancy_sets.size(); ++set) {
    const RedundancySet& each = cluster.redundancy_sets[set];
    if (!each.stand_alone() && each.id == *command.set_id) return set;
  }
  return std::nullopt;
}

namespace {

/// Asks a member of a redundancy set for something, and prints what it says.
void request_of(Asking& asking, const Source& member, QueryKind kind) {
  QueryRequest request;
  request.kind = kind;
  request.card = member.card;
  request.set = member.set;
  request.force = asking.command().force;
  request.cancel = asking.command().cancel;
  asking.environment().transport.ask(member.chassis, std::move(request));
  while (auto answer = asking.environment().transport.next()) {
    const auto* reply = asking.accepted(*answer);
    if (reply == nullptr) continue;
    if (asking.is_text()) {
      asking.environment().out(reply->text + "\n");
    } else {
      asking.tree().leaf("output", reply->text);
    }
  }
}

/// Returns those members of the addressed redundancy set that answered the survey and fulfil the condition.
template <class Condition>
std::vector<Source> members_that(const Asking& asking, Condition condition) {
  const auto set = *addressed_set(asking.command(), asking.cluster());
  std::vector<Source> out;
  for (const SetReport& report : asking.surveyed().sets) {
    if (report.status.set != set || !condition(report.status)) continue;
    Source member;
    member.chassis = report.chassis;
    member.card = report.card;
    member.set = set;
    out.push_back(std::move(member));
  }
  return out;
}

void refuse_without_master(Asking& asking) {
  const auto set = *addressed_set(asking.command(), asking.cluster());
  asking.refuse(fmt::format("no chassis that answers is master of redundancy set {}",
                            asking.cluster().redundancy_sets[set].name));
}

}  // namespace

void switch_over(Asking& asking) {
  const auto set = *addressed_set(asking.command(), asking.cluster());
  for (const auto& source : choose_sources(asking.cluster(), asking.surveyed(), false)) {
    if (source.set != set) continue;
    if (source.role != Role::master) break;
    request_of(asking, source, QueryKind::switchover);
    return;
  }
  refuse_without_master(asking);
}

void drain(Asking& asking) {
  const bool cancel = asking.command().cancel;
  const bool one = asking.environment().only_chassis.has_value();
  const auto members = members_that(
      asking, [&](const SetStatus& status) { return one || (cancel ? status.drained : status.role == Role::master); });
  // Two masters that do not hear each other are one too many to choose from.
  if (members.size() > 1 && !cancel) {
    asking.refuse("more than one chassis is master: name one with --chassis");
    return;
  }
  for (const Source& member : members) request_of(asking, member, QueryKind::drain);
  if (!members.empty()) return;
  if (one || cancel) {
    asking.refuse(one ? "the chassis is no member of the redundancy set" : "no chassis that answers is drained");
    return;
  }
  refuse_without_master(asking);
}

}  // namespace icr::cli
