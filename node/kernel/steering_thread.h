// Draws and releases the traffic of a redundancy set in a thread of its own, because the kernel makes every change of
// an address or route wait for its configuration lock (RTNL), and a worker must not wait. The worker only says what it
// wants; the thread carries it out and keeps it so.
//
// Each set has its own thread, so that the announcements of one set do not wait for the addresses of another. It is not
// the thread of the kernel guard, which has ordinary priority and takes its time to read everything back.
//
// The leases of the addresses still vouch for the worker: the thread renews them only while the worker gives signs of
// life (steering.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/return_routes.h"
#include "node/kernel/steering.h"

namespace icr::node {

/// Thread: the worker of the set, except where a function says otherwise. Only start(), stop() and the destructor wait
/// for the kernel.
class SteeringThread {
 public:
  struct Parts {
    std::string set;                         ///< name of the redundancy set, for the log
    std::unique_ptr<Steering> steering;      ///< not null
    std::unique_ptr<ReturnRoutes> routes;    ///< null if there are none
    KernelWatch* kernel = nullptr;           ///< connection to the kernel guard, which must outlive the thread; or null
    std::function<void()> schedule = [] {};  ///< runs first in the thread, and gives it its scheduling
  };
  /// `now` counts as the first sign of life.
  [[nodiscard]] static Result<std::unique_ptr<SteeringThread>> start(Parts parts, TimePoint now);
  ~SteeringThread();
  SteeringThread(const SteeringThread&) = delete;
  SteeringThread& operator=(const SteeringThread&) = delete;

  /// Has the traffic drawn to this chassis: addresses first, then return routes. If it is drawn already, it is
  /// announced once more. REQUIRES: the engine is ready to forward.
  void acquire();
  /// Returns when the kernel had done what the last acquire() asked for; nullopt while it has not, or if it refused.
  [[nodiscard]] std::optional<TimePoint> drawn() const;
  /// Has the traffic released. Until released(), packets may still be drawn to this chassis.
  void release();
  /// Returns true when nothing that acquire() asked for is left in the kernel.
  [[nodiscard]] bool released() const;
  /// Waits until released(), but not beyond `until`, and returns released(). For a worker that forwards no more.
  [[nodiscard]] bool wait_released(TimePoint until);
  /// Gives a sign of life. Call it in each round of the worker, after everything that could call release().
  void alive(TimePoint now);
  /// Looks whether warning() has changed, and returns true if so.
  [[nodiscard]] bool update_warning(TimePoint now);
  /// Returns why this chassis could not draw the traffic at the last update_warning(); empty if it could. One of the
  /// reasons is that the kernel has kept the thread for longer than a lease.
  [[nodiscard]] const std::string& warning() const { return warning_; }

  /// Releases the traffic and ends the thread. Idempotent.
  void stop();
  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  SteeringThread(Parts parts, int wakeup, TimePoint now);
  void run();
  void carry_out(std::uint64_t wanted, TimePoint now);
  void publish_warning();
  void sleep(TimePoint now);
  void wake() const;

  Parts parts_;
  const int wakeup_;  ///< eventfd: there is something new to do
  std::atomic<bool> stopping_{false};

  // Written by the worker.
  std::atomic<std::uint64_t> wanted_{
      0};  ///< bit 0: the traffic is wanted here; the others count the calls of acquire()
  std::atomic<TimePoint> alive_;
  std::atomic<TimePoint> resumed_{TimePoint::min()};
  std::string warning_;
  std::uint64_t read_texts_ = 0;  ///< the value of texts_ when text_ was last read
  bool stuck_ = false;            ///< the kernel has kept the thread for longer than a lease

  // Written by the thread.
  std::atomic<std::uint64_t> carried_out_{0};       ///< the last value of wanted_ that has been carried out
  std::atomic<TimePoint> drawn_{TimePoint::max()};  ///< when carried_out_ was, if it was to draw; max: it failed
  std::atomic<TimePoint> free_;                     ///< when the thread last was free to do what the worker wants
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> longest_us_{0};  ///< longest time that the kernel kept the thread
  std::atomic<std::uint64_t> texts_{0};       ///< how often text_ was written
  InheritingMutex mutex_;  ///< held while text_ is copied or compared, and while carried_out_ is written
  std::string text_ ICR_GUARDED_BY(mutex_);  ///< Steering::warning()
  ConditionVariable carried_out_more_;       ///< carried_out_ was written

  std::thread thread_;
};

}  // namespace icr::node
