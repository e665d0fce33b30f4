// A packet port: where the packets of one unit of a services card come from and go to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "node/packet/packet.h"

namespace icr::node {

/// Thread: one, the worker of the card. No function blocks.
class Port {
 public:
  virtual ~Port() = default;

  /// Receives up to `packets.size()` packets into the given buffers: sets `length` and `unit`. Returns how many; 0 when
  /// none waits.
  [[nodiscard]] virtual std::size_t rx_burst(std::span<Packet> packets) = 0;

  /// Tells that the worker had no processor during the last `absence`.
  virtual void was_away(Duration /*absence*/, TimePoint /*now*/) {}

  /// Returns how long the packets of the last rx_burst() had waited, as far as it is known. Those that waited too long
  /// were dropped (node/ports/queue_watch.h).
  [[nodiscard]] virtual Duration waited() const { return {}; }

  /// Sends one packet. A packet that cannot be sent now (queue full, device down) is dropped and counted, as an IP
  /// network may do.
  virtual void tx(const Packet& packet) = 0;

  /// Sends the packets that tx() has collected. Call it after each burst.
  virtual void flush() {}

  /// What arrived at a port so far.
  struct Load {
    std::uint64_t received = 0;
    std::uint64_t lost = 0;  ///< more than the worker could take
  };
  /// Returns how many packets have arrived. The call takes some tens of microseconds.
  [[nodiscard]] virtual Load load() const { return {}; }

  /// What has gone through the port. Octets are those of IP packets.
  struct Totals {
    std::uint64_t rx_packets = 0, rx_bytes = 0;
    std::uint64_t tx_packets = 0, tx_bytes = 0;
  };
  /// Returns what was received and sent so far. The call is cheap.
  [[nodiscard]] virtual Totals totals() const { return {}; }

  /// Returns a descriptor that polls readable when packets wait, or -1 for a capture and while there is no device.
  [[nodiscard]] virtual int descriptor() const = 0;

  /// Returns when the next packet of a capture arrives, by the clock of the capture; nullopt at its end, and for real
  /// ports.
  [[nodiscard]] virtual std::optional<TimePoint> next_arrival() { return std::nullopt; }

  /// Returns true for captures: their time comes from next_arrival(), and rx_burst() delivers one packet at a time.
  [[nodiscard]] virtual bool is_capture() const { return false; }

  /// Sets the time with which a capture stamps the packets that it writes. Real ports ignore it.
  virtual void set_time(TimePoint /*now*/) {}

  /// Appends counters, whose names are without the unit ("rx-packets"); the card puts the unit in front.
  virtual void append_to(CounterList& out) const = 0;
};

}  // namespace icr::node
