// Tests the scheduling of a worker: every fallback from real time, and the rests that it takes.
#include "node/card/scheduling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

namespace icr::node {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// A kernel that allows what the test sets, and stores how the thread is scheduled.
struct FakeKernel final : SchedulingCalls {
  int real_time(std::uint32_t priority, bool inherited) override {
    asked.push_back("rr " + std::to_string(priority) + (inherited ? " inherited" : ""));
    if (refuse_real_time != 0) return refuse_real_time;
    is_real_time = true;
    return 0;
  }
  int ordinary(int nice) override {
    asked.push_back("nice " + std::to_string(nice));
    if (nice < lowest_nice) return EPERM;
    is_real_time = false;
    return 0;
  }
  Duration processor_time() override { return used; }
  int refuse_real_time = 0;
  int lowest_nice = -20;
  bool is_real_time = false;
  Duration used{};
  std::vector<std::string> asked;
};

SchedulingRights no_rights() { return {}; }
SchedulingRights root() {
  SchedulingRights out;
  out.sys_nice = out.ipc_lock = true;
  return out;
}

TEST(Scheduling, RealTimeWhereTheKernelAllowsIt) {
  FakeKernel kernel;
  const auto got = schedule_thread({Scheduling::Policy::real_time, 33}, root(), kernel);
  EXPECT_EQ(got.to_string(), "SCHED_RR priority 33");
  EXPECT_THAT(got.missing, IsEmpty());
  EXPECT_THAT(kernel.asked, testing::ElementsAre("rr 33"));
}

TEST(Scheduling, TheThreadOfTheLinkHandsItOnToTheThreadsItStarts) {
  FakeKernel kernel;
  (void)schedule_thread({}, root(), kernel, true);
  EXPECT_THAT(kernel.asked, testing::ElementsAre("rr 20 inherited"));
}

TEST(Scheduling, WithoutTheRightTheMessageNamesWhatToGrant) {
  FakeKernel kernel;
  kernel.refuse_real_time = EPERM;
  kernel.lowest_nice = 0;
  const auto got = schedule_thread({}, no_rights(), kernel);
  EXPECT_EQ(got.policy, Scheduling::Policy::nice);
  EXPECT_EQ(got.to_string(), "nice 0 (real time refused: grant CAP_SYS_NICE, or an rtprio limit of 20)");
}

TEST(Scheduling, AControlGroupWithoutRealTimeIsNamedAndTheLowestNiceValueTaken) {
  // RT_GROUP_SCHED: a container's group has no real-time runtime, and the kernel says EPERM to root as well.
  FakeKernel kernel;
  kernel.refuse_real_time = EPERM;
  const auto got = schedule_thread({}, root(), kernel);
  EXPECT_EQ(got.nice, -20);
  EXPECT_THAT(got.to_string(), HasSubstr("cpu.rt_runtime_us"));
}

TEST(Scheduling, ACapabilityThatDoesNotCountFallsBackToTheLimit) {
  FakeKernel kernel;
  kernel.refuse_real_time = EPERM;
  kernel.lowest_nice = -5;
  SchedulingRights rights = root();
  rights.nice_limit = -5;
  const auto got = schedule_thread({Scheduling::Policy::nice}, rights, kernel);
  EXPECT_EQ(got.nice, -5);
  EXPECT_THAT(got.missing, HasSubstr("nice -20 refused"));
  EXPECT_THAT(kernel.asked, testing::ElementsAre("nice -20", "nice -5"));
}

TEST(Scheduling, TheDefaultPolicyAsksForNothing) {
  FakeKernel kernel;
  const auto got = schedule_thread({Scheduling::Policy::ordinary}, root(), kernel);
  EXPECT_THAT(kernel.asked, IsEmpty());
  EXPECT_EQ(got.to_string(), "as the process was started");
}

TEST(Scheduling, MemoryUnderALimitIsNotLocked) {
  // MCL_FUTURE under a limit would make an allocation fail later, in the middle of anything.
  EXPECT_THAT(lock_memory(no_rights()), HasSubstr("CAP_IPC_LOCK"));
}

TEST(RealTimeBudget, AWorkerThatNeverSleepsRestsAFewTimesInAHundredMilliseconds) {
  FakeKernel kernel;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  Duration rested{};
  Duration longest{};
  TimePoint awake{1s};
  TimePoint now{1s};
  while (now < TimePoint{2s}) {
    now += 20us;
    kernel.used += 20us;
    if (!budget.rest_due(now)) continue;
    longest = std::max(longest, now - awake);
    now += RealTimeBudget::kRest;
    rested += RealTimeBudget::kRest;
    budget.rested(now);
    awake = now;
  }
  EXPECT_GE(rested, 28ms);
  EXPECT_LE(rested, 32ms);
  EXPECT_LE(longest, 11ms);
  EXPECT_EQ(budget.rests(), static_cast<std::uint64_t>(rested / RealTimeBudget::kRest));
}

TEST(RealTimeBudget, AWorkerThatSleepsByItselfNeverRests) {
  FakeKernel kernel;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  for (TimePoint now{1s}; now < TimePoint{2s}; now += 5ms) {
    EXPECT_FALSE(budget.rest_due(now));
    kernel.used += 1ms;
  }
}

TEST(RealTimeBudget, AThousandShortSleepsAreAsGoodAsOneRest) {
  FakeKernel kernel;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  for (TimePoint now{1s}; now < TimePoint{2s}; now += 20us) {
    EXPECT_FALSE(budget.rest_due(now));
    kernel.used += 19us;  // one of 20 us is slept
  }
}

TEST(RealTimeBudget, AWorkerWhoseWaitsReturnAtOnceRests) {
  // A descriptor that is always ready: the worker calls poll() in each round, and nobody else gets the processor.
  FakeKernel kernel;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  TimePoint now{1s};
  for (; now < TimePoint{2s}; now += 5us) {
    kernel.used += 5us;
    if (budget.rest_due(now)) budget.rested(now += RealTimeBudget::kRest);
  }
  EXPECT_GE(budget.rests(), 90U);
}

TEST(RealTimeBudget, AnOrdinaryThreadIsLeftToTheKernel) {
  FakeKernel kernel;
  kernel.refuse_real_time = EPERM;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  const auto asked = kernel.asked.size();
  for (TimePoint now{1s}; now < TimePoint{2s}; now += 1ms) EXPECT_FALSE(budget.rest_due(now));
  budget.end();
  EXPECT_EQ(kernel.asked.size(), asked);
}

TEST(RealTimeBudget, WhoEndsIsOrdinary) {
  FakeKernel kernel;
  RealTimeBudget budget(schedule_thread({}, root(), kernel), kernel);
  budget.end();
  EXPECT_FALSE(kernel.is_real_time);
  EXPECT_FALSE(budget.rest_due(TimePoint{1s}));
  EXPECT_FALSE(budget.rest_due(TimePoint{2s}));
}

TEST(Scheduling, TheKernelDoesWhatItWasAskedFor) {
  // This runs on a separate thread, so the scheduling of the test's threads does not change.
  std::thread([] {
    const auto rights = SchedulingRights::of_this_process();
    const auto got = schedule_thread({Scheduling::Policy::real_time, 7}, rights, scheduling_calls());
    sched_param param{};
    ASSERT_EQ(sched_getparam(0, &param), 0);
    const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    if (got.policy == Scheduling::Policy::real_time) {
      EXPECT_EQ(policy, SCHED_RR);
      EXPECT_EQ(param.sched_priority, 7);
      RealTimeBudget budget(got, scheduling_calls());
      budget.end();
      EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER | SCHED_RESET_ON_FORK);
    } else {
      EXPECT_EQ(policy, SCHED_OTHER);
      EXPECT_EQ(getpriority(PRIO_PROCESS, 0), got.nice);
      EXPECT_FALSE(got.missing.empty());
    }
  }).join();
}

}  // namespace
}  // namespace icr::node
