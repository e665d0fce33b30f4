#include "tests/sim/key_service.h"

#include <algorithm>
#include <utility>

namespace icr::sim {
namespace {

constexpr Duration kKeyRetry = 100ms;

}  // namespace

bool KeyService::take(TimePoint now, std::uint64_t lease) {
  if (std::find(ended_.begin(), ended_.end(), lease) != ended_.end()) return false;
  if (holder_ != 0 && now >= until_) {
    ended_.push_back(holder_);
    holder_ = 0;
    if (ended_.back() == lease) return false;
  }
  if (holder_ != 0 && holder_ != lease) return false;
  if (holder_ == 0) ++given_;
  holder_ = lease;
  until_ = now + kLease;
  return true;
}

void KeyService::end(std::uint64_t lease) {
  ended_.push_back(lease);
  if (holder_ == lease) holder_ = 0;
}

void KeyService::set_up(TimePoint now, bool up) {
  up_ = up;
  if (up && holder_ != 0) until_ = now + kLease;
}

void KeyClient::give_back_silently() {
  wanted_ = false;
  lease_ = 0;
  until_ = TimePoint::min();
  next_request_ = TimePoint::min();
}

void KeyClient::give_back() {
  if (lease_ != 0) to_end_ = lease_;
  give_back_silently();
}

TimePoint KeyClient::later(TimePoint now) {
  return now + Duration(std::uniform_int_distribution<Duration::rep>(100'000, slowest.count())(random_));
}

void KeyClient::run(TimePoint now) {
  const auto lost = [this] { return cut || !service_.up(); };
  if (const auto lease = std::exchange(to_end_, std::nullopt); lease && !lost()) {
    messages_.push_back({later(now), now, *lease, true, false});
  }
  if (wanted_ && now >= next_request_) {
    while (lease_ == 0) lease_ = random_();
    next_request_ = now + kKeyRetry;
    if (!lost()) messages_.push_back({later(now), now, lease_, false, false});
  }
  std::vector<Message> due;
  std::erase_if(messages_, [&](const Message& each) {
    if (each.at > now) return false;
    due.push_back(each);
    return true;
  });
  for (const Message& each : due) {
    if (lost()) continue;
    if (each.answer) {
      if (each.lease == lease_ && wanted_) until_ = std::max(until_, each.sent_at + KeyService::kLease * 3 / 4);
    } else if (each.ends) {
      service_.end(each.lease);
    } else if (service_.take(now, each.lease)) {
      messages_.push_back({later(now), each.sent_at, each.lease, false, true});
    } else if (each.lease == lease_) {
      lease_ = 0;  // the lease has ended, or another one has the key
    }
  }
}

}  // namespace icr::sim
