// Tests the self-test through real TUN devices and an engine, in virtual time.
#include "node/card/self_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "node/ports/factory.h"
#include "tests/support/flow_bed.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using icr::test::output_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::uint64_t kSecret = 0xfeedfacecafebeefULL;

class SelfTestTest : public icr::test::InNewNamespace, public PacketSink {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    // A router that would forward whatever it may, by a default route.
    output_of("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0");
    output_of("ip link add out0 type veth peer name out0p && ip link set out0 up && ip link set out0p up");
    output_of("ip addr add 198.19.0.1/24 dev out0 && ip route add default via 198.19.0.10");
    output_of("ip neigh add 198.19.0.10 lladdr 02:00:00:00:00:20 dev out0");
    for (const std::uint32_t unit : {1U, 2U}) {
      PacketPort config;
      config.unit = unit;
      config.device = fmt::format("left{}", unit);
      auto port = open_port(config);
      ASSERT_TRUE(port.has_value()) << port.error().message;
      ports_.push_back(std::move(*port));
    }
    bed_ = std::make_unique<test::Bed>();
    bed_->engine->expect_self_tests(kSecret);
    self_test_ = std::make_unique<SelfTest>(kSecret);
    ASSERT_TRUE(add().has_value());
  }

  Result<void> add() {
    return self_test_->add({1, ports_[0].get(), "left1"}, {2, ports_[1].get(), "left2"}, bed_->now);
  }

  void send(const Packet& packet) override { ports_[packet.unit - 1]->tx(packet); }

  /// One turn of the worker.
  void turn() {
    (void)self_test_->poll(bed_->now);
    PacketBuffers buffers(8);
    for (const auto& port : ports_) {
      while (const std::size_t count = port->rx_burst(buffers.packets())) {
        if (forwards_) bed_->engine->process(std::span(buffers.packets()).first(count), bed_->now, *this);
      }
    }
  }

  /// The worker goes on for a while, with a turn every 10 ms.
  void go_on(Duration time) {
    for (const TimePoint end = bed_->now + time; bed_->now < end; bed_->now += 10ms) turn();
  }

  std::uint64_t count(const std::string& name) {
    CounterList counters;
    self_test_->append_to(counters);
    return icr::test::counter(counters, name).value();
  }

  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<test::Bed> bed_;
  std::unique_ptr<SelfTest> self_test_;
  bool forwards_ = true;
};

TEST_F(SelfTestTest, ComesOutInBothDirectionsEverySecondAndLeavesTheMachineNowhere) {
  const icr::test::Wire cable("out0p");
  go_on(10s + 500ms);
  EXPECT_EQ(count("self-tests-sent"), 20U);
  EXPECT_EQ(count("self-tests-returned"), 20U);
  EXPECT_EQ(count("self-tests-failed") + count("self-tests-excused"), 0U);
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
  EXPECT_EQ(bed_->shard->sessions(), 0U);
  EXPECT_EQ(bed_->engine->counters().dropped(), 0U);
  const auto is_test = [](const icr::test::Bytes& frame) {
    const bool ipv4 = frame.size() > 34 && frame[12] == 8 && frame[13] == 0;
    return (ipv4 && (frame[23] == 253 || frame[23] == 1)) || (frame.size() > 14 && frame[12] == 0x88);
  };
  EXPECT_FALSE(cable.receive(is_test, 200ms)) << "neither a test packet nor an ICMP error about one";
}

TEST_F(SelfTestTest, NoSocketTakesThePacketsOfOthers) {
  // sk RefCnt Type Proto Iface R Rmem User Inode. R: packets are passed to the socket.
  std::istringstream sockets(output_of("cat /proc/thread-self/net/packet"));
  std::vector<std::string> protocols;
  std::string line;
  std::getline(sockets, line);
  while (std::getline(sockets, line)) {
    std::istringstream words(line);
    std::string word, protocol, receives;
    words >> word >> word >> word >> protocol >> word >> receives;
    if (receives == "1") protocols.push_back(protocol);
  }
  // A socket that is bound to IPv4 costs each IPv4 packet that comes out of the device.
  EXPECT_THAT(protocols, ElementsAre("88b5", "88b5"));
}

TEST_F(SelfTestTest, AWorkerThatTurnsWithoutForwardingIsNoticedAndItsRecovery) {
  go_on(1500ms);
  forwards_ = false;
  go_on(2500ms);
  EXPECT_THAT(self_test_->wrong(),
              ElementsAre("self-test: packets into unit 1 (left1) do not come out of unit 2 (left2)",
                          "self-test: packets into unit 2 (left2) do not come out of unit 1 (left1)"));
  EXPECT_GE(count("self-tests-failed"), 6U);
  forwards_ = true;
  go_on(600ms);
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
}

TEST_F(SelfTestTest, AQueueingDisciplineThatSwallowsPacketsIsNoticedInItsDirection) {
  ASSERT_EQ(icr::test::run("tc qdisc replace dev left1 root pfifo limit 0"), 0);
  go_on(3500ms);
  EXPECT_THAT(self_test_->wrong(), ElementsAre(HasSubstr("into unit 1 (left1) do not come out of unit 2")));
  output_of("tc qdisc del dev left1 root");
  go_on(600ms);
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
}

TEST_F(SelfTestTest, AFilterBehindADeviceIsNoticedInItsDirection) {
  output_of("nft 'table netdev shield { chain in { type filter hook ingress device left2 priority 0; drop; }; }'");
  go_on(3500ms);
  EXPECT_THAT(self_test_->wrong(), ElementsAre(HasSubstr("into unit 1 (left1) do not come out of unit 2")));
}

TEST_F(SelfTestTest, ADeviceThatWasDownIsTestedAgain) {
  output_of("ip link set left2 down");
  go_on(3500ms);
  EXPECT_EQ(self_test_->wrong().size(), 2U);
  output_of("ip link set left2 up");
  go_on(600ms);
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
}

TEST_F(SelfTestTest, PacketsThatAreLostWhileTheWorkerIsAwayProveNothing) {
  go_on(1500ms);
  forwards_ = false;
  for (int i = 0; i < 20; ++i) {
    go_on(100ms);
    self_test_->was_away(bed_->now);
  }
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
  EXPECT_EQ(count("self-tests-failed"), 0U);
  EXPECT_GE(count("self-tests-excused"), 4U);
}

/// A port at which more and more packets arrive and are lost.
class BusyPort final : public Port {
 public:
  std::size_t rx_burst(std::span<Packet> /*packets*/) override { return 0; }
  void tx(const Packet& /*packet*/) override {}
  [[nodiscard]] int descriptor() const override { return -1; }
  void append_to(CounterList& /*out*/) const override {}
  [[nodiscard]] Load load() const override {
    received_ += receives ? 1U : 0U;
    return {received_, ++lost_};
  }
  bool receives = true;

 private:
  mutable std::uint64_t received_ = 0, lost_ = 0;
};

TEST_F(SelfTestTest, OverloadIsNoFaultAsLongAsThePortReceives) {
  BusyPort busy;
  self_test_ = std::make_unique<SelfTest>(kSecret);
  ASSERT_TRUE(self_test_->add({1, &busy, "left1"}, {2, &busy, "left2"}, bed_->now).has_value());
  forwards_ = false;
  go_on(10s);
  EXPECT_THAT(self_test_->wrong(), IsEmpty());
  EXPECT_EQ(count("self-tests-failed"), 0U);
  busy.receives = false;
  go_on(3500ms);
  EXPECT_EQ(self_test_->wrong().size(), 2U) << "the queue is full because nobody reads it";
}

TEST_F(SelfTestTest, AnImitationComesOutForNobody) {
  go_on(1500ms);
  const std::uint64_t returned = count("self-tests-returned");
  auto stranger = DeviceTap::open("left1", kSecret + 1);
  ASSERT_TRUE(stranger.has_value());
  auto packet = self_test_packet::make({kSecret, 1, 2});
  packet[self_test_packet::kSecretOffset] ^= 1U;
  (*stranger)->send(packet);
  turn();
  turn();
  EXPECT_EQ(count("self-tests-returned"), returned);
  EXPECT_EQ(bed_->engine->counters().self_tests_forwarded, 2U);
}

TEST_F(SelfTestTest, ADeviceThatIsMissingIsSaid) {
  const auto added = self_test_->add({1, ports_[0].get(), "left1"}, {2, ports_[1].get(), "nowhere"}, bed_->now);
  ASSERT_FALSE(added.has_value());
  EXPECT_THAT(added.error().message, HasSubstr("there is no device nowhere"));
}

}  // namespace
}  // namespace icr::node
