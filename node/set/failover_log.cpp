#include "node/set/failover_log.h"

#include <fmt/format.h>

namespace icr::node {
namespace {

template <class T>
std::string millis(const std::optional<T>& micros) {
  return micros ? fmt::format("{:.3f} ms", static_cast<double>(*micros) / 1000) : "unknown";
}

std::string range(const FailoverReport::Count& least, const FailoverReport::Count& most) {
  if (!least && !most) return "unknown";
  if (!most) return fmt::format("{} or more", *least);
  return least == most ? fmt::format("{}", *most) : fmt::format("{} to {}", least.value_or(0), *most);
}

std::string missing(const FailoverReport& r) {
  if (!r.missing) return "unknown";
  return fmt::format("{}{}", r.exact ? "" : "at most ", *r.missing);
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
  out += fmt::format(" Sessions at risk: {}; changes missing: {}.", range(r.at_risk_least, r.at_risk_most), missing(r));
  if (r.kind == FailoverKind::switchover) {
    out += fmt::format(" Between the last packet of {} and the first of {}: {}.", r.peer, r.chassis, millis(r.gap));
  } else if (r.unheard) {
    out += fmt::format(" {} may have worked unheard for {}, and set up {} sessions in that time.", r.peer,
                       millis(r.unheard),
                       r.setups_unheard ? fmt::format("about {}", *r.setups_unheard) : "an unknown number of");
  }
  return out;
}

}  // namespace icr::node
