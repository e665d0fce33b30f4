// The engine finds the first packet that it forwards of a session which the shard did not set up itself.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// A chassis that has taken over two sessions, one of UDP and one of TCP.
class FormerPacket : public ::testing::Test {
 protected:
  FormerPacket() {
    udp_ = bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
    tcp_ = bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
    (void)bed_.pass(kOutside, tcp(kServer, 80, tcp_.source, tcp_.source_port, kSyn | kAck, 700, 101));
    (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
    bed_.shard->deactivate(bed_.now);
    bed_.wait(5s);
    bed_.shard->activate(bed_.now, 3);
    bed_.shard->await_former_packet();
  }
  void expect_found(bool found) {
    EXPECT_EQ(bed_.shard->awaits_former_packet(), !found);
    EXPECT_EQ(bed_.shard->take_former_packet(), found);
    EXPECT_FALSE(bed_.shard->take_former_packet()) << "it is told once";
  }

  Bed bed_;
  Seen udp_;
  Seen tcp_;
};

TEST_F(FormerPacket, IsOneOfUdpInEitherDirection) {
  (void)bed_.pass(kOutside, udp(kServer, 53, udp_.source, udp_.source_port));
  expect_found(true);
  bed_.shard->await_former_packet();
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  expect_found(true);
}

TEST_F(FormerPacket, IsOneOfTcp) {
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck | kPsh, 101, 701, 100));
  expect_found(true);
}

TEST_F(FormerPacket, IsTheFirstFragmentToo) {
  for (const Bytes& fragment : fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 1)) {
    (void)bed_.send(kInside, fragment);
  }
  expect_found(true);
}

TEST_F(FormerPacket, IsNoneOfANewSession) {
  const Seen fresh = bed_.pass(kInside, udp(kClient, 6000, kServer, 53));
  (void)bed_.pass(kOutside, udp(kServer, 53, fresh.source, fresh.source_port));
  (void)bed_.pass(kInside, udp(kClient, 6000, kServer, 53));
  const Seen syn = bed_.pass(kInside, tcp(kClient, 6000, kServer, 80, kSyn, 100, 0));
  (void)bed_.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  (void)bed_.pass(kInside, echo(kClient, kServer, 7));
  expect_found(false);
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  expect_found(true);
}

TEST_F(FormerPacket, IsNoneThatWasDropped) {
  // The UDP session is of the inside: its packets do not come in on the other side.
  bed_.expect_drop(kOutside, udp(kClient, 5000, kServer, 53), Drop::wrong_interface);
  expect_found(false);
}

TEST_F(FormerPacket, IsFoundInABurstAmongOthers) {
  Bytes packets[3] = {build(udp(kClient, 6001, kServer, 53)), build(udp(kClient, 5000, kServer, 53)),
                      build(udp(kClient, 5000, kServer, 53))};
  std::vector<Bytes> buffers;
  std::vector<Packet> burst;
  for (const Bytes& bytes : packets) {
    Bytes& buffer = buffers.emplace_back(kPacketHeadroom);
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  }
  for (Bytes& buffer : buffers) {
    const auto size = static_cast<std::uint32_t>(buffer.size() - kPacketHeadroom);
    burst.push_back({buffer.data() + kPacketHeadroom, size, size, kInside, kPacketHeadroom});
  }
  bed_.engine->process(burst, bed_.now, bed_.out);
  expect_found(true);
}

TEST_F(FormerPacket, IsNotAwaitedAnyMoreAfterThatWasGivenUp) {
  bed_.shard->await_no_packet();
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_FALSE(bed_.shard->take_former_packet());
}

TEST_F(FormerPacket, OfASessionThatItEndsAndOpensAgainIsOneOfTheNewSession) {
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kFin | kAck, 101, 701));
  (void)bed_.pass(kOutside, tcp(kServer, 80, tcp_.source, tcp_.source_port, kFin | kAck, 701, 102));
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 102, 702));
  bed_.shard->deactivate(bed_.now);
  bed_.shard->activate(bed_.now, 5);
  bed_.shard->await_no_packet();
  bed_.shard->await_former_packet();
  const std::uint64_t reused = bed_.engine->counters().sessions_reused;
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 900'000, 0));
  ASSERT_EQ(bed_.engine->counters().sessions_reused, reused + 1);
  expect_found(false);
}

TEST_F(FormerPacket, CountsAsAnyOther) {
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)bed_.pass(kInside, udp(kClient, 6000, kServer, 53));
  bed_.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
