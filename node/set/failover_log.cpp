#include "node/set/failover_log.h"

#include <fmt/format.h>

namespace icr::node {
namespace {

std::string millis(const FailoverReport::Micros& time) {
  return time ? fmt::format("{:.3f} ms", static_cast<double>(*time) / 1000) : "unknown";
}

/// What is at risk, in sentences that begin with a space.
std::string risk_of(const FailoverReport& r) {
  const FailoverRisk& risk = r.risk;
  if (!risk.sessions) return " How many sessions are at risk is unknown.";
  std::string out = fmt::format(
      " At most {} of the {} sessions of {} are at risk, by its last word at {}", *risk.sessions,
      risk.former_sessions ? std::to_string(*risk.former_sessions) : "unknown", r.peer, millis(r.last_word));
  return out + fmt::format("; it may have gone on for {} after that.", millis(risk.unseen));
}

}  // namespace

std::string failover_line(const FailoverReport& r) {
  std::string out = fmt::format("set={} chassis={} failover={} kind={} term={} {} took over from {}: {}.", r.set,
                                r.chassis, r.number, to_string(r.kind), r.term, r.chassis, r.peer, r.reason);
  out += fmt::format(" The last sign of life came at {}. After it:", utc_text(r.heard));
  if (r.closed) out += fmt::format(" connection closed {},", millis(r.closed));
  out += fmt::format(" decision {}, claim granted {}, table active {}, steering done {}, first packet of a session {},",
                     millis(r.decided), millis(r.granted), millis(r.active), millis(r.steered), millis(r.old_session));
  out += fmt::format(" first new session {}.", millis(r.new_session));
  out += fmt::format(" The table had {} sessions, and its copy was {}complete.", r.sessions, r.hot ? "" : "not ");
  return out + risk_of(r);
}

}  // namespace icr::node
