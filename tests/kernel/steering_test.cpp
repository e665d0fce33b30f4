#include "node/kernel/steering.h"

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

#include "model/base/clock.h"
#include "node/kernel/announcement.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::output_of;
using test::wait_until;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

VirtualAddress virtual_address(const char* interface, const char* text, std::uint8_t length) {
  return VirtualAddress{interface, IpAddress::parse(text).value(), length};
}

bool is_up(const std::string& interface) {
  return output_of("ip -o link show dev " + interface).find("state UP") != std::string::npos;
}

/// `va0` and `va1`, each with a peer on which the test listens.
class SteeringTest : public test::InNewNamespace {
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
    return test::counter(counters, "steering-" + name).value();
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

bool is_arp(const Bytes& frame) { return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6; }
bool is_advertisement(const Bytes& frame) {
  return frame.size() >= 86 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 58 && frame[54] == 136;
}

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

TEST_F(SteeringTest, AnnouncesAtOnceAndAgain) {
  const test::Wire peer("va0p");
  const test::Wire own("va0");
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  const auto arp = peer.receive(is_arp, 2s);
  ASSERT_TRUE(arp);
  Bytes expected(6, 0xff);
  const auto append = [&expected](const Bytes& bytes) { expected.insert(expected.end(), bytes.begin(), bytes.end()); };
  append(own.address());
  append({8, 6, 0, 1, 8, 0, 6, 4, 0, 1});
  append(own.address());
  append({198, 18, 0, 1, 0, 0, 0, 0, 0, 0, 198, 18, 0, 1});
  EXPECT_EQ(Bytes(arp->begin(), arp->begin() + 42), expected);

  const std::vector<std::pair<Duration, bool>> schedule = {
      {99ms, false},  {100ms, true},   {499ms, false}, {500ms, true},   {1s, true},  {2499ms, false},
      {2500ms, true}, {4999ms, false}, {5s, true},     {9999ms, false}, {10s, true}, {20s, false}};
  const auto announced = [&] { return count(*steering, "announcements"); };
  TimePoint now(0s);
  ASSERT_EQ(announced(), 4U) << "one for each address";
  for (const auto& step : schedule) {
    const auto before = announced();
    while (now < TimePoint(step.first)) {
      const auto deadline = steering->next_deadline();
      ASSERT_TRUE(deadline);
      ASSERT_GT(*deadline, now) << "deadlines lie ahead";
      now = std::min(*deadline, TimePoint(step.first));
      if (now == TimePoint(step.first)) break;
      tick(*steering, now);
    }
    EXPECT_EQ(announced(), before) << "nothing between";
    tick(*steering, now);
    EXPECT_EQ(announced(), before + (step.second ? 4U : 0U)) << step.first / 1ms;
  }
  EXPECT_EQ(count(*steering, "announcements-failed"), 0U);
}

/// A process in a network namespace of its own: another machine.
class Neighbour {
 public:
  Neighbour() {
    int ready[2];
    if (pipe(ready) != 0) throw std::runtime_error("pipe failed");
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const bool done = unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1;
      close(ready[1]);
      if (done) pause();  // until it is killed
      _exit(1);
    }
    close(ready[1]);
    char byte = 0;
    const bool is_ready = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (!is_ready) throw std::runtime_error("no second network namespace");
  }
  ~Neighbour() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  void take(const std::string& interface) const {
    output_of("ip link set " + interface + " netns " + std::to_string(process_));
  }
  std::string output_of_command(const std::string& command) const {
    return output_of("nsenter --target " + std::to_string(process_) + " --net " + command);
  }

 private:
  pid_t process_ = -1;
};

TEST_F(SteeringTest, NeighboursLearnTheNewOwner) {
  const Neighbour neighbour;
  neighbour.take("va0p");
  neighbour.output_of_command("ip link set va0p up");
  ASSERT_TRUE(wait_until([] { return is_up("va0"); }, 2s));
  neighbour.output_of_command("ip addr add 198.18.0.10/24 dev va0p");
  neighbour.output_of_command("ip addr add 2001:db8:18::10/64 dev va0p nodad");
  // What it knows from the last owner.
  neighbour.output_of_command("ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:99 nud reachable dev va0p");
  neighbour.output_of_command("ip neigh add 2001:db8:18::1 lladdr 02:00:00:00:00:99 nud reachable dev va0p router");
  const auto steering = open();
  ASSERT_TRUE(steering->acquire(monotonic_now()));
  const std::string link = output_of("ip -o link show dev va0");
  const std::string mac = link.substr(link.find("link/ether ") + 11, 17);
  for (const std::string address : {"198.18.0.1", "2001:db8:18::1"}) {
    std::string entry;
    EXPECT_TRUE(ticking_until(
        *steering,
        [&] {
          entry = neighbour.output_of_command("ip neigh show dev va0p to " + address);
          return entry.find(mac) != std::string::npos;
        },
        2s))
        << entry << " should have " << mac;
  }
  EXPECT_THAT(neighbour.output_of_command("ip -6 neigh show dev va0p to 2001:db8:18::1"), HasSubstr("router"))
      << "a router that stops to say so is no default router any more";
}

TEST_F(SteeringTest, AdvertisementIsWellFormed) {
  const test::Wire peer("va0p");
  const auto steering = open();
  ASSERT_TRUE(steering->acquire(monotonic_now()));
  const Bytes wanted(addresses_[2].address.bytes.begin(), addresses_[2].address.bytes.end());
  const auto frame = peer.receive(
      [&](const Bytes& one) { return is_advertisement(one) && Bytes(one.begin() + 62, one.begin() + 78) == wanted; },
      2s);
  ASSERT_TRUE(frame);
  const Bytes& bytes = *frame;
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 6), (Bytes{0x33, 0x33, 0, 0, 0, 1}));
  EXPECT_EQ(bytes[21], 255) << "hop limit";
  EXPECT_EQ(Bytes(bytes.begin() + 22, bytes.begin() + 38), wanted) << "source";
  EXPECT_EQ(bytes[58], 0xa0) << "router and override, not solicited";
  EXPECT_EQ(Bytes(bytes.begin() + 78, bytes.begin() + 80), (Bytes{2, 1}));
  EXPECT_EQ(Bytes(bytes.begin() + 80, bytes.begin() + 86), test::Wire("va0").address());
  Bytes summed = {0, 0, 0, 32, 0, 0, 0, 58};  // length and next header of the pseudo header; the order is no matter
  for (std::size_t i = 22; i < 86; ++i) summed.push_back(bytes[i]);
  EXPECT_EQ(test::internet_checksum(summed), 0);
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
  const test::Wire peer("va1p");
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
  const test::Wire peer("va0p");
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
  const test::Wire peer("va0p");
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
  const test::Wire peer("va0p");
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

/// Neighbours that know the address need no answer of the kernel, which may have to wait for its lock.
TEST_F(SteeringTest, AnnouncesBeforeTheKernelHasTheAddress) {
  const test::Wire peer("va0p");
  // The kernel never has this one, because no IPv4 prefix has 33 bits.
  const std::vector<VirtualAddress> refused = {virtual_address("va0", "198.18.0.1", 33)};
  const auto steering = open_steering(refused, monotonic_now());
  ASSERT_TRUE(steering) << steering.error().message;
  ASSERT_FALSE((*steering)->acquire(monotonic_now()));
  EXPECT_EQ(shown("va0"), "");
  EXPECT_TRUE(peer.receive(is_arp, 2s));
}

TEST_F(SteeringTest, AnAddressWithAClosedWayIsNotAnnounced) {
  const test::Wire peer("va0p");
  auto steering = open_steering(addresses_, monotonic_now(), [](const VirtualAddress& address) {
    return address.address.is_v4() ? std::string() : std::string("IPv6 is off");
  });
  ASSERT_TRUE(steering) << steering.error().message;
  ASSERT_FALSE((*steering)->acquire(monotonic_now()));
  ASSERT_TRUE(peer.receive(is_arp, 2s));
  EXPECT_FALSE(peer.receive(is_advertisement, 50ms));
}

TEST_F(SteeringTest, AcquiringAgainAnnouncesAgain) {
  const auto steering = open(TimePoint(0s));
  ASSERT_TRUE(steering->acquire(TimePoint(0s)));
  const test::Wire peer("va0p");
  ASSERT_TRUE(steering->acquire(TimePoint(20s)));
  EXPECT_TRUE(peer.receive(is_arp, 2s));
  EXPECT_EQ(count(*steering, "announcements"), 8U);
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
}  // namespace icr::node
