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
  // While some of the old packets are left, all that came since the last return became old behind them.
  surplus_ = surplus_ != 0 ? surplus_ + in_time(per_second_, now - returned_) : in_time(per_second_, absence - kLimit);
  stale_ = absence > kStale ? in_time(per_second_, absence - kStale) : 0;
  returned_ = now;
  marked_ = {};
  // A worker that is away again before it caught up gets no further grace, or the queue would never become short.
  grace_ends_ = may_catch_up_ ? now + kGrace : now;
  waited_ = may_catch_up_ ? Duration{} : kLimit;
  may_catch_up_ = false;
  unknown_ = true;
}

bool QueueWatch::is_surplus(TimePoint now) {
  --surplus_;
  if (stale_ != 0) {
    --stale_;
    return true;
  }
  return now >= grace_ends_;
}

void QueueWatch::assume_late(TimePoint now) {
  if (unknown_ && now >= grace_ends_) waited_ = kLimit;
}

void QueueWatch::empty(TimePoint now) {
  empty_ = now;
  waited_ = {};
  dropping_ = false;
  surplus_ = stale_ = 0;
  may_catch_up_ = true;
  unknown_ = false;
  const Duration passed = now - window_;
  if (passed < kWindow) return;
  per_second_ = arrived_ * 1'000'000 / static_cast<std::uint64_t>(std::max<Duration::rep>(passed / 1us, 1));
  arrived_ = 0;
  window_ = now;
}

void QueueWatch::head(TimePoint since, TimePoint now) {
  if (since < returned_) return assume_late(now);
  unknown_ = false;
  waited_ = now - since;
  dropping_ = waited_ > (dropping_ ? kRelief : kLimit);
  may_catch_up_ &= !dropping_;
}

bool QueueWatch::mark_due(TimePoint now) {
  assume_late(now);
  if (empty_ == TimePoint{}) empty_ = now;
  if (now - empty_ < kMarkAfter && returned_ != now) return false;
  if (now - marked_ < kMarkEvery) return false;
  marked_ = now;
  return true;
}

}  // namespace icr::node
