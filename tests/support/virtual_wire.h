// One direction of a connection in virtual time: loses, duplicates, delays, reorders and cuts what is sent, from a
// seeded generator, so that a run can be repeated exactly.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "model/base/time.h"

namespace icr::test {

struct WireFaults {
  double loss = 0;
  double duplicate = 0;
  Duration delay_min = 100us;
  Duration delay_max = 100us;  ///< more than delay_min: messages overtake each other
  bool cut = false;            ///< nothing gets through; what is sent is lost
};

class VirtualWire {
 public:
  using Bytes = std::vector<std::uint8_t>;

  explicit VirtualWire(std::mt19937_64& random) : random_(random) {}

  WireFaults faults;

  void send(TimePoint now, std::span<const std::uint8_t> message) {
    ++sent_;
    bytes_ += message.size();
    if (faults.cut || chance(faults.loss)) {
      ++lost_;
      return;
    }
    const unsigned copies = chance(faults.duplicate) ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i) {
      queue_.emplace(now + delay(), Bytes(message.begin(), message.end()));
    }
  }
  /// The next message that has arrived by `now`.
  std::optional<Bytes> take(TimePoint now) {
    if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
    Bytes out = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    return out;
  }
  [[nodiscard]] TimePoint next() const { return queue_.empty() ? TimePoint::max() : queue_.begin()->first; }
  [[nodiscard]] std::size_t in_flight() const { return queue_.size(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  void clear() { queue_.clear(); }

 private:
  bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }
  Duration delay() {
    if (faults.delay_max <= faults.delay_min) return faults.delay_min;
    return Duration(
        std::uniform_int_distribution<Duration::rep>(faults.delay_min.count(), faults.delay_max.count())(random_));
  }

  std::mt19937_64& random_;
  std::multimap<TimePoint, Bytes> queue_;  // equal times: in the order of sending
  std::uint64_t sent_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace icr::test
