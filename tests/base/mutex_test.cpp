// Tests of the condition variable with both kinds of mutex.
#include "model/base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace icr {
namespace {

TimePoint real_now() {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

template <class M>
struct Ball {
  M mutex;
  ConditionVariable thrown;
  bool is_there ICR_GUARDED_BY(mutex) = false;
};

template <class M>
class ConditionVariableOf : public testing::Test {};
using Mutexes = testing::Types<Mutex, InheritingMutex>;
TYPED_TEST_SUITE(ConditionVariableOf, Mutexes);

TYPED_TEST(ConditionVariableOf, ThreadsWakeEachOther) {
  Ball<TypeParam> there, back;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      {
        const MutexLock lock(there.mutex);
        while (!there.is_there) there.thrown.wait(there.mutex);
        there.is_there = false;
      }
      const MutexLock lock(back.mutex);
      back.is_there = true;
      back.thrown.notify_one();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    {
      const MutexLock lock(there.mutex);
      there.is_there = true;
      there.thrown.notify_all();
    }
    const MutexLock lock(back.mutex);
    while (!back.is_there) ASSERT_TRUE(back.thrown.wait_until(back.mutex, real_now() + 60s));
    back.is_there = false;
  }
  other.join();
}

TYPED_TEST(ConditionVariableOf, AWaitEndsWithItsTime) {
  Ball<TypeParam> ball;
  const TimePoint until = real_now() + 1ms;
  const MutexLock lock(ball.mutex);
  while (ball.thrown.wait_until(ball.mutex, until)) {
  }
  EXPECT_GE(real_now(), until);
}

TYPED_TEST(ConditionVariableOf, ATimeThatIsOverIsNotWaitedFor) {
  Ball<TypeParam> ball;
  const MutexLock lock(ball.mutex);
  EXPECT_FALSE(ball.thrown.wait_until(ball.mutex, TimePoint{}));
}

TEST(TryLock, FailsWhileAnotherThreadHoldsTheMutex) {
  Mutex mutex;
  const MutexLock lock(mutex);
  bool got = false;
  std::thread other([&] {
    if (!mutex.try_lock()) return;
    got = true;
    mutex.unlock();
  });
  other.join();
  EXPECT_FALSE(got);
}

}  // namespace
}  // namespace icr
