#include "node/ports/queue_watch.h"

#include <algorithm>

namespace icr::node {
namespace {

/// The shortest time over which a rate is measured.
constexpr Duration kWindow = 50ms;

std::uint64_t in_time(std::uint64_t per_second, Duration time) {
  return per_second * static_cast<std::uint64_t>(time / 1us) / 1'000'000;
}

}  // namespace

void QueueWatch::away(Duration absence, TimePoint now) {
  if (absence <= kLimit) return;
  surplus_ = in_time(per_second_, absence - kLimit);
  returned_ = now;
  waited_ = kLimit;
  marked_ = {};
}

void QueueWatch::empty(TimePoint now) {
  empty_ = now;
  waited_ = {};
  dropping_ = false;
  surplus_ = 0;
  const Duration passed = now - window_;
  if (passed < kWindow) return;
  per_second_ = arrived_ * 1'000'000 / static_cast<std::uint64_t>(std::max<Duration::rep>(passed / 1us, 1));
  arrived_ = 0;
  window_ = now;
}

void QueueWatch::head(TimePoint since, TimePoint now) {
  if (since < returned_) return;
  waited_ = now - since;
  dropping_ = waited_ > (dropping_ ? kRelief : kLimit);
}

bool QueueWatch::mark_due(TimePoint now) {
  if (empty_ == TimePoint{}) empty_ = now;
  if (now - empty_ < kMarkAfter && returned_ != now) return false;
  if (now - marked_ < kMarkEvery) return false;
  marked_ = now;
  return true;
}

}  // namespace icr::node
