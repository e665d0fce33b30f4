// Mutexes, the lock that holds one, and condition variables. All rooms use these instead of the ones of the standard
// library, because clang can check at compile time that they are used correctly (thread_annotations.h).
#pragma once

#include <pthread.h>

#include <mutex>

#include "model/base/thread_annotations.h"
#include "model/base/time.h"

namespace icr {

/// A mutex for threads that may wait. A worker only tries it, or uses an InheritingMutex.
class ICR_MUTEX_CLASS Mutex {
 public:
  void lock() ICR_ACQUIRE() { mutex_.lock(); }
  void unlock() ICR_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool try_lock() ICR_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  [[nodiscard]] pthread_mutex_t* native_handle() { return mutex_.native_handle(); }

 private:
  std::mutex mutex_;
};

/// A mutex whose holder runs at the priority of the thread that waits for it (PTHREAD_PRIO_INHERIT), so a worker never
/// waits for a thread that other programs keep from running.
class ICR_MUTEX_CLASS InheritingMutex {
 public:
  InheritingMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  ~InheritingMutex() { pthread_mutex_destroy(&mutex_); }
  InheritingMutex(const InheritingMutex&) = delete;
  InheritingMutex& operator=(const InheritingMutex&) = delete;
  void lock() ICR_ACQUIRE() { pthread_mutex_lock(&mutex_); }
  void unlock() ICR_RELEASE() { pthread_mutex_unlock(&mutex_); }
  [[nodiscard]] pthread_mutex_t* native_handle() { return &mutex_; }

 private:
  pthread_mutex_t mutex_;
};

/// Holds a mutex while it lives. `M` is Mutex or InheritingMutex.
template <class M>
class ICR_LOCK_CLASS MutexLock {
 public:
  explicit MutexLock(M& mutex) ICR_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  /// Takes over a mutex that the thread holds already, after a try_lock().
  MutexLock(M& mutex, std::adopt_lock_t /*tag*/) ICR_REQUIRES(mutex) : mutex_(mutex) {}
  ~MutexLock() ICR_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  M& mutex_;
};

/// A condition variable. A thread that waits may wake without reason, so it checks its condition in a loop.
class ConditionVariable {
 public:
  ConditionVariable() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition_, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  ~ConditionVariable() { pthread_cond_destroy(&condition_); }
  ConditionVariable(const ConditionVariable&) = delete;
  ConditionVariable& operator=(const ConditionVariable&) = delete;

  /// Unlocks `mutex` while the thread waits. `M` is Mutex or InheritingMutex.
  template <class M>
  void wait(M& mutex) ICR_REQUIRES(mutex) {
    pthread_cond_wait(&condition_, mutex.native_handle());
  }
  /// Waits until the monotonic clock shows `until`, at most. Returns false if that time has come.
  template <class M>
  bool wait_until(M& mutex, TimePoint until) ICR_REQUIRES(mutex) {
    const Duration since_boot = until.time_since_epoch();
    const timespec time{static_cast<time_t>(since_boot / 1s), static_cast<long>((since_boot % 1s).count())};
    return pthread_cond_timedwait(&condition_, mutex.native_handle(), &time) == 0;
  }
  void notify_one() { pthread_cond_signal(&condition_); }
  void notify_all() { pthread_cond_broadcast(&condition_); }

 private:
  pthread_cond_t condition_;
};

}  // namespace icr
