#include "node/kernel/steering_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::node {
namespace {

constexpr std::uint64_t kTraffic = 1;  ///< bit of SteeringThread::wanted_
constexpr std::uint64_t kCall = 2;     ///< one call of acquire() in SteeringThread::wanted_

}  // namespace

Result<std::unique_ptr<SteeringThread>> SteeringThread::start(Parts parts, TimePoint now) {
  const int wakeup = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakeup < 0) return fail("virtual addresses: no file descriptor is left");
  std::unique_ptr<SteeringThread> out(new SteeringThread(std::move(parts), wakeup, now));
  out->thread_ = std::thread([thread = out.get()] { thread->run(); });
  return out;
}

SteeringThread::SteeringThread(Parts parts, int wakeup, TimePoint now)
    : parts_(std::move(parts)), wakeup_(wakeup), alive_(now), free_(now) {
  publish_warning();
  (void)update_warning(now);
}

SteeringThread::~SteeringThread() {
  stop();
  ::close(wakeup_);
}

// -- The worker --

void SteeringThread::acquire() {
  wanted_.store((wanted_.load(std::memory_order_relaxed) | kTraffic) + kCall, std::memory_order_release);
  wake();
}

std::optional<TimePoint> SteeringThread::drawn() const {
  const std::uint64_t done = carried_out_.load(std::memory_order_acquire);
  if ((done & kTraffic) == 0 || done != wanted_.load(std::memory_order_relaxed)) return std::nullopt;
  const TimePoint at = drawn_.load(std::memory_order_relaxed);
  return at == TimePoint::max() ? std::nullopt : std::optional(at);
}

void SteeringThread::release() {
  wanted_.store(wanted_.load(std::memory_order_relaxed) & ~kTraffic, std::memory_order_release);
  wake();
}

bool SteeringThread::released() const {
  const std::uint64_t done = carried_out_.load(std::memory_order_acquire);
  return (done & kTraffic) == 0 && done == wanted_.load(std::memory_order_relaxed);
}

bool SteeringThread::wait_released(TimePoint until) {
  const MutexLock lock(mutex_);
  while (!released() && carried_out_more_.wait_until(mutex_, until)) {
  }
  return released();
}

void SteeringThread::alive(TimePoint now) {
  if (now - alive_.load(std::memory_order_relaxed) >= Steering::kRenewInterval) {
    resumed_.store(now, std::memory_order_relaxed);
  }
  alive_.store(now, std::memory_order_release);
}

bool SteeringThread::update_warning(TimePoint now) {
  const bool stuck = now - free_.load(std::memory_order_relaxed) > Steering::kLease;
  if (stuck == stuck_ && texts_.load(std::memory_order_acquire) == read_texts_) return false;
  stuck_ = stuck;
  {
    const MutexLock lock(mutex_);
    warning_ = text_;
    read_texts_ = texts_.load(std::memory_order_relaxed);
  }
  if (stuck) {
    warning_ = fmt::format("virtual addresses could not be renewed for more than {} s", Steering::kLease / 1s);
    log::warn("steering", "set={} {}", parts_.set, warning_);
  }
  return true;
}

void SteeringThread::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wakeup_, &one, sizeof one);
}

void SteeringThread::stop() {
  if (!thread_.joinable()) return;
  release();
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

void SteeringThread::append_to(CounterList& out) const {
  out.push_back({"steering-failures", failures_});
  out.push_back({"steering-longest-wait-us", longest_us_});
  parts_.steering->append_to(out);
  if (parts_.routes) parts_.routes->append_to(out);
}

// -- The thread --

void SteeringThread::run() {
  parts_.schedule();
  for (;;) {
    const TimePoint now = monotonic_now();
    free_.store(now, std::memory_order_relaxed);
    // The order matters: what stop() wants is seen with the order to stop.
    const bool stopping = stopping_.load(std::memory_order_acquire);
    const std::uint64_t wanted = wanted_.load(std::memory_order_acquire);
    if (wanted != carried_out_.load(std::memory_order_relaxed)) {
      carry_out(wanted, now);
    } else if (stopping) {
      return;
    } else if (const auto due = parts_.steering->next_deadline(); due && *due <= now) {
      const TimePoint alive = alive_.load(std::memory_order_acquire);
      parts_.steering->tick(now, {alive, resumed_.load(std::memory_order_relaxed)});
    } else {
      sleep(now);
      continue;
    }
    const auto took = static_cast<std::uint64_t>((monotonic_now() - now) / 1us);
    if (took > longest_us_.load(std::memory_order_relaxed)) longest_us_.store(took, std::memory_order_relaxed);
    publish_warning();
  }
}

void SteeringThread::carry_out(std::uint64_t wanted, TimePoint now) {
  // The guard of the kernel adds missing return routes only while they are wanted, so it must know first that they are
  // not wanted any more.
  if ((wanted & kTraffic) != 0) {
    const auto drawn = parts_.steering->acquire(now);
    if (!drawn) {
      ++failures_;
      log::warn("steering", "set={} {}", parts_.set, drawn.error().message);
    }
    if (parts_.routes) parts_.routes->acquire();
    drawn_.store(drawn ? monotonic_now() : TimePoint::max(), std::memory_order_relaxed);
    if (parts_.kernel != nullptr) parts_.kernel->want_return_routes(true);
  } else {
    parts_.steering->release(now);
    if (parts_.kernel != nullptr) parts_.kernel->want_return_routes(false);
    if (parts_.routes) parts_.routes->release();
  }
  {
    const MutexLock lock(mutex_);
    carried_out_.store(wanted, std::memory_order_release);
  }
  carried_out_more_.notify_all();
}

void SteeringThread::publish_warning() {
  const MutexLock lock(mutex_);
  if (parts_.steering->warning() == text_) return;
  text_ = parts_.steering->warning();
  texts_.store(texts_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void SteeringThread::sleep(TimePoint now) {
  TimePoint until = now + Steering::kRenewInterval;
  if (const auto due = parts_.steering->next_deadline()) until = std::min(until, *due);
  const Duration duration = until - now;
  const timespec timeout{static_cast<time_t>(duration / 1s), static_cast<long>((duration % 1s).count())};
  pollfd polled{wakeup_, POLLIN, 0};
  (void)::ppoll(&polled, 1, &timeout, nullptr);
  std::uint64_t count = 0;
  (void)!::read(wakeup_, &count, sizeof count);
}

}  // namespace icr::node
