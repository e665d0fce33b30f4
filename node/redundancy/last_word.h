// What a master said last about what it has, and about what its standby lacks (replication::Backlog). When the master
// is gone, the standby judges by it what is missing: how many changes it knows to have missed, and since when it knows
// nothing.
//
// Heartbeats and the messages of the stream carry a backlog. Of the last heartbeat and the last message that was
// applied, the one that was sent later counts. Sans-I/O. Thread: one.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "model/base/time.h"
#include "replication/protocol.h"

namespace icr::node {

/// What a standby lacks of its master's table.
struct Missing {
  TimePoint told_at;           ///< when the last word was heard; what happened at the master after it is not known
  std::uint32_t sessions = 0;  ///< of the master
  std::uint64_t set_up = 0;    ///< sessions that the master had set up in its life
  /// Changes of state that the master had and the standby has not: changed slots, and rows on their way. nullopt: not
  /// known, because the copy is not complete, or because something was applied of which the master did not say what
  /// still waited behind it.
  std::optional<std::uint64_t> changes;
  bool exact = false;  ///< there were exactly so many; otherwise at most so many, as some may have arrived
  /// Sessions that the master set up per second, in the last second before its last word; nullopt: it did not say for
  /// long enough.
  std::optional<std::uint64_t> setups_per_second;
};

class LastWord {
 public:
  /// Takes a heartbeat of a master, which says how far its stream is.
  void on_heartbeat(TimePoint now, const replication::Backlog& backlog, const replication::Position& stream);
  /// Takes a message of the stream that has been applied.
  void on_applied(TimePoint now, const replication::Backlog& backlog, const replication::Position& position);
  /// Forgets everything, because there is another master, or none but this member.
  void forget();

  /// Returns what is missing if the master does not speak any more; nullopt if it has never said anything. `applied` is
  /// the place of the last message that was applied, and `hot` tells whether the copy is complete.
  [[nodiscard]] std::optional<Missing> missing(const replication::Position& applied, bool hot) const;

 private:
  struct Word {
    TimePoint at;
    replication::Backlog backlog;
    replication::Position stream;
  };
  struct Sample {
    TimePoint at;
    std::uint64_t set_up = 0;
  };
  void sample(TimePoint now, std::uint64_t set_up);
  [[nodiscard]] std::optional<std::uint64_t> rate(const Word& last) const;

  /// A rate is computed from samples that are about so far apart ...
  static constexpr Duration kSampleInterval = 100ms;
  /// ... over at most this time, and over no less than one interval.
  static constexpr Duration kRateOver = 1s;

  std::optional<Word> heartbeat_;
  std::optional<Word> applied_;
  std::deque<Sample> samples_;
};

}  // namespace icr::node
