// Tells whether the kernel interrupted this thread between two points of a measurement.
//
// A timer interrupt takes tens of microseconds in a virtual machine, several times as long as what is measured, and
// comes 250 times a second. The processor says that one came: on its way back to a program it clears a segment register
// that holds a null selector other than 0 (AMD64 manual volume 3, IRET; Zhang et al., "SegScope", HPCA 2024). Linux
// does not use GS in 64-bit programs.
#pragma once

#include <cstdint>

namespace icr::bench {

class Interruption {
 public:
  /// Begins to watch.
  Interruption() {
    const std::uint16_t mark = kMark;
    asm volatile("mov %0, %%gs" : : "r"(mark) : "memory");
  }
  /// Returns true when the thread was interrupted, or changed processors, since the object was made.
  [[nodiscard]] bool came() const {
    std::uint16_t now = 0;
    asm volatile("mov %%gs, %0" : "=r"(now) : : "memory");
    return now != kMark;
  }

 private:
  static constexpr std::uint16_t kMark = 1;  ///< a null selector: table index 0, any privilege
};

}  // namespace icr::bench
