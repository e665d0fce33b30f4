// How the threads that carry traffic are scheduled: the workers, and the I/O thread of the inter-chassis link, through
// which the heartbeats of the workers pass. Everything else (questions, storage, logging) stays an ordinary thread.
//
// What is asked for is taken from the machine step by step: real time, the lowest nice value, nothing. The decision is
// apart from the system calls, so that tests can refuse any of them.
#pragma once

#include <cstdint>
#include <string>

#include "model/cluster.h"
#include "model/time.h"

namespace icr::node {

/// What the process may do, as far as it can be known without trying.
struct SchedulingRights {
  bool sys_nice = false;           ///< CAP_SYS_NICE
  bool ipc_lock = false;           ///< CAP_IPC_LOCK
  std::uint32_t rtprio_limit = 0;  ///< RLIMIT_RTPRIO: the highest real-time priority; 0: none
  int nice_limit = 0;              ///< the lowest nice value that RLIMIT_NICE allows, and the present one
  bool unlimited_memlock = false;  ///< RLIMIT_MEMLOCK is infinite
  static SchedulingRights of_this_process();
};

/// What a thread got.
struct ThreadScheduling {
  Scheduling::Policy policy = Scheduling::Policy::ordinary;
  std::uint32_t priority = 0;  ///< real_time
  int nice = 0;                ///< otherwise
  std::string missing;         ///< why it is less than was asked for, and what to grant; empty: it is not
  /// "SCHED_RR priority 20", "nice -20 (real time refused: ...)".
  [[nodiscard]] std::string to_string() const;
};

/// The system calls on the calling thread. They return 0 or an errno.
class SchedulingCalls {
 public:
  virtual ~SchedulingCalls() = default;
  /// `inherited`: threads that this one starts get the same; otherwise they are ordinary.
  virtual int real_time(std::uint32_t priority, bool inherited) = 0;
  virtual int ordinary(int nice) = 0;
};
[[nodiscard]] SchedulingCalls& scheduling_calls();

/// Takes for the calling thread what `wanted` asks for, or the most that may be had.
[[nodiscard]] ThreadScheduling schedule_thread(const Scheduling& wanted, const SchedulingRights& rights,
                                               SchedulingCalls& calls, bool inherited = false);

/// Locks the memory of the process, present and future, as it is touched: nothing of it is written to a swap device,
/// and no program that reads is fetched from the disk a second time. Returns an empty text, or why it is not locked and
/// what to grant. Not done where a limit could make a later allocation fail.
[[nodiscard]] std::string lock_memory(const SchedulingRights& rights);

/// Where the kernel shares the processors out to sessions of processes first (sched_autogroup_enabled), a nice value
/// counts only within one's own. A process that leads its session (a service, a container) asks for more of the whole.
void favour_session(const SchedulingRights& rights);

/// Keeps a real-time thread from taking a processor for itself: after 10 ms in which it did not sleep, it rests for
/// 300 us, in which ordinary threads run. Packets wait that long at most. (To become an ordinary thread for a moment
/// would cost nothing on an idle machine, but on a busy one it gets the processor back only after tens of
/// milliseconds.) The kernel's own limit (sched_rt_runtime_us: 50 ms of a second) would come later and in one piece.
class RealTimeBudget {
 public:
  static constexpr Duration kStretch = 10ms;
  static constexpr Duration kRest = 300us;

  RealTimeBudget(const ThreadScheduling& thread, SchedulingCalls& calls) : thread_(thread), calls_(calls) {}
  /// The thread slept: others had the processor.
  void slept(TimePoint now) { since_ = now; }
  /// Once per round of work. True: it is to rest now; slept() follows.
  [[nodiscard]] bool rest_due(TimePoint now);
  [[nodiscard]] std::uint64_t rests() const { return rests_; }
  /// The thread is ordinary from now on: it is about to wait for ordinary threads.
  void end();

 private:
  ThreadScheduling thread_;
  SchedulingCalls& calls_;
  TimePoint since_{};  ///< it has not slept since
  std::uint64_t rests_ = 0;
};

}  // namespace icr::node
