#include "node/card/self_test_verdict.h"

namespace icr::node {

std::optional<std::uint32_t> SelfTestVerdict::send_due(TimePoint now) {
  if (waiting_ || now < next_) return std::nullopt;
  waiting_ = true;
  sent_ = now;
  return ++number_;
}

bool SelfTestVerdict::came_out(std::uint32_t number, TimePoint now) {
  if (!waiting_ || number != number_) return false;
  waiting_ = false;
  lost_ = 0;
  next_ = now + kInterval;
  return true;
}

void SelfTestVerdict::lost(TimePoint now) {
  waiting_ = false;
  if (lost_ < kLost) ++lost_;
  next_ = now;
}

bool SelfTestVerdict::excuse(TimePoint now) {
  if (!waiting_) return false;
  waiting_ = false;
  next_ = now + kWait;
  return true;
}

}  // namespace icr::node
