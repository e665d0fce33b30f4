// What the kernel guard tells the worker of a redundancy set, and the worker the guard. Neither waits for the other.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace icr::node {

/// The kernel state of one set, as it was read last.
struct KernelReport {
  std::vector<std::string> interfaces;  ///< what is wrong with interfaces: "interface inside0 has no carrier"
  std::vector<std::string> kernel;      ///< what else is missing and cannot be put back
  /// Interfaces whose IPv6 packets have no way into the card, and why.
  std::map<std::string, std::string> closed_ipv6;

  friend bool operator==(const KernelReport&, const KernelReport&) = default;
};

/// The guard's thread calls put(), the worker everything else.
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

  /// True: there is a newer report, and `out` is it. Never waits: a report that is being written is taken later.
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
  /// Polls readable when there is a newer report.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Whether the set's return routes are to be there: only a master has them.
  void want_return_routes(bool wanted) { return_routes_ = wanted; }
  [[nodiscard]] bool wants_return_routes() const { return return_routes_; }

 private:
  std::mutex mutex_;  ///< held for a copy only
  KernelReport report_;
  std::atomic<std::uint64_t> written_{0};
  std::uint64_t read_ = 0;  ///< the worker's
  std::atomic<bool> return_routes_{false};
  const int descriptor_;
};

}  // namespace icr::node
