#include "node/flow/held_packets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace icr::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Head = HeldPackets::Head;
using Owner = HeldPackets::Owner;
using Verdict = HeldPackets::Verdict;

class HeldPacketsTest : public ::testing::Test {
 protected:
  /// A packet of this length that begins with `mark`.
  Packet packet(std::uint8_t mark, std::uint32_t length = 40) {
    bytes_.assign(length, 0);
    std::iota(bytes_.begin(), bytes_.end(), mark);
    return Packet{bytes_.data(), length, length, 7};
  }
  static Owner owner(std::uint32_t slot, std::uint16_t shard = 0) { return {shard, {slot, 1}}; }
  void add(std::uint8_t mark, std::uint32_t slot, std::uint64_t change, std::uint16_t shard = 0,
           TimePoint until = TimePoint::max()) {
    held_.add(packet(mark), Head{owner(slot, shard), change, until, 0, false});
  }
  /// The packets that leave when the peer has acknowledged `change`, at `now`.
  std::vector<int> leaving(std::uint64_t change, std::uint16_t shard = 0, TimePoint now = TimePoint{}) {
    std::vector<int> out;
    held_.review(
        shard,
        [&](const Head& head) { return head.change <= change || now >= head.until ? Verdict::leaves : Verdict::waits; },
        [&](const Head&, Verdict, const Packet& left) { out.push_back(left.data[0]); });
    return out;
  }

  HeldPackets held_{2};
  std::vector<std::uint8_t> bytes_;
};

TEST_F(HeldPacketsTest, LeaveInTheOrderOfTheirChanges) {
  add(1, 10, 1);
  add(2, 11, 2);
  add(3, 12, 3);
  EXPECT_THAT(leaving(0), IsEmpty());
  EXPECT_THAT(leaving(2), ElementsAre(1, 2));
  EXPECT_THAT(leaving(3), ElementsAre(3));
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldPacketsTest, OfOneSessionKeepTheirOrderAndDoNotWaitForOtherSessions) {
  add(1, 10, 1);
  add(2, 11, 2);
  held_.add_behind(packet(3), owner(10));
  held_.add_behind(packet(4), owner(10));
  EXPECT_THAT(leaving(1), ElementsAre(1, 3, 4));
  EXPECT_FALSE(held_.holds(owner(10)));
  EXPECT_TRUE(held_.holds(owner(11)));
}

TEST_F(HeldPacketsTest, WaitBehindTheLastChangeOfTheirSession) {
  add(1, 10, 1);
  held_.add_behind(packet(2), owner(10));
  add(3, 10, 5);
  held_.add_behind(packet(4), owner(10));
  EXPECT_THAT(leaving(4), ElementsAre(1, 2));
  EXPECT_TRUE(held_.holds(owner(10)));
  EXPECT_THAT(leaving(5), ElementsAre(3, 4));
  EXPECT_FALSE(held_.holds(owner(10)));
}

TEST_F(HeldPacketsTest, OfAnotherLifeOfASlotOrAnotherShardAreNotOfTheSession) {
  add(1, 10, 1);
  EXPECT_FALSE(held_.holds({0, {10, 2}}));
  EXPECT_FALSE(held_.holds(owner(10, 1)));
  add(2, 10, 1, 1);
  EXPECT_THAT(leaving(9, 1), ElementsAre(2));
  EXPECT_THAT(leaving(9, 0), ElementsAre(1));
}

TEST_F(HeldPacketsTest, ALimitLetsAPacketPassThoseThatHaveNone) {
  const TimePoint at{5s};
  add(1, 10, 1);
  add(2, 11, 2, 0, at);
  add(3, 12, 3, 1, at + 1ms);
  EXPECT_EQ(held_.next_deadline(), at);
  EXPECT_THAT(leaving(0, 0, at - 1ns), IsEmpty());
  EXPECT_THAT(leaving(0, 0, at), ElementsAre(2));
  EXPECT_EQ(held_.next_deadline(), at + 1ms);
  EXPECT_THAT(leaving(1, 0), ElementsAre(1));
}

TEST_F(HeldPacketsTest, ALimitIsNoEarlierThanThatOfThePacketBefore) {
  const TimePoint at{5s};
  add(1, 10, 1, 0, at + 5ms);
  add(2, 10, 2, 0, at);
  EXPECT_THAT(leaving(0, 0, at), IsEmpty());
  EXPECT_THAT(leaving(0, 0, at + 5ms), ElementsAre(1, 2));
}

TEST_F(HeldPacketsTest, ComeOutAsTheyWentIn) {
  for (const std::uint32_t length : {1U, 255U, 256U, 257U, 1500U, kMaxPacketBytes}) {
    Packet in = packet(3, length);
    in.segment_bytes = 1200;
    in.partial_checksum = true;
    held_.add(in, Head{owner(1), 1, TimePoint::max(), 4, true});
    int seen = 0;
    held_.review(
        0, [](const Head&) { return Verdict::leaves; },
        [&](const Head& head, Verdict, const Packet& out) {
          ++seen;
          EXPECT_EQ(head.binding, 4);
          EXPECT_TRUE(head.opens);
          EXPECT_EQ(out.unit, 7U);
          EXPECT_EQ(out.segment_bytes, 1200);
          EXPECT_TRUE(out.partial_checksum);
          EXPECT_GE(out.headroom, kPacketHeadroom);
          ASSERT_EQ(out.length, length);
          EXPECT_EQ(std::memcmp(out.data, bytes_.data(), length), 0);
        });
    EXPECT_EQ(seen, 1);
  }
}

TEST_F(HeldPacketsTest, AreBoundedInNumberAndOctets) {
  for (int round = 0; round < 3; ++round) {
    std::uint32_t count = 0;
    for (; held_.has_room(40); ++count) add(1, count, count);
    EXPECT_EQ(count, HeldPackets::kMostPackets);
    EXPECT_EQ(leaving(count).size(), count);
    for (count = 0; held_.has_room(kMaxPacketBytes); ++count) {
      held_.add(packet(1, kMaxPacketBytes), Head{owner(count), count, TimePoint::max(), 0, false});
    }
    EXPECT_EQ(count, HeldPackets::kMostBytes / (kMaxPacketBytes + 1));
    EXPECT_EQ(leaving(count).size(), count);
    EXPECT_TRUE(held_.empty());
  }
}

}  // namespace
}  // namespace icr::node
