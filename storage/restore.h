// From disk back into a table.
#pragma once

#include <cstdint>
#include <string>

#include "model/result.h"
#include "model/session.h"
#include "model/time.h"
#include "storage/store.h"

namespace icr::storage {

/// What came back, and what did not.
struct Restored {
  std::uint64_t term = 0;             ///< highest term ever seen (0: none), even when no session is left
  std::uint64_t next_sequence = 1;    ///< for the Checkpointer of the set
  std::uint64_t batches = 0;          ///< records read
  std::uint64_t sessions = 0;         ///< taken by the sink
  std::uint64_t expired = 0;          ///< not restored: their time ran out while nobody watched
  std::uint64_t tombstones = 0;       ///< empty slots whose generation came back
  std::uint64_t refused = 0;          ///< not taken by the sink, or slot out of range
  std::uint64_t bad_records = 0;      ///< damaged, or not what their key says
  std::uint64_t cut_off = 0;          ///< records behind a hole: not used
  std::uint64_t clock_went_back = 0;  ///< records written in the future; counted as written now
  bool has_manifest = false;
  std::string
      damage;       ///< what was damaged, in words; empty: nothing. Then call Store::set_aside() when all is restored.
  Duration took{};  ///< wall time, for reports only
};

/// Brings the sessions of `set` back: opens a pass, names each slot once, in the order in which its last state was
/// written (so a session displaces the dead one that still seems to own its port), closes the pass. Idle time and age
/// grow by the wall time that has passed since they were written; who is over its timeout becomes a tombstone. TCP
/// windows come back as "learn from the next segment", for they may be older than what the ends have sent since.
///
/// A record that is damaged inside the base checkpoint is skipped: its sessions are lost, the others are true. Behind
/// the base, replay stops at the first record that is missing or damaged: the result is the table as it was then.
///
/// `capacity` bounds the slots. Call it from the thread that owns the sink, before the table is in use. An Error means
/// that the store could not be written or read at all; the pass is then closed and the sink empty.
[[nodiscard]] Result<Restored> restore(Store& store, const std::string& set, std::uint64_t cluster_digest,
                                       std::uint32_t capacity, SessionSink& sink, TimePoint now, WallMillis wall_now);

}  // namespace icr::storage
