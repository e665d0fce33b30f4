// The witness of the simulation: it gives a key to one member at a time, for the time of a lease. Requests and answers
// take their time, and may be lost.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "node/redundancy/witness_key.h"

namespace icr::sim {

class KeyService {
 public:
  static constexpr Duration kLease = 1s;

  /// Gives the key to the lease, or renews it. Returns true if the lease has it.
  bool take(TimePoint now, std::uint64_t lease);
  /// Ends the lease: the key is free, and is not given to this lease any more.
  void end(std::uint64_t lease);
  /// Stops to answer, or starts again. A service that starts again renews its leases, as etcd does.
  void set_up(TimePoint now, bool up);
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] std::uint64_t given() const { return given_; }

 private:
  bool up_ = true;
  std::uint64_t holder_ = 0;  ///< a lease; 0: the key is free
  TimePoint until_;
  std::vector<std::uint64_t> ended_;
  std::uint64_t given_ = 0;
};

/// What a member has of it.
class KeyClient final : public node::WitnessKey {
 public:
  KeyClient(KeyService& service, std::uint64_t seed) : service_(service), random_(seed) {}

  void want(std::uint64_t) override { wanted_ = true; }
  void give_back() override;
  [[nodiscard]] TimePoint until() const override { return until_; }
  [[nodiscard]] std::string state() const override { return "simulated"; }
  [[nodiscard]] bool fails() const override { return false; }
  void append_to(CounterList&) const override {}

  /// The process has died, and another one has begun. Its requests may still be on their way.
  void forget() { give_back_silently(); }
  /// Carries requests and answers. Call it before each round.
  void run(TimePoint now);

  bool cut = false;        ///< nothing arrives in either direction
  Duration slowest = 2ms;  ///< of one way

 private:
  struct Message {
    TimePoint at;
    TimePoint sent_at;  ///< when the member sent the request
    std::uint64_t lease = 0;
    bool ends = false;
    bool answer = false;
  };
  void give_back_silently();
  [[nodiscard]] TimePoint later(TimePoint now);

  KeyService& service_;
  std::mt19937_64 random_;
  bool wanted_ = false;
  std::uint64_t lease_ = 0;  ///< 0: none has been begun
  std::optional<std::uint64_t> to_end_;
  TimePoint until_ = TimePoint::min();
  TimePoint next_request_ = TimePoint::min();
  std::vector<Message> messages_;
};

}  // namespace icr::sim
