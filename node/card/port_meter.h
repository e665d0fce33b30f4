// Measures what goes through a port of a card: totals, and how much the last second had.
//
// Thread: one, that of the worker which has the port.
#pragma once

#include <cstdint>

#include "model/base/time.h"
#include "model/query/system.h"
#include "node/ports/port.h"

namespace icr::node {

class PortMeter {
 public:
  /// Ends a measured interval, of `elapsed` since the last call. REQUIRES: elapsed >= 1ms.
  void sample(const Port& port, Duration elapsed);
  /// Returns what the port, which serves `unit`, has received, sent and failed to, and the rates of the last interval:
  /// 0 before the first one has ended.
  [[nodiscard]] PortTraffic traffic(std::uint32_t unit, const Port& port) const;

 private:
  Port::Totals from_;  ///< when the interval began
  Port::Totals per_second_;
};

}  // namespace icr::node
