// The master's half of keeping a twin equal: which slots the peer has not got yet, and in what order it gets them.
//
// There is no queue of changes. A slot that changed is marked; its record is read and encoded when a batch is built, so
// the newest state wins and memory is bounded by the table. What has been sent and not acknowledged is remembered as
// slot numbers only. When the receiver misses something, those slots are marked again and go out in a new attempt.
//
// Order: state changes first; the bulk copy to a cold peer in between (at least one batch in four); counters last.
//
// A receiver that has sessions already gets a copy of what differs only (comparison.h).
// Sans-I/O. Thread: the one that owns the table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "model/base/bit_set.h"
#include "model/base/counters.h"
#include "model/record/change_listener.h"
#include "model/record/record_codec.h"
#include "model/record/session.h"
#include "replication/change_ages.h"
#include "replication/comparison.h"
#include "replication/protocol.h"

namespace icr::replication {

struct SenderLimits {
  std::size_t window_bytes = std::size_t{4} << 20;  ///< sent and not acknowledged
  std::size_t batch_rows = 1000;
  std::size_t batch_bytes = std::size_t{96} << 10;
  std::uint32_t scan_slots = 16384;  ///< slots that one step of a bulk copy walks at most
  std::uint32_t flush_rows = 128;    ///< so many changes are sent at once ...
  Duration flush_after = 1ms;        ///< ... and fewer after that time
  Duration refresh_after = 20ms;     ///< the same for counters
  std::uint32_t audit_slots = 1024;
  Duration audit_interval = 50ms;
  std::uint32_t range_slots = 4;        ///< slots of a range that is compared and, if it differs, copied
  std::uint32_t message_ranges = 4096;  ///< ranges whose digests one message carries at most
};

/// How much of a copy was spared, in ranges of slots that the receiver compared.
struct ComparedRanges {
  std::uint64_t compared = 0;
  std::uint64_t equal = 0;
};

class Sender {
 public:
  explicit Sender(const SessionSource& source, const SenderLimits& limits = {});

  /// Says which records the receiver can read: others are left out, and their slots look empty to it.
  void set_schema(const RecordSchema& schema) { schema_ = schema; }
  /// Begins a new stream, for a receiver that asked for it; the former one is forgotten.
  void start(TimePoint now, const SyncRequest& request);
  /// Tells that there is no receiver any more. The sender remembers which slots the receiver does not know
  /// (take_unshared()).
  void stop();
  [[nodiscard]] bool active() const { return epoch_ != 0; }

  /// Marks a slot that has changed, and does nothing else. Takes constant time.
  void changed(std::uint32_t slot, Change change) {
    last_change_ += change == Change::state ? 1U : 0U;
    if (epoch_ == 0 && !shared_) return;
    (void)(change == Change::state ? state_ : refresh_).mark(slot);
  }

  // What the other member cannot know: should it turn out to have been master too, it is told (replication/merge.h).
  // Only while there is no stream.

  /// Tells that this member becomes master with a complete copy of what the other one had, so that the other one knows
  /// all of it.
  void all_is_shared();
  /// Tells that the other member may have nothing of the table.
  void nothing_is_shared();
  /// Returns false if the other member may lack all of the table; nothing is remembered by slot then.
  [[nodiscard]] bool shared() const { return shared_; }
  /// Returns a slot that changed since the other member was told last, first those whose state changed; nullopt if
  /// there are no more.
  [[nodiscard]] std::optional<std::uint32_t> take_unshared();
  [[nodiscard]] std::uint32_t unshared() const { return state_.size() + refresh_.size(); }

  // Word from the receiver. What is about another stream or attempt, or about numbers never sent, is counted and has no
  // effect.
  void on_ack(const Ack& ack);
  void on_nack(const Nack& nack);
  void on_compared(const Compared& answer);

  /// Sends the messages that are due, until the outlet blocks, the window is full or about `budget_bytes` are spent; a
  /// batch is no larger than what is left of them. With `urgent` it does not wait for more changes, or counters, to put
  /// into a batch.
  void pump(TimePoint now, const Header& header, Outlet& outlet, std::size_t budget_bytes, bool urgent = false);
  /// Returns when pump() should be called again if nothing else happens.
  [[nodiscard]] TimePoint next_deadline() const;

  // What the receiver knows, for those who wait for it. Changes of state are numbered as changed() comes, from 1.

  /// Returns true if the receiver of this stream has acknowledged the whole bulk copy and all changes that were made
  /// before it was complete, and nothing was withheld from it or refused by it.
  [[nodiscard]] bool complete() const {
    return epoch_ != 0 && shared_ && acknowledged_changes_ >= complete_from_ && !withheld_ && !lacks_;
  }
  /// Tells that the receiver was away, so that nobody has waited for it. complete() returns true again when it has
  /// acknowledged all changes until now.
  void receiver_returned() { complete_from_ = last_change_; }
  /// Returns the number of the last change of state.
  [[nodiscard]] std::uint64_t last_change() const { return last_change_; }
  /// Returns a number up to which the receiver has acknowledged all changes of state. After a loss it stands still
  /// until what was lost has been sent again and acknowledged.
  [[nodiscard]] std::uint64_t acknowledged_changes() const { return acknowledged_changes_; }
  /// Remembers by which message each slot was sent last, or forgets it. It costs 4 octets per slot.
  void remember_slots(bool remember);
  /// Returns true if the receiver has acknowledged the newest state of `slot`. REQUIRES: remember_slots().
  [[nodiscard]] bool has_newest(std::uint32_t slot) const {
    return complete() && !state_.contains(slot) && !source_.is_withheld(slot) &&
           static_cast<std::int32_t>(sent_in_[slot] - static_cast<std::uint32_t>(acknowledged_)) <= 0;
  }
  /// Tells that somebody waits for this change: pump() does not wait for more changes until it is sent.
  void await(std::uint64_t change) { awaited_ = std::max(awaited_, change); }

  /// Returns what the receiver may lack now. Counters and idle times do not count.
  [[nodiscard]] Lag lag(TimePoint now) const;
  /// Returns true if the receiver has acknowledged the whole bulk copy and every change of state that there is.
  [[nodiscard]] bool drained() const;
  /// Returns true if the receiver has acknowledged all counters that were marked.
  [[nodiscard]] bool refreshed() const;
  /// Returns the place of the last message of the stream; its epoch is 0 if there is no stream.
  [[nodiscard]] Position position() const { return {epoch_, base_, next_ - 1}; }
  /// Returns the number of the last message that the receiver has acknowledged.
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint32_t pending_state() const { return active() ? state_.size() : 0; }
  [[nodiscard]] std::uint32_t pending_refresh() const { return active() ? refresh_.size() : 0; }
  [[nodiscard]] std::size_t unacknowledged_bytes() const { return unacknowledged_bytes_; }
  /// Returns the number of records and tombstones in messages that are not acknowledged.
  [[nodiscard]] std::size_t unacknowledged_records() const { return unacknowledged_records_; }
  /// Returns true if the outlet refused the last message, which pump() offers again.
  [[nodiscard]] bool blocked() const { return !blocked_.empty(); }
  [[nodiscard]] bool bulk_done() const { return bulk_ == Bulk::done; }
  /// Returns the number of slots that the bulk copy has walked over.
  [[nodiscard]] std::uint32_t slots_copied() const { return cursor_; }
  /// Returns what the receiver of this stream has compared so far.
  [[nodiscard]] const ComparedRanges& compared() const { return compared_; }
  /// Returns when a receiver with a complete copy has acknowledged something last; nullopt if none ever has. It was
  /// nobody's master then.
  [[nodiscard]] std::optional<TimePoint> followed_at() const { return followed_at_; }
  /// Returns when the stream began, and with it the bulk copy.
  [[nodiscard]] TimePoint started_at() const { return started_at_; }
  /// Returns true if an acknowledgement is due: there is a message that the receiver has not acknowledged, or the
  /// outlet refuses the next one.
  [[nodiscard]] bool waits_for_peer() const { return active() && (!unacknowledged_.empty() || blocked()); }
  /// Returns a number that grows with each acknowledged message, apart from those that only begin a stream.
  [[nodiscard]] std::uint64_t progress() const { return counters_.acknowledged; }

  struct Counters {
    std::uint64_t streams = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t sessions = 0;
    std::uint64_t tombstones = 0;
    std::uint64_t bulk_sessions = 0;
    std::uint64_t bulks_completed = 0;
    std::uint64_t rewinds = 0;        ///< new attempts after a loss
    std::uint64_t rewound_slots = 0;  ///< slots that were marked again by them
    std::uint64_t acknowledged = 0;   ///< messages, without those that begin a stream
    std::uint64_t acks = 0;
    std::uint64_t acks_ignored = 0;
    std::uint64_t nacks = 0;
    std::uint64_t nacks_ignored = 0;
    std::uint64_t window_full = 0;
    std::uint64_t outlet_full = 0;
    std::uint64_t audits = 0;
    std::uint64_t audits_skipped = 0;
    std::uint64_t withheld = 0;  ///< records that the receiver's release cannot read
    ComparedRanges ranges;
    std::uint64_t not_compared = 0;     ///< ranges for which no answer came
    std::uint64_t refreshed = 0;        ///< slots of equal ranges whose counters are sent again
    std::uint64_t answers_ignored = 0;  ///< to a comparison that is not open, or of another number of ranges
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  void append_to(CounterList& out) const;

 private:
  enum class Bulk : std::uint8_t { walking, done };
  enum class Kind : std::uint8_t { nothing, begin, state, digests, bulk, bulk_end, refresh, audit };
  /// A message that is not acknowledged yet, and what must be sent again if it is lost.
  struct Sent {
    std::uint64_t sequence = 0;
    std::size_t bytes = 0;
    std::size_t records = 0;
    std::size_t states = 0;  ///< slots in it that were marked because their state had changed
    Kind kind = Kind::nothing;
    std::uint32_t bulk_from = 0;       ///< of a bulk batch: where the cursor stood
    std::uint64_t covers = 0;          ///< all changes up to this one are in this message and those before it
    std::vector<std::uint32_t> slots;  ///< to mark again; of a bulk batch: its tombstones only
    Comparison::Piece piece;           ///< of digests
    std::vector<std::uint8_t> equal;   ///< the answer to them, which counts once they are acknowledged; empty: none yet
  };

  [[nodiscard]] Kind next_kind(TimePoint now, bool state_urgent, bool urgent);
  /// Returns what the copy sends next; nothing while answers are awaited.
  [[nodiscard]] Kind next_of_copy() const;
  /// Returns the slot up to which the cursor can walk.
  [[nodiscard]] std::uint32_t walk_end() const {
    return comparison_ && !comparison_->done() ? std::min(comparison_->known_to(), source_.high_water())
                                               : source_.high_water();
  }
  /// Returns true if the cursor has walked over everything.
  [[nodiscard]] bool walked() const { return (!comparison_ || comparison_->done()) && cursor_ >= source_.high_water(); }
  void take_answer(const Sent& sent);
  [[nodiscard]] std::size_t build(Kind kind, TimePoint now, const Header& header);
  void collect_changes(Sent& sent, BitSet& from, bool counters, TimePoint now);
  void collect_bulk(Sent& sent, TimePoint now);
  [[nodiscard]] MessageWriter::Bytes write_digests(Sent& sent, const Header& header, const Position& position);
  /// Adds the record of the slot, or its tombstone if `dead_too`. Returns true if there is a row for it.
  bool add_row(std::uint32_t slot, bool counters, bool dead_too, TimePoint now, bool& dead);
  /// Returns the number of slots whose newest state is in no message, or was withheld from the receiver: because it
  /// cannot read it, or because the session is too young.
  [[nodiscard]] std::uint32_t waiting() const {
    return state_.size() + (withheld_slots_ ? withheld_slots_->size() : 0) + source_.withheld();
  }
  [[nodiscard]] bool batch_full() const { return rows_.size() >= limits_.batch_rows || rows_.bytes() >= batch_limit_; }
  [[nodiscard]] MessageWriter::Bytes write_audit(const Header& header, const Position& position, TimePoint now);
  [[nodiscard]] bool audit_range_clean() const;
  /// Notes which changes are in the messages that were built so far.
  void cover();
  void acknowledge(std::uint64_t applied);
  /// The receiver has applied messages up to `applied`, and says whether it has refused records.
  void note_lacks(bool lacks, std::uint64_t applied);
  void rewind();
  void reset();
  Sent fresh_sent();

  const SessionSource& source_;
  SenderLimits limits_;
  RecordSchema schema_ = kRecordSchemas.back();
  BitSet state_;
  BitSet refresh_;
  BatchEncoder rows_;
  SessionRecord record_;
  MessageWriter writer_;

  /// True if the receiver of this stream or the last one has acknowledged the whole copy, or if the copy was its own.
  /// It lacks only slots that are marked, or on their way.
  bool shared_ = false;
  TimePoint started_at_;
  TimePoint now_;  ///< of the last pump()
  std::optional<TimePoint> followed_at_;
  std::uint64_t epoch_ = 0;
  std::uint64_t base_ = 1;
  std::uint64_t next_ = 1;
  std::uint64_t acknowledged_ = 0;
  bool begin_due_ = false;
  Bulk bulk_ = Bulk::walking;
  std::uint32_t cursor_ = 0;
  std::optional<Comparison> comparison_;  ///< of a copy of what differs
  Digests digests_;                       ///< of the message that is built
  ComparedRanges compared_;
  std::optional<Duration>
      age_;  ///< of counters and idle times of the receiver, when the stream began; nullopt: not known
  std::uint32_t changes_since_walk_ = 0;  ///< rows of changes sent since the cursor reached the end
  unsigned changes_in_a_row_ = 0;         ///< batches of changes since the last bulk batch
  std::deque<Sent> unacknowledged_;
  std::size_t unacknowledged_bytes_ = 0;
  std::size_t unacknowledged_records_ = 0;
  std::size_t unacknowledged_states_ = 0;  ///< sum of Sent::states
  ChangeAges ages_;
  std::vector<std::vector<std::uint32_t>> spare_;  ///< memory of former Sent::slots
  std::size_t batch_limit_ = 0;   ///< octets of the batch that is being built: no more than what is left of the budget
  MessageWriter::Bytes blocked_;  ///< built, but the outlet did not take it yet

  std::uint64_t last_change_ = 0;
  std::uint64_t covered_ = 0;               ///< all changes up to this one are in messages of this attempt
  std::uint64_t acknowledged_changes_ = 0;  ///< and these are acknowledged
  std::uint64_t complete_from_ = 0;         ///< until these are acknowledged, the receiver counts as not complete
  std::uint64_t awaited_ = 0;
  /// The last change at the time when the walk over state_ began anew: a whole walk later, it is in a message, however
  /// many changes have come since. nullopt: marks may have come back behind the walk.
  std::optional<std::uint64_t> walk_covers_;
  std::uint32_t walked_to_ = 0;           ///< the slot that was taken from state_ last
  std::vector<std::uint32_t> sent_in_;    ///< by slot: lower bits of the message that carried it last; or empty
  bool withheld_ = false;                 ///< a record of this stream
  std::optional<BitSet> withheld_slots_;  ///< whose newest record was withheld; no memory before the first
  bool lacks_ = false;                    ///< the receiver has refused a record of this stream

  // When the first of the changes that wait was seen; max: none waits.
  static constexpr TimePoint kNever = TimePoint::max();
  TimePoint state_since_ = kNever;
  TimePoint refresh_since_ = kNever;
  TimePoint next_audit_;
  std::uint32_t audit_cursor_ = 0;
  Counters counters_;
};

}  // namespace icr::replication
