// Decides which slots of a table are written to disk, and when. Sans-I/O. There is one for each redundancy set, on the
// worker that owns the table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/base/bit_set.h"
#include "model/base/counters.h"
#include "model/base/time.h"
#include "model/record/change_listener.h"
#include "model/record/record_codec.h"
#include "model/record/session.h"
#include "storage/store.h"

namespace icr::storage {

/// Takes what is to be written to the disk for one redundancy set. Thread: the worker of the set. No function blocks,
/// except wait_for_room().
class CheckpointOutput {
 public:
  virtual ~CheckpointOutput() = default;
  /// Takes the record and returns true. Returns false and leaves the record unchanged if the disk is behind; the caller
  /// offers it again later.
  virtual bool offer(std::uint64_t sequence, RecordBytes&& record) = 0;
  /// Takes the manifest, which is written after all records that were taken before it. Returns false if the disk is
  /// behind.
  virtual bool commit(const Manifest& manifest) = 0;
  /// Takes the term to be written. Returns false if the disk is behind.
  virtual bool remember_term(std::uint64_t term) = 0;
  /// Takes a term that the member claims, to be made durable before anything else that waits. Returns false if the disk
  /// is behind; the caller offers it again. claimed_term() tells when it is durable.
  virtual bool claim_term(std::uint64_t term) = 0;
  /// Returns the highest claimed term that this run of the chassis has made durable.
  [[nodiscard]] virtual std::uint64_t claimed_term() const = 0;
  /// Returns a number that grows when something that was taken could not be written (for example because the disk is
  /// full). The log is then incomplete until a new base checkpoint is committed.
  [[nodiscard]] virtual std::uint64_t losses() const = 0;
  /// Returns true while writes fail.
  [[nodiscard]] virtual bool failing() const { return false; }
  /// Waits until the output has room again after it has refused something, but not beyond `until`. An output that never
  /// refuses has nothing to wait for. For a worker that forwards no more.
  virtual void wait_for_room(TimePoint /*until*/) {}
};

struct CheckpointOptions {
  Duration flush_interval = 100ms;  ///< how long a change of state may wait before it goes to disk
  Duration refresh_interval = 5s;   ///< how long a change of counters or idle times may wait
  Duration base_interval = 60s;     ///< a new base after this time, if anything changed
  Duration retry_interval = 5s;     ///< pause after a write has failed
  /// A record without rows is written after this time without one, so that a history (storage/history.h) knows that
  /// nothing has changed. nullopt: there is no history.
  std::optional<Duration> mark_interval;
  std::uint64_t run = 0;  ///< BatchHeader::run of the records
  std::uint32_t rows_per_batch = 512;
  std::uint64_t base_minimum_rows = 16384;  ///< a new base after 2 x sessions + this many rows of deltas
};

struct CheckpointCounters {
  std::uint64_t batches = 0;
  std::uint64_t sessions = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t bytes = 0;
  std::uint64_t skipped = 0;  ///< offers refused because the storage thread was behind; repeated later
  std::uint64_t losses = 0;   ///< writes that failed after the output had taken them; a new base follows
  std::uint64_t bases_started = 0;
  std::uint64_t bases_committed = 0;
  std::uint64_t bases_abandoned = 0;
  void append_to(CounterList& out) const;
};

/// Listens to a table and writes it to disk: changes of state every flush interval, refreshes less often, and now and
/// then a base checkpoint by a cursor over all slots, in slices. A slot whose record the output refuses stays dirty and
/// is written later in its newest state, so memory is bounded by the number of slots however slow the disk is.
class Checkpointer final : public ChangeListener {
 public:
  /// REQUIRES: `source` and `output` outlive the checkpointer. `next_sequence` is Restored::next_sequence of the same
  /// set, or 1. `term` is the highest term that is already on disk. The first tick() begins a base checkpoint.
  Checkpointer(std::string set, std::uint64_t cluster_digest, const SessionSource& source, CheckpointOutput& output,
               const CheckpointOptions& options, std::uint64_t next_sequence, std::uint64_t term);

  void changed(std::uint32_t slot, Change change) override;

  /// Says whether the table is that of a master, or a copy that the peer keeps up to date. It is in the beginning.
  void set_in_sync(bool in_sync) { in_sync_ = in_sync; }
  /// Sets the digest of the cluster file under which records are written from now on.
  void set_cluster_digest(std::uint64_t digest) { cluster_digest_ = digest; }

  /// Writes what is due, reading about `budget` slots at most (at least 1). Records carry the time `wall_now`. Returns
  /// true if there is more to do at once, so the caller must not sleep.
  bool tick(TimePoint now, WallMillis wall_now, std::uint64_t term, std::uint32_t budget);

  /// Writes a complete base checkpoint at the end, whether it is due or not. Returns true if the output has taken its
  /// manifest. Returns false if the output is behind or loses what it takes; the caller tries again, but not for ever.
  /// REQUIRES: the table does not change between these calls.
  bool flush_all(TimePoint now, WallMillis wall_now, std::uint64_t term);

  /// Returns the number of changes that wait to be written (state and refresh).
  [[nodiscard]] std::uint64_t backlog() const { return std::uint64_t{state_.size()} + refresh_.size(); }
  [[nodiscard]] bool base_in_progress() const { return base_.has_value(); }
  [[nodiscard]] const CheckpointCounters& counters() const { return counters_; }

 private:
  struct Base {
    std::uint64_t from_sequence = 0;
    std::uint32_t cursor = 0;
    std::uint64_t sessions = 0;
    std::uint64_t tombstones = 0;
    bool scanned = false;  ///< the cursor has passed all slots, and only the manifest is left to be written
  };
  struct Now {
    TimePoint now;
    WallMillis wall = 0;
    std::uint64_t term = 0;
  };

  void begin_base(const Now& at);
  [[nodiscard]] bool base_due(const Now& at) const;
  void watch_losses(const Now& at);
  void read_slot(std::uint32_t slot, const Now& at);
  void drain(BitSet& dirty, std::uint32_t& budget, const Now& at);
  void scan(std::uint32_t& budget, const Now& at);
  void finish_base(const Now& at);
  /// Makes a record of the rows, if there are any.
  void encode(const Now& at);
  /// Makes a record of the rows.
  void seal(const Now& at);
  /// Writes a record without rows if it is time for one, or if the table has become one that is in sync, or is no more.
  void mark(const Now& at);
  [[nodiscard]] bool send_pending();

  std::string set_;
  std::uint64_t cluster_digest_;
  const SessionSource& source_;
  CheckpointOutput& output_;
  CheckpointOptions options_;

  BitSet state_;
  BitSet refresh_;
  std::uint64_t next_sequence_;
  std::uint64_t remembered_term_;
  std::uint64_t seen_losses_;
  std::uint64_t rows_since_base_ = 0;
  std::uint64_t sessions_in_base_ = 0;
  std::optional<Base> base_;
  bool base_wanted_ = true;
  bool flushing_ = false;
  std::optional<TimePoint> flushed_at_;
  std::optional<TimePoint> refreshed_at_;
  std::optional<TimePoint> base_at_;
  std::optional<TimePoint> encoded_at_;
  WallMillis settled_ms_ = 0;  ///< when no change of state was waiting
  bool in_sync_ = true;
  bool said_in_sync_ = true;  ///< by the newest record
  std::optional<TimePoint> paused_until_;
  bool draining_refresh_ = false;

  flatbuffers::FlatBufferBuilder builder_;
  BatchEncoder encoder_;
  SessionRecord record_;
  std::optional<RecordBytes> pending_;  ///< encoded, not yet taken by the output
  CheckpointCounters counters_;
};

}  // namespace icr::storage
