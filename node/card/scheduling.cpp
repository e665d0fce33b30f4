#include "node/card/scheduling.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "model/base/result.h"

// Linux has this since 4.4; older headers lack it.
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

namespace icr::node {
namespace {

constexpr int kLowestNice = -20;
/// The time slice that an ordinary thread asks for. Since Linux 6.12 a thread with a short slice that wakes up runs
/// before threads with long slices, as long as it has used less than its share. Older kernels ignore the value.
constexpr std::uint64_t kSliceNanoseconds = 100'000;

/// struct sched_attr of <linux/sched/types.h>, which cannot be included together with <sched.h> everywhere.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

class Kernel final : public SchedulingCalls {
 public:
  int real_time(std::uint32_t priority, bool inherited) override {
    SchedulingAttributes wanted;
    wanted.policy = SCHED_RR;
    wanted.priority = priority;
    wanted.flags = inherited ? 0 : SCHED_FLAG_RESET_ON_FORK;
    return set(wanted);
  }
  int ordinary(int nice) override {
    SchedulingAttributes wanted;
    wanted.policy = SCHED_NORMAL;
    wanted.nice = nice;
    wanted.runtime = kSliceNanoseconds;
    // Taking the flag off again needs a right that a thread may lack, and threads that workers start are none of ours.
    wanted.flags = reset_on_fork() ? SCHED_FLAG_RESET_ON_FORK : 0;
    return set(wanted);
  }
  Duration processor_time() override {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }

 private:
  static int set(const SchedulingAttributes& wanted) {
    return ::syscall(SYS_sched_setattr, 0, &wanted, 0) == 0 ? 0 : errno;
  }
  static bool reset_on_fork() {
    SchedulingAttributes now;
    return ::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0 && (now.flags & SCHED_FLAG_RESET_ON_FORK) != 0;
  }
};

bool has_capability(const std::array<__user_cap_data_struct, 2>& all, unsigned number) {
  return (all[number / 32].effective & 1U << number % 32) != 0;
}

std::string why_not_real_time(std::uint32_t priority, const SchedulingRights& rights, int error_number) {
  if (error_number != EPERM) return fmt::format("real time refused: {}", error_text(error_number));
  if (rights.sys_nice || rights.rtprio_limit >= priority) {
    return "real time refused by the kernel: the control group of this process has no real-time runtime "
           "(cpu.rt_runtime_us)";
  }
  return fmt::format("real time refused: grant CAP_SYS_NICE, or an rtprio limit of {}", priority);
}

}  // namespace

SchedulingRights SchedulingRights::of_this_process() {
  SchedulingRights out;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) == 0) {
    out.sys_nice = has_capability(data, CAP_SYS_NICE);
    out.ipc_lock = has_capability(data, CAP_IPC_LOCK);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_RTPRIO, &limit) == 0) {
    out.rtprio_limit = static_cast<std::uint32_t>(std::min<rlim_t>(limit.rlim_cur, 99));
  }
  const int present = ::getpriority(PRIO_PROCESS, 0);
  out.nice_limit = present;
  if (::getrlimit(RLIMIT_NICE, &limit) == 0) {
    out.nice_limit = std::min(present, 20 - static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 40)));
  }
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) out.unlimited_memlock = limit.rlim_cur == RLIM_INFINITY;
  return out;
}

std::string ThreadScheduling::to_string() const {
  std::string out;
  switch (policy) {
    case Scheduling::Policy::real_time:
      out = fmt::format("SCHED_RR priority {}", priority);
      break;
    case Scheduling::Policy::nice:
      out = fmt::format("nice {}", nice);
      break;
    case Scheduling::Policy::ordinary:
      out = "as the process was started";
      break;
  }
  if (!missing.empty()) out += " (" + missing + ")";
  return out;
}

SchedulingCalls& scheduling_calls() {
  static Kernel kernel;
  return kernel;
}

ThreadScheduling schedule_thread(const Scheduling& wanted, const SchedulingRights& rights, SchedulingCalls& calls,
                                 bool inherited) {
  ThreadScheduling out;
  if (wanted.policy == Scheduling::Policy::ordinary) return out;
  if (wanted.policy == Scheduling::Policy::real_time) {
    const int refused = calls.real_time(wanted.priority, inherited);
    if (refused == 0) {
      out.policy = Scheduling::Policy::real_time;
      out.priority = wanted.priority;
      return out;
    }
    out.missing = why_not_real_time(wanted.priority, rights, refused);
  }
  out.policy = Scheduling::Policy::nice;
  out.nice = rights.sys_nice ? kLowestNice : rights.nice_limit;
  int refused = calls.ordinary(out.nice);
  if (refused != 0 && out.nice < rights.nice_limit) {
    // The capability may come from a user namespace, which the kernel does not accept here.
    out.nice = rights.nice_limit;
    refused = calls.ordinary(out.nice);
  }
  if (refused != 0) {
    out.policy = Scheduling::Policy::ordinary;
    out.nice = 0;
  }
  if (out.nice > kLowestNice && out.missing.empty()) {
    out.missing = refused != 0 ? fmt::format("nice {} refused: {}", kLowestNice, error_text(refused))
                               : fmt::format("nice {} refused: grant CAP_SYS_NICE, or a nice limit", kLowestNice);
  }
  return out;
}

std::string lock_memory(const SchedulingRights& rights) {
  // Under a finite limit, a lock on future memory makes mmap() fail when the limit is reached, at an arbitrary moment.
  if (!rights.ipc_lock && !rights.unlimited_memlock) {
    return "memory not locked: grant CAP_IPC_LOCK, or an unlimited memlock limit";
  }
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) return "memory not locked: " + error_text(errno);
  return {};
}

void favour_session(const SchedulingRights& rights) {
  if (!rights.sys_nice || ::getsid(0) != ::getpid()) return;
  const int file = ::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;  // the kernel has no such groups
  const std::string value = std::to_string(kLowestNice);
  // In a control group other than the root, the shares of the group count and this value has no effect.
  [[maybe_unused]] const ssize_t written = ::write(file, value.data(), value.size());
  ::close(file);
}

bool RealTimeBudget::rest_due(TimePoint now) {
  if (thread_.policy != Scheduling::Policy::real_time) return false;
  if (since_ == TimePoint{}) begin_stretch(now);
  const Duration stretch = now - since_;
  if (stretch < kStretch) return false;
  if (stretch - (calls_.processor_time() - had_until_) >= kRest) {
    begin_stretch(now);
    return false;
  }
  ++rests_;
  return true;
}

void RealTimeBudget::begin_stretch(TimePoint now) {
  since_ = now;
  had_until_ = calls_.processor_time();
}

void RealTimeBudget::end() {
  if (thread_.policy != Scheduling::Policy::real_time) return;
  (void)calls_.ordinary(0);
  thread_.policy = Scheduling::Policy::ordinary;
}

}  // namespace icr::node
