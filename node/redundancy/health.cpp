#include "node/redundancy/health.h"

#include <fmt/format.h>

#include <algorithm>

namespace icr::node {
namespace {

/// A member that was well for this many times its last wait starts again with the shortest wait.
constexpr int kTrustedAfter = 10;

}  // namespace

Duration SteadyHealth::wait() const { return std::min(holds_ * hold_, std::max(hold_, kMostWait)); }

void SteadyHealth::measured(TimePoint now, const Health& health) {
  if (health == measured_ && (was_well_ || health.ill())) return;
  if (health.ill()) {
    if (!steady_.ill()) {
      ++illnesses_;
      const bool relapse = recovered_at_ != TimePoint() && now - recovered_at_ < kTrustedAfter * wait();
      holds_ = relapse ? std::min(2 * holds_, kMostHolds) : 1;
    }
    recovering_ = false;
    steady_ = health;
  } else if (!steady_.ill() || !was_well_) {
    was_well_ = true;
    steady_ = health;
  } else if (!recovering_) {
    recovering_ = true;
    well_at_ = now + wait();
    steady_ = {kIllWeight, fmt::format("well again, but not for {:.0f} s yet, after: {}",
                                       std::chrono::duration<double>(wait()).count(), measured_.reasons)};
  }
  measured_ = health;
}

void SteadyHealth::tick(TimePoint now) {
  if (!recovering_ || now < well_at_) return;
  recovering_ = false;
  recovered_at_ = now;
  steady_ = measured_;
}

}  // namespace icr::node
