// Three words for what must be true, by whose fault it is if it is not. None of them is left out of a release.
//
//   ICR_MUST(condition)                 This program's fault, and it cannot go on: says so and ends the process.
//   ICR_SHOULD(condition)               This program's fault, and it can go on: counts it, logs the first time per
//   place,
//                                       and is false. The caller takes a safe way out.
//   ICR_PEER_MUST(condition, counter)   The fault of a peer, a client, a packet or a file: adds one to `counter`, and
//   is
//                                       false. The caller refuses what it got.
//
// Where nothing is wrong each costs a comparison. Thread: any.
#pragma once

#include "model/base/counters.h"

// NOLINTBEGIN(cppcoreguidelines-macro-usage): a macro knows its condition's text and its place.
#define ICR_MUST(condition) \
  (static_cast<bool>(condition) ? void(0) : ::icr::guilt::end_process(#condition, __FILE__, __LINE__))
#define ICR_SHOULD(condition) \
  (static_cast<bool>(condition) || ::icr::guilt::count_fault(#condition, __FILE__, __LINE__))
#define ICR_PEER_MUST(condition, counter) (static_cast<bool>(condition) || (++(counter), false))
// NOLINTEND(cppcoreguidelines-macro-usage)

namespace icr::guilt {

/// Writes what is not true to standard error and ends the process with SIGABRT.
[[noreturn]] void end_process(const char* condition, const char* file, int line);
/// Counts the fault, and logs it if it is the first one of its place. Returns false.
bool count_fault(const char* condition, const char* file, int line);

/// Appends "internal-faults", how often some ICR_SHOULD was not true. It is 0 in a program without mistakes.
void append_to(CounterList& out);

}  // namespace icr::guilt
