// Restores a table from disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/session.h"
#include "storage/store.h"

namespace icr::storage {

/// The result of a restore.
struct Restored {
  std::uint64_t term = 0;                 ///< highest term ever seen (0: none), even when no session is left
  std::uint64_t claimed = 0;              ///< highest term that was claimed, perhaps without ever acting in it
  std::uint64_t next_sequence = 1;        ///< for the Checkpointer of the set
  std::uint64_t batches = 0;              ///< records read
  std::uint64_t sessions = 0;             ///< taken by the sink
  std::uint64_t expired = 0;              ///< sessions that expired while the chassis was down
  std::uint64_t tombstones = 0;           ///< empty slots whose generation was restored
  std::uint64_t unknown = 0;              ///< sessions of a later release with values that this one does not know
  std::uint64_t refused = 0;              ///< sessions that the sink refused, or whose slot is out of range
  std::uint64_t other_configuration = 0;  ///< records read that were written under another cluster file
  std::uint64_t bad_records = 0;          ///< records that are damaged, or that do not match their key
  std::uint64_t cut_off = 0;              ///< records behind a hole, which are not used
  std::uint64_t clock_went_back = 0;      ///< records with a time in the future, which count as written now
  bool has_manifest = false;
  /// So old are counters and idle times, at most, apart from what a session tells late anyway. nullopt: it is not
  /// known, because nothing was restored, something was damaged, clocks disagree, or the cluster file has changed.
  std::optional<Duration> age;
  /// Describes what was damaged; empty if nothing was. If it is not empty, the caller calls Store::set_aside() once all
  /// sets are restored.
  std::string damage;
  Duration took{};  ///< wall-clock time that the restore took, for reports only
};

/// Restores the sessions of `set`: opens a pass, names each slot once, in the order in which the slots were last
/// written (so a session displaces a dead session that still seems to own its port), and closes the pass. Idle time and
/// age grow by the wall-clock time since they were written, and a session past its timeout becomes a tombstone. TCP
/// windows are restored as unconfirmed, because they may be older than what the ends have sent since.
///
/// A damaged record of the base checkpoint is skipped: its sessions are lost, and the others are used. Behind the base,
/// replay stops at the first record that is missing or damaged, and the result is the table as it was then.
///
/// The cluster file may have changed since: sessions that do not fit the present one are refused by the sink.
/// `cluster_digest` is that of the present file. `table` is the other face of `sink`. Thread: the owner of the sink.
/// REQUIRES: the table is not in use yet. Returns an error if the store cannot be read or written at all; the pass is
/// then closed, and the sink is empty.
[[nodiscard]] Result<Restored> restore(Store& store, const std::string& set, std::uint64_t cluster_digest,
                                       const SessionSource& table, SessionSink& sink, TimePoint now,
                                       WallMillis wall_now);

}  // namespace icr::storage
