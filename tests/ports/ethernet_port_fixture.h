// A router whose interfaces are ports, for tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "node/packet/packet.h"
#include "node/ports/factory.h"
#include "tests/ports/router_fixture.h"

namespace icr::node {

using test::Bytes;
using test::output_of;
using namespace std::chrono_literals;

inline const Bytes kServer = {0x02, 0, 0, 0, 0, 0x20};

/// A router with a server, 198.19.0.20 and 2001:db8:19::20, behind `out0`.
class EthernetPortTest : public RouterTest {
 protected:
  void SetUp() override {
    RouterTest::SetUp();
    if (IsSkipped()) return;
    for (const char* address : {"198.19.0.20", "2001:db8:19::20"}) add_neighbour("out0", address, "02:00:00:00:00:20");
  }

  static std::unique_ptr<Port> open(const char* interface, std::uint32_t unit) {
    auto port = open_port(config(interface, unit));
    if (!port) throw std::runtime_error(port.error().message);
    return std::move(*port);
  }
  static PacketPort config(const char* interface, std::uint32_t unit) {
    PacketPort out;
    out.kind = PacketPort::Kind::af_packet;
    out.unit = unit;
    out.device = interface;
    return out;
  }

  /// The next packet that the port has, as the engine would get it.
  Packet* next(Port& port, std::chrono::milliseconds limit = 2s) {
    const auto received = [&] { return port.rx_burst({buffers.packets().data(), 1}) == 1; };
    return test::wait_until(received, limit) ? buffers.packets().data() : nullptr;
  }
  static Bytes bytes_of(const Packet& packet) { return {packet.data, packet.data + packet.length}; }

  static void transmit(Port& port, Bytes bytes) {
    port.tx({bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 2});
    port.flush();
  }

  static auto carries(const Bytes& packet) {
    return [packet](const Bytes& frame) {
      return frame.size() >= 14 + packet.size() && std::equal(packet.begin(), packet.end(), frame.begin() + 14);
    };
  }

  PacketBuffers buffers{1};
};

}  // namespace icr::node
