// What a member knows when it takes over: of the former master, and of what it lacks of its sessions.
#include "tests/redundancy/member_pair.h"

namespace icr::test {
namespace {

class TakeoverTest : public MemberPairTest {
 protected:
  void SetUp() override {
    bring_up();
    fill(left_, 20);
    ASSERT_TRUE(run_until([this] { return equal(); }, 1s));
    run_for(300ms);
  }
  void step_with_tables(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      for (Node* node : {&left_, &right_}) {
        if (node->member) node->member->set_table(static_cast<std::uint32_t>(node->table->size()), set_up_);
      }
      step();
    }
  }
  void create(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i) left_.table->create(i, udp_session(i), now_);
    set_up_ += count;
  }
  const node::Takeover& take_over() {
    left_.crash();
    EXPECT_TRUE(run_until([this] { return right_.role == "master"; }));
    return right_.member->takeover().value();
  }

  std::uint64_t set_up_ = 0;
};

TEST_F(TakeoverTest, OfAQuietMasterNothingIsMissing) {
  step_with_tables(300ms);
  const node::Takeover& facts = take_over();
  ASSERT_TRUE(facts.missing);
  EXPECT_EQ(facts.missing->changes, 0U);
  EXPECT_TRUE(facts.missing->exact);
  EXPECT_EQ(facts.missing->sessions, 20U);
  EXPECT_TRUE(facts.how.hot);
  EXPECT_EQ(facts.how.cause, node::RoleCause::peer_silent);
}

TEST_F(TakeoverTest, WhatTheDataLinkDidNotTakeIsCounted) {
  left_.data.faults.cut = true;  // messages leave, and do not arrive
  create(20, 7);
  step_with_tables(350ms);
  const node::Takeover& facts = take_over();
  ASSERT_TRUE(facts.missing);
  EXPECT_EQ(facts.missing->changes, 7U);
  EXPECT_TRUE(facts.missing->exact);
  EXPECT_EQ(facts.missing->sessions, 27U);
  EXPECT_EQ(facts.missing->set_up, 7U);
  EXPECT_EQ(right_.table->size(), 20U);
}

TEST_F(TakeoverTest, AnEndOfASessionIsAChangeToo) {
  left_.data.faults.cut = true;
  left_.table->destroy(3);
  create(20, 2);
  step_with_tables(350ms);
  const node::Takeover& facts = take_over();
  EXPECT_EQ(facts.missing->changes, 3U);
  EXPECT_EQ(facts.missing->sessions, 21U);
}

TEST_F(TakeoverTest, ChangesOfCountersAreNone) {
  left_.data.faults.cut = true;
  for (std::uint32_t slot = 0; slot < 5; ++slot) left_.member->changed(slot, Change::refresh);
  step_with_tables(350ms);
  EXPECT_EQ(take_over().missing->changes, 0U);
}

TEST_F(TakeoverTest, AMasterThatComesBackAtOnceAsANewProcessIsNotItsOwnSignOfLife) {
  step_with_tables(300ms);
  const TimePoint death = now_;
  left_.crash();
  run_for(50ms);
  left_.start();
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }));
  const node::Takeover& facts = right_.member->takeover().value();
  EXPECT_EQ(facts.how.cause, node::RoleCause::peer_not_master);
  EXPECT_LE(facts.heard_at, death + 1ms);
  EXPECT_LE(facts.heartbeat_at, facts.heard_at);
  ASSERT_TRUE(facts.missing) << "what the dead process had said still counts";
  EXPECT_EQ(facts.missing->sessions, 20U);
  EXPECT_EQ(facts.missing->changes, 0U);
}

TEST_F(TakeoverTest, AMemberThatWasNeverStandbyHasTakenNothingOver) { EXPECT_FALSE(left_.member->takeover()); }

TEST_F(TakeoverTest, TheClosedConnectionIsRememberedUntilItIsOpenAgain) {
  right_.member->on_peer_connected(now_);
  right_.member->on_peer_disconnected(now_);
  right_.member->on_peer_connected(now_);
  run_for(200ms);
  EXPECT_FALSE(take_over().closed_at);
}

}  // namespace
}  // namespace icr::test
