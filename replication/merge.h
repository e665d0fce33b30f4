// When two masters met: what the one that yielded has, and the other cannot know, goes there first.
//
// The yielding member follows the other's term already, as a standby without a copy; its table stands still. It walks
// the slots that its Sender knows to be unshared (all of them, if nothing is known), and sends their records in
// numbered messages (Adopt), a window of them at a time, again until they are acknowledged. The master adopts each
// record or refuses it with a reason (SessionSink::adopt), and says so in numbers. After that, or when it takes too
// long, the standby asks for its copy. Nothing breaks if either dies in between: what was adopted lives, the rest is
// not sent. Sans-I/O; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/counters.h"
#include "model/session.h"
#include "replication/protocol.h"
#include "replication/sender.h"

namespace icr::replication {

struct MergeLimits {
  std::size_t batch_rows = 64;      ///< what a message brings is adopted in one piece, between bursts of packets
  std::size_t window = 16;          ///< messages that are not acknowledged
  std::uint32_t scan_slots = 4096;  ///< slots that one message walks at most
  Duration repeat_after = 100ms;    ///< without an acknowledgement
  Duration retry_after = 5ms;       ///< what the link did not take is offered again
  Duration stall = 2s;              ///< without progress for so long, while the link takes messages: it is given up
  Duration longest = 10s;           ///< in all
};

/// The half of the member that yielded.
class MergeSender {
 public:
  /// `unshared` knows which slots of `table` to send. Both must outlive it.
  MergeSender(const SessionSource& table, Sender& unshared, const MergeLimits& limits = {});

  /// Begins, unless there is nothing to send. `former_term`: in which this member was master until now.
  void start(std::uint64_t former_term);
  /// The member is master again, or its master is another process: it is over without an outcome.
  void stop();
  [[nodiscard]] bool active() const { return active_; }

  void on_ack(TimePoint now, const AdoptAck& ack);
  /// Sends what is due, and ends the merge when its time is over.
  void pump(TimePoint now, const Header& header, MessageWriter& writer, Outlet& outlet, std::size_t budget_bytes);
  /// When pump() has something to do if nothing else happens.
  [[nodiscard]] TimePoint next_deadline() const;

  /// Once for each merge that has come to its end.
  struct Outcome {
    AdoptedCounts counts{};    ///< how its records ended
    std::uint64_t unsent = 0;  ///< slots that were not acknowledged when it was given up; some may be empty
  };
  [[nodiscard]] std::optional<Outcome> take_outcome() { return std::exchange(ended_, std::nullopt); }
  void append_to(CounterList& out) const;

 private:
  struct Sent {
    std::uint64_t number = 0;
    std::vector<std::uint32_t> slots;
    bool last = false;
  };
  /// Takes slots for the next message. False: there is no other.
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
  std::size_t sent_ = 0;  ///< of outstanding_, since the last repetition
  bool begun_ = false;    ///< the time of its beginning is known
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
  std::uint64_t given_up_ = 0;  ///< of them
  std::uint64_t unsent_total_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t repeated_ = 0;
};

/// The half of the master.
class MergeReceiver {
 public:
  /// `capacity`: slots of the table behind `sink`, which bounds what a merge may bring.
  MergeReceiver(SessionSink& sink, std::uint32_t capacity) : sink_(sink), capacity_(capacity) {}

  /// From the peer that runs under `boot` and is standby in the term in force.
  void on_adopt(TimePoint now, std::uint64_t boot, const Adopt& message);
  /// Sends the acknowledgement that is due.
  void pump(const Header& header, MessageWriter& writer, Outlet& outlet);
  /// True when an acknowledgement waits to be sent.
  [[nodiscard]] bool ack_due() const { return ack_due_; }

  /// Once for each merge that has come to its end: how it ended.
  struct Outcome {
    AdoptedCounts counts{};
    std::vector<std::string> conflicts;  ///< the first that were refused, in words
  };
  [[nodiscard]] std::optional<Outcome> take_outcome();
  void append_to(CounterList& out) const;

 private:
  static constexpr std::size_t kConflictsTold = 3;
  void adopt(TimePoint now, const SessionRecord& record);

  SessionSink& sink_;
  std::uint32_t capacity_;
  std::uint64_t boot_ = 0;  ///< of the merge that is looked at
  std::uint64_t former_term_ = 0;
  std::uint64_t expected_ = 1;
  std::uint64_t rows_ = 0;
  bool ended_ = false;  ///< its last message has come
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
