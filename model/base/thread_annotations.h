// Words with which clang checks at compile time that whatever a mutex guards is used only while the mutex is held
// (-Wthread-safety). Other compilers ignore them. https://clang.llvm.org/docs/ThreadSafetyAnalysis.html describes the
// analysis.
#pragma once

#if defined(__clang__)
#define ICR_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define ICR_THREAD_ANNOTATION(x)
#endif

/// Marks a class as a mutex.
#define ICR_MUTEX_CLASS ICR_THREAD_ANNOTATION(capability("mutex"))
/// Marks a class whose objects hold a mutex while they live.
#define ICR_LOCK_CLASS ICR_THREAD_ANNOTATION(scoped_lockable)
/// Marks a member variable that is read and written only while the mutex is held.
#define ICR_GUARDED_BY(mutex) ICR_THREAD_ANNOTATION(guarded_by(mutex))
/// Marks a function whose caller holds the mutex before, during and after the call.
#define ICR_REQUIRES(...) ICR_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
/// Marks a function whose caller does not hold the mutex.
#define ICR_EXCLUDES(...) ICR_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
/// Marks a function that locks the mutex.
#define ICR_ACQUIRE(...) ICR_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
/// Marks a function that unlocks the mutex.
#define ICR_RELEASE(...) ICR_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
/// Marks a function that has locked the mutex if it returns `result`.
#define ICR_TRY_ACQUIRE(result) ICR_THREAD_ANNOTATION(try_acquire_capability(result))
