#include "node/set/failover_log.h"

#include <fmt/format.h>

namespace icr::node {
namespace {

std::string millis(const FailoverReport::Micros& time) {
  return time ? fmt::format("{:.3f} ms", static_cast<double>(*time) / 1000) : "unknown";
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
  return out;
}

}  // namespace icr::node
