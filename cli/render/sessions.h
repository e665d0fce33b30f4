// Renders sessions as Junos prints them: in the JSF layout on ms- cards, and in the USF layout on vms- cards.
//
// A renderer appends to a string. It remembers the previous line, on which headings and empty lines depend.
#pragma once

#include <string>
#include <string_view>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "model/record/session.h"

namespace icr::cli {

class SessionRenderer {
 public:
  /// "Start time" is `wall_now` minus the age of a session. REQUIRES: `cluster` outlives the renderer.
  SessionRenderer(const Cluster& cluster, bool extensive, WallMillis wall_now)
      : cluster_(cluster), extensive_(extensive), wall_now_(wall_now) {}

  /// Appends a session. REQUIRES: sessions are grouped by interface.
  void add(const Source& source, const SessionRecord& record, std::string& out);

 private:
  const Cluster& cluster_;
  const bool extensive_;
  const WallMillis wall_now_;
  std::string interface_;    ///< of the last JSF session
  bool jsf_before_ = false;  ///< the last session was printed in the JSF layout
};

/// Appends one session in the JSF layout, without the interface line.
void append_jsf_session(const Cluster& cluster, std::uint16_t set, const SessionRecord& record, bool extensive,
                        std::string& out);
/// Appends the line of one flow in the JSF layout.
void append_jsf_flow(const FlowKey& key, char direction, const FlowCounters& counters, std::string& out);
/// Appends the translations of a flow that arrives and leaves with the given keys: a line for the source and one for
/// the destination, each only if it is translated.
void append_translations(const FlowKey& arrives, const FlowKey& leaves, bool initiator, std::string& out);
/// Appends one session in the USF layout, and an empty line.
void append_usf_session(const Cluster& cluster, const Source& source, const SessionRecord& record, bool extensive,
                        WallMillis wall_now, std::string& out);

/// Returns "TERM/INDEX": the firewall term that admitted the session, and its number, counted from 1 over all rules of
/// the service set. Returns "ACCEPT/0" if the service set has no stateful firewall, "UNKNOWN/0" if it has one whose
/// term is not there any more, and the identity of a term that only the chassis' file has.
[[nodiscard]] std::string policy_name(const Cluster& cluster, const SessionRecord& record);

/// Returns "Guarantee: output-commit, newest state at the peer: yes" for a session whose service set has a guarantee,
/// or "Replication threshold: 180 s, not reached: the peer does not have the session" for one that is withheld from the
/// peer, with `indent` before it and a line end behind it; an empty text for all others.
[[nodiscard]] std::string guarantee_line(const Cluster& cluster, const SessionRecord& record, std::string_view indent);

/// Returns the seconds of a limit that are left after `used`, or 0 if none are left.
[[nodiscard]] std::uint32_t seconds_left(std::uint32_t limit_s, Ticks used);

}  // namespace icr::cli
