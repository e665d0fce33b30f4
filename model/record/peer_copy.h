// How far the peer's copy of a table has come: what a packet has to wait for that may leave only when the peer knows
// what it changed.
#pragma once

#include <cstdint>

namespace icr {

/// Changes of state (Change::state) are numbered from 1 in the order in which the table makes them. Thread: the one
/// that owns the table. All functions take constant time.
class PeerCopy {
 public:
  virtual ~PeerCopy() = default;

  /// Returns true if the peer is there, and has all of the table but for changes that wait or are on their way. If it
  /// is false, nothing that the other functions return means that the peer that will take over knows anything.
  [[nodiscard]] virtual bool complete() const = 0;
  /// Returns the number of the last change.
  [[nodiscard]] virtual std::uint64_t last_change() const = 0;
  /// Returns a number up to which the peer has acknowledged all changes. It never becomes lower.
  [[nodiscard]] virtual std::uint64_t acknowledged_changes() const = 0;
  /// Returns true if the peer has acknowledged the newest state of `slot`. May return false though it has, never the
  /// other way round. REQUIRES: some service set of the table has a guarantee.
  [[nodiscard]] virtual bool has_newest(std::uint32_t slot) const = 0;
  /// Tells that somebody waits for this change, so that it is sent at once.
  virtual void await(std::uint64_t change) = 0;
};

}  // namespace icr
