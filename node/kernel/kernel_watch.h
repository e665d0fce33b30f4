// Carries messages between the kernel guard and the threads of a redundancy set. None of them waits for another.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "model/base/mutex.h"
#include "model/config/cluster.h"
#include "node/kernel/kernel_report.h"

namespace icr::node {

/// Thread: the guard's thread calls put() and wants_return_routes(), the worker take() and descriptor(), and the
/// steering thread the rest.
class KernelWatch {
 public:
  KernelWatch() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~KernelWatch() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  KernelWatch(const KernelWatch&) = delete;
  KernelWatch& operator=(const KernelWatch&) = delete;

  void put(KernelReport report) {
    const MutexLock lock(mutex_);
    report_ = std::move(report);
    ++written_;
    // Under the lock, or take() could come in between and leave the descriptor readable.
    const std::uint64_t one = 1;
    (void)!::write(descriptor_, &one, sizeof one);
  }

  /// Copies a newer report to `out` and returns true, or returns false if there is none. Never blocks: a report that is
  /// being written is taken by a later call.
  [[nodiscard]] bool take(KernelReport& out) {
    if (written_ == read_) return false;
    if (!mutex_.try_lock()) return false;
    const MutexLock lock(mutex_, std::adopt_lock);
    std::uint64_t count = 0;
    (void)!::read(descriptor_, &count, sizeof count);
    out = report_;
    read_ = written_;
    return true;
  }
  /// Does the same for a further reader. `read` is the place of that reader, and is 0 before its first call.
  [[nodiscard]] bool look(std::uint64_t& read, KernelReport& out) {
    if (written_ == read) return false;
    if (!mutex_.try_lock()) return false;
    const MutexLock lock(mutex_, std::adopt_lock);
    out = report_;
    read = written_;
    return true;
  }
  /// Returns a descriptor that becomes readable when there is a newer report.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Tells whether the set needs its return routes; only a master does.
  void want_return_routes(bool wanted) { return_routes_ = wanted; }
  [[nodiscard]] bool wants_return_routes() const { return return_routes_; }

 private:
  Mutex mutex_;  ///< held only while a report is copied and announced
  KernelReport report_ ICR_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> written_{0};
  std::uint64_t read_ = 0;  ///< used by the worker only
  std::atomic<bool> return_routes_{false};
  const int descriptor_;
};

/// Tells why traffic to a virtual address could not get into the card, from the newest report of the guard.
/// Thread: one.
class ClosedWays {
 public:
  /// `watch` must outlive the object. It is null if there is no guard, and then every way is open.
  explicit ClosedWays(KernelWatch* watch) : watch_(watch) {}
  /// Returns the reason, or an empty text if the traffic can get in.
  [[nodiscard]] std::string operator()(const VirtualAddress& address) {
    if (watch_ == nullptr || address.address.is_v4()) return {};
    (void)watch_->look(read_, report_);
    const auto closed = report_.closed_ipv6.find(address.interface);
    return closed == report_.closed_ipv6.end() ? std::string() : closed->second;
  }

 private:
  KernelWatch* watch_;
  std::uint64_t read_ = 0;
  KernelReport report_;
};

}  // namespace icr::node
