#include "node/witness/etcd_key.h"

#include <algorithm>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::node {
namespace {

/// How soon a request is made again that failed, and how soon a key is asked for again that somebody else has.
constexpr Duration kFailedRetry = 100ms;
constexpr Duration kRefusedRetry = 50ms;
constexpr Duration kLongestSleep = 1s;

/// A lease is renewed after a third of its time, and believed for three quarters of it.
constexpr Duration renewal_after(Duration lease) { return lease / 3; }
constexpr Duration safe_part(Duration lease) { return lease * 3 / 4; }

std::string url_of(const Endpoint& endpoint) {
  const std::string address = endpoint.address.to_string();
  return endpoint.address.is_v4() ? fmt::format("http://{}:{}", address, endpoint.port)
                                  : fmt::format("http://[{}]:{}", address, endpoint.port);
}

}  // namespace

EtcdKey::EtcdKey(const WitnessConfig& config, const Names& names)
    : config_(config), names_(names), key_(fmt::format("/icr/{}/{}", names.cluster, names.set)), http_({}) {}

EtcdKey::~EtcdKey() { stop(); }

void EtcdKey::start() {
  thread_ = std::thread([this] { run(); });
}

void EtcdKey::stop() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    until_ = TimePoint::min();
  }
  changed_.notify_one();
  thread_.join();
}

// -- The worker --

void EtcdKey::want(std::uint64_t term) {
  {
    const MutexLock lock(mutex_);
    wish_.term = term;
    if (wish_.wants_key()) return;
    ++wish_.number;
  }
  changed_.notify_one();
}

void EtcdKey::give_back() {
  {
    const MutexLock lock(mutex_);
    until_ = TimePoint::min();
    if (!wish_.wants_key()) return;
    ++wish_.number;
  }
  changed_.notify_one();
}

TimePoint EtcdKey::until() const {
  const MutexLock lock(mutex_);
  return until_;
}

std::string EtcdKey::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

void EtcdKey::append_to(CounterList& out) const {
  const MutexLock lock(mutex_);
  out.push_back({"witness-requests", counters_.requests});
  out.push_back({"witness-requests-failed", counters_.failures});
  out.push_back({"witness-keys-taken", counters_.keys_taken});
  out.push_back({"witness-keys-refused", counters_.keys_refused});
  out.push_back({"witness-leases-lost", counters_.leases_lost});
}

// -- The thread --

void EtcdKey::run() {
  for (;;) {
    const TimePoint now = monotonic_now();
    const TimePoint next = std::min(work(now), now + kLongestSleep);
    const std::uint64_t done = lease_of_;
    const MutexLock lock(mutex_);
    while (!stopping_ && wish_.number == done && changed_.wait_until(mutex_, next)) {
    }
    if (stopping_) break;
  }
  end_lease();
}

EtcdKey::Wish EtcdKey::wish() const {
  const MutexLock lock(mutex_);
  return wish_;
}

TimePoint EtcdKey::work(TimePoint now) {
  const Wish present = wish();
  if (lease_of_ != present.number) {
    // A lease that may have the key is not used for another wish.
    if (lease_of_ % 2 == 1) end_lease();
    lease_of_ = present.number;
  }
  if (!lease_) {
    const auto answer = ask(etcd::kGrantPath, etcd::grant_request(config_.lease_s));
    if (!answer) return now + kFailedRetry;
    const auto lease = etcd::read_grant(*answer);
    if (!lease) {
      refuse(lease.error().message);
      return now + kFailedRetry;
    }
    understood();
    lease_ = *lease;
    lease_until_ = now + safe_part(lease_->time);
    renew_at_ = now + renewal_after(lease_->time);
    if (!present.wants_key()) say("has a lease, and does not want the key");
  } else if (now >= renew_at_ && !renew(now)) {
    return now + kFailedRetry;
  }
  if (!present.wants_key()) return renew_at_;
  return has_key_ ? renew_at_ : take(monotonic_now(), present);
}

TimePoint EtcdKey::take(TimePoint now, const Wish& wish) {
  const etcd::Holder self{wish.term, names_.chassis, names_.boot};
  const auto answer = ask(etcd::kTakePath, etcd::take_request(key_, self, lease_->id));
  if (!answer) return now + kFailedRetry;
  const auto taken = etcd::read_take(*answer);
  if (!taken) {
    // Without its lease a key cannot be taken, and etcd says so with an error.
    refuse(taken.error().message);
    end_lease();
    return now + kFailedRetry;
  }
  understood();
  if (taken->taken || taken->lease == lease_->id) {
    has_key_ = true;
    publish(lease_until_);
    say(fmt::format("has the key in term {}", wish.term));
    const MutexLock lock(mutex_);
    ++counters_.keys_taken;
    return renew_at_;
  }
  say(fmt::format("{} has the key in term {}", taken->holder.chassis, taken->holder.term));
  {
    const MutexLock lock(mutex_);
    ++counters_.keys_refused;
  }
  // A former process of this chassis is dead, and cannot give its lease back.
  if (taken->holder.chassis == names_.chassis && taken->lease != 0) {
    (void)ask(etcd::kRevokePath, etcd::revoke_request(taken->lease));
    return now;
  }
  return now + kRefusedRetry;
}

bool EtcdKey::renew(TimePoint now) {
  const auto answer = ask(etcd::kRenewPath, etcd::renew_request(lease_->id));
  if (!answer) return false;
  const auto time = etcd::read_renewal(*answer, lease_->id);
  if (!time) {
    refuse(time.error().message);
    return false;
  }
  understood();
  if (*time == Duration{}) {
    say("the lease has ended");
    lease_.reset();
    has_key_ = false;
    publish(TimePoint::min());
    const MutexLock lock(mutex_);
    ++counters_.leases_lost;
    return false;
  }
  lease_until_ = now + safe_part(*time);
  renew_at_ = now + renewal_after(*time);
  if (has_key_) publish(lease_until_);
  return true;
}

void EtcdKey::end_lease() {
  publish(TimePoint::min());
  has_key_ = false;
  if (!lease_) return;
  (void)ask(etcd::kRevokePath, etcd::revoke_request(lease_->id));
  lease_.reset();
}

std::optional<std::string> EtcdKey::ask(std::string_view path, const std::string& body) {
  const auto answer = http_.post(endpoint() + std::string(path), body);
  {
    const MutexLock lock(mutex_);
    ++counters_.requests;
  }
  // Status 404 tells that there is no such lease.
  if (answer && (answer->status == 200 || answer->status == 404)) return answer->body;
  refuse(answer ? fmt::format("HTTP status {}", answer->status) : answer.error().message);
  return std::nullopt;
}

void EtcdKey::understood() {
  if (!failing_.exchange(false, std::memory_order_relaxed)) return;
  log::info("witness", "set={} {} answers", names_.set, endpoint());
  say(fmt::format("{} answers", endpoint()));
}

void EtcdKey::refuse(const std::string& why) {
  if (!failing_.exchange(true, std::memory_order_relaxed))
    log::warn("witness", "set={} {}: {}", names_.set, endpoint(), why);
  say(fmt::format("{}: {}", endpoint(), why));
  endpoint_ = (endpoint_ + 1) % config_.endpoints.size();
  const MutexLock lock(mutex_);
  ++counters_.failures;
}

std::string EtcdKey::endpoint() const { return url_of(config_.endpoints[endpoint_]); }

/// Tells the worker until when the member has the key, unless it does not want it any more.
void EtcdKey::publish(TimePoint until) {
  const MutexLock lock(mutex_);
  until_ = wish_.number == lease_of_ && wish_.wants_key() ? until : TimePoint::min();
}

void EtcdKey::say(std::string state) {
  const MutexLock lock(mutex_);
  state_ = std::move(state);
}

}  // namespace icr::node
