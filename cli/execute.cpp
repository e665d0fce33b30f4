#include "cli/execute.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "cli/merge/session_stream.h"
#include "cli/merge/survey.h"
#include "cli/render/sessions.h"
#include "cli/render/tables.h"

namespace icr::cli {
namespace {

/// Text is handed on in pieces of about this size, so that a listing of any length needs little memory.
constexpr std::size_t kFlushBytes = 64 * 1024;

/// One command on its way.
class Execution {
 public:
  Execution(const Command& command, const Environment& environment)
      : command_(command), env_(environment), cluster_(environment.cluster) {}

  ExitCode run() {
    if (command_.verb == Verb::switchover && !cluster_.find_set(command_.redundancy_set)) {
      env_.error(fmt::format("error: redundancy set {} not found\n", command_.redundancy_set));
      return ExitCode::command_error;
    }
    survey_ = take_survey(cluster_, env_.transport, env_.only_chassis);
    silent_ = survey_.silent;
    switch (command_.verb) {
      case Verb::show_sessions:
        show_sessions();
        break;
      case Verb::count_sessions:
        count_sessions();
        break;
      case Verb::show_utilization:
        show_utilization();
        break;
      case Verb::clear_sessions:
        clear_sessions();
        break;
      case Verb::show_redundancy_groups:
        show_redundancy_groups();
        break;
      case Verb::show_packet_drops:
        show_packet_drops();
        break;
      case Verb::switchover:
        switch_over();
        break;
    }
    std::sort(silent_.begin(), silent_.end(), [](const Silence& a, const Silence& b) { return a.chassis < b.chassis; });
    for (const auto& each : silent_) {
      env_.error(fmt::format("error: chassis {} did not answer: {}\n", cluster_.chassis[each.chassis].name, each.why));
    }
    if (!silent_.empty()) return ExitCode::incomplete;
    return refused_ ? ExitCode::command_error : ExitCode::ok;
  }

 private:
  [[nodiscard]] std::vector<Source> selected_sources(const Selection& selection) const {
    auto sources = choose_sources(cluster_, survey_, env_.only_chassis.has_value());
    sources.erase(std::remove_if(sources.begin(), sources.end(),
                                 [&](const Source& source) { return !selection.includes(cluster_, source); }),
                  sources.end());
    return sources;
  }

  void show_sessions() {
    const Selection selection = select(cluster_, command_);
    const auto sources = selected_sources(selection);
    SessionRenderer renderer(cluster_, command_.level == Level::extensive, env_.wall_now);
    std::string text;
    stream_sessions(
        cluster_, env_.transport, sources, selection.filter, command_.limit,
        [&](const Source& source, const SessionRecord& record) {
          renderer.add(source, record, text);
          if (text.size() >= kFlushBytes) {
            env_.out(text);
            text.clear();
          }
        },
        silent_);
    env_.out(text);
  }

  /// Asks each source the same question and returns a row per service set, in the order of the sources.
  std::vector<ServiceSetRow> ask_for_rows(QueryKind kind, const std::vector<Source>& sources,
                                          const SessionFilter& filter) {
    for (const auto& source : sources) {
      QueryRequest request;
      request.kind = kind;
      request.card = source.card;
      request.set = source.set;
      request.by_state = source.family == CardFamily::vms;
      request.filter = filter;
      env_.transport.ask(source.chassis, std::move(request));
    }
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<ServiceSetCount>> answers;
    while (auto answer = env_.transport.next()) {
      if (const auto* reply = accepted(*answer)) answers[{answer->chassis, answer->request.set}] = reply->counts;
    }
    std::vector<ServiceSetRow> rows;
    for (const auto& source : sources) {
      for (const auto& count : answers[{source.chassis, source.set}]) {
        if (count.service_set >= cluster_.service_sets.size()) {
          note(silent_, source.chassis, "its answer makes no sense: a service set that does not exist");
          continue;
        }
        rows.push_back({source.family, source.interface, cluster_.service_sets[count.service_set].name, count});
      }
    }
    return rows;
  }

  /// The reply, if the chassis did what it was asked. What a card refuses is the operator's error; anything else is a
  /// chassis that does not answer.
  const QueryReply* accepted(const Answer& answer) {
    if (!answer.reply) {
      note(silent_, answer.chassis, answer.reply.error().message);
      return nullptr;
    }
    if (answer.reply->error == QueryError::none) return &*answer.reply;
    if (answer.reply->error == QueryError::refused) {
      refuse("chassis {}: {}", cluster_.chassis[answer.chassis].name, answer.reply->reason);
    } else {
      note(silent_, answer.chassis, "it refuses: " + answer.reply->reason);
    }
    return nullptr;
  }

  template <class... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    refused_ = true;
    env_.error("error: " + fmt::format(format, std::forward<Args>(args)...) + "\n");
  }

  /// Which heading an empty table has: that of the interface's family, or else of the cards that there are.
  [[nodiscard]] CardFamily empty_family() const {
    if (command_.interface) {
      return command_.interface->card.substr(0, 3) == "vms" ? CardFamily::vms : CardFamily::ms;
    }
    for (const auto& chassis : cluster_.chassis) {
      for (const auto& card : chassis.cards) {
        if (card.family == CardFamily::ms) return CardFamily::ms;
      }
    }
    return CardFamily::vms;
  }

  void count_sessions() {
    const Selection selection = select(cluster_, command_);
    const auto rows = ask_for_rows(QueryKind::count, selected_sources(selection), selection.filter);
    // Only a heading, when nobody answered, would look like an answer.
    if (survey_.sets.empty() && !silent_.empty()) return;
    env_.out(render_counts(rows, empty_family()));
  }

  void clear_sessions() {
    const Selection selection = select(cluster_, command_);
    auto sources = selected_sources(selection);
    // A twin is cleared by its master, which tells it.
    const auto standby = std::stable_partition(sources.begin(), sources.end(),
                                               [](const Source& s) { return s.role == SetRole::master; });
    for (auto each = standby; each != sources.end(); ++each) {
      if (env_.only_chassis) continue;
      refuse("no master of redundancy set {} answers: its sessions are not cleared",
             cluster_.redundancy_sets[each->set].name);
    }
    const bool any = standby != sources.begin();
    if (env_.only_chassis && !any && standby != sources.end()) {
      refuse("chassis {} is not master of what is to be cleared", cluster_.chassis[*env_.only_chassis].name);
    }
    sources.erase(standby, sources.end());
    const auto rows = ask_for_rows(QueryKind::clear, sources, selection.filter);
    if (!rows.empty()) env_.out(render_cleared(rows));
  }

  void show_utilization() {
    std::vector<UtilizationRow> rows;
    for (const auto& report : survey_.cards) {
      const auto& card = cluster_.chassis[report.chassis].cards[report.card];
      if (command_.interface && command_.interface->card != card.name) continue;
      rows.push_back({card.name, report.utilization});
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const UtilizationRow& a, const UtilizationRow& b) { return a.interface < b.interface; });
    if (!rows.empty()) env_.out(render_utilization(rows));
  }

  void show_redundancy_groups() {
    bool first = true;
    for (std::size_t i = 0; i < cluster_.chassis.size(); ++i) {
      const auto text = render_redundancy_groups(cluster_, static_cast<std::uint16_t>(i), survey_.sets, command_.level);
      if (text.empty()) continue;
      if (!first) env_.out("\n");
      first = false;
      env_.out(text);
    }
  }

  void show_packet_drops() {
    // The survey said which cards answer; the query server's own counters come without a card.
    std::vector<std::uint16_t> chassis;
    for (const auto& report : survey_.cards) {
      QueryRequest request;
      request.kind = QueryKind::counters;
      request.card = report.card;
      env_.transport.ask(report.chassis, request);
      if (std::find(chassis.begin(), chassis.end(), report.chassis) != chassis.end()) continue;
      chassis.push_back(report.chassis);
      request.kind = QueryKind::server_counters;
      env_.transport.ask(report.chassis, std::move(request));
    }
    // By chassis, the cards first, then the server.
    std::map<std::tuple<std::uint16_t, bool, std::uint16_t>, std::vector<CounterGroup>> answers;
    while (auto answer = env_.transport.next()) {
      const auto* reply = accepted(*answer);
      const bool server = answer->request.kind == QueryKind::server_counters;
      if (reply != nullptr) answers[{answer->chassis, server, answer->request.card}] = reply->counters;
    }
    std::optional<std::uint16_t> shown;
    for (const auto& [key, groups] : answers) {
      const auto& [where, server, card] = key;
      if (shown != where) {
        env_.out(fmt::format("{}Chassis: {}\n", shown ? "\n" : "", cluster_.chassis[where].name));
      }
      shown = where;
      for (const auto& group : groups) {
        std::string heading = server ? "Query server and storage"
                                     : fmt::format("Interface: {}", cluster_.chassis[where].cards[card].name);
        if (!group.service_set.empty()) heading += fmt::format(", Service set: {}", group.service_set);
        env_.out(render_counters(heading, group.counters, command_.level == Level::extensive));
      }
    }
  }

  void switch_over() {
    const auto set = *cluster_.find_set(command_.redundancy_set);
    for (const auto& source : choose_sources(cluster_, survey_, false)) {
      if (source.set != set) continue;
      if (source.role != SetRole::master) break;
      QueryRequest request;
      request.kind = QueryKind::switchover;
      request.card = source.card;
      request.set = set;
      env_.transport.ask(source.chassis, std::move(request));
      while (auto answer = env_.transport.next()) {
        if (const auto* reply = accepted(*answer)) env_.out(reply->text + "\n");
      }
      return;
    }
    refuse("no chassis that answers is master of redundancy set {}", command_.redundancy_set);
  }

  const Command& command_;
  const Environment& env_;
  const Cluster& cluster_;
  Survey survey_;
  std::vector<Silence> silent_;
  bool refused_ = false;
};

}  // namespace

ExitCode execute(const Command& command, const Environment& environment) {
  return Execution(command, environment).run();
}

}  // namespace icr::cli
