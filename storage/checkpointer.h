// Decides what of a table goes to disk and when. Sans-I/O: one per redundancy set, on the worker that owns the table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/counters.h"
#include "model/dirty_set.h"
#include "model/record_codec.h"
#include "model/session.h"
#include "model/time.h"
#include "storage/store.h"

namespace icr::storage {

/// The way to the disk of one redundancy set. Called by the worker; never waits.
class CheckpointOutput {
 public:
  virtual ~CheckpointOutput() = default;
  /// Takes the record, or answers false and leaves it as it is: the disk is behind, offer it again later.
  virtual bool offer(std::uint64_t sequence, RecordBytes&& record) = 0;
  /// Everything offered before it is written first. False: offer it again later.
  virtual bool commit(const Manifest& manifest) = 0;
  /// False: offer it again later.
  virtual bool remember_term(std::uint64_t term) = 0;
  /// Grows when something that was taken could not be written (disk full, ...). What is in the log is then incomplete
  /// until a new base checkpoint is committed.
  [[nodiscard]] virtual std::uint64_t losses() const = 0;
  /// True while what is taken cannot be written.
  [[nodiscard]] virtual bool failing() const { return false; }
};

struct CheckpointOptions {
  Duration flush_interval = 100ms;  ///< how long a change of state may wait before it goes to disk
  Duration refresh_interval = 5s;   ///< the same for counters and idle times
  Duration base_interval = 60s;     ///< a new base after this time, if anything changed
  Duration retry_interval = 5s;     ///< pause after the disk lost something
  std::uint32_t rows_per_batch = 512;
  std::uint64_t base_minimum_rows = 16384;  ///< a new base after 2 x sessions + this many rows of deltas
};

struct CheckpointCounters {
  std::uint64_t batches = 0;
  std::uint64_t sessions = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t bytes = 0;
  std::uint64_t skipped = 0;  ///< offers refused because the storage thread was behind; repeated later
  std::uint64_t losses = 0;   ///< times that the disk lost what it had taken; a new base follows
  std::uint64_t bases_started = 0;
  std::uint64_t bases_committed = 0;
  std::uint64_t bases_abandoned = 0;
  void append_to(CounterList& out) const;
};

/// Listens to a table and writes it down: changes of state every flush interval, refreshes less often, and now and then
/// a base checkpoint by a cursor over all slots, in slices. What the output refuses stays dirty, so memory is bounded
/// by the number of slots however slow the disk is, and the newest state is what gets written in the end.
class Checkpointer final : public ChangeListener {
 public:
  /// `source` and `output` must outlive it. `next_sequence` is Restored::next_sequence of the same set, or 1; `term`
  /// the highest term already on disk. Begins with a base checkpoint.
  Checkpointer(std::string set, std::uint64_t cluster_digest, const SessionSource& source, CheckpointOutput& output,
               const CheckpointOptions& options, std::uint64_t next_sequence, std::uint64_t term);

  void changed(std::uint32_t slot, Change change) override;

  /// Does what is due, reading at most about `budget` slots (at least 1). `wall_now` is written into the records. True:
  /// there is more to do at once, so do not sleep.
  bool tick(TimePoint now, WallMillis wall_now, std::uint64_t term, std::uint32_t budget);

  /// Writes a complete last base checkpoint, whatever is due. True: the output has taken its manifest. False: it is
  /// behind (or loses what it takes); call again, but not for ever. The table must not change between the calls.
  bool flush_all(TimePoint now, WallMillis wall_now, std::uint64_t term);

  /// Changes that wait to be written (state and refresh).
  [[nodiscard]] std::uint64_t backlog() const { return std::uint64_t{state_.size()} + refresh_.size(); }
  [[nodiscard]] bool base_in_progress() const { return base_.has_value(); }
  [[nodiscard]] const CheckpointCounters& counters() const { return counters_; }

 private:
  struct Base {
    std::uint64_t from_sequence = 0;
    std::uint32_t cursor = 0;
    std::uint64_t sessions = 0;
    std::uint64_t tombstones = 0;
    bool scanned = false;  ///< the cursor has arrived, the manifest is left
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
  void drain(DirtySet& dirty, std::uint32_t& budget, const Now& at);
  void scan(std::uint32_t& budget, const Now& at);
  void finish_base(const Now& at);
  void encode(const Now& at);
  [[nodiscard]] bool send_pending();

  std::string set_;
  std::uint64_t cluster_digest_;
  const SessionSource& source_;
  CheckpointOutput& output_;
  CheckpointOptions options_;

  DirtySet state_;
  DirtySet refresh_;
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
  std::optional<TimePoint> paused_until_;
  bool draining_refresh_ = false;

  flatbuffers::FlatBufferBuilder builder_;
  BatchEncoder encoder_;
  SessionRecord record_;
  std::optional<RecordBytes> pending_;  ///< encoded, not yet taken by the output
  CheckpointCounters counters_;
};

}  // namespace icr::storage
