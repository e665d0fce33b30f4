// The order of `top` and `sort-by`: how large a session is, and the largest sessions of many.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/base/enum_end.h"
#include "model/record/session.h"

namespace icr {

/// What makes a session large. Packets and bytes are those of both directions.
enum class SessionOrder : std::uint8_t { packets = 0, bytes = 1, age = 2 };
inline constexpr std::uint8_t kSessionOrderCount = enum_end<SessionOrder>();

/// Returns packets, bytes, or the age in ticks. A sum that does not fit is the largest number.
[[nodiscard]] std::uint64_t size_of(const std::array<FlowCounters, 2>& counters, Ticks age, SessionOrder order);
[[nodiscard]] std::uint64_t size_of(const SessionRecord& record, SessionOrder order);

/// Keeps the largest of the sessions that are added, at most `room` of them. Of equal sessions, it prefers those of the
/// lower source, and then those of the lower slot, so the result does not depend on the order in which they come.
class LargestSessions {
 public:
  struct Entry {
    std::uint64_t size = 0;
    std::uint32_t source = 0;  ///< whose session it is; the caller decides what the number means
    SessionRecord record;
  };

  /// Sessions that are smaller than `floor` are not kept. REQUIRES: `room` is not 0.
  LargestSessions(SessionOrder order, std::uint32_t room, std::uint64_t floor = 0);

  [[nodiscard]] SessionOrder order() const { return order_; }
  /// Returns false if a session of this size would not be kept.
  [[nodiscard]] bool admits(std::uint64_t size, std::uint32_t source, std::uint32_t slot) const;
  /// Adds a session. Takes time logarithmic in `room`, and allocates nothing.
  void add(std::uint32_t source, const SessionRecord& record);

  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  /// Returns the size below which no session is kept any more.
  [[nodiscard]] std::uint64_t floor() const;
  /// Returns the sessions that are kept, in no particular order.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// Returns the sessions that are kept, largest first, and forgets them.
  [[nodiscard]] std::vector<Entry> take_sorted();

 private:
  /// Names an entry. The place of the smallest one is at the front of the heap.
  struct Place {
    std::uint64_t size;
    std::uint32_t source;
    std::uint32_t slot;
    std::uint32_t index;
  };
  [[nodiscard]] static bool larger(const Place& a, const Place& b);

  SessionOrder order_;
  std::uint32_t room_;
  std::uint64_t floor_;
  std::vector<Entry> entries_;
  std::vector<Place> heap_;
};

}  // namespace icr
