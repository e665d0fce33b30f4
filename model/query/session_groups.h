// Sessions by group, for `group-by`: which group a session belongs to, and the sums of many.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/base/enum_end.h"
#include "model/record/address.h"
#include "model/record/session.h"

namespace icr {

/// What the sessions of a group have in common.
enum class SessionGrouping : std::uint8_t {
  source = 0,  ///< the chassis and redundancy set that tells of them: all sessions of an answer are one group
  service_set,
  source_prefix,
  application_protocol,
  nat_pool,
};
inline constexpr std::uint8_t kSessionGroupingCount = enum_end<SessionGrouping>();

/// Names a group. Only the field of its grouping is set.
struct SessionGroupKey {
  IpAddress prefix;      ///< source_prefix: the first address
  std::uint32_t id = 0;  ///< service_set, nat_pool: the identity; application_protocol: the number
  friend auto operator<=>(const SessionGroupKey&, const SessionGroupKey&) = default;
};

/// Sums over sessions; packets and bytes are those of both directions. What does not fit is the largest number.
struct SessionSums {
  std::uint64_t sessions = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  void add(const SessionSums& other);
  friend bool operator==(const SessionSums&, const SessionSums&) = default;
};
/// Returns what one session counts for.
[[nodiscard]] SessionSums sums_of(const SessionRecord& record);

struct SessionGroup {
  SessionGroupKey key;
  SessionSums sums;
};

/// How sessions are put into groups.
struct GroupingRule {
  SessionGrouping grouping = SessionGrouping::source;
  std::uint8_t length = 0;  ///< source_prefix: of the prefix, 0..128; an IPv4 prefix has at most 32
  [[nodiscard]] SessionGroupKey key_of(const SessionRecord& record) const;
};

/// Sums up sessions by group, for a bounded number of groups.
///
/// The groups are found by bisection of a sorted list, not by a hash, so that nobody who chooses source addresses can
/// make it slow.
class SessionGroups {
 public:
  /// REQUIRES: `room` is at most 65,535.
  SessionGroups(GroupingRule rule, std::size_t room);

  /// Adds a session to its group. Returns false, and adds nothing, if the group is new and there is no room for it.
  /// Allocates nothing.
  [[nodiscard]] bool add(const SessionRecord& record);
  [[nodiscard]] std::size_t count() const { return groups_.size(); }
  /// Returns the groups in no particular order, and forgets them.
  [[nodiscard]] std::vector<SessionGroup> take();

 private:
  GroupingRule rule_;
  std::size_t room_;
  std::vector<SessionGroup> groups_;
  std::vector<std::uint16_t> sorted_;  ///< indices into groups_, by key
  std::size_t last_ = 0;               ///< the group of the last session; neighbours often have the same one
};

}  // namespace icr
