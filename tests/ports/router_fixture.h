// A router between two networks in a namespace of its own, for tests of ports.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "node/ports/port.h"
#include "tests/support/network_namespace.h"

namespace icr::node {

/// A router with `in0` (198.18.0.1/24, 2001:db8:18::1/64) and `out0` (198.19.0.1/24, 2001:db8:19::1/64), each with a
/// peer, `in0p` and `out0p`, that the test holds.
class RouterTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    using test::output_of;
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0");
    for (const char* name : {"in0", "out0"}) {
      output_of(fmt::format("ip link add {0} type veth peer name {0}p", name));
      output_of(fmt::format("ip link set {0} up && ip link set {0}p up", name));
    }
    output_of("ip addr add 198.18.0.1/24 dev in0 && ip addr add 198.19.0.1/24 dev out0");
    output_of("ip addr add 2001:db8:18::1/64 dev in0 nodad && ip addr add 2001:db8:19::1/64 dev out0 nodad");
  }

  /// Makes a host known to the kernel behind an interface. REQUIRES: the namespace is ready (not IsSkipped()).
  static void add_neighbour(const char* interface, const char* address, const char* mac) {
    test::output_of(fmt::format("ip neigh add {} lladdr {} dev {}", address, mac, interface));
  }

  static std::uint64_t count(const Port& port, const std::string& name) {
    CounterList counters;
    port.append_to(counters);
    return test::counter(counters, name).value();
  }

  /// Returns the packet as a router forwards it: with one hop less, and with another checksum in an IPv4 header.
  static test::Bytes one_hop_later(test::Bytes packet) {
    if (packet[0] >> 4 == 6) {
      --packet[7];
      return packet;
    }
    --packet[8];
    packet[10] = packet[11] = 0;
    const std::uint16_t sum = test::internet_checksum(test::Bytes(packet.begin(), packet.begin() + 20));
    packet[10] = static_cast<std::uint8_t>(sum >> 8);
    packet[11] = static_cast<std::uint8_t>(sum);
    return packet;
  }
};

}  // namespace icr::node
