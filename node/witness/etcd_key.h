// The key of a redundancy set in etcd (docs/witness.md): a thread that holds a lease, and takes and gives back the key.
//
// The lease is held all the time, so that to take the key costs one request. To give the key back ends the lease, and
// another one is begun; so a request that arrives late can only fail.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "node/redundancy/witness_key.h"
#include "node/witness/etcd_messages.h"
#include "node/witness/http_client.h"

namespace icr::node {

/// Thread: one for the functions of WitnessKey; start() and stop() any other.
class EtcdKey final : public WitnessKey {
 public:
  struct Names {
    std::string cluster;
    std::string set;
    std::string chassis;
    std::uint64_t boot = 0;
  };
  EtcdKey(const WitnessConfig& config, const Names& names);
  ~EtcdKey() override;
  EtcdKey(const EtcdKey&) = delete;
  EtcdKey& operator=(const EtcdKey&) = delete;

  void start();
  /// Gives the key and the lease back, as far as the witness answers, and ends the thread. Idempotent.
  void stop();

  void want(std::uint64_t term) override;
  void give_back() override;
  [[nodiscard]] TimePoint until() const override;
  [[nodiscard]] std::string state() const override;
  [[nodiscard]] bool fails() const override { return failing_.load(std::memory_order_relaxed); }
  void append_to(CounterList& out) const override;

 private:
  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
    std::uint64_t keys_taken = 0;
    std::uint64_t keys_refused = 0;
    std::uint64_t leases_lost = 0;
  };
  /// What the member wants. The number grows whenever it begins or ends to want the key; the term is only shown.
  struct Wish {
    std::uint64_t number = 0;
    std::uint64_t term = 0;

    [[nodiscard]] bool wants_key() const { return number % 2 == 1; }
  };

  void run();
  /// Does what is due next, and returns when something will be.
  [[nodiscard]] TimePoint work(TimePoint now);
  [[nodiscard]] TimePoint take(TimePoint now, const Wish& wish);
  [[nodiscard]] bool renew(TimePoint now);
  void end_lease();
  /// Posts to the present endpoint, and returns the answer, which has yet to be read: by understood() or refuse().
  [[nodiscard]] std::optional<std::string> ask(std::string_view path, const std::string& body);
  /// Notes that the present endpoint has given an answer that makes sense.
  void understood();
  /// Counts a failure of the present endpoint, and makes the next one the present one.
  void refuse(const std::string& why);
  [[nodiscard]] std::string endpoint() const;
  void publish(TimePoint until);
  void say(std::string state);
  [[nodiscard]] Wish wish() const;

  const WitnessConfig config_;
  const Names names_;
  const std::string key_;

  // Of the thread.
  HttpClient http_;
  std::size_t endpoint_ = 0;
  std::optional<etcd::Lease> lease_;
  TimePoint lease_until_ = TimePoint::min();  ///< a safe part of it, counted from before the request
  TimePoint renew_at_ = TimePoint::min();
  std::uint64_t lease_of_ = 0;  ///< the number of the wish for which it may take the key
  bool has_key_ = false;

  // Shared.
  std::atomic<bool> failing_{false};  ///< the last request had no answer that makes sense; the thread writes it
  mutable InheritingMutex mutex_;
  ConditionVariable changed_;
  bool stopping_ ICR_GUARDED_BY(mutex_) = false;
  Wish wish_ ICR_GUARDED_BY(mutex_);
  TimePoint until_ ICR_GUARDED_BY(mutex_) = TimePoint::min();
  std::string state_ ICR_GUARDED_BY(mutex_) = "not asked yet";
  Counters counters_ ICR_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace icr::node
