// What the tests of steering have in common: two interfaces in a network namespace of their own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/base/clock.h"
#include "node/kernel/steering.h"
#include "tests/support/network_namespace.h"

namespace icr::node::test {

using icr::test::Bytes;
using icr::test::output_of;
using icr::test::wait_until;
using namespace std::chrono_literals;

inline VirtualAddress virtual_address(const char* interface, const char* text, std::uint8_t length) {
  return VirtualAddress{interface, IpAddress::parse(text).value(), length};
}

inline bool is_up(const std::string& interface) {
  return output_of("ip -o link show dev " + interface).find("state UP") != std::string::npos;
}

inline bool is_arp(const Bytes& frame) { return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6; }
inline bool is_advertisement(const Bytes& frame) {
  return frame.size() >= 86 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 58 && frame[54] == 136;
}

/// `va0` and `va1`, each with a peer on which the test listens.
class SteeringTest : public icr::test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    for (const std::string name : {"va0", "va1"}) {
      output_of(fmt::format("ip link add {0} type veth peer name {0}p", name));
      output_of(fmt::format("ip link set {0} up && ip link set {0}p up", name));
    }
    // The kernel may tell of a carrier up to a second late.
    ASSERT_TRUE(wait_until([] { return is_up("va0") && is_up("va1"); }, 5s));
  }

  std::unique_ptr<Steering> open(TimePoint now = monotonic_now()) const {
    auto steering = open_steering(addresses_, now);
    if (!steering) throw std::runtime_error(steering.error().message);
    return std::move(*steering);
  }

  static std::string shown(const std::string& interface) {
    return output_of("ip -o addr show dev " + interface + " scope global");
  }

  static std::uint64_t count(const Steering& steering, const std::string& name) {
    CounterList counters;
    steering.append_to(counters);
    return icr::test::counter(counters, "steering-" + name).value();
  }

  /// Ticks for a worker that is alive and never paused.
  static void tick(Steering& steering, TimePoint now) { steering.tick(now, {now}); }

  /// Ticks in real time until `condition`, as the steering thread would.
  static bool ticking_until(Steering& steering, const std::function<bool()>& condition,
                            std::chrono::milliseconds limit) {
    return wait_until(
        [&] {
          if (steering.next_deadline() <= monotonic_now()) tick(steering, monotonic_now());
          return condition();
        },
        limit);
  }

  const std::vector<VirtualAddress> addresses_ = {
      virtual_address("va0", "198.18.0.1", 24),
      virtual_address("va1", "198.19.0.1", 24),
      virtual_address("va0", "2001:db8:18::1", 64),
      virtual_address("va1", "2001:db8:19::1", 64),
  };
};

}  // namespace icr::node::test
