// A service set with a guarantee: packets that change the state of a session leave when the peer knows the change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/record/peer_copy.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A peer that acknowledges when it is told to.
class FakePeer final : public PeerCopy, public ChangeListener {
 public:
  void changed(std::uint32_t slot, Change change) override {
    if (change != Change::state) return;
    ++last_;
    unknown_.insert(slot);
  }
  void acknowledge() {
    acknowledged_ = last_;
    unknown_.clear();
  }
  /// It has the newest state of this slot, but not yet all that changed before.
  void acknowledge_slot(std::uint32_t slot) { unknown_.erase(slot); }
  [[nodiscard]] bool complete() const override { return there; }
  [[nodiscard]] std::uint64_t last_change() const override { return last_; }
  [[nodiscard]] std::uint64_t acknowledged_changes() const override { return acknowledged_; }
  [[nodiscard]] bool has_newest(std::uint32_t slot) const override { return !unknown_.contains(slot); }
  void await(std::uint64_t change) override { awaited = change; }

  bool there = true;
  std::uint64_t awaited = 0;

 private:
  std::uint64_t last_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::set<std::uint32_t> unknown_;
};

Plan plan_with(const std::string& options) {
  Plan plan;
  plan.service_options = options;
  return plan;
}

class EngineGuarantee : public ::testing::Test {
 protected:
  explicit EngineGuarantee(const std::string& options = "guarantee: output-commit")
      : EngineGuarantee(plan_with(options)) {}
  explicit EngineGuarantee(const Plan& plan) : bed_(plan) {
    bed_.shard->add_listener(peer_);
    bed_.shard->set_peer_copy(peer_);
  }
  /// What leaves now that did not leave at once.
  std::vector<Sent> release() {
    bed_.out.sent.clear();
    bed_.engine->release(bed_.now, bed_.out);
    return bed_.out.sent;
  }
  Seen release_one() {
    const auto sent = release();
    EXPECT_EQ(sent.size(), 1U);
    return sent.empty() ? Seen{} : look(sent[0].bytes);
  }
  /// Sends a packet that has to wait.
  void expect_held(std::uint32_t unit, const Spec& spec) {
    const std::uint64_t before = bed_.engine->counters().waits_for_peer;
    EXPECT_TRUE(bed_.send(unit, spec).empty());
    EXPECT_EQ(bed_.engine->counters().waits_for_peer, before + 1);
    EXPECT_TRUE(bed_.engine->holds_packets());
  }
  /// Sets up a session that the peer knows. Returns its first packet as it left.
  Seen known(const Spec& spec) {
    expect_held(kInside, spec);
    peer_.acknowledge();
    return release_one();
  }

  Bed bed_;
  FakePeer peer_;
};

class SemiSynchronous : public EngineGuarantee {
 protected:
  SemiSynchronous() : EngineGuarantee("guarantee: semi-synchronous\nguarantee-limit: 3") {}
};

class StopsWithoutPeer : public EngineGuarantee {
 protected:
  StopsWithoutPeer() : EngineGuarantee("guarantee: output-commit\nwithout-peer: stop") {}
};

TEST_F(EngineGuarantee, AFirstPacketLeavesWhenThePeerHasAcknowledgedItsSession) {
  expect_held(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(peer_.awaited, peer_.last_change()) << "it is sent to the peer at once";
  EXPECT_TRUE(release().empty());
  peer_.acknowledge();
  const Seen left = release_one();
  EXPECT_EQ(left.destination, kServer);
  EXPECT_TRUE(left.checksums);
  EXPECT_FALSE(bed_.engine->holds_packets());
  bed_.expect_accounted();
  // From now on the peer knows all that there is to know.
  (void)bed_.pass(kOutside, udp(kServer, 53, left.source, left.source_port));
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
}

TEST_F(EngineGuarantee, EachStepOfATcpConnectionWaits) {
  const Seen syn = known(tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  EXPECT_EQ(syn.flags, kSyn);
  expect_held(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  peer_.acknowledge();
  EXPECT_EQ(release_one().flags, kSyn | kAck);
  expect_held(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
  // Data right behind it keeps its place.
  expect_held(kInside, tcp(kClient, 5000, kServer, 80, kAck | kPsh, 101, 701, 100));
  peer_.acknowledge();
  const auto both = release();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_TRUE(look(both[0].bytes).payload.empty());
  EXPECT_EQ(look(both[1].bytes).payload.size(), 100U);
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck | kPsh, 201, 701, 100));
  expect_held(kInside, tcp(kClient, 5000, kServer, 80, kFin | kAck, 301, 701));
  peer_.acknowledge();
  EXPECT_EQ(release_one().flags, kFin | kAck);
  bed_.expect_accounted();
}

TEST_F(EngineGuarantee, OtherSessionsPassMeanwhile) {
  (void)known(udp(kClient, 5000, kServer, 53));
  expect_held(kInside, udp(kClient, 5001, kServer, 53));
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  expect_held(kInside, udp(kClient, 5001, kServer, 53));
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  peer_.acknowledge();
  EXPECT_EQ(release().size(), 2U);
}

/// Between two bursts of the same session nothing may leave that the peer does not know, even if nothing is held.
TEST_F(EngineGuarantee, APacketOfASessionThatThePeerDoesNotKnowWaitsThoughItChangesNothing) {
  const Seen left = known(udp(kClient, 5000, kServer, 53));
  peer_.changed(0, Change::state);
  expect_held(kOutside, udp(kServer, 53, left.source, left.source_port));
  peer_.acknowledge();
  EXPECT_EQ(release().size(), 1U);
}

/// A first packet waits for the bindings of its session as well, which may come to the peer after the session.
TEST_F(EngineGuarantee, APacketDoesNotOvertakeAnotherOneOfItsSessionThatWaitsForMore) {
  expect_held(kInside, udp(kClient, 5000, kServer, 53, 20));
  peer_.acknowledge_slot(0);
  expect_held(kInside, udp(kClient, 5000, kServer, 53, 30));
  // And it waits for nothing that another session has changed since.
  expect_held(kInside, udp(kClient, 5001, kServer, 53));
  EXPECT_TRUE(release().empty());
  peer_.acknowledge();
  const auto left = release();
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(look(left[0].bytes).payload.size(), 20U);
  EXPECT_EQ(look(left[1].bytes).payload.size(), 30U);
}

TEST_F(EngineGuarantee, WhenThereIsNoRoomNothingIsChangedAndThePacketIsDropped) {
  const Seen tcp_left = known(tcp(kClient, 4000, kServer, 80, kSyn, 100, 0));
  std::uint16_t port = 10000;
  for (std::uint32_t i = 0; i < 900; ++i) expect_held(kInside, udp(kClient, port++, kServer, 53));
  // There is room for more sessions, but not for their packets.
  for (std::uint32_t i = 900; i < HeldPackets::kMostPackets; ++i)
    expect_held(kInside, udp(kClient, 10000, kServer, 53));
  const std::uint32_t sessions = bed_.shard->sessions();
  bed_.expect_drop(kInside, udp(kClient, port, kServer, 53), Drop::commit_buffer_full);
  EXPECT_EQ(bed_.shard->sessions(), sessions);
  const Spec syn_ack = tcp(kServer, 80, tcp_left.source, tcp_left.source_port, kSyn | kAck, 700, 101);
  bed_.expect_drop(kOutside, syn_ack, Drop::commit_buffer_full);
  EXPECT_EQ(bed_.record(0).tcp_state, TcpState::syn_sent);
  peer_.acknowledge();
  EXPECT_EQ(release().size(), HeldPackets::kMostPackets);
  expect_held(kOutside, syn_ack);
}

TEST_F(EngineGuarantee, AnswersOfTheEngineDoNotWait) {
  Plan plan = plan_with("guarantee: output-commit");
  plan.firewall_terms = "      - { name: none, then: reject }\n";
  Bed bed(plan);
  bed.shard->set_peer_copy(peer_);
  EXPECT_EQ(bed.send(kInside, udp(kClient, 5000, kServer, 53)).size(), 1U);
}

TEST_F(EngineGuarantee, WithoutAPeerPacketsLeaveAtOnceAndAreCounted) {
  peer_.there = false;
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(bed_.engine->counters().left_alone, 1U);
  (void)bed_.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(bed_.engine->counters().left_alone, 1U) << "it changes nothing";
}

TEST_F(EngineGuarantee, WhatWaitsWhenThePeerIsLostLeavesAndIsCounted) {
  expect_held(kInside, udp(kClient, 5000, kServer, 53));
  expect_held(kInside, udp(kClient, 5000, kServer, 53));
  peer_.there = false;
  EXPECT_EQ(release().size(), 2U);
  EXPECT_EQ(bed_.engine->counters().left_alone, 2U);
  EXPECT_EQ(bed_.shard->sessions(), 1U);
}

TEST_F(EngineGuarantee, WhatWaitsWhenMastershipIsLostIsDropped) {
  expect_held(kInside, udp(kClient, 5000, kServer, 53));
  bed_.shard->deactivate(bed_.now);
  peer_.acknowledge();
  EXPECT_TRUE(release().empty());
  EXPECT_EQ(bed_.drops(Drop::commit_not_master), 1U);
  EXPECT_FALSE(bed_.engine->holds_packets());
  bed_.expect_accounted();
}

TEST_F(EngineGuarantee, FragmentsOfAFirstPacketWaitInTheirOrder) {
  for (const Bytes& fragment : fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 1)) {
    EXPECT_TRUE(bed_.send(kInside, fragment).empty());
  }
  peer_.acknowledge();
  std::vector<Bytes> left;
  for (const Sent& each : release()) left.push_back(each.bytes);
  EXPECT_EQ(left.size(), 4U);
  EXPECT_EQ(look(reassembled(left)).payload.size(), 900U);
}

TEST_F(EngineGuarantee, BeginsAndEndsWithACommit) {
  Bed bed;
  bed.shard->add_listener(peer_);
  bed.shard->set_peer_copy(peer_);
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.take(plan_with("guarantee: output-commit"));
  EXPECT_TRUE(bed.send(kInside, udp(kClient, 5001, kServer, 53)).empty());
  bed.take(Plan{});
  (void)bed.pass(kInside, udp(kClient, 5002, kServer, 53));
  bed.out.sent.clear();
  bed.engine->release(bed.now, bed.out);
  EXPECT_EQ(bed.out.sent.size(), 1U) << "nothing has to wait any more";
}

TEST_F(SemiSynchronous, APacketWaitsNoLongerThanTheLimit) {
  expect_held(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(bed_.engine->next_release(), bed_.now + 3ms);
  bed_.now += 2ms;
  EXPECT_TRUE(release().empty());
  bed_.now += 1ms;
  EXPECT_EQ(release().size(), 1U);
  EXPECT_EQ(bed_.engine->counters().left_late, 1U);
  EXPECT_EQ(bed_.engine->next_release(), TimePoint::max());
}

TEST_F(SemiSynchronous, APacketLeavesEarlierWhenThePeerKnows) {
  (void)known(udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(bed_.engine->counters().left_late, 0U);
}

TEST_F(StopsWithoutPeer, NoSessionBeginsAndThoseThatThereAreGoOn) {
  const Seen left = known(udp(kClient, 5000, kServer, 53));
  const Seen syn = known(tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  peer_.there = false;
  bed_.expect_drop(kInside, udp(kClient, 5001, kServer, 53), Drop::commit_no_peer);
  EXPECT_EQ(bed_.shard->sessions(), 2U);
  (void)bed_.pass(kOutside, udp(kServer, 53, left.source, left.source_port));
  const Spec syn_ack = tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101);
  bed_.expect_drop(kOutside, syn_ack, Drop::commit_no_peer);
  // The SYN comes again, which changes nothing.
  (void)bed_.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  peer_.there = true;
  expect_held(kOutside, syn_ack);
}

TEST_F(StopsWithoutPeer, ASessionOfWhichNobodyHasHeardEndsWithItsFirstPacket) {
  const Seen syn = known(tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  expect_held(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  expect_held(kInside, udp(kClient, 5001, kServer, 53));
  ASSERT_EQ(bed_.shard->sessions(), 2U);
  peer_.there = false;
  EXPECT_TRUE(release().empty());
  EXPECT_EQ(bed_.drops(Drop::commit_no_peer), 2U);
  EXPECT_EQ(bed_.shard->sessions(), 1U) << "the connection goes on";
  bed_.expect_accounted();
}

/// Terms whose guarantee is not that of the service set.
class GuaranteeOfATerm : public EngineGuarantee {
 protected:
  static constexpr const char* kTerms =
      "      - { name: dns, from: { applications: dns }, then: accept, guarantee: output-commit }\n"
      "      - { name: ntp, from: { applications: ntp }, then: accept, guarantee: asynchronous }\n"
      "      - { name: all, then: accept }\n";
  static Plan plan_of(const std::string& options, const char* terms = kTerms) {
    Plan plan = plan_with(options);
    plan.firewall_terms = terms;
    plan.applications =
        "  - { name: dns, protocol: udp, destination-port: 53 }\n  - { name: ntp, protocol: udp, destination-port: 123 "
        "}\n";
    return plan;
  }
  explicit GuaranteeOfATerm(const std::string& options = "") : EngineGuarantee(plan_of(options)) {}
};

class GuaranteeOfATermAmongOthers : public GuaranteeOfATerm {
 protected:
  GuaranteeOfATermAmongOthers() : GuaranteeOfATerm("guarantee: output-commit\nwithout-peer: stop") {}
};

TEST_F(GuaranteeOfATerm, HoldsForTheSessionsThatItAdmits) {
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 53)), IsEmpty());
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 123)), SizeIs(1));
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 999)), SizeIs(1)) << "the service set has none";
  peer_.acknowledge();
  EXPECT_THAT(release(), SizeIs(1));
}

TEST_F(GuaranteeOfATermAmongOthers, ATermMayAskForLessThanItsServiceSet) {
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 53)), IsEmpty());
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 123)), SizeIs(1));
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 1, kServer, 999)), IsEmpty());
  peer_.acknowledge();
  EXPECT_THAT(release(), SizeIs(2));
  peer_.there = false;
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 2, kServer, 123)), SizeIs(1)) << "no peer is needed";
  bed_.expect_drop(kInside, udp(kClient, 2, kServer, 53), Drop::commit_no_peer);
  bed_.expect_drop(kInside, udp(kClient, 2, kServer, 999), Drop::commit_no_peer);
}

TEST_F(GuaranteeOfATerm, HoldsAtTheStandbyThatTakesOver) {
  (void)bed_.send(kInside, udp(kClient, 1, kServer, 53));
  (void)bed_.send(kInside, udp(kClient, 1, kServer, 999));
  Bed twin(plan_of(""), 2, false);
  SessionRecord record;
  twin.shard->begin_pass(twin.now);
  for (std::uint32_t slot = 0; slot < 2; ++slot) {
    ASSERT_TRUE(bed_.shard->read(slot, bed_.now, record));
    ASSERT_EQ(twin.shard->apply(record, twin.now), Applied::created);
  }
  twin.shard->activate(twin.now, 2);
  EXPECT_EQ(twin.shard->guarantee_of(twin.shard->table().at(0)), Guarantee::output_commit);
  EXPECT_EQ(twin.shard->guarantee_of(twin.shard->table().at(1)), Guarantee::asynchronous);
}

TEST_F(GuaranteeOfATerm, BeginsAndEndsWithACommit) {
  (void)bed_.send(kInside, udp(kClient, 1, kServer, 53));
  peer_.acknowledge();
  (void)release();
  bed_.take(plan_of("", "      - { name: dns, then: accept }\n"));
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 2, kServer, 53)), SizeIs(1));
  EXPECT_EQ(bed_.shard->guarantee_of(bed_.shard->table().at(0)), Guarantee::asynchronous);
  bed_.take(plan_of(""));
  EXPECT_THAT(bed_.send(kInside, udp(kClient, 3, kServer, 53)), IsEmpty());
}

}  // namespace
}  // namespace icr::node::test
