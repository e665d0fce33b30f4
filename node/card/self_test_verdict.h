// Judges one direction through a card by the test packets that are sent into it: when to send the next one, and whether
// those that do not come out prove that the direction is broken. Sans-I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/time.h"

namespace icr::node {

class SelfTestVerdict {
 public:
  /// Time from a packet that came out to the next one.
  static constexpr Duration kInterval = 1s;
  /// A packet that has not come out after this time is lost; the next one is sent at once.
  static constexpr Duration kWait = 500ms;
  /// So many lost packets in a row prove that the direction is broken.
  static constexpr std::uint32_t kLost = 3;

  explicit SelfTestVerdict(TimePoint now) : next_(now + kInterval) {}

  /// Returns the number of the packet that must be sent now; nullopt if none is due.
  [[nodiscard]] std::optional<std::uint32_t> send_due(TimePoint now);
  /// Tells that the packet with this number came out. Returns false if no verdict depended on it any more.
  bool came_out(std::uint32_t number, TimePoint now);
  /// Returns true if a packet should have come out by now. The caller then calls lost() or excuse().
  [[nodiscard]] bool overdue(TimePoint now) const { return waiting_ && now - sent_ >= kWait; }
  void lost(TimePoint now);
  /// Tells that the loss of the packet that is on its way, if there is one, would prove nothing: the worker was
  /// overloaded or had no processor. Packets that were lost before still count. Returns true if there was one.
  bool excuse(TimePoint now);

  [[nodiscard]] bool broken() const { return lost_ >= kLost; }
  /// Returns true if a packet is on its way.
  [[nodiscard]] bool waiting() const { return waiting_; }
  /// Returns when a packet is due or overdue.
  [[nodiscard]] TimePoint next_deadline() const { return waiting_ ? sent_ + kWait : next_; }

 private:
  TimePoint next_;  ///< when the next packet is sent
  TimePoint sent_;
  std::uint32_t number_ = 0;  ///< of the last packet
  bool waiting_ = false;
  std::uint32_t lost_ = 0;  ///< in a row
};

}  // namespace icr::node
