// Tests ports whose interface comes after the start, goes, and comes again.
#include "node/ports/late_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ports/ethernet_port_fixture.h"

namespace icr::node {
namespace {

using testing::HasSubstr;

class LatePortTest : public EthernetPortTest {
 protected:
  static void make_interface() {
    output_of("ip link add late0 type veth peer name late0p && ip link set late0 up && ip link set late0p up");
    output_of("ip addr add 198.18.9.1/24 dev late0");
  }
  /// Sends packets into the interface until the port has one.
  bool receives(Port& port) {
    const test::Wire outside("late0p");
    const Bytes packet = test::udp4("198.18.9.10", "198.19.0.20", "x");
    const auto arrives = [&] {
      outside.send(test::ethernet(test::Wire("late0").address(), outside.address(), packet));
      return port.rx_burst({buffers.packets().data(), 1}) == 1;
    };
    return test::wait_until(arrives, 5s) && bytes_of(buffers.packets().front()) == one_hop_later(packet);
  }
};

TEST_F(LatePortTest, AnInterfaceThatComesAfterTheStartIsUsedAsSoonAsItIsThere) {
  const auto port = open("late0", 1);
  EXPECT_THAT(output_of("ip rule show priority 7300"), HasSubstr("iif late0")) << "the kernel will not forward for it";
  EXPECT_EQ(port->descriptor(), -1) << "nobody is woken for it";
  EXPECT_EQ(port->rx_burst(buffers.packets()), 0U);
  transmit(*port, test::udp4("198.18.0.10", "198.18.9.10", "x"));
  EXPECT_EQ(count(*port, "tx-dropped-no-interface"), 1U);
  make_interface();
  EXPECT_TRUE(receives(*port));
  EXPECT_GE(port->descriptor(), 0);
}

TEST_F(LatePortTest, AnInterfaceThatIsCreatedAgainIsUsedAgainAndCountersGoOn) {
  make_interface();
  const auto port = open("late0", 1);
  ASSERT_TRUE(receives(*port));
  output_of("ip link delete late0");
  ASSERT_TRUE(test::wait_until(
      [&] { return port->rx_burst(buffers.packets()) == 0 && count(*port, "interface-losses") == 1; }, 5s));
  EXPECT_EQ(port->descriptor(), -1);
  const auto before = count(*port, "rx-packets");
  EXPECT_GE(before, 1U);
  make_interface();
  EXPECT_TRUE(receives(*port));
  EXPECT_GT(count(*port, "rx-packets"), before);
}

TEST_F(LatePortTest, AnInterfaceThatCannotBeUsedIsTriedAgainUntilItCan) {
  const auto port = open("late0", 1);
  output_of("ip tuntap add mode tun late0");
  for (const auto end = std::chrono::steady_clock::now() + 500ms; std::chrono::steady_clock::now() < end;) {
    EXPECT_EQ(port->rx_burst(buffers.packets()), 0U);
  }
  EXPECT_EQ(port->descriptor(), -1);
  output_of("ip link delete late0");
  make_interface();
  EXPECT_TRUE(receives(*port));
}

}  // namespace
}  // namespace icr::node
