// The health of a member as one number: each thing that is wrong has a weight, and the weights are added.
//
// The convention is that of Junos interface monitoring (SRX chassis cluster, `interface-monitor NAME weight N`): a
// weight is 0 to 255, and a redundancy group whose sum reaches 255 fails over.
#pragma once

#include <cstdint>
#include <string>

#include "model/base/time.h"

namespace icr::node {

/// A member whose sum reaches this is ill: it cannot do the work of a master.
inline constexpr std::uint32_t kIllWeight = 255;

struct Health {
  std::uint32_t weight = 0;  ///< sum of the weights of everything that is wrong; 0 if nothing is
  std::string reasons;       ///< what is wrong, for display: "interface inside0 has no carrier; disk is full"

  [[nodiscard]] bool ill() const { return weight >= kIllWeight; }
  friend bool operator==(const Health&, const Health&) = default;
};

/// Damps the measured health: a member becomes ill at once, but well only after it has been well for a hold time, so
/// that a link that flaps does not move mastership with every flap. The wait doubles with each relapse, up to
/// kMostHolds times the hold time and up to kMostWait (or the hold time, if that is longer). A member that has never
/// been well becomes well at once.
class SteadyHealth {
 public:
  static constexpr int kMostHolds = 32;
  static constexpr Duration kMostWait = 300s;

  /// `hold` is the time for which a member must have been well.
  explicit SteadyHealth(Duration hold) : hold_(hold) {}

  /// Sets another `hold`, for the next time that the member becomes well.
  void set_hold(Duration hold) { hold_ = hold; }
  /// Takes a new measurement.
  void measured(TimePoint now, const Health& health);
  void tick(TimePoint now);

  /// Returns the damped health; while the member recovers, it has weight 255 and the reason.
  [[nodiscard]] const Health& health() const { return steady_; }
  [[nodiscard]] TimePoint next_deadline() const { return recovering_ ? well_at_ : TimePoint::max(); }
  /// Returns how often the member became ill.
  [[nodiscard]] std::uint64_t illnesses() const { return illnesses_; }

 private:
  Duration hold_;
  Health measured_;
  Health steady_;
  bool was_well_ = false;
  bool recovering_ = false;
  [[nodiscard]] Duration wait() const;

  int holds_ = 1;           ///< how many times hold_ the member must have been well
  TimePoint well_at_;       ///< when the member counts as well again; while recovering_
  TimePoint recovered_at_;  ///< when the member last became well
  std::uint64_t illnesses_ = 0;
};

}  // namespace icr::node
