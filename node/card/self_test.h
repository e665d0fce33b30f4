// The self-test of a redundancy set: sends packets of its own through ports and engine, in both directions of each
// service set, and notices when they do not come out.
//
//   DeviceTap of unit A --> kernel's queue of device A --> Port A --> Engine --> Port B --> device B --> DeviceTap of B
//
// It finds faults that no fact of the kernel shows: a queueing discipline or filter that another program put on a
// device, a queue that nobody reads, a worker that turns without forwarding. It works on TUN devices only: what is put
// into an Ethernet interface leaves by the cable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "node/card/self_test_verdict.h"
#include "node/ports/device_tap.h"
#include "node/ports/port.h"

namespace icr::node {

/// Thread: the worker that runs the ports and the engine. A standby tests its ports as well, so it is known to be ill
/// before it becomes master.
class SelfTest {
 public:
  /// A unit of a service set, its port and the TUN device of the port.
  struct End {
    std::uint32_t unit;
    const Port* port;  ///< must outlive the self-test
    std::string device;
  };

  /// `secret` marks the packets; the engine must know it (Engine::expect_self_tests()).
  explicit SelfTest(std::uint64_t secret) : secret_(secret) {}

  /// Adds both directions between the units of a service set. The error says why they cannot be tested.
  [[nodiscard]] Result<void> add(const End& inside, const End& outside, TimePoint now);

  /// Receives what came out and sends what is due. Returns true if wrong() has changed.
  [[nodiscard]] bool poll(TimePoint now);
  [[nodiscard]] TimePoint next_deadline() const { return next_; }
  /// Tells that the worker had no processor for a while: packets that are on their way prove nothing.
  void was_away(TimePoint now);

  /// Returns what is wrong, for display: one text for each direction that is broken.
  [[nodiscard]] const std::vector<std::string>& wrong() const { return wrong_; }
  void append_to(CounterList& out) const;

 private:
  struct Way {
    std::uint32_t in = 0, out = 0;  ///< units
    const Port* port = nullptr;     ///< by which packets come in
    DeviceTap* entry = nullptr;
    DeviceTap* exit = nullptr;
    std::string broken;  ///< the text for display
    SelfTestVerdict verdict;
    Port::Load load;  ///< at the last packet that did not come out
  };
  struct Counters {
    std::uint64_t sent = 0, returned = 0, failed = 0;
    std::uint64_t excused = 0;  ///< without verdict, because the worker was overloaded or had no processor
  };

  void judge(Way& way, TimePoint now);

  const std::uint64_t secret_;
  std::vector<std::unique_ptr<DeviceTap>> taps_;
  std::vector<Way> ways_;
  std::vector<std::string> wrong_;
  TimePoint next_ = TimePoint::max();
  Counters counters_;
};

}  // namespace icr::node
