// The standby's half of keeping a twin equal: takes a stream in order, or not at all.
//
// A stream is named by the receiver (epoch), so what is left over from a former one is recognised. Messages are applied
// only in sequence; a duplicate is counted and ignored, a gap is counted and reported (Nack), and nothing after it is
// applied until the sender has begun a new attempt. The first stream from a master, and every stream after a change of
// master, begins with a copy: a pass over the sink (SessionSink::begin_pass) that ends hot. Where the sink has sessions
// already, whatever they came from, it keeps those of ranges whose digests are the master's (comparison.h).
// Sans-I/O. Thread: the one that owns the table.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "model/base/bit_set.h"
#include "model/base/counters.h"
#include "model/record/session.h"
#include "replication/protocol.h"

namespace icr::replication {

struct ReceiverLimits {
  Duration request_interval = 200ms;      ///< an unanswered request for a stream is repeated, slower and slower
  Duration stall_after = 200ms;           ///< being behind without progress for so long is reported
  Duration slowest = 5s;                  ///< both intervals double up to this
  unsigned stalls_before_restart = 6;     ///< so many reports without progress: ask for a new stream
  std::uint64_t ack_every = 8;            ///< messages; sooner at the next pump()
  Duration audit_restart_interval = 60s;  ///< a failed audit asks for a new copy at most so often
  Duration settle_after = 10s;            ///< so long after a copy, counters and idle times have been sent as well
  std::size_t answers = 64;               ///< to comparisons, that wait until the outlet takes them; more are dropped
};

class Receiver {
 public:
  /// `boot` (not 0) makes the names of streams unique. `table` is the other face of `sink`.
  Receiver(SessionSink& sink, const SessionSource& table, std::uint64_t boot, const ReceiverLimits& limits = {});

  /// Follows the master that runs under `boot` in `term`, and asks for a stream unless it has one from that master.
  void follow(TimePoint now, std::uint64_t boot, std::uint64_t term);
  /// Follows nobody any more. A pass that is open stays unfinished.
  void stop();
  /// Tells that counters and idle times in the table were right at this time. Without a call it is not known when.
  void table_is_of(TimePoint then) { right_at_ = then; }

  // The stream, in the order of arrival.
  void on_begin(TimePoint now, const StreamBegin& message);
  void on_batch(TimePoint now, const Batch& message);
  void on_bulk_end(TimePoint now, const BulkEnd& message);
  void on_audit(TimePoint now, const Audit& message);
  void on_digests(TimePoint now, const Digests& message);
  /// Passes over a message of a kind that only a later release knows, and counts it.
  void on_unknown(TimePoint now, const UnknownNumbered& message);
  /// Takes what the master says of how far its stream is, so that the loss of the last message is noticed too.
  void on_master_position(TimePoint now, const Position& master);

  /// Sends requests, acknowledgements and reports of loss that are due.
  void pump(TimePoint now, const Header& header, MessageWriter& writer, Outlet& outlet);
  [[nodiscard]] TimePoint next_deadline() const;
  /// Returns true if so much has been applied that pump() should not wait for the end of the burst.
  [[nodiscard]] bool ack_urgent() const { return unacknowledged_ >= limits_.ack_every; }

  /// Returns how complete the copy is: off while nobody is followed, and cold from the request for a stream until the
  /// pass is complete.
  [[nodiscard]] Sync sync() const { return sync_; }
  /// Returns true if a stream has been asked for and has not begun.
  [[nodiscard]] bool requested() const { return requested_; }
  /// Returns the place of the last message that was applied; its epoch is 0 if nobody is followed.
  [[nodiscard]] Position position() const { return {epoch_, base_, expected_ - 1}; }
  /// Returns true if a message has come after one that has not come.
  [[nodiscard]] bool gap() const { return gap_; }
  /// Returns how many slots of the master hold something that was refused or skipped, so that the copy lacks it.
  [[nodiscard]] std::uint32_t lacking() const { return lacking_ ? lacking_->size() : 0; }
  /// What the last message that was applied has told of the master's table.
  struct Word {
    Position position;          ///< of the message; epoch 0: none of this stream has told anything
    TimePoint at;               ///< when it was applied
    std::uint32_t waiting = 0;  ///< Batch::waiting
  };
  [[nodiscard]] const Word& word() const { return word_; }
  /// Returns when changes of state, or a part of the copy, were applied last; TimePoint() if never.
  [[nodiscard]] TimePoint changed_at() const { return changed_at_; }
  /// Returns how many records the sink has refused of the present copy, which begins with the request for a stream.
  [[nodiscard]] std::uint64_t refused_in_copy() const { return refused_in_copy_; }
  /// Returns true if the master's table is of another size, and the master does not say how its slots are divided.
  [[nodiscard]] bool capacity_differs() const { return capacity_differs_; }
  /// Tells whether the master has another cluster file, so that records which the sink refuses are not a fault: ranges
  /// with such records are not compared.
  void expect_refusals(bool expected) { refusals_expected_ = expected; }

  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t streams = 0;
    std::uint64_t passes = 0;
    std::uint64_t batches = 0;
    std::uint64_t created = 0;
    std::uint64_t updated = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t deleted = 0;
    std::uint64_t refused = 0;
    std::uint64_t swept = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t gaps = 0;
    std::uint64_t stalls = 0;
    std::uint64_t other_stream = 0;
    std::uint64_t former_attempt = 0;
    std::uint64_t before_begin = 0;
    std::uint64_t invalid_batches = 0;
    std::uint64_t capacity_refused = 0;
    std::uint64_t acks = 0;
    std::uint64_t nacks = 0;
    std::uint64_t restarts = 0;
    std::uint64_t audits_passed = 0;
    std::uint64_t audits_failed = 0;
    std::uint64_t digest_messages = 0;
    std::uint64_t ranges_compared = 0;  ///< with digests of the master's, in copies
    std::uint64_t ranges_kept = 0;      ///< of those: equal, so they need not be copied
    std::uint64_t answers_dropped = 0;  ///< to comparisons, because the outlet took none
    // Of a peer of a later release, what this one does not know:
    std::uint64_t unknown_records = 0;      ///< skipped
    std::uint64_t reduced_records = 0;      ///< taken without a column, flag or application protocol
    std::uint64_t unknown_messages = 0;     ///< of the stream, passed over
    std::uint64_t audits_not_compared = 0;  ///< of ranges with records that were skipped, or refused as expected
    std::uint64_t unmapped = 0;             ///< records and tombstones of slots that have no counterpart in this table
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  void append_to(CounterList& out) const;

 private:
  /// Returns true if the message is the next one.
  bool admit(TimePoint now, const Position& position);
  void adopt_attempt(TimePoint now, std::uint64_t base);
  void took_one(TimePoint now);
  void took_word(TimePoint now, const Position& position, std::uint32_t waiting);
  void mark_lacking(std::uint32_t slot);
  void request_new_stream(TimePoint now);
  void count(Applied applied);
  void take(const SessionRecord& record, TimePoint now);
  void bury(SessionRef dead, TimePoint now);
  void skip(SessionRef unknown, TimePoint now);
  void mark_skipped(std::uint32_t slot);
  void end_former(SessionRef newer, TimePoint now);
  [[nodiscard]] RangeDigest own_digest(const Audit& audit, TimePoint now) const;
  void is_known(std::uint32_t slot);
  [[nodiscard]] bool skipped_in(std::uint32_t first, std::uint32_t count) const;
  void check_stall(TimePoint now);
  /// Returns false if the outlet does not take all answers.
  bool send_answers(const Header& header, MessageWriter& writer, Outlet& outlet);
  [[nodiscard]] SyncRequest request(TimePoint now) const;
  [[nodiscard]] bool behind() const { return gap_ || announced_ >= expected_; }

  SessionSink& sink_;
  const SessionSource& table_;
  ReceiverLimits limits_;

  Sync sync_ = Sync::off;
  bool requested_ = false;
  std::uint64_t master_boot_ = 0;
  std::uint64_t master_term_ = 0;
  std::uint64_t last_name_;  ///< names of streams grow within a boot
  std::uint64_t epoch_ = 0;
  std::uint64_t base_ = 1;
  std::uint64_t expected_ = 1;
  std::uint64_t announced_ = 0;       ///< highest number that the master says it has sent
  std::uint64_t announced_base_ = 0;  ///< and in which attempt
  bool gap_ = false;                  ///< something of this attempt was missed; nothing of it can be applied any more
  bool pass_open_ = false;
  bool compared_ = false;         ///< the present copy has ranges that were kept
  bool whole_copy_ = false;       ///< comparing is not to be trusted: ask for all
  std::deque<Compared> answers_;  ///< that were not sent yet
  std::vector<std::uint64_t> own_digests_;
  std::optional<TimePoint> right_at_;  ///< no counter or idle time in the table is older
  TimePoint hot_at_;
  bool capacity_differs_ = false;
  bool refusals_expected_ = false;
  std::uint64_t refused_in_copy_ = 0;

  SlotMap map_;                    ///< from the master's slots to those of the table
  std::uint32_t their_slots_ = 0;  ///< number of the master's slots
  /// The master's slots whose newest record was skipped; there are none, and no memory for them, before the first.
  std::optional<BitSet> skipped_;
  /// The same of those whose newest record was skipped or refused.
  std::optional<BitSet> lacking_;
  Word word_;
  TimePoint changed_at_;

  bool ack_due_ = false;
  bool nack_due_ = false;
  std::uint64_t unacknowledged_ = 0;
  TimePoint next_request_;
  Duration request_interval_{};
  TimePoint progress_at_;
  Duration stall_after_{};
  unsigned stalls_ = 0;
  TimePoint differs_since_ = TimePoint::max();
  TimePoint no_audit_restart_before_ = TimePoint::min();
  Counters counters_;
};

}  // namespace icr::replication
