// After two masters have met, the member that yields first sends what it has and the other one cannot know.
//
// The yielding member already follows the other's term, as a standby without a copy, and does not change its table. It
// walks the slots that its Sender knows to be unshared (all slots, if nothing is known), and sends their records in
// numbered messages (Adopt). A window of messages may be unacknowledged; they are repeated until they are acknowledged.
// The master adopts each record or refuses it with a reason (SessionSink::adopt), and acknowledges with counts. After
// that, or when the merge takes too long, the standby asks for its copy. If either member dies in between, the adopted
// sessions live on and the others are not sent. Sans-I/O.
// Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/base/counters.h"
#include "model/record/session.h"
#include "replication/protocol.h"
#include "replication/sender.h"

namespace icr::replication {

struct MergeLimits {
  std::size_t batch_rows = 64;      ///< of a message; they are adopted in one go, between bursts of packets
  std::size_t window = 16;          ///< most messages that are sent and not acknowledged
  std::uint32_t scan_slots = 4096;  ///< most slots that are examined for one message
  Duration repeat_after = 100ms;    ///< time without an acknowledgement until messages are repeated
  Duration retry_after = 5ms;       ///< time until a message that the link did not take is offered again
  Duration stall = 2s;     ///< time without progress, while the link takes messages, after which the merge ends
  Duration longest = 10s;  ///< time after which the merge ends in any case
};

/// Runs on the member that yielded.
class MergeSender {
 public:
  /// `unshared` knows which slots of `table` to send. REQUIRES: both outlive this object.
  MergeSender(const SessionSource& table, Sender& unshared, const MergeLimits& limits = {});

  /// Begins a merge, unless there is nothing to send. `former_term` is the term in which this member was master until
  /// now.
  void start(std::uint64_t former_term);
  /// Ends the merge without an outcome: the member is master again, or its master is another process.
  void stop();
  [[nodiscard]] bool active() const { return active_; }

  void on_ack(TimePoint now, const AdoptAck& ack);
  /// Sends the messages that are due, and ends the merge when its time is over.
  void pump(TimePoint now, const Header& header, MessageWriter& writer, Outlet& outlet, std::size_t budget_bytes);
  /// Returns when pump() has something to do if nothing else happens.
  [[nodiscard]] TimePoint next_deadline() const;

  /// The result of one merge; take_outcome() returns it once.
  struct Outcome {
    AdoptedCounts counts{};    ///< how many records were adopted, or refused for which reason
    std::uint64_t unsent = 0;  ///< slots that were not acknowledged when the merge was given up; some may be empty
  };
  [[nodiscard]] std::optional<Outcome> take_outcome() { return std::exchange(ended_, std::nullopt); }
  void append_to(CounterList& out) const;

 private:
  struct Sent {
    std::uint64_t number = 0;
    std::vector<std::uint32_t> slots;
    bool last = false;
  };
  /// Collects slots for the next message. Returns false if none is left.
  bool gather(TimePoint now);
  [[nodiscard]] bool transmit(TimePoint now, const Sent& sent, const Header& header, MessageWriter& writer,
                              Outlet& outlet, std::size_t& spent);
  void finish();
  void begin(TimePoint now);

  const SessionSource& table_;
  Sender& unshared_;
  MergeLimits limits_;
  bool active_ = false;
  bool whole_ = false;
  bool gathered_ = false;  ///< the last message has been made
  std::uint64_t former_term_ = 0;
  std::uint64_t next_ = 1;
  std::uint32_t cursor_ = 0;
  std::deque<Sent> outstanding_;
  std::size_t sent_ = 0;  ///< how many of outstanding_ were sent since the last repetition
  bool begun_ = false;    ///< started_ is set
  TimePoint started_;
  TimePoint progress_;
  TimePoint repeat_at_;
  TimePoint blocked_until_;
  BatchEncoder rows_;
  SessionRecord record_;
  Outcome outcome_;
  std::optional<Outcome> ended_;

  AdoptedCounts totals_{};
  std::uint64_t merges_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t given_up_ = 0;  ///< how many of merges_ were given up
  std::uint64_t unsent_total_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t repeated_ = 0;
};

/// Runs on the master.
class MergeReceiver {
 public:
  /// `capacity` is the number of slots behind `sink`; it bounds how many records a merge may bring.
  MergeReceiver(SessionSink& sink, std::uint32_t capacity) : sink_(sink), capacity_(capacity) {}

  /// Takes a message. REQUIRES: it comes from the peer process `boot`, which is standby in the current term.
  void on_adopt(TimePoint now, std::uint64_t boot, const Adopt& message);
  /// Sends the acknowledgement that is due.
  void pump(const Header& header, MessageWriter& writer, Outlet& outlet);
  /// Returns true if an acknowledgement waits to be sent.
  [[nodiscard]] bool ack_due() const { return ack_due_; }

  /// The result of one merge; take_outcome() returns it once.
  struct Outcome {
    AdoptedCounts counts{};
    std::vector<std::string> conflicts;  ///< descriptions of the first records that were refused
  };
  [[nodiscard]] std::optional<Outcome> take_outcome();
  void append_to(CounterList& out) const;

 private:
  static constexpr std::size_t kConflictsTold = 3;
  void adopt(TimePoint now, const SessionRecord& record);

  SessionSink& sink_;
  std::uint32_t capacity_;
  std::uint64_t boot_ = 0;  ///< peer process of the present merge
  std::uint64_t former_term_ = 0;
  std::uint64_t expected_ = 1;
  std::uint64_t rows_ = 0;
  bool ended_ = false;  ///< the last message of the present merge has come
  bool outcome_due_ = false;
  bool ack_due_ = false;
  AdoptedCounts counts_{};
  std::vector<std::string> conflicts_;

  AdoptedCounts totals_{};
  std::uint64_t merges_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t gaps_ = 0;
  std::uint64_t invalid_ = 0;
};

}  // namespace icr::replication
