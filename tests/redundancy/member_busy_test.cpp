// Tests two members on machines that are busy, broken or ill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/redundancy/identity.h"
#include "tests/redundancy/member_pair.h"

namespace icr::node {
namespace {

using test::Node;
using ::testing::HasSubstr;

const Health kDeadLink{255, "interface outside0 has no carrier"};

class BusyMembersTest : public test::MemberPairTest {
 protected:
  BusyMembersTest() {
    // As fast as it is configured for a takeover within 60 ms.
    cluster_.redundancy_sets[0].heartbeat_interval = 20ms;
    cluster_.redundancy_sets[0].heartbeat_count = 3;
    left_.answers = right_.answers = true;
  }
  /// Both are connected and well.
  void bring_up() {
    MemberPairTest::bring_up();
    for (Node* node : {&left_, &right_}) {
      node->member->on_peer_connected(now_);
      node->member->set_health(now_, {});
    }
  }
  void hold_up(Node& node, Duration time) {
    node.held_up = true;
    run_for(time);
    node.held_up = false;
  }
  int changes() const { return left_.masterships + right_.masterships; }
};

/// Section 1 of the busy machine: each thread is held up by 50 to 200 ms again and again, and nobody is deposed.
TEST_F(BusyMembersTest, StarvedThreadsAreNoReasonForATakeover) {
  bring_up();
  for (int i = 0; i < 400; ++i) {
    Node& starved = random_() % 2 == 0 ? left_ : right_;
    hold_up(starved, 1ms * (random_() % 150 + 50));
    run_for(1ms * (random_() % 100));
  }
  EXPECT_EQ(left_.role, "master");
  EXPECT_EQ(changes(), 1);
  EXPECT_GT(right_.counter("takeovers-avoided"), 50U);
  EXPECT_GT(right_.counter("own-pauses"), 50U);
}

/// Tests the same without answers of the kernels: after the first delays both members know how busy the machines are.
TEST_F(BusyMembersTest, WithoutAWitnessPatienceGrowsBeforeTheFirstFalseAlarm) {
  left_.answers = right_.answers = false;
  bring_up();
  for (const Duration time : {25ms, 35ms, 60ms, 100ms, 150ms, 190ms, 190ms}) {
    hold_up(left_, time);
    run_for(100ms);
    hold_up(right_, time);
    run_for(100ms);
  }
  EXPECT_EQ(changes(), 1);
  EXPECT_GE(right_.member->status().detector.peer_says, 150ms);
  EXPECT_GE(right_.member->status().detector.threshold, 500ms);
}

TEST_F(BusyMembersTest, AProcessThatHangsIsDeposedAtTheLimit) {
  bring_up();
  left_.held_up = true;
  const TimePoint begin = now_;
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_GE(now_ - begin, 900ms);
  EXPECT_LE(now_ - begin, 1020ms);
  EXPECT_EQ(right_.member->status().detector.probe, Probe::answered);
  left_.held_up = false;
  ASSERT_TRUE(run_until([this] { return left_.role == "standby" && left_.hot(); }));
}

TEST_F(BusyMembersTest, ADeadMachineIsNoticedWithinTheConfiguredTime) {
  bring_up();
  run_for(1s);
  right_.answers = false;  // no kernel answers the probes of right
  left_.crash();
  const TimePoint begin = now_;
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_LE(now_ - begin, 62ms);
  EXPECT_GT(right_.probes, 0);
  EXPECT_EQ(right_.member->status().detector.probe, Probe::unanswered);
}

TEST_F(BusyMembersTest, AProcessThatDiedIsNoticedAtOnceByItsClosedConnection) {
  bring_up();
  for (int i = 0; i < 10; ++i) {
    hold_up(left_, 150ms);
    run_for(50ms);
  }
  ASSERT_GT(right_.member->status().detector.threshold, 400ms);
  left_.crash();
  const TimePoint begin = now_;
  right_.member->on_peer_disconnected(now_);
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  EXPECT_LE(now_ - begin, 5ms);
}

TEST_F(BusyMembersTest, TheAddressesOfAMemberAreAskedWhenItIsSilent) {
  bring_up();
  const IpAddress inside = *IpAddress::parse("198.18.0.2");
  left_.member->set_addresses({inside});
  run_for(100ms);
  left_.held_up = true;
  run_for(100ms);
  EXPECT_THAT(right_.asked, ::testing::Contains(inside));
}

TEST_F(BusyMembersTest, AForgedListOfAddressesMakesNobodyAskStrangersOrItself) {
  bring_up();
  const IpAddress own = *IpAddress::parse("198.18.0.3");
  const IpAddress fine = *IpAddress::parse("2001:db8:18::2");
  right_.member->set_addresses({own});
  std::vector<IpAddress> told = {own, fine};
  for (const char* text : {"224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.0", "ff02::1", "fe80::1"}) {
    told.push_back(*IpAddress::parse(text));
  }
  left_.member->set_addresses(told);
  run_for(100ms);
  left_.held_up = true;
  run_for(100ms);
  EXPECT_THAT(right_.asked, ::testing::Each(::testing::AnyOf(fine, IpAddress{})));
  EXPECT_THAT(right_.asked, ::testing::Contains(fine));
  EXPECT_GE(right_.counter("peer-addresses-refused"), 7U);
}

TEST_F(BusyMembersTest, SetsOfOneProcessHaveProbesOfTheirOwn) {
  // With three chassis the sets have different peers, and the answer of one must not stand for the other.
  cluster_.redundancy_sets.push_back(cluster_.redundancy_sets.front());
  EXPECT_NE(detector_config(cluster_, 0, 77).seed, detector_config(cluster_, 1, 77).seed);
}

TEST_F(BusyMembersTest, AMasterWithADeadLinkGivesMastershipToItsHotStandbyAtOnce) {
  bring_up();
  for (std::uint32_t i = 0; i < 300; ++i) left_.table->create(i, test::udp_session(i), now_);
  const TimePoint begin = now_;
  left_.member->set_health(now_, kDeadLink);
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.role == "standby"; }));
  EXPECT_LE(now_ - begin, 50ms);
  EXPECT_EQ(right_.table->size(), 300U) << "by the way that loses nothing";
  EXPECT_EQ(right_.member->status().peer_health, kDeadLink);
  EXPECT_EQ(left_.counter("mastership-given-up-ill"), 1U);
  run_for(60s);
  EXPECT_EQ(changes(), 2);
}

TEST_F(BusyMembersTest, TwoIllMembersDoNotFight) {
  bring_up();
  right_.member->set_health(now_, kDeadLink);
  run_for(100ms);
  left_.member->set_health(now_, {300, "worse"});
  run_for(60s);
  EXPECT_EQ(left_.role, "master");
  EXPECT_EQ(changes(), 1);
  // The standby is well again: it takes over when that has lasted.
  right_.member->set_health(now_, {});
  run_for(1900ms);
  EXPECT_EQ(left_.role, "master");
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 500ms));
}

TEST_F(BusyMembersTest, AFlappingLinkMovesMastershipOnce) {
  bring_up();
  for (int i = 0; i < 60; ++i) {
    left_.member->set_health(now_, kDeadLink);
    run_for(500ms);
    left_.member->set_health(now_, {});
    run_for(500ms);
  }
  EXPECT_EQ(right_.role, "master");
  EXPECT_EQ(changes(), 2);
}

/// Links of both flap, and preemption would take mastership back each time: the number of changes is bounded.
TEST_F(BusyMembersTest, FlappingOnBothSidesWithPreemptionMovesMastershipSeldom) {
  cluster_ = test::two_chassis(true);
  bring_up();
  for (int i = 0; i < 600; ++i) {
    Node& node = random_() % 2 == 0 ? left_ : right_;
    node.member->set_health(now_, random_() % 2 == 0 ? kDeadLink : Health());
    run_for(1ms * (random_() % 2000));
  }
  EXPECT_LT(changes(), 30);
}

TEST_F(BusyMembersTest, PreemptionNeverReturnsMastershipToAnIllMember) {
  cluster_ = test::two_chassis(true);
  bring_up();
  left_.member->set_health(now_, kDeadLink);
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }));
  run_for(20s);
  EXPECT_EQ(right_.role, "master");
  left_.member->set_health(now_, {});
  const TimePoint begin = now_;
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }, 20s));
  EXPECT_GE(now_ - begin, 4s) << "well for the hold time, and then preferred for the hold time";
}

TEST_F(BusyMembersTest, AnIllMemberLosesTheElectionAtTheStart) {
  left_.start();
  right_.start();
  left_.member->set_health(now_, kDeadLink);
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }));
  EXPECT_EQ(left_.masterships, 0);
}

}  // namespace
}  // namespace icr::node
