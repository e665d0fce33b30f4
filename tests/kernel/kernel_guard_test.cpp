#include "node/kernel/kernel_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/kernel/tun_routing.h"
#include "node/ports/factory.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using test::wait_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

/// The time within which a chassis must react; the tests wait longer, because machines that run them are busy.
constexpr auto kSoon = 2s;

/// A set on a card with units 1 (TUN, from in0) and 2 (TUN, from out0); in0 and out0 are there and have a carrier.
class KernelGuardTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    for (const char* const name : {"in0", "out0"}) {
      output_of(
          fmt::format("ip link add {0} type veth peer name {0}p && ip link set {0} up && ip link set {0}p up", name));
    }
    auto& card = cluster_.chassis.emplace_back().cards.emplace_back();
    cluster_.chassis[0].name = "left";
    card.name = "ms-0/0/0";
    for (const std::uint32_t unit : {1U, 2U}) {
      PacketPort port;
      port.unit = unit;
      port.device = fmt::format("tun{}", unit);
      port.steer_from = {unit == 1 ? "in0" : "out0"};
      card.ports.push_back(port);
    }
    auto& service = cluster_.service_sets.emplace_back();
    service.inside_unit = 1;
    service.outside_unit = 2;
    auto& set = cluster_.redundancy_sets.emplace_back();
    set.members = {{0, card.name, 100}};
    set.service_sets = {0};
  }

  void start() {
    auto guard = KernelGuard::open(cluster_, 0);
    ASSERT_TRUE(guard.has_value()) << guard.error().message;
    guard_ = std::move(*guard);
    for (const auto& config : cluster_.chassis[0].cards[0].ports) {
      auto port = open_port(config);
      ASSERT_TRUE(port.has_value()) << port.error().message;
      ports_.push_back(std::move(*port));
    }
    guard_->start();
  }
  const KernelReport& report() {
    (void)guard_->watch(0).take(report_);
    return report_;
  }
  std::uint64_t count(const std::string& name) const {
    CounterList out;
    guard_->append_to(out);
    return test::counter(out, name).value();
  }
  /// Sorted: rules of the same priority are listed in the order in which they were put back, and each device has a
  /// guard of its own.
  static std::string state() {
    return output_of(
        "for family in -4 -6; do"
        "  ip $family rule show priority 7300 | sort; ip $family route show table all proto 73 | sort;"
        "done");
  }

  Cluster cluster_;
  std::unique_ptr<KernelGuard> guard_;
  std::vector<std::unique_ptr<Port>> ports_;
  KernelReport report_;
};

TEST_F(KernelGuardTest, RulesAndRoutesThatAreFlushedArePutBackAndCounted) {
  start();
  const std::string whole = state();
  ASSERT_THAT(whole, HasSubstr(fmt::format("iif in0 lookup {}", routing_table_of("tun1"))));
  const auto before = count("kernel-rules-restored");
  output_of("ip rule flush protocol 73; ip -6 rule flush protocol 73");
  EXPECT_TRUE(wait_until([&] { return state() == whole; }, kSoon)) << state();
  output_of(fmt::format("ip route flush table {0}; ip -6 route flush table {0}", routing_table_of("tun2")));
  EXPECT_TRUE(wait_until([&] { return state() == whole; }, kSoon)) << state();
  EXPECT_TRUE(wait_until([&] { return count("kernel-rules-restored") >= before + 8; }, kSoon));
  EXPECT_THAT(report().kernel, IsEmpty()) << "what is back at once is no ill health";
}

TEST_F(KernelGuardTest, ADeviceThatIsTakenDownIsUpAgainWithItsRoutes) {
  start();
  const std::string whole = state();
  output_of("ip link set tun1 down");
  EXPECT_TRUE(wait_until([&] { return state() == whole; }, kSoon)) << state();
  EXPECT_THAT(output_of("ip -o link show tun1"), HasSubstr(",UP"));
}

TEST_F(KernelGuardTest, ForwardingAndSourceChecksAreSetAgainPerInterface) {
  start();
  output_of("sysctl -qw net.ipv4.ip_forward=1 && sysctl -qw net.ipv4.ip_forward=0");
  for (const char* const name : {"in0", "out0", "tun1", "tun2"}) {
    const auto shown = [name] { return output_of(fmt::format("cat /proc/sys/net/ipv4/conf/{}/forwarding", name)); };
    EXPECT_TRUE(wait_until([&] { return shown() == "1\n"; }, kSoon)) << name;
  }
  EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/ip_forward"), "0\n") << "the machine's own is not touched";
  output_of("sysctl -qw net.ipv4.conf.all.rp_filter=1");
  EXPECT_TRUE(wait_until([] { return output_of("cat /proc/sys/net/ipv4/conf/tun1/rp_filter") == "2\n"; }, 5s));
}

TEST_F(KernelGuardTest, ADeadLinkIsToldWithItsReason) {
  start();
  EXPECT_THAT(report().interfaces, IsEmpty());
  output_of("ip link set in0p down");
  ASSERT_TRUE(wait_until([&] { return !report().interfaces.empty(); }, kSoon));
  EXPECT_THAT(report().interfaces, ElementsAre("interface in0 has no carrier"));
  output_of("ip link del out0");
  ASSERT_TRUE(wait_until([&] { return report().interfaces.size() == 2; }, kSoon));
  EXPECT_THAT(report().interfaces, ElementsAre("interface in0 has no carrier", "interface out0 does not exist"));
  output_of(
      "ip link set in0p up; ip link add out0 type veth peer name out0p; ip link set out0 up; ip link set out0p up");
  EXPECT_TRUE(wait_until([&] { return report().interfaces.empty(); }, kSoon));
}

TEST_F(KernelGuardTest, ADeviceThatIsGoneIsIllHealth) {
  start();
  output_of("ip link del tun1");
  EXPECT_TRUE(wait_until([&] { return !report().kernel.empty(); }, kSoon));
  EXPECT_THAT(report().kernel, testing::Contains(HasSubstr("device tun1 is gone")));
}

TEST_F(KernelGuardTest, WhatIsTakenAwayAgainAndAgainIsIllHealthAndNoRace) {
  start();
  for (std::uint32_t i = 0; i < KernelGuard::kFight; ++i) {
    const auto before = count("kernel-rules-restored");
    output_of("ip -4 rule flush protocol 73");
    ASSERT_TRUE(wait_until([&] { return count("kernel-rules-restored") > before; }, kSoon)) << i;
    ASSERT_TRUE(wait_until([] { return !output_of("ip rule show priority 7300").empty(); }, kSoon));
  }
  EXPECT_TRUE(wait_until([&] { return count("kernel-rules-fought-over") >= 1; }, kSoon));
  EXPECT_TRUE(wait_until([&] { return !report().kernel.empty(); }, kSoon));
  EXPECT_THAT(report().kernel, testing::Contains(HasSubstr("again and again")));
}

TEST_F(KernelGuardTest, ReturnRoutesAreKeptWhileTheyAreWantedOnly) {
  cluster_.nat_pools.emplace_back().addresses = {
      AddressRange::of(Prefix::of(IpAddress::parse("203.0.113.0").value(), 28))};
  auto& term = cluster_.nat_rules.emplace_back().terms.emplace_back();
  term.source_pools = {0};
  cluster_.service_sets[0].nat_rules = {0};
  start();
  const auto shown = [] { return output_of("ip route show proto 73"); };
  EXPECT_THAT(shown(), Not(HasSubstr("203.0.113.0/28")));
  guard_->watch(0).want_return_routes(true);
  EXPECT_TRUE(wait_until([&] { return shown().find("203.0.113.0/28 dev tun2") != std::string::npos; }, 5s)) << shown();
  output_of("ip route flush proto 73");
  EXPECT_TRUE(wait_until([&] { return shown().find("203.0.113.0/28 dev tun2") != std::string::npos; }, kSoon));
  guard_->watch(0).want_return_routes(false);
  output_of("ip route flush proto 73");
  EXPECT_FALSE(wait_until([&] { return !shown().empty(); }, 300ms));
}

}  // namespace
}  // namespace icr::node
