// The key of a redundancy set at the witness, as a member sees it (docs/witness.md).
#pragma once

#include <cstdint>
#include <string>

#include "model/base/counters.h"
#include "model/base/time.h"

namespace icr::node {

/// The witness gives the key to one member at a time, for the time of a lease. Thread: the one that owns the member. No
/// function blocks.
class WitnessKey {
 public:
  virtual ~WitnessKey() = default;
  /// Asks for the key, and goes on to renew the lease, until give_back(). `term` is what the witness shows to people.
  /// May be called at any time, and costs nothing while the key is wanted already.
  virtual void want(std::uint64_t term) = 0;
  /// Gives the key back. From now on until() is in the past, until the key was wanted and granted anew; an answer to an
  /// earlier request does not change that.
  virtual void give_back() = 0;
  /// Returns until when the member has the key, by its own clock: a safe part of the lease, counted from before the
  /// request was sent. TimePoint::min() if it does not have it.
  [[nodiscard]] virtual TimePoint until() const = 0;
  /// Returns in words how it stands with the witness: "not asked", or "http://192.0.2.1:2379: connection refused".
  [[nodiscard]] virtual std::string state() const = 0;
  /// Returns true if the last request had no answer that makes sense.
  [[nodiscard]] virtual bool fails() const = 0;
  virtual void append_to(CounterList& out) const = 0;
};

}  // namespace icr::node
