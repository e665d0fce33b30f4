// Remembers why a member is in its role: the last changes of role, with their reasons.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "model/base/time.h"
#include "node/redundancy/role.h"

namespace icr::node {

/// One change of role. A member that goes on in its role in a new term has equal roles in it.
struct RoleTransition {
  TimePoint at;
  Role from = Role::initializing;
  Role to = Role::initializing;
  std::uint64_t term = 0;
  std::string reason;
};

/// Keeps the newest transitions. Thread: one.
class RoleHistory {
 public:
  static constexpr std::size_t kEntries = 32;

  void add(RoleTransition transition) {
    if (entries_.size() == kEntries) entries_.pop_back();
    entries_.push_front(std::move(transition));
  }
  /// Returns at most kEntries transitions, newest first.
  [[nodiscard]] const std::deque<RoleTransition>& entries() const { return entries_; }

 private:
  std::deque<RoleTransition> entries_;
};

}  // namespace icr::node
