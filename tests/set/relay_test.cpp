// Packets that come to a standby: what a pair of set cores does with them.
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"
#include "node/flow/engine.h"
#include "node/redundancy/identity.h"
#include "tests/set/side.h"
#include "tests/support/packets.h"

namespace icr::node {
namespace {

using replication::Channel;
using test::udp;

constexpr std::uint32_t kInside = 1;
constexpr std::uint32_t kOutside = 2;

Cluster with(const std::string& lines) {
  std::string text = kCluster;
  const std::string place = "    hold-time: 1\n";
  text.insert(text.find(place) + place.size(), lines);
  auto cluster = parse_cluster(text, "pair");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return std::move(*cluster);
}

class NoSink final : public PacketSink {
 public:
  void send(const Packet&) override { ++sent; }
  int sent = 0;
};

/// The left side is master, the right one its hot standby.
class RelayTest : public PairTest {
 protected:
  explicit RelayTest(const char* right_says = "    asymmetric-traffic: relay\n") : right_cluster_(with(right_says)) {}
  void SetUp() override {
    left_.core->on_connected(now_);
    right_.core->on_connected(now_);
    run(left_, right_, 5s);
    ASSERT_EQ(left_.core->member().role(), Role::master);
    ASSERT_EQ(right_.core->member().status().sync, Sync::hot);
  }
  /// A packet comes to a chassis. Returns why it was dropped; Drop::count if it was not.
  Drop send(Engine& engine, std::uint32_t unit, const test::Bytes& bytes) {
    test::Bytes buffer = bytes;
    const auto size = static_cast<std::uint32_t>(buffer.size());
    Packet packet{buffer.data(), size, size, unit};
    const DropCounters before = engine.counters();
    engine.process(std::span(&packet, 1), now_, sink_);
    for (std::size_t i = 0; i < kDropCount; ++i) {
      if (engine.counters().drops[i] != before.drops[i]) return static_cast<Drop>(i);
    }
    return Drop::count;
  }
  /// A relayed packet as a peer writes it that takes everything to be right.
  void forge(Side& to, std::uint64_t term, StableId service_set, Channel channel = Channel::data) {
    const std::uint16_t from = &to == &left_ ? 1 : 0;
    auto header = header_of(left_cluster_, 0, from, 100U + from);
    header.term = term;
    replication::MessageWriter writer;
    const test::Bytes packet = test::build(udp("198.18.0.10", 5000, "198.19.0.10", 53));
    to.core->on_message(now_, channel,
                        writer.write(header, replication::RelayedPacket{service_set, true, false, 0, packet}));
  }
  [[nodiscard]] std::uint64_t term() const { return left_.core->member().term(); }
  [[nodiscard]] StableId service_set() const { return left_cluster_.service_sets[0].stable_id; }

  Cluster left_cluster_ = with("    asymmetric-traffic: relay\n");
  Cluster right_cluster_;
  Side left_{left_cluster_, 0, now_};
  Side right_{right_cluster_, 1, now_};
  Engine left_engine_{left_cluster_, {&left_.core->shard()}, 1};
  Engine right_engine_{right_cluster_, {&right_.core->shard()}, 1};
  NoSink sink_;
  const test::Bytes packet_ = test::build(udp("198.18.0.10", 5000, "198.19.0.10", 53, 1200));
};

TEST_F(RelayTest, APacketGoesFromTheStandbyToTheUnitOfTheMaster) {
  EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::count);
  EXPECT_EQ(send(right_engine_, kOutside, packet_), Drop::count);
  EXPECT_EQ(right_.sent.back().first, Channel::data) << "it waits apart from heartbeats and acknowledgements";
  deliver(right_, left_);
  ASSERT_EQ(left_.packets.size(), 2U);
  EXPECT_EQ(left_.packets[0], (std::pair{kInside, packet_}));
  EXPECT_EQ(left_.packets[1], (std::pair{kOutside, packet_}));
  EXPECT_EQ(sink_.sent, 0);
}

TEST_F(RelayTest, NothingIsRelayedUnlessThePeerIsTheMasterThatIsFollowed) {
  // A chassis that has just started hears nobody.
  Side young(right_cluster_, 1, now_);
  Engine engine(right_cluster_, {&young.core->shard()}, 1);
  EXPECT_EQ(send(engine, kInside, packet_), Drop::relay_no_master);
  // A master handles what comes to it, also one that has just become it because the other one is gone.
  EXPECT_EQ(send(left_engine_, kInside, packet_), Drop::count);
  EXPECT_EQ(sink_.sent, 1);
  right_.core->on_disconnected(now_);
  for (const TimePoint end = now_ + 5s; now_ < end && right_.core->member().role() != Role::master;) {
    now_ += 1ms;
    round(right_);
  }
  ASSERT_EQ(right_.core->member().role(), Role::master);
  EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::count);
  EXPECT_EQ(sink_.sent, 2);
  // The former master follows it, and relays once its merge is over: before, it forwards what it has.
  left_.sent.clear();
  right_.core->on_connected(now_);
  for (const TimePoint end = now_ + 5s; now_ < end && left_.core->member().role() != Role::standby;) {
    run(left_, right_, 1ms);
  }
  ASSERT_TRUE(left_.core->member().status().merging);
  EXPECT_EQ(send(left_engine_, kInside, packet_), Drop::count);
  EXPECT_EQ(sink_.sent, 3);
  run(left_, right_, 1s);
  ASSERT_FALSE(left_.core->member().status().merging);
  EXPECT_EQ(send(left_engine_, kInside, packet_), Drop::count);
  EXPECT_EQ(sink_.sent, 3);
  deliver(left_, right_);
  EXPECT_EQ(right_.packets.size(), 1U);
}

TEST_F(RelayTest, AFullLinkDropsThePacketAndNothingElse) {
  right_.connected = false;
  EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::relay_queue_full);
  right_.connected = true;
  EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::count);
  // The master takes so many in a round.
  left_.most_packets = 2;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::count);
  deliver(right_, left_);
  EXPECT_EQ(left_.packets.size(), 2U);
  EXPECT_EQ(left_.counter("relayed-without-room"), 2U);
}

TEST_F(RelayTest, AMasterRefusesWhatItsStandbyMayNotSend) {
  forge(left_, term(), service_set());
  EXPECT_EQ(left_.packets.size(), 1U);
  forge(left_, term(), service_set() + 1);
  EXPECT_EQ(left_.counter("relayed-refused-service-set"), 1U);
  forge(left_, term() - 1, service_set());
  forge(left_, term() + 1, service_set());
  EXPECT_EQ(left_.counter("refused-lower-term"), 1U);
  EXPECT_EQ(left_.counter("refused-higher-term"), 1U);
  forge(left_, term(), service_set(), Channel::control);
  EXPECT_EQ(left_.counter("refused-wrong-link"), 1U);
  EXPECT_EQ(left_.packets.size(), 1U);
  // A standby takes none, and sends none back.
  const auto waiting = right_.sent.size();
  forge(right_, term(), service_set());
  EXPECT_EQ(right_.counter("refused-wrong-role"), 1U);
  EXPECT_TRUE(right_.packets.empty());
  EXPECT_EQ(right_.sent.size(), waiting);
}

TEST_F(RelayTest, PacketsAreNoSignOfLife) {
  // The worker of the standby stands still; what it had relayed before goes on to arrive.
  for (const TimePoint end = now_ + 2s; now_ < end;) {
    now_ += 1ms;
    forge(left_, term(), service_set());
    round(left_);
  }
  EXPECT_FALSE(left_.core->member().hears_peer());
  EXPECT_FALSE(left_.packets.empty());
}

/// The standby has the key, and its master does not.
class OneSidedRelay : public RelayTest {
 protected:
  OneSidedRelay() : RelayTest("") {}
};

TEST_F(OneSidedRelay, AMasterThatTakesNoneIsSentNone) {
  EXPECT_EQ(send(right_engine_, kInside, packet_), Drop::not_master) << "the standby has no key";
  ASSERT_TRUE(left_.core->request_switchover(now_));
  run(left_, right_, kForwardingGrace + 2s);
  ASSERT_EQ(right_.core->member().role(), Role::master);
  EXPECT_EQ(send(left_engine_, kInside, packet_), Drop::relay_no_master) << "the master has no key";
  forge(right_, right_.core->member().term(), service_set());
  EXPECT_EQ(right_.counter("relayed-refused-configuration"), 1U);
  EXPECT_TRUE(right_.packets.empty());
}

}  // namespace
}  // namespace icr::node
