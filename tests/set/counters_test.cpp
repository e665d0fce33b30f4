// What the standby of a pair knows of counters.
#include <gtest/gtest.h>

#include "tests/set/side.h"
#include "tests/support/packets.h"

namespace icr::node {
namespace {

class CountersTest : public PairTest {
 protected:
  CountersTest() : left_(cluster_, 0, now_), right_(cluster_, 1, now_) {
    run(left_, right_, 2s);
    EXPECT_TRUE(left_.core->shard().active());
    EXPECT_EQ(right_.core->member().status().sync, Sync::hot);
    slot_ = set_up(5000);
  }
  std::uint32_t set_up(std::uint16_t port) {
    test::Bytes packet = test::build(test::udp("198.18.0.10", port, "198.19.0.10", 53));
    Headers headers;
    EXPECT_EQ(read_headers(packet.data(), static_cast<std::uint32_t>(packet.size()), headers), HeaderError::none);
    Shard& shard = left_.core->shard();
    return shard.set_up(headers, 0, shard.table().hash(0, headers.key), true, Shard::ticks_of(now_)).slot.value();
  }
  void pass(Side& side, std::uint32_t packets) { pass(side, slot_, packets); }
  void pass(Side& side, std::uint32_t slot, std::uint32_t packets) {
    Session& session = side.core->shard().table().at(slot);
    for (; packets != 0; --packets) Shard::touch(session, Direction::initiator, 100, Shard::ticks_of(now_));
  }
  [[nodiscard]] std::uint64_t packets(const Side& side) const {
    SessionRecord record;
    EXPECT_TRUE(side.core->shard().read(slot_, now_, record));
    return record.counters[0].packets;
  }

  /// What all sessions of a side have counted.
  [[nodiscard]] FlowCounters sum(const Side& side) const {
    FlowCounters out;
    SessionRecord record;
    for (std::uint32_t slot = 0; slot < side.core->shard().table().high_water(); ++slot) {
      if (!side.core->shard().read(slot, now_, record)) continue;
      for (const FlowCounters& each : record.counters) {
        out.packets += each.packets;
        out.bytes += each.bytes;
      }
    }
    return out;
  }

  Side left_, right_;
  std::uint32_t slot_ = 0;
};

TEST_F(CountersTest, AreRightAtTheStandbySoonAfterTheLastPacket) {
  pass(left_, 7);
  run(left_, right_, 2200ms);
  EXPECT_EQ(packets(right_), 7U);
  run(left_, right_, 10s);
  pass(left_, 3);
  run(left_, right_, 1200ms);
  EXPECT_EQ(packets(right_), 10U) << "a session that slept";
}

TEST_F(CountersTest, NoneIsLostWithASwitchover) {
  std::vector<std::uint32_t> slots;
  for (std::uint16_t i = 0; i < 900; ++i) slots.push_back(set_up(static_cast<std::uint16_t>(6000 + i)));
  // Some sessions are used again after the walk has told of them, others sleep since then.
  std::uint64_t packets = 0;
  for (int part = 0; part < 30; ++part) {
    for (std::size_t i = 0; i < slots.size(); i += 1 + static_cast<std::size_t>(part) % 7) {
      pass(left_, slots[i], 1);
      ++packets;
    }
    run(left_, right_, 70ms);
  }
  for (const std::uint32_t slot : slots) pass(left_, slot, 1);
  packets += slots.size();
  ASSERT_EQ(sum(left_).packets, packets);
  ASSERT_LT(sum(right_).packets, packets);
  ASSERT_TRUE(left_.core->request_switchover(now_));
  const TimePoint begin = now_;
  while (!right_.core->shard().active() && now_ < begin + 1s) run(left_, right_, 1ms);
  ASSERT_TRUE(right_.core->shard().active());
  EXPECT_LT(now_ - begin, 20ms);
  EXPECT_EQ(sum(right_).packets, packets);
  EXPECT_EQ(sum(right_).bytes, 100 * packets);
  pass(right_, slots[7], 5);
  run(left_, right_, 3s);
  EXPECT_EQ(sum(right_).packets, packets + 5) << "what the former master tells afterwards is not counted twice";
  EXPECT_EQ(sum(left_).packets, packets + 5);
}

TEST_F(CountersTest, AreToldOnceASecondAgainAfterASwitchoverThatWasCalledOff) {
  pass(left_, 7);
  ASSERT_TRUE(left_.core->request_switchover(now_));
  right_.core->drain(now_, true);
  run(left_, right_, 2500ms);
  ASSERT_EQ(left_.counter("switchovers-called-off"), 1U);
  ASSERT_TRUE(left_.core->shard().active());
  const std::uint64_t before = packets(right_);
  pass(left_, 3);
  run(left_, right_, 2s);
  EXPECT_EQ(packets(right_), before + 3);
}

}  // namespace
}  // namespace icr::node
