// Builds the trees of sessions: `msp-session-table` for ms- cards, `flow-session-information` for vms- cards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/merge/survey.h"
#include "cli/result/tree.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "model/record/session.h"

namespace icr::cli {

/// The place of a session among the largest ones.
struct Rank {
  std::size_t number = 0;    ///< from 1
  std::string_view chassis;  ///< that has it
};

/// Builds the answer of `show services sessions` as its sessions come.
class SessionBuilder {
 public:
  /// "start-time" is `wall_now` minus the age of a session. REQUIRES: `cluster` and `tree` outlive the builder.
  SessionBuilder(const Cluster& cluster, Tree& tree, bool extensive, WallMillis wall_now)
      : cluster_(cluster), tree_(tree), extensive_(extensive), wall_now_(wall_now) {}

  /// Adds a session, with `rank` if the answer consists of the largest ones. The sessions of an interface should be
  /// added one after the other; otherwise the interface appears several times. REQUIRES: sessions of ms- cards are
  /// added before those of vms- cards.
  void add(const Source& source, const SessionRecord& record, const std::optional<Rank>& rank = std::nullopt);
  /// Ends the answer. Without sessions, it is an empty table for cards of `empty_family`.
  void finish(CardFamily empty_family);

 private:
  void begin(CardFamily family);
  void end();

  const Cluster& cluster_;
  Tree& tree_;
  const bool extensive_;
  const WallMillis wall_now_;
  std::optional<CardFamily> table_;  ///< the table that has begun
  std::string interface_;            ///< of the last session of an ms- card
  ServiceSetCount shown_;            ///< sessions of vms- cards, by state
};

/// Adds one flow in the form of ms- cards, `sfw-flow-entry`: without translations, and with `extensive` with its
/// octets, role and timeout.
void begin_flow(Tree& tree, const SessionRecord& record, unsigned direction, bool extensive);
/// Adds what is translated of a flow that arrives and leaves with the given keys: an element for the source and one for
/// the destination.
void add_translations(Tree& tree, const FlowKey& arrives, const FlowKey& leaves, bool initiator);

/// Returns the name of a protocol in capitals: "TCP", "ICMPV6", or its number.
[[nodiscard]] std::string capital_protocol(std::uint8_t protocol);

/// Returns "TERM/INDEX": the firewall term that admitted the session, and its number, counted from 1 over all rules of
/// the service set. Returns "ACCEPT/0" if the service set has no stateful firewall, "UNKNOWN/0" if it has one whose
/// term is not there any more, and the identity of a term that only the chassis' file has.
[[nodiscard]] std::string policy_name(const Cluster& cluster, const SessionRecord& record);

/// Returns the seconds of a limit that are left after `used`, or 0 if none are left.
[[nodiscard]] std::uint32_t seconds_left(std::uint32_t limit_s, Ticks used);

}  // namespace icr::cli
