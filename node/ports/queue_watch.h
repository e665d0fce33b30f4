// Judges how long packets wait in the kernel in front of a port, and drops what has waited too long.
//
// A worker that does not keep up, or did not get the processor for a while, finds a queue. Worked off in order, it
// makes everything late, for as long as there is more than the worker can do: a standing queue, seconds of it. So what
// waited longer than a bound is dropped, the oldest first, until what comes next is fresh again. A queue that is long
// but moves fast is left alone: it is time that counts, not length.
//
// Two sources tell the time. An Ethernet socket stamps each packet. A TUN device does not, so its port now and then
// puts a marker of its own into the queue while that does not become empty; the marker comes out with the time it
// waited. Of the time in which the worker was away there is no marker: there the number of old packets is estimated
// from the rate at which packets came before.
#pragma once

#include <cstdint>

#include "model/time.h"

namespace icr::node {

/// Sans-I/O. One for each queue of a port.
class QueueWatch {
 public:
  /// A packet that waited longer is dropped, and all after it ...
  static constexpr Duration kLimit = 40ms;
  /// ... until one waited no longer than this. What waited longer than this asks the engine to set up no sessions.
  static constexpr Duration kRelief = 20ms;
  /// Markers are sent while the queue has not been empty for so long, at this distance.
  static constexpr Duration kMarkAfter = 5ms;
  static constexpr Duration kMarkEvery = 2ms;

  /// The worker is back after `absence`, in which it should have looked for packets.
  void away(Duration absence, TimePoint now);
  /// Nothing waits.
  void empty(TimePoint now);
  /// What was put into the queue at `since` is at its head.
  void head(TimePoint since, TimePoint now);
  /// A packet was read. True: it is to be dropped.
  [[nodiscard]] bool too_old() {
    ++arrived_;
    if (surplus_ == 0) return dropping_;
    --surplus_;
    return true;
  }
  /// A marker should be put into the queue now; it is then taken for done.
  [[nodiscard]] bool mark_due(TimePoint now);
  /// How long the packets that come next have waited, as far as it is known.
  [[nodiscard]] Duration waited() const { return waited_; }

 private:
  TimePoint returned_{};  ///< from the last absence: what was marked before says nothing about what came meanwhile
  TimePoint empty_{};     ///< the queue was empty then
  TimePoint marked_{};
  Duration waited_{};
  bool dropping_ = false;
  std::uint64_t surplus_ = 0;  ///< packets at the head that came too early in an absence
  // The rate of arrival, between two moments at which the queue was empty.
  TimePoint window_{};
  std::uint64_t arrived_ = 0;
  std::uint64_t per_second_ = 0;
};

}  // namespace icr::node
