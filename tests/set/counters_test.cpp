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
    test::Bytes packet = test::build(test::udp("198.18.0.10", 5000, "198.19.0.10", 53));
    Headers headers;
    EXPECT_EQ(read_headers(packet.data(), static_cast<std::uint32_t>(packet.size()), headers), HeaderError::none);
    Shard& shard = left_.core->shard();
    slot_ = shard.set_up(headers, 0, shard.table().hash(0, headers.key), true, Shard::ticks_of(now_)).slot.value();
  }
  void pass(Side& side, std::uint32_t packets) {
    Session& session = side.core->shard().table().at(slot_);
    for (; packets != 0; --packets) Shard::touch(session, Direction::initiator, 100, Shard::ticks_of(now_));
  }
  [[nodiscard]] std::uint64_t packets(const Side& side) const {
    SessionRecord record;
    EXPECT_TRUE(side.core->shard().read(slot_, now_, record));
    return record.counters[0].packets;
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

}  // namespace
}  // namespace icr::node
