// What a takeover cost, as the member that became master knows it (docs/failover-report.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/base/enum_end.h"
#include "model/base/time.h"

namespace icr {

/// The state of the failure detector (node/redundancy/detector.h). Times are in microseconds.
struct SilenceStatus {
  std::uint64_t floor = 0;      ///< silence that is always tolerated; 0 if the set has no peer
  std::uint64_t limit = 0;      ///< longest silence that is tolerated
  std::uint64_t threshold = 0;  ///< silence that is tolerated now if the peer's machine does not answer
  std::uint64_t silence = 0;    ///< how long the peer has been silent
  std::uint64_t own_late = 0;   ///< worst delay of this thread's wake-ups in the last minute
  std::uint64_t peer_late = 0;  ///< worst delay of the peer's signs of life in the last minute
  std::uint64_t peer_says = 0;  ///< worst delay of the peer's wake-ups, as the peer reports
  std::uint64_t avoided = 0;    ///< silences that passed the floor and ended
  std::uint64_t probes_sent = 0;
  std::uint64_t probes_answered = 0;
  std::string state;  ///< "hears the peer", ...
  std::string probe;  ///< how the peer's machine answered last, in words
  friend bool operator==(const SilenceStatus&, const SilenceStatus&) = default;
};

/// How mastership came to the member that reports.
enum class FailoverKind : std::uint8_t {
  takeover = 0,  ///< the former master was not heard any more
  ill_master,    ///< the former master was heard, but could not do its work
  election,      ///< the former master was heard, and was not master any more
  switchover,    ///< the former master handed over
};
[[nodiscard]] std::string_view to_string(FailoverKind kind);
/// Returns the kind that to_string() names so; nullopt if there is none.
[[nodiscard]] std::optional<FailoverKind> failover_kind(std::string_view name);

/// What of the former master's table may be missing at the new one. Slots are those of sessions and of NAT bindings. A
/// session that has ended has a slot until the other member knows of that.
struct FailoverRisk {
  using Micros = std::optional<std::int64_t>;
  using Count = std::optional<std::uint64_t>;

  /// At most so many sessions, or newest states of them, did the new master lack of what the former one had at its last
  /// word (FailoverReport::last_word).
  Count sessions;
  /// For so long the former master may have gone on after its last word: until its connection closed, or until
  /// mastership was claimed. What it did in this time is not known.
  Micros unseen;
  Count former_sessions;      ///< sessions of the former master, as its heartbeats told last
  Count waiting;              ///< slots whose newest state it had not sent, as its heartbeats told last
  Count unacknowledged;       ///< slots whose newest state it had sent, and this member had not acknowledged; likewise
  Count oldest_us;            ///< for how long the oldest change had not been acknowledged, likewise; 0: there was none
  Count missing;              ///< messages that it had sent, as its heartbeats told last, and that were not applied
  bool gap = false;           ///< a message came after one that did not come
  std::uint64_t lacking = 0;  ///< slots whose record this member refused, or could not read
  std::uint64_t ended = 0;    ///< sessions that ended when the table became active: a part of them had not come

  /// What the former master sent when it came back, of what the new one could not know.
  struct Merge {
    std::uint64_t returned = 0;  ///< sessions and bindings that the new master did not have, and has now
    std::uint64_t updated = 0;   ///< sessions and bindings of which the new master had an older state
    std::uint64_t known = 0;     ///< sessions and bindings of which the new master had the newest state
    std::uint64_t refused = 0;   ///< those that it could not take, so they are lost
    friend bool operator==(const Merge&, const Merge&) = default;
  };
  std::optional<Merge> merge;  ///< nullopt: it has not come back with what it had
  friend bool operator==(const FailoverRisk&, const FailoverRisk&) = default;
};

/// The report of one takeover. What is not known is nullopt, and nothing is guessed. Times of events are microseconds
/// after `heard`, the last sign of life of the former master.
struct FailoverReport {
  using Micros = std::optional<std::int64_t>;
  using Count = std::optional<std::uint64_t>;

  std::uint64_t number = 0;  ///< grows by one with each report of the set on this chassis
  std::string set;
  std::string chassis;  ///< the new master, which reports
  std::string peer;     ///< the former master
  FailoverKind kind = FailoverKind::takeover;
  std::uint64_t term = 0;  ///< the new one
  std::string reason;      ///< why mastership was taken, in the words of the role history
  bool hot = false;        ///< this member's copy of the sessions was complete
  bool complete = false;   ///< nothing is awaited any more, so the report does not change any more

  // -- Times --
  std::int64_t heard = 0;              ///< wall clock, microseconds since the Unix epoch; it is right to a millisecond
  std::uint64_t heard_since_boot = 0;  ///< the same moment, in microseconds of CLOCK_MONOTONIC of the reporting machine
  Micros heartbeat;                    ///< the last heartbeat; 0 or less, as other messages are signs of life too
  Micros closed;                       ///< the connection to the former master closed; nullopt if it was still open
  Micros decided;                      ///< the member began to claim mastership
  Micros granted;                      ///< the claim was granted
  Micros active;                       ///< the table forwards
  Micros steered;                      ///< the kernel has the virtual addresses and return routes
  Micros old_session;  ///< the first packet of a session that this member had not set up itself has been forwarded
  Micros new_session;  ///< the first new session has been set up
  Micros last_word;    ///< the last message came with which the former master told what this member lacked
  Micros last_change;  ///< changes of sessions came last

  // -- State --
  std::uint64_t sessions = 0;  ///< of this member when it became active
  std::uint64_t applied = 0;   ///< last number of the former master's stream that was applied; 0: there was none
  Count sent;                  ///< last number that it said it had sent; nullopt if it did not say
  FailoverRisk risk;

  SilenceStatus detector;  ///< when mastership was claimed
  friend bool operator==(const FailoverReport&, const FailoverReport&) = default;
};

/// Returns true if the times of a report are such as clocks show, so that no sum of them overflows. What comes from a
/// file or from another chassis may say anything.
[[nodiscard]] bool has_possible_times(const FailoverReport& report);

/// Returns a moment as RFC 3339 writes it, in UTC. `micros` counts since the Unix epoch.
[[nodiscard]] std::string utc_text(std::int64_t micros);

/// Reports are numbered from 1 on, and none has a higher number than this, so that no file can use up the numbers.
inline constexpr std::uint64_t kMaxFailoverNumber = std::uint64_t{1} << 63U;
/// A chassis keeps so many reports of each redundancy set.
inline constexpr std::size_t kMaxFailovers = 16;

}  // namespace icr
