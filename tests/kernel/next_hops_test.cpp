#include "node/kernel/next_hops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <atomic>

#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using test::wait_until;
using namespace std::chrono_literals;

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

class NextHopsTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("ip link add nh0 type veth peer name nh0p && ip link set nh0 up && ip link set nh0p up");
    output_of("ip addr add 198.18.5.1/24 brd + dev nh0");
    auto hops = NextHops::open(static_cast<int>(if_nametoindex("nh0")), [this] { scheduled_ = true; });
    if (!hops) throw std::runtime_error(hops.error().message);
    hops_ = std::move(*hops);
  }

  /// Takes what the kernel tells until a look-up has this outcome.
  bool comes_to(const char* destination, NextHops::Outcome wanted) {
    return wait_until(
        [&] {
          (void)hops_->update(now_);
          return hops_->find(address(destination), now_, mac_) == wanted;
        },
        5s);
  }

  std::atomic<bool> scheduled_{false};
  std::unique_ptr<NextHops> hops_;
  EthernetAddress mac_{};
  TimePoint now_{1h};
};

TEST_F(NextHopsTest, KnowWhatThereWasAtOnce) {
  EXPECT_TRUE(hops_->is_local(address("198.18.5.1")));
  EXPECT_TRUE(hops_->is_local(address("198.18.5.255"))) << "the broadcast address";
  EXPECT_FALSE(hops_->is_local(address("198.18.5.2")));
  EXPECT_EQ(hops_->own(false), address("198.18.5.1"));
  EXPECT_EQ(hops_->find(address("198.18.5.255"), now_, mac_), NextHops::Outcome::broadcast);
  EXPECT_EQ(hops_->find(address("192.0.2.1"), now_, mac_), NextHops::Outcome::no_route);
  EXPECT_TRUE(wait_until([this] { return scheduled_.load(); }, 5s));
}

TEST_F(NextHopsTest, FollowRoutesNeighboursAndAddresses) {
  output_of("ip neigh add 198.18.5.2 lladdr 02:00:00:00:00:02 nud permanent dev nh0");
  EXPECT_TRUE(comes_to("198.18.5.2", NextHops::Outcome::known));
  EXPECT_EQ(mac_, (EthernetAddress{2, 0, 0, 0, 0, 2}));
  output_of("ip route add 192.0.2.0/24 via 198.18.5.2");
  EXPECT_TRUE(comes_to("192.0.2.1", NextHops::Outcome::known));
  output_of("ip route add blackhole 192.0.2.128/25");
  EXPECT_TRUE(comes_to("192.0.2.129", NextHops::Outcome::blackhole));
  EXPECT_EQ(hops_->find(address("192.0.2.1"), now_, mac_), NextHops::Outcome::known);
  output_of("ip route del 192.0.2.0/24");
  EXPECT_TRUE(comes_to("192.0.2.1", NextHops::Outcome::no_route));
  output_of("ip addr add 198.18.5.7/24 dev nh0");
  EXPECT_TRUE(wait_until(
      [this] {
        (void)hops_->update(now_);
        return hops_->is_local(address("198.18.5.7"));
      },
      5s));
}

TEST_F(NextHopsTest, HaveTheKernelResolveWhatTheyDoNotKnow) {
  EXPECT_EQ(output_of("ip neigh show to 198.18.5.3"), "");
  EXPECT_EQ(hops_->find(address("198.18.5.3"), now_, mac_), NextHops::Outcome::pending);
  EXPECT_EQ(hops_->find(address("198.18.5.3"), now_, mac_), NextHops::Outcome::pending);
  EXPECT_EQ(hops_->requests(), 1U) << "at most once a second";
  EXPECT_TRUE(wait_until([] { return !output_of("ip neigh show to 198.18.5.3").empty(); }, 5s));
}

TEST_F(NextHopsTest, WakeTheWorkerOnceForEachPicture) {
  (void)hops_->update(now_);
  output_of("ip route add blackhole 192.0.2.0/24");
  ASSERT_TRUE(wait_until([this] { return is_readable(hops_->descriptor()); }, 5s));
  EXPECT_TRUE(hops_->update(now_));
  // The kernel may have more to tell (IPv6 addresses that become usable); then there is a picture as well.
  EXPECT_TRUE(wait_until([this] { return !hops_->update(now_) && !is_readable(hops_->descriptor()); }, 5s));
}

}  // namespace
}  // namespace icr::node
