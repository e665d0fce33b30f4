// Carries messages between the kernel guard and the worker of a redundancy set. Neither waits for the other.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "node/kernel/kernel_report.h"

namespace icr::node {

/// Thread: the guard's thread calls put() and wants_return_routes(), the worker everything else.
class KernelWatch {
 public:
  KernelWatch() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~KernelWatch() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  KernelWatch(const KernelWatch&) = delete;
  KernelWatch& operator=(const KernelWatch&) = delete;

  void put(KernelReport report) {
    {
      const std::lock_guard lock(mutex_);
      report_ = std::move(report);
    }
    ++written_;
    const std::uint64_t one = 1;
    (void)!::write(descriptor_, &one, sizeof one);
  }

  /// Copies a newer report to `out` and returns true, or returns false if there is none. Never blocks: a report that is
  /// being written is taken by a later call.
  [[nodiscard]] bool take(KernelReport& out) {
    const std::uint64_t written = written_;
    if (written == read_) return false;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    std::uint64_t count = 0;
    (void)!::read(descriptor_, &count, sizeof count);
    out = report_;
    read_ = written;
    return true;
  }
  /// Returns a descriptor that becomes readable when there is a newer report.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Tells whether the set needs its return routes; only a master does.
  void want_return_routes(bool wanted) { return_routes_ = wanted; }
  [[nodiscard]] bool wants_return_routes() const { return return_routes_; }

 private:
  std::mutex mutex_;  ///< held only while a report is copied
  KernelReport report_;
  std::atomic<std::uint64_t> written_{0};
  std::uint64_t read_ = 0;  ///< used by the worker only
  std::atomic<bool> return_routes_{false};
  const int descriptor_;
};

}  // namespace icr::node
