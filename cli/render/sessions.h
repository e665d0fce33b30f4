// Sessions as Junos prints them: the JSF layout on ms- cards, the USF layout on vms- cards.
//
// A renderer appends to a string. It keeps what it needs to know about the line before: headings and empty lines.
#pragma once

#include <string>

#include "cli/grammar/command.h"
#include "cli/merge/survey.h"
#include "model/cluster.h"
#include "model/session.h"
#include "model/time.h"

namespace icr::cli {

class SessionRenderer {
 public:
  /// `wall_now` is what "Start time" counts back from. `cluster` must outlive the renderer.
  SessionRenderer(const Cluster& cluster, bool extensive, WallMillis wall_now)
      : cluster_(cluster), extensive_(extensive), wall_now_(wall_now) {}

  /// Sessions must come grouped by interface.
  void add(const Source& source, const SessionRecord& record, std::string& out);

 private:
  const Cluster& cluster_;
  const bool extensive_;
  const WallMillis wall_now_;
  std::string interface_;    ///< of the last JSF session
  bool jsf_before_ = false;  ///< the last session was printed in the JSF layout
};

/// One session (JSF), without the interface line.
void append_jsf_session(const Cluster& cluster, std::uint16_t set, const SessionRecord& record, bool extensive,
                        std::string& out);
/// One flow (JSF): a line.
void append_jsf_flow(const FlowKey& key, char direction, const FlowCounters& counters, std::string& out);
/// What becomes of a flow that arrives and leaves as given: a line for the source and one for the destination, if they
/// are translated.
void append_translations(const FlowKey& arrives, const FlowKey& leaves, bool initiator, std::string& out);
/// One session (USF), with the empty line after it.
void append_usf_session(const Cluster& cluster, const Source& source, const SessionRecord& record, bool extensive,
                        WallMillis wall_now, std::string& out);

/// "TERM/INDEX": the firewall term that admitted the session and its number, counted from 1 over all rules of the
/// service set. "ACCEPT/0" where the service set has no stateful firewall.
[[nodiscard]] std::string policy_name(const Cluster& cluster, const SessionRecord& record);

/// Seconds of a limit that are left after `used`; 0 when it is over.
[[nodiscard]] std::uint32_t seconds_left(std::uint32_t limit_s, Ticks used);

}  // namespace icr::cli
