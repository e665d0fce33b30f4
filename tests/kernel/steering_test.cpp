// How virtual addresses are drawn to a chassis, kept there by leases, and let go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tests/kernel/steering_bed.h"

namespace icr::node::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(SteeringTest, HoldsAndReleasesAllAddressesAtOnce) {
  const auto steering = open();
  EXPECT_EQ(shown("va0"), "");
  EXPECT_THAT(steering->warning(), IsEmpty());
  ASSERT_TRUE(steering->acquire(monotonic_now()));
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24"));
  EXPECT_THAT(shown("va0"), HasSubstr("2001:db8:18::1/64"));
  EXPECT_THAT(shown("va0"), Not(HasSubstr("tentative"))) << "usable at once";
  EXPECT_THAT(shown("va1"), HasSubstr("198.19.0.1/24"));
  EXPECT_THAT(shown("va1"), HasSubstr("2001:db8:19::1/64"));
  steering->release(monotonic_now());
  EXPECT_EQ(shown("va0") + shown("va1"), "");
  EXPECT_EQ(count(*steering, "requests-refused"), 0U);
}

TEST_F(SteeringTest, TakesLessThanFiveMilliseconds) {
  const auto steering = open();
  std::vector<Duration> took;
  for (int i = 0; i < 20; ++i) {
    const TimePoint begin = monotonic_now();
    ASSERT_TRUE(steering->acquire(begin));
    took.push_back(monotonic_now() - begin);
    steering->release(monotonic_now());
  }
  std::sort(took.begin(), took.end());
  RecordProperty("median_us", static_cast<int>(took[10] / 1us));
  RecordProperty("max_us", static_cast<int>(took.back() / 1us));
  EXPECT_LT(took[10], 5ms);
}

TEST_F(SteeringTest, TheKernelWithdrawsTheAddressesOfADeadProcess) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto steering = open();
    (void)steering->acquire(monotonic_now());
    for (;;) pause();
  }
  ASSERT_TRUE(wait_until([] { return shown("va1").find("2001:db8:19::1") != std::string::npos; }, 5s));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24")) << "the kernel does not know yet";
  const TimePoint died = monotonic_now();
  EXPECT_TRUE(wait_until([] { return (shown("va0") + shown("va1")).empty(); }, 6s)) << shown("va0") << shown("va1");
  RecordProperty("withdrawn_after_ms", static_cast<int>((monotonic_now() - died) / 1ms));
  EXPECT_LT(monotonic_now() - died, 5s);
}

TEST_F(SteeringTest, RenewalKeepsAddressesAndRoutesWithoutFlapping) {
  const auto steering = open();
  ASSERT_TRUE(steering->acquire(monotonic_now()));
  output_of("(ip monitor route address >/tmp/icr-steering-monitor.$PPID 2>&1 & echo $! >/tmp/icr-steering-pid.$PPID)");
  const std::string own = std::to_string(getpid());
  // Twice the lease.
  const TimePoint end = monotonic_now() + 2 * Steering::kLease;
  ASSERT_TRUE(ticking_until(
      *steering, [&] { return monotonic_now() >= end; }, 10s));
  output_of("kill $(cat /tmp/icr-steering-pid." + own + ")");
  const std::string events = output_of("cat /tmp/icr-steering-monitor." + own);
  output_of("rm -f /tmp/icr-steering-monitor." + own + " /tmp/icr-steering-pid." + own);
  EXPECT_THAT(events, HasSubstr("198.18.0.1")) << "the monitor was listening";
  EXPECT_THAT(events, Not(HasSubstr("Deleted")));
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24"));
  EXPECT_THAT(shown("va0"), HasSubstr("2001:db8:18::1/64"));
  EXPECT_THAT(output_of("ip route get 198.18.0.77"), HasSubstr("dev va0"));
  EXPECT_THAT(output_of("ip -6 route get 2001:db8:18::77"), HasSubstr("dev va0"));
  EXPECT_GE(count(*steering, "renewals"), 10U);
}

TEST_F(SteeringTest, LeftoversOfAPreviousProcessAreRemoved) {
  output_of("ip addr add 198.18.0.1/24 dev va0 && ip addr add 2001:db8:19::1/64 dev va1 nodad");
  output_of("ip addr add 198.18.0.2/24 dev va0");
  const auto steering = open();
  EXPECT_THAT(shown("va0"), Not(HasSubstr("198.18.0.1/24")));
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.2/24")) << "an address of the chassis itself stays";
  EXPECT_EQ(shown("va1"), "");
}

TEST_F(SteeringTest, OtherAddressesOfTheSubnetSurviveTheRelease) {
  const auto steering = open();
  ASSERT_TRUE(steering->acquire(monotonic_now()));
  output_of("ip addr add 198.18.0.2/24 dev va0");
  steering->release(monotonic_now());
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.2/24"));
  EXPECT_THAT(output_of("ip route get 198.18.0.77"), HasSubstr("src 198.18.0.2"));
}

TEST_F(SteeringTest, ReleaseOnDestruction) {
  {
    const auto steering = open();
    ASSERT_TRUE(steering->acquire(monotonic_now()));
  }
  EXPECT_EQ(shown("va0") + shown("va1"), "");
}

TEST_F(SteeringTest, AMissingInterfaceIsAWarningAndIsRetried) {
  output_of("ip link del va1");
  const auto steering = open(TimePoint(0s));
  EXPECT_EQ(steering->warning(), "interface va1 does not exist");
  const auto done = steering->acquire(TimePoint(0s));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("198.19.0.1/24 to interface va1"));
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24")) << "what can be held is held";
  output_of("ip link add va1 type veth peer name va1p && ip link set va1 up && ip link set va1p up");
  const icr::test::Wire peer("va1p");
  tick(*steering, TimePoint(500ms));
  EXPECT_THAT(steering->warning(), IsEmpty());
  EXPECT_THAT(shown("va1"), HasSubstr("198.19.0.1/24"));
  EXPECT_TRUE(peer.receive(is_arp, 2s)) << "announced when it came";
  EXPECT_EQ(count(*steering, "interface-trouble"), 1U);
}

TEST_F(SteeringTest, AStandbyWatchesItsInterfacesToo) {
  const auto steering = open(TimePoint(0s));
  output_of("ip link set va1p down");
  tick(*steering, TimePoint(500ms));
  EXPECT_EQ(steering->warning(), "interface va1 is down or has no carrier");
  output_of("ip link set va1p up");
  ASSERT_TRUE(wait_until([] { return is_up("va1"); }, 2s));
  tick(*steering, TimePoint(1s));
  EXPECT_THAT(steering->warning(), IsEmpty());
  EXPECT_EQ(shown("va0") + shown("va1"), "") << "watching is not taking";
}

TEST_F(SteeringTest, AnInterfaceThatComesBackIsAnnouncedAgain) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  output_of("ip link set va0 down");
  tick(*steering, TimePoint(500ms));
  EXPECT_EQ(steering->warning(), "interface va0 is down or has no carrier");
  output_of("ip link set va0 up");
  ASSERT_TRUE(wait_until([] { return is_up("va0"); }, 2s));
  const icr::test::Wire peer("va0p");
  tick(*steering, TimePoint(1s));
  EXPECT_THAT(steering->warning(), IsEmpty());
  EXPECT_THAT(shown("va0"), HasSubstr("2001:db8:18::1/64")) << "the kernel had removed it with the link";
  EXPECT_TRUE(peer.receive(is_advertisement, 2s));
}

TEST_F(SteeringTest, AfterAPauseBeyondTheLeaseItWaitsForNews) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  // What the kernel does when the lease runs out.
  output_of("ip addr flush dev va0 scope global && ip addr flush dev va1 scope global");
  steering->tick(TimePoint(3s), {TimePoint(3s), TimePoint(3s)});
  EXPECT_EQ(shown("va0") + shown("va1"), "") << "the peer may have taken over meanwhile";
  EXPECT_EQ(count(*steering, "leases-expired"), 1U);
  const icr::test::Wire peer("va0p");
  const TimePoint later = TimePoint(3s) + Steering::kGraceAfterPause;
  EXPECT_EQ(steering->next_deadline(), later);
  steering->tick(later, {later, TimePoint(3s)});
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24"));
  EXPECT_TRUE(peer.receive(is_arp, 2s));
  EXPECT_EQ(count(*steering, "leases-expired"), 1U);
}

TEST_F(SteeringTest, LeasesThatTheKernelWasTooSlowToRenewAreTakenAgainAtOnce) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  output_of("ip addr flush dev va0 scope global && ip addr flush dev va1 scope global");
  const icr::test::Wire peer("va0p");
  tick(*steering, TimePoint(4s));
  EXPECT_EQ(count(*steering, "leases-expired"), 1U);
  EXPECT_THAT(shown("va0"), HasSubstr("198.18.0.1/24")) << "the worker was there all the time and would know";
  EXPECT_TRUE(peer.receive(is_arp, 2s));
}

TEST_F(SteeringTest, NothingIsRenewedOrAnnouncedForAWorkerThatHangs) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  const auto announced = count(*steering, "announcements");
  // Addresses that are missing would come back with a renewal.
  output_of("ip addr flush dev va0 scope global && ip addr flush dev va1 scope global");
  TimePoint now(0s);
  for (int i = 0; i < 200 && now < TimePoint(10s); ++i) {
    ASSERT_GT(*steering->next_deadline(), now) << "the thread would not sleep";
    now = *steering->next_deadline();
    steering->tick(now, {TimePoint(-1ms)});
  }
  EXPECT_EQ(shown("va0") + shown("va1"), "");
  EXPECT_EQ(count(*steering, "renewals"), 0U);
  EXPECT_EQ(count(*steering, "leases-expired"), 1U);
  EXPECT_EQ(count(*steering, "announcements"), announced);
  EXPECT_THAT(steering->warning(), IsEmpty()) << "the interfaces are all right";

  // It is back; the lease has run out, so what the peer says comes first.
  const TimePoint back = now + 1ms;
  for (; now < back + Steering::kGraceAfterPause; now = *steering->next_deadline()) {
    steering->tick(now, {now, back});
    ASSERT_EQ(count(*steering, "renewals"), 0U) << (now - back) / 1ms;
  }
  steering->tick(now, {now, back});
  EXPECT_EQ(count(*steering, "renewals"), 1U);
  EXPECT_THAT(shown("va1"), HasSubstr("198.19.0.1/24"));
}

TEST_F(SteeringTest, AShortPauseOfTheWorkerDelaysARenewalOnly) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  steering->tick(TimePoint(500ms), {TimePoint(300ms)});
  EXPECT_EQ(count(*steering, "renewals"), 0U);
  ASSERT_EQ(steering->next_deadline(), TimePoint(550ms));
  steering->tick(TimePoint(550ms), {TimePoint(545ms)});
  EXPECT_EQ(count(*steering, "renewals"), 1U);
  EXPECT_EQ(count(*steering, "leases-expired"), 0U);
}

TEST_F(SteeringTest, WithoutPrivilegesTheReasonIsClear) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    data[0].effective = data[0].permitted = 1U << CAP_NET_RAW;
    syscall(SYS_capset, &header, data);
    std::string text;
    if (auto steering = open_steering(addresses_, monotonic_now())) {
      const auto done = (*steering)->acquire(monotonic_now());
      text = done ? "acquired" : done.error().message;
    }
    data[0].effective = data[0].permitted = 0;
    syscall(SYS_capset, &header, data);
    const auto steering = open_steering(addresses_, monotonic_now());
    text += "\n" + (steering ? "opened" : steering.error().message);
    const ssize_t written = write(pipe_ends[1], text.data(), text.size());
    _exit(written < 0);
  }
  close(pipe_ends[1]);
  char text[1024] = "";
  EXPECT_GT(read(pipe_ends[0], text, sizeof text - 1), 0);
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_THAT(text, HasSubstr("CAP_NET_ADMIN"));
  EXPECT_THAT(text, HasSubstr("NET_RAW"));
}

TEST(Steering, WithoutVirtualAddressesDoesNothing) {
  const auto steering = open_steering({}, TimePoint(0s));
  ASSERT_TRUE(steering);
  EXPECT_TRUE((*steering)->acquire(TimePoint(0s)));
  (*steering)->tick(TimePoint(1s), {TimePoint(1s)});
  (*steering)->release(TimePoint(2s));
  EXPECT_EQ((*steering)->next_deadline(), std::nullopt);
  EXPECT_THAT((*steering)->warning(), IsEmpty());
}

}  // namespace
}  // namespace icr::node::test
