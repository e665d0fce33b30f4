// Tests that need real interfaces run each in a fresh network namespace of their own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/base/counters.h"

namespace icr::test {

using Bytes = std::vector<std::uint8_t>;

/// Runs a shell command; returns its exit code, and what it printed (both streams) in `output`.
int run(const std::string& command, std::string* output = nullptr);

/// What a shell command prints.
std::string output_of(const std::string& command);

/// The value of a counter, or nullopt if there is none of that name.
std::optional<std::uint64_t> counter(const CounterList& counters, const std::string& name);

/// Polls `condition` every few milliseconds until it is true; false when that took longer than `limit`.
bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit);

/// SetUp moves the (single) thread of the test into an empty network namespace with the loopback up, or skips.
class InNewNamespace : public testing::Test {
 protected:
  void SetUp() override;
};

/// A raw socket on one interface: frames as they are on the wire, both ways.
class Wire {
 public:
  explicit Wire(const std::string& interface);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const Bytes& frame) const;
  /// The next frame that came in and that `wanted` accepts.
  [[nodiscard]] std::optional<Bytes> receive(const std::function<bool(const Bytes&)>& wanted,
                                             std::chrono::milliseconds limit) const;
  /// The Ethernet address of the interface.
  [[nodiscard]] const Bytes& address() const { return address_; }

 private:
  int socket_ = -1;
  Bytes address_;
};

/// The one's complement sum of RFC 1071, plain and slow: an oracle.
std::uint16_t internet_checksum(const Bytes& bytes);

/// A whole IPv4 / IPv6 packet with UDP ports 1000 -> 2000 and the given payload.
Bytes udp4(const std::string& source, const std::string& destination, const std::string& payload);
Bytes udp6(const std::string& source, const std::string& destination, const std::string& payload);

/// An Ethernet frame around an IP packet.
Bytes ethernet(const Bytes& destination, const Bytes& source, const Bytes& packet);

}  // namespace icr::test
