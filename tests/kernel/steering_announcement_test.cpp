// What neighbours are told of virtual addresses: gratuitous ARP, and unsolicited neighbour advertisements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "node/kernel/announcement.h"
#include "tests/kernel/steering_bed.h"

namespace icr::node::test {
namespace {

using testing::HasSubstr;

TEST_F(SteeringTest, AnnouncesAtOnceAndAgain) {
  const icr::test::Wire peer("va0p");
  const icr::test::Wire own("va0");
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
  const icr::test::Wire peer("va0p");
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
  EXPECT_EQ(Bytes(bytes.begin() + 80, bytes.begin() + 86), icr::test::Wire("va0").address());
  Bytes summed = {0, 0, 0, 32, 0, 0, 0, 58};  // length and next header of the pseudo header; the order is no matter
  for (std::size_t i = 22; i < 86; ++i) summed.push_back(bytes[i]);
  EXPECT_EQ(icr::test::internet_checksum(summed), 0);
}

/// Neighbours that know the address need no answer of the kernel, which may have to wait for its lock.
TEST_F(SteeringTest, AnnouncesBeforeTheKernelHasTheAddress) {
  const icr::test::Wire peer("va0p");
  // The kernel never has this one, because no IPv4 prefix has 33 bits.
  const std::vector<VirtualAddress> refused = {virtual_address("va0", "198.18.0.1", 33)};
  const auto steering = open_steering(refused, monotonic_now());
  ASSERT_TRUE(steering) << steering.error().message;
  ASSERT_FALSE((*steering)->acquire(monotonic_now()));
  EXPECT_EQ(shown("va0"), "");
  EXPECT_TRUE(peer.receive(is_arp, 2s));
}

TEST_F(SteeringTest, AnAddressWithAClosedWayIsNotAnnounced) {
  const icr::test::Wire peer("va0p");
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
  const icr::test::Wire peer("va0p");
  ASSERT_TRUE(steering->acquire(TimePoint(20s)));
  EXPECT_TRUE(peer.receive(is_arp, 2s));
  EXPECT_EQ(count(*steering, "announcements"), 8U);
}

}  // namespace
}  // namespace icr::node::test
