// Sends test packets into a TUN device as the kernel sends what it routes there, and receives those that come out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/base/result.h"
#include "node/packet/self_test_packet.h"

namespace icr::node {

/// A packet socket on the device. It is bound to the protocol under which test packets come out, so the kernel spends
/// nothing on it for other packets. A filter in the kernel passes nothing but test packets
/// (node/packet/self_test_packet.h) with the secret that have come out of the device, after the kernel's filters for
/// received frames (tc ingress, the netdev hook of nftables). Thread: one. No function blocks.
class DeviceTap {
 public:
  /// Opens the socket. The error says what is missing: the device, or the capability.
  [[nodiscard]] static Result<std::unique_ptr<DeviceTap>> open(const std::string& device, std::uint64_t secret);
  ~DeviceTap();
  DeviceTap(const DeviceTap&) = delete;
  DeviceTap& operator=(const DeviceTap&) = delete;

  /// Puts a packet into the device, through its queueing discipline. A packet that the kernel refuses is lost.
  void send(std::span<const std::uint8_t> packet);
  /// Returns the next test packet that has come out of the device, if there is one.
  [[nodiscard]] std::optional<self_test_packet::Content> receive();

 private:
  DeviceTap(int socket, int index) : socket_(socket), index_(index) {}

  const int socket_;
  const int index_;
};

}  // namespace icr::node
