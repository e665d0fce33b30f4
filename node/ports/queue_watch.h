// Judges how long packets wait in the kernel in front of a port, and drops what has waited too long.
//
// A worker that does not keep up, or did not get the processor for a while, finds a queue. If it processed that queue
// in order, every packet would be late for as long as the overload lasts, by seconds if the queue is long. So packets
// that have waited longer than a limit are dropped, the oldest first, until the next one is fresh again. The limit is
// on waiting time, not on queue length: a long queue that moves fast is left alone.
//
// A worker that had no processor for a while is not too slow. What came while it was away is late, but a worker that
// can catch up at once gains nothing by dropping it. So it has a moment in which it forwards everything that is not so
// old that its sender has sent it again. It gets no second such moment until the queue has been empty.
//
// The time comes from two sources. An Ethernet socket stamps each packet. A TUN device does not, so its port inserts
// markers into a queue that does not become empty; a marker shows how long it waited. While the worker is away it
// inserts no markers, so the number of old packets is then estimated from the rate at which packets arrived before.
#pragma once

#include <cstdint>

#include "model/base/time.h"

namespace icr::node {

/// Watches one queue of a port. Sans-I/O.
class QueueWatch {
 public:
  /// A packet that waited longer is dropped, and so are all packets after it ...
  static constexpr Duration kLimit = 40ms;
  /// ... until one has waited no longer than this. For packets that waited longer, the engine sets up no sessions.
  static constexpr Duration kRelief = 20ms;
  /// For this long after an absence, packets are forwarded that waited longer than kLimit ...
  static constexpr Duration kGrace = 20ms;
  /// ... but not longer than this, the shortest time after which a TCP sender of Linux sends its packet again.
  static constexpr Duration kStale = 200ms;
  /// Markers are inserted once the queue has not been empty for kMarkAfter, one every kMarkEvery.
  static constexpr Duration kMarkAfter = 5ms;
  static constexpr Duration kMarkEvery = 2ms;

  /// Tells that the worker is back after `absence`, during which it read no packets.
  void away(Duration absence, TimePoint now);
  /// Tells that the queue is empty.
  void empty(TimePoint now);
  /// Tells that the packet or marker at the head of the queue was put there at `since`.
  void head(TimePoint since, TimePoint now);
  /// Counts a packet that was read. Returns true if it must be dropped.
  [[nodiscard]] bool too_old(TimePoint now) {
    ++arrived_;
    if (surplus_ == 0) return dropping_;
    return is_surplus(now);
  }
  /// Returns true if a marker must be inserted now, and assumes that the caller does so.
  [[nodiscard]] bool mark_due(TimePoint now);
  /// Returns how long the next packets have waited, as far as it is known.
  [[nodiscard]] Duration waited() const { return waited_; }

 private:
  /// Counts one of the packets that are older than kLimit. Returns true if it must be dropped.
  bool is_surplus(TimePoint now);
  /// Assumes that the queue is old, if its age is not known when the grace ends.
  void assume_late(TimePoint now);

  TimePoint returned_{};  ///< end of the last absence; older markers tell nothing about packets that came during it
  TimePoint empty_{};     ///< when the queue was last empty
  TimePoint marked_{};
  Duration waited_{};
  bool dropping_ = false;
  std::uint64_t surplus_ = 0;  ///< packets at the head that are estimated to be older than kLimit after an absence
  std::uint64_t stale_ = 0;    ///< how many of them are older than kStale
  TimePoint grace_ends_{};
  bool may_catch_up_ = true;  ///< there was neither grace nor overload since the queue was last empty
  bool unknown_ = false;      ///< since the last absence, nothing has told how long the packets wait
  // The members below measure the rate of arrival between two moments at which the queue was empty.
  TimePoint window_{};
  std::uint64_t arrived_ = 0;
  std::uint64_t per_second_ = 0;
};

}  // namespace icr::node
