// Asking for a cache line before it is needed.
#pragma once

namespace icr {

/// Not __builtin_prefetch: gcc 12 takes a function that does nothing else for one without effect, and drops its calls.
inline void prefetch_line(const void* address) {
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
}

}  // namespace icr
