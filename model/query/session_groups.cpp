#include "model/query/session_groups.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "model/query/session_order.h"
#include "model/record/source_pool.h"

namespace icr {
namespace {

void add_to(std::uint64_t& sum, std::uint64_t value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  sum = value > kMost - sum ? kMost : sum + value;
}

}  // namespace

void SessionSums::add(const SessionSums& other) {
  add_to(sessions, other.sessions);
  add_to(packets, other.packets);
  add_to(bytes, other.bytes);
}

SessionSums sums_of(const SessionRecord& record) {
  return {1, size_of(record, SessionOrder::packets), size_of(record, SessionOrder::bytes)};
}

SessionGroupKey GroupingRule::key_of(const SessionRecord& record) const {
  SessionGroupKey key;
  switch (grouping) {
    case SessionGrouping::source:
      break;
    case SessionGrouping::service_set:
      key.id = record.service_set;
      break;
    case SessionGrouping::source_prefix: {
      const IpAddress& source = record.flow[0].source;
      const std::uint8_t longest = source.is_v4() ? 32 : 128;
      key.prefix = Prefix::of(source, std::min(length, longest)).base;
      break;
    }
    case SessionGrouping::application_protocol:
      key.id = record.alg;
      break;
    case SessionGrouping::nat_pool:
      key.id = source_pool_of(record);
      break;
  }
  return key;
}

SessionGroups::SessionGroups(GroupingRule rule, std::size_t room) : rule_(rule), room_(room) {
  groups_.reserve(room);
  sorted_.reserve(room);
}

bool SessionGroups::add(const SessionRecord& record) {
  const SessionGroupKey key = rule_.key_of(record);
  if (last_ >= groups_.size() || groups_[last_].key != key) {
    const auto place = std::lower_bound(sorted_.begin(), sorted_.end(), key,
                                        [&](std::uint16_t i, const auto& wanted) { return groups_[i].key < wanted; });
    if (place == sorted_.end() || groups_[*place].key != key) {
      if (groups_.size() >= room_) return false;
      last_ = groups_.size();
      sorted_.insert(place, static_cast<std::uint16_t>(last_));
      groups_.push_back({key, {}});
    } else {
      last_ = *place;
    }
  }
  groups_[last_].sums.add(sums_of(record));
  return true;
}

std::vector<SessionGroup> SessionGroups::take() {
  sorted_.clear();
  last_ = 0;
  return std::exchange(groups_, {});
}

}  // namespace icr
