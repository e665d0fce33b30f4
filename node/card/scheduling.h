// Schedules the threads that carry traffic: the workers, and the I/O thread of the inter-chassis link, through which
// the heartbeats of the workers pass. All other threads (questions, storage, logging) stay ordinary.
//
// A thread first asks for real time, then for the lowest nice value, and otherwise stays ordinary. The decision is
// separate from the system calls, so that tests can refuse any of them.
#pragma once

#include <cstdint>
#include <string>

#include "model/base/time.h"
#include "model/config/cluster.h"

namespace icr::node {

/// The scheduling rights of the process that can be known without trying.
struct SchedulingRights {
  bool sys_nice = false;           ///< CAP_SYS_NICE
  bool ipc_lock = false;           ///< CAP_IPC_LOCK
  std::uint32_t rtprio_limit = 0;  ///< RLIMIT_RTPRIO: the highest real-time priority; 0 for none
  int nice_limit = 0;              ///< the lower of the present nice value and what RLIMIT_NICE allows
  bool unlimited_memlock = false;  ///< RLIMIT_MEMLOCK is infinite
  static SchedulingRights of_this_process();
};

/// The scheduling that a thread got.
struct ThreadScheduling {
  Scheduling::Policy policy = Scheduling::Policy::ordinary;
  std::uint32_t priority = 0;  ///< with policy real_time
  int nice = 0;                ///< with the other policies
  std::string missing;         ///< why it is less than was asked for, and what to grant; empty if it is not less
  /// Returns text like "SCHED_RR priority 20", "nice -20 (real time refused: ...)".
  [[nodiscard]] std::string to_string() const;
};

/// The system calls that schedule the calling thread. They return 0 or an errno.
class SchedulingCalls {
 public:
  virtual ~SchedulingCalls() = default;
  /// If `inherited`, threads that this one starts get the same scheduling; otherwise they are ordinary.
  virtual int real_time(std::uint32_t priority, bool inherited) = 0;
  virtual int ordinary(int nice) = 0;
  /// Returns how long the calling thread has had a processor since it began.
  virtual Duration processor_time() = 0;
};
[[nodiscard]] SchedulingCalls& scheduling_calls();

/// Gives the calling thread the scheduling `wanted`, or the next lower one that it has a right to.
[[nodiscard]] ThreadScheduling schedule_thread(const Scheduling& wanted, const SchedulingRights& rights,
                                               SchedulingCalls& calls, bool inherited = false);

/// Locks the present and future memory of the process when it is first touched, so that it is not written to a swap
/// device, and program code is not read from the disk again. Returns an empty text, or why the memory is not locked and
/// what to grant. Does nothing where a limit could make a later allocation fail.
[[nodiscard]] std::string lock_memory(const SchedulingRights& rights);

/// Raises the share of the process's session. Where the kernel first divides the processors among sessions of processes
/// (sched_autogroup_enabled), a nice value counts only within its own session. Has an effect only in a process that
/// leads its session (a service, a container).
void favour_session(const SchedulingRights& rights);

/// Keeps a real-time thread from taking a processor for itself: after a stretch of 10 ms in which other threads had the
/// processor for less than 300 us, it rests for 300 us. Packets wait that long at most. What counts is the processor
/// time of the thread, not its calls that could sleep, because a call that finds something ready returns at once. (If
/// the thread became ordinary for a moment instead, a busy machine would give it the processor back only after tens of
/// milliseconds.) The kernel's own limit (sched_rt_runtime_us) would stop the thread later, for 50 ms in one piece.
class RealTimeBudget {
 public:
  static constexpr Duration kStretch = 10ms;
  static constexpr Duration kRest = 300us;

  RealTimeBudget(const ThreadScheduling& thread, SchedulingCalls& calls) : thread_(thread), calls_(calls) {}
  /// Returns true if the thread must rest now; the caller then sleeps for kRest and calls rested().
  /// REQUIRES: called once per round of work, whether the round sleeps afterwards or not.
  [[nodiscard]] bool rest_due(TimePoint now);
  void rested(TimePoint now) { begin_stretch(now); }
  [[nodiscard]] std::uint64_t rests() const { return rests_; }
  /// Makes the thread ordinary from now on, because it is about to wait for ordinary threads.
  void end();

 private:
  void begin_stretch(TimePoint now);

  ThreadScheduling thread_;
  SchedulingCalls& calls_;
  TimePoint since_{};     ///< begin of the present stretch
  Duration had_until_{};  ///< processor time of the thread at that moment
  std::uint64_t rests_ = 0;
};

}  // namespace icr::node
