// How a shard tells of counters and idle times.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// Counts what a shard tells, by slot.
class Listener final : public ChangeListener {
 public:
  void changed(std::uint32_t slot, Change change) override {
    if (change == Change::state) return;
    auto& of = change == Change::refresh ? both : peer;
    of.resize(std::max<std::size_t>(of.size(), slot + 1));
    ++of[slot];
  }
  [[nodiscard]] int peer_of(std::uint32_t slot) const { return slot < peer.size() ? peer[slot] : 0; }
  [[nodiscard]] int both_of(std::uint32_t slot) const { return slot < both.size() ? both[slot] : 0; }

 private:
  std::vector<int> peer, both;
};

class Tell : public ::testing::Test {
 protected:
  Tell() { bed_.shard->add_listener(ears_); }
  void ask(std::uint16_t port) { (void)bed_.pass(kInside, udp(kClient, port, kServer, 53)); }

  Bed bed_;
  Listener ears_;
};

TEST_F(Tell, ThePeerHearsOfAnIdleSessionsLastPacketWithinTwoSecondsAndNeverAgain) {
  ask(5000);
  ask(5001);
  bed_.wait(3s);
  ask(5000);
  const int before = ears_.peer_of(0);
  bed_.wait(2s);
  EXPECT_EQ(ears_.peer_of(0), before + 1);
  EXPECT_EQ(ears_.both_of(0), 0) << "the disk hears after 7.5 s";
  bed_.wait(7s);
  EXPECT_EQ(ears_.both_of(0), 1);
  bed_.wait(15s);
  EXPECT_EQ(ears_.peer_of(0), before + 1);
  EXPECT_EQ(ears_.both_of(0), 1);
}

TEST_F(Tell, AWalkIsSpreadOverTheSecond) {
  for (std::uint16_t i = 0; i < 1000; ++i) ask(static_cast<std::uint16_t>(5000 + i));
  EXPECT_TRUE(bed_.shard->tell_counters(bed_.now, 10000)) << "it begins";
  bed_.now += 450ms;
  EXPECT_TRUE(bed_.shard->tell_counters(bed_.now, 10000));
  EXPECT_EQ(ears_.peer_of(0), 0) << "they were told of less than half a second ago";
  bed_.now += 550ms;
  EXPECT_TRUE(bed_.shard->tell_counters(bed_.now, 10000));
  EXPECT_TRUE(bed_.shard->tell_counters(bed_.now, 10000)) << "the next one begins";
  EXPECT_EQ(ears_.peer_of(499), 0);
  EXPECT_EQ(ears_.peer_of(500), 1) << "the rest of the first walk";
  bed_.now += 450ms;
  EXPECT_FALSE(bed_.shard->tell_counters(bed_.now, 499)) << "it is behind";
  EXPECT_EQ(ears_.peer_of(498), 1);
  EXPECT_EQ(ears_.peer_of(499), 0);
  EXPECT_TRUE(bed_.shard->tell_counters(bed_.now, 499)) << "half of the slots are due";
  EXPECT_EQ(ears_.peer_of(499), 1);
}

TEST_F(Tell, TheMoreSessionsAreUsedTheLessOftenEachIsToldOf) {
  EXPECT_EQ(Shard::patience_for(0), 5U);
  EXPECT_EQ(Shard::patience_for(50'000), 10U);
  EXPECT_EQ(Shard::patience_for(1'000'000), 200U) << "20 s for each makes 50,000 a second";
  EXPECT_EQ(Shard::patience_for(0xffffffffU), 300U);
}

TEST_F(Tell, ATwinTellsNobodyAndANewMasterOfWhatItSaw) {
  ask(5000);
  bed_.shard->deactivate(bed_.now);
  bed_.wait(5s);
  EXPECT_EQ(ears_.peer_of(0), 0);
  bed_.shard->activate(bed_.now);
  bed_.wait(3s);
  EXPECT_EQ(ears_.peer_of(0) + ears_.both_of(0), 0) << "whoever is its peer gets a copy";
  ask(5000);
  bed_.wait(2s);
  EXPECT_EQ(ears_.peer_of(0), 1);
}

}  // namespace
}  // namespace icr::node::test
