// How well a member can do its work, as one sum: what is wrong has a weight each, and weights are added.
//
// The convention is that of Junos interface monitoring (SRX chassis cluster, `interface-monitor NAME weight N`): a
// weight is 0 to 255, and a redundancy group whose sum reaches 255 fails over.
#pragma once

#include <cstdint>
#include <string>

#include "model/time.h"

namespace icr::node {

/// A sum of this much means that the member is ill: it cannot do what a master has to do.
inline constexpr std::uint32_t kIllWeight = 255;

struct Health {
  std::uint32_t weight = 0;  ///< sum of the weights of everything that is wrong; 0: nothing is
  std::string reasons;       ///< what is wrong, for people: "interface inside0 has no carrier; disk is full"

  [[nodiscard]] bool ill() const { return weight >= kIllWeight; }
  friend bool operator==(const Health&, const Health&) = default;
};

/// Health as decisions may be based on it: ill at once, and well again only when it has been well for a while, so that
/// a link that flaps does not move mastership with every flap. One that falls ill again soon after it was well has to
/// wait twice as long the next time, up to kMostHolds times and kMostWait (or the configured time, if that is longer).
/// A member that was never well is well at once.
class SteadyHealth {
 public:
  static constexpr int kMostHolds = 32;
  static constexpr Duration kMostWait = 300s;

  /// `hold`: how long it must have been well.
  explicit SteadyHealth(Duration hold) : hold_(hold) {}

  /// What was measured.
  void measured(TimePoint now, const Health& health);
  void tick(TimePoint now);

  /// While it recovers: of weight 255, with the reason.
  [[nodiscard]] const Health& health() const { return steady_; }
  [[nodiscard]] TimePoint next_deadline() const { return recovering_ ? well_at_ : TimePoint::max(); }
  /// How often it fell ill.
  [[nodiscard]] std::uint64_t illnesses() const { return illnesses_; }

 private:
  Duration hold_;
  Health measured_;
  Health steady_;
  bool was_well_ = false;
  bool recovering_ = false;
  [[nodiscard]] Duration wait() const;

  int holds_ = 1;           ///< how many times hold_ it must have been well
  TimePoint well_at_;       ///< while it recovers: when it is well
  TimePoint recovered_at_;  ///< the last time
  std::uint64_t illnesses_ = 0;
};

}  // namespace icr::node
