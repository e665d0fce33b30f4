#include "cli/render/failovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "cli/render/tables.h"

namespace icr::cli {
namespace {

constexpr std::string_view kUnknown = "unknown";

struct Event {
  std::string_view name;
  FailoverReport::Micros FailoverReport::*time;
};
constexpr std::array kEvents = {Event{"Last heartbeat", &FailoverReport::heartbeat},
                                Event{"Connection closed", &FailoverReport::closed},
                                Event{"Decided", &FailoverReport::decided},
                                Event{"Claim granted", &FailoverReport::granted},
                                Event{"Table active", &FailoverReport::active},
                                Event{"Steering done", &FailoverReport::steered},
                                Event{"First packet of a session", &FailoverReport::old_session},
                                Event{"First new session", &FailoverReport::new_session},
                                Event{"Last word on the copy", &FailoverReport::last_word},
                                Event{"Last change applied", &FailoverReport::last_change}};

std::string millis(const FailoverReport::Micros& time) {
  return time ? fmt::format("{:.3f}", static_cast<double>(*time) / 1000) : std::string(kUnknown);
}

std::string number(const FailoverReport::Count& count) { return count ? fmt::format("{}", *count) : "unknown"; }

void append_risk(const FailoverRisk& risk, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "   Sessions at risk: {}, former master: {}, unseen for (ms): {}\n", number(risk.sessions),
                 number(risk.former_sessions), millis(risk.unseen));
  const auto oldest = risk.oldest_us ? std::optional(static_cast<std::int64_t>(*risk.oldest_us)) : std::nullopt;
  fmt::format_to(to, "   Not sent: {}, not acknowledged: {}, oldest change (ms): {}\n", number(risk.waiting),
                 number(risk.unacknowledged), millis(oldest));
  fmt::format_to(to, "   Lacking records: {}, sessions ended: {}\n", risk.lacking, risk.ended);
  if (!risk.merge) return;
  fmt::format_to(to, "   Merge: returned: {}, updated: {}, known: {}, refused: {}\n", risk.merge->returned,
                 risk.merge->updated, risk.merge->known, risk.merge->refused);
}

void append_block(const FailoverRow& row, std::string& out) {
  const FailoverReport& r = row.report;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "RG-ID {0}, RS-ID {0}: {1} by {2} from {3}, term {4}, report {5}{6}\n", row.group,
                 to_string(r.kind), r.chassis, r.peer, r.term, r.number, r.complete ? "" : ", not complete yet");
  fmt::format_to(to, "   Redundancy set: {}, reason: {}\n", r.set, r.reason);
  fmt::format_to(to, "   Last sign of life: {}\n", utc_text(r.heard));
  fmt::format_to(to, "   {:<28}{:<30}{:>16}\n", "Event", "Time (UTC)", "After it (ms)");
  for (const Event& event : kEvents) {
    const FailoverReport::Micros& time = r.*event.time;
    fmt::format_to(to, "   {:<28}{:<30}{:>16}\n", event.name, time ? utc_text(r.heard + *time) : std::string(kUnknown),
                   millis(time));
  }
  fmt::format_to(to, "   Copy: {}, sessions: {}\n", r.hot ? "Hot" : "Cold", r.sessions);
  fmt::format_to(to, "   Sequence sent: {}, applied: {}, missing: {}, gap: {}\n", number(r.sent), r.applied,
                 number(r.risk.missing), r.risk.gap ? "Yes" : "No");
  append_risk(r.risk, out);
  append_detector(r.detector, out);
}

}  // namespace

std::string render_failovers(std::vector<FailoverRow> rows, bool extensive) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const FailoverRow& a, const FailoverRow& b) { return a.report.heard > b.report.heard; });
  std::string out;
  if (rows.empty()) return out;
  auto to = std::back_inserter(out);
  if (extensive) {
    for (const FailoverRow& row : rows) {
      if (!out.empty()) out += '\n';
      append_block(row, out);
    }
    return out;
  }
  constexpr auto* kFormat = "{:>5}  {:<16}{:<29}{:<16}{:<12}{:>8}{:>14}{:>12}{:>10}\n";
  fmt::format_to(to, fmt::runtime(kFormat), "RG-ID", "Redundancy set", "Last sign of life (UTC)", "New master", "Kind",
                 "Term", "Packet (ms)", "Sessions", "At risk");
  for (const FailoverRow& row : rows) {
    const FailoverReport& r = row.report;
    fmt::format_to(to, fmt::runtime(kFormat), row.group, r.set, utc_text(r.heard), r.chassis, to_string(r.kind), r.term,
                   millis(r.old_session), r.sessions, number(r.risk.sessions));
  }
  return out;
}

}  // namespace icr::cli
