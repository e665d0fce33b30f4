#include "transport/allow_list.h"

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::transport {
namespace {

constexpr Duration kLogPause = 1s;

}  // namespace

void AllowList::set(const std::vector<std::string>& keys) {
  std::set<std::string, std::less<>> fresh(keys.begin(), keys.end());
  const MutexLock lock(mutex_);
  keys_.swap(fresh);
}

bool AllowList::has(std::string_view key) const {
  const MutexLock lock(mutex_);
  return keys_.find(key) != keys_.end();
}

void AllowList::note_refusal(std::string_view key, std::string_view address) {
  std::uint64_t others = 0;
  {
    const MutexLock lock(mutex_);
    ++refusals_;
    const TimePoint now = monotonic_now();
    if (now < log_again_) return;
    log_again_ = now + kLogPause;
    others = refusals_ - logged_ - 1;
    logged_ = refusals_;
  }
  if (address.empty()) address = "an unknown address";
  if (key.empty()) {
    log::warn("security", "{} refused a connection from {} without a key, or made for another key (and {} others)",
              socket_, address, others);
  } else {
    log::warn("security", "{} refused the key {} from {} (and {} others)", socket_, key, address, others);
  }
}

std::uint64_t AllowList::refusals() const {
  const MutexLock lock(mutex_);
  return refusals_;
}

}  // namespace icr::transport
