#include "node/kernel/forward_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

PacketPort tun(std::uint32_t unit, const char* device, std::vector<std::string> steer_from) {
  PacketPort out;
  out.unit = unit;
  out.device = device;
  out.steer_from = std::move(steer_from);
  return out;
}

PacketPort af_packet(std::uint32_t unit, const char* interface) {
  PacketPort out;
  out.unit = unit;
  out.kind = PacketPort::Kind::af_packet;
  out.device = interface;
  return out;
}

ChassisConfig chassis(const char* name, std::vector<PacketPort> ports) {
  ChassisConfig out;
  out.name = name;
  out.cards.emplace_back().ports = std::move(ports);
  return out;
}

TEST(ForwardRulesTest, AnInterfaceExchangesPacketsWithTheDeviceThatItIsSteeredInto) {
  const auto rules = forward_rules_of(chassis("left", {tun(1, "tun1", {"in0", "in1"}), tun(2, "tun2", {"out0"})}));
  EXPECT_EQ(rules.table, "icr-guard-left");
  EXPECT_THAT(rules.interfaces, ElementsAre("in0", "in1", "out0"));
  EXPECT_THAT(rules.ways, UnorderedElementsAre(Pair("in0", "tun1"), Pair("tun1", "in0"), Pair("in1", "tun1"),
                                               Pair("tun1", "in1"), Pair("out0", "tun2"), Pair("tun2", "out0")));
}

TEST(ForwardRulesTest, ADeviceThatIsRoutedToByHandServesEverySteeredInterface) {
  const auto rules = forward_rules_of(chassis("left", {tun(1, "tun1", {"eth0"}), tun(2, "tun2", {})}));
  EXPECT_THAT(rules.interfaces, ElementsAre("eth0"));
  EXPECT_THAT(rules.ways, UnorderedElementsAre(Pair("eth0", "tun1"), Pair("tun1", "eth0"), Pair("eth0", "tun2"),
                                               Pair("tun2", "eth0")));
}

TEST(ForwardRulesTest, NothingIsForwardedOnTheInterfaceOfAnEthernetPort) {
  const auto rules = forward_rules_of(chassis("left", {af_packet(1, "in0"), af_packet(2, "out0")}));
  EXPECT_THAT(rules.interfaces, ElementsAre("in0", "out0"));
  EXPECT_THAT(rules.ways, IsEmpty());
}

/// `host0` -- in0 [ this namespace, a router ] out0 -- `host1`; tun1 and tun2 are dummies, ways to nowhere.
class ForwardGuardTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(test::run("nft list tables"), 0) << "the command nft, or nftables in the kernel, is missing";
    output_of("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0");
    for (const auto* const host : {"0", "1"}) {
      const std::string here = *host == '0' ? "in0" : "out0";
      // A namespace without a name: it lives as long as a process in it.
      output_of(fmt::format("unshare -n sleep 60 >/dev/null 2>&1 & echo $! > /tmp/icr-forward-guard-{}-{}", ::getpid(),
                            host));
      pids_.push_back(output_of(
          fmt::format("cat /tmp/icr-forward-guard-{0}-{1}; rm /tmp/icr-forward-guard-{0}-{1}", ::getpid(), host)));
      std::string& pid = pids_.back();
      pid.erase(pid.find('\n'));
      const auto own = output_of("readlink /proc/self/ns/net");
      ASSERT_TRUE(test::wait_until([&] { return output_of(fmt::format("readlink /proc/{}/ns/net", pid)) != own; },
                                   std::chrono::seconds(5)));
      output_of(fmt::format("ip link add {} type veth peer name eth0 netns {}", here, pid));
      output_of(fmt::format("ip address add 198.18.{}.1/24 dev {}; ip link set {} up", host, here, here));
      at(pid, "ip link set lo up; ip link set eth0 up");
      at(pid, fmt::format("ip address add 198.18.{0}.10/24 dev eth0; ip route add default via 198.18.{0}.1", host));
      at(pid, fmt::format("ip address add 2001:db8:{}::10/64 dev eth0 nodad", host));
      output_of(fmt::format("ip address add 2001:db8:{}::1/64 dev {} nodad", host, here));
      at(pid, fmt::format("ip route add default via 2001:db8:{}::1", host));
    }
  }

  void TearDown() override {
    for (const auto& pid : pids_) output_of("kill " + pid);
  }

  static void at(const std::string& pid, const std::string& commands) {
    output_of(fmt::format("nsenter -t {} -n sh -e -c '{}'", pid, commands));
  }
  [[nodiscard]] bool passes() const {
    return test::run(fmt::format("nsenter -t {} -n ping -q -c 1 -W 1 198.18.1.10", pids_[0])) == 0;
  }
  [[nodiscard]] bool passes_ipv6() const {
    return test::run(fmt::format("nsenter -t {} -n ping -q -c 1 -W 1 2001:db8:1::10", pids_[0])) == 0;
  }
  static std::unique_ptr<ForwardGuard> install() {
    auto out =
        ForwardGuard::install(forward_rules_of(chassis("left", {tun(1, "tun1", {"in0"}), tun(2, "tun2", {"out0"})})));
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(*out);
  }

  std::vector<std::string> pids_;
};

TEST_F(ForwardGuardTest, NothingPassesTheCardByAndItIsCounted) {
  ASSERT_TRUE(passes() && passes_ipv6()) << "without the guard this is a router";
  const auto guard = install();
  EXPECT_FALSE(passes());
  EXPECT_FALSE(passes_ipv6());
  ASSERT_TRUE(guard->restore().has_value());
  EXPECT_GE(guard->dropped(), 2U);
  // The machine itself can still be reached.
  EXPECT_EQ(test::run(fmt::format("nsenter -t {} -n ping -q -c 1 -W 1 198.18.0.1", pids_[0])), 0);
}

TEST_F(ForwardGuardTest, OneDirectionAlonePassesOnlyByItsWay) {
  const auto guard = ForwardGuard::install({"icr-guard-left", {"in0", "out0"}, {{"in0", "out0"}, {"out0", "in0"}}, {}});
  ASSERT_TRUE(guard.has_value()) << guard.error().message;
  EXPECT_TRUE(passes() && passes_ipv6());
}

TEST_F(ForwardGuardTest, WhatIsFlushedIsPutBackAndNothingPassesMeanwhile) {
  const auto guard = install();
  EXPECT_FALSE(*guard->restore());
  output_of("nft flush ruleset");
  EXPECT_NE(test::run("nft list table inet icr-guard-left"), 0);
  EXPECT_FALSE(passes()) << "the table that belongs to the process is left";
  EXPECT_TRUE(*guard->restore());
  EXPECT_FALSE(*guard->restore());
  output_of("nft list table inet icr-guard-left");
  EXPECT_GE(guard->dropped(), 1U);
}

TEST_F(ForwardGuardTest, ARuleThatAnotherProgramAddsToTheTableIsTakenOutAgain) {
  const auto guard = install();
  output_of("nft insert rule inet icr-guard-left forward accept");
  EXPECT_TRUE(*guard->restore());
  EXPECT_THAT(output_of("nft list table inet icr-guard-left"), testing::Not(HasSubstr("\t\taccept")));
}

TEST_F(ForwardGuardTest, TheRulesStayWhenTheProcessIsGone) {
  install().reset();
  EXPECT_THAT(output_of("nft list ruleset"), HasSubstr("icr-guard-left"));
  EXPECT_FALSE(passes());
  output_of("nft delete table inet icr-guard-left");  // the documented way to be a plain router again
  EXPECT_TRUE(passes());
}

TEST_F(ForwardGuardTest, NothingPassesInterfacesThatAreRenamed) {
  auto guard = install();
  EXPECT_FALSE(*guard->restore());
  for (const char* const name : {"in0", "out0"}) {
    output_of(fmt::format("ip link set {0} down; ip link set {0} name new-{0}; ip link set new-{0} up", name));
    output_of(fmt::format("ip address replace 2001:db8:{}::1/64 dev new-{} nodad", *name == 'i' ? 0 : 1, name));
  }
  EXPECT_FALSE(passes()) << "before anybody has noticed";
  EXPECT_FALSE(passes_ipv6());
  EXPECT_FALSE(*guard->restore()) << "nobody removed anything";
  EXPECT_FALSE(*guard->restore());
  EXPECT_FALSE(passes());
  output_of("nft flush ruleset");
  EXPECT_FALSE(passes()) << "the table that belongs to the process knows the interfaces as well";
  EXPECT_TRUE(*guard->restore());
  guard.reset();
  EXPECT_FALSE(passes());
  output_of("nft delete table inet icr-guard-left");
  EXPECT_TRUE(passes()) << "only the guard kept it from passing";
}

TEST_F(ForwardGuardTest, AnInterfaceThatAppearsAndIsRenamedIsKnownAndOneThatIsDeletedIsForgotten) {
  const auto guard = ForwardGuard::install({"icr-guard-left", {"late0", "out0"}, {}, {}});
  ASSERT_TRUE(guard.has_value()) << guard.error().message;
  output_of("ip link set in0 down; ip link set in0 name late0; ip link set late0 up");
  EXPECT_FALSE(*(*guard)->restore());
  output_of("ip link set late0 down; ip link set late0 name in0; ip link set in0 up");
  EXPECT_FALSE(*(*guard)->restore());
  EXPECT_THAT(output_of("nft list set inet icr-guard-left numbers"), HasSubstr("\"in0\""));
  EXPECT_THAT(output_of("nft list set inet icr-guard-left-live numbers"), HasSubstr("\"in0\""));
  output_of("ip link delete in0");
  EXPECT_FALSE(*(*guard)->restore());
  const std::string known = output_of("nft list set inet icr-guard-left numbers");
  EXPECT_THAT(known, HasSubstr("elements = { \"out0\" }"));
}

TEST_F(ForwardGuardTest, AnAcceptOfTheUsersFirewallDoesNotOpenIt) {
  const auto guard = install();
  for (const char* const priority : {"-200", "0", "200"}) {
    output_of(
        fmt::format("nft 'add table inet users; add chain inet users forward {{ type filter hook forward priority "
                    "{}; policy accept; }}; add rule inet users forward accept'",
                    priority));
    EXPECT_FALSE(passes()) << priority;
    output_of("nft delete table inet users");
  }
}

TEST_F(ForwardGuardTest, WithoutTheCapabilityTheReasonIsTold) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    syscall(SYS_capset, &header, data);
    const auto guard = ForwardGuard::install({"icr-guard-left", {"in0"}, {}, {}});
    _exit(!guard && guard.error().message.find("CAP_NET_ADMIN") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace icr::node
