// Packets that come to a standby: relayed to the master, or dropped; and what the master does with them.
#include <gtest/gtest.h>

#include <vector>

#include "node/packet/self_test_packet.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// Takes packets as a link does that a test has in its hand.
class HandRelay final : public PacketRelay {
 public:
  struct Taken {
    std::uint16_t service_set = 0;
    bool inside = false;
    Bytes bytes;
  };
  Outcome relay(std::uint16_t service_set, bool inside, const Packet& packet) override {
    ++asked;
    if (outcome == Outcome::relayed) {
      taken.push_back({service_set, inside, Bytes(packet.data, packet.data + packet.length)});
    }
    return outcome;
  }
  Outcome outcome = Outcome::relayed;
  std::vector<Taken> taken;
  int asked = 0;
};

class Changes final : public ChangeListener {
 public:
  void changed(std::uint32_t, Change change) override { ++(change == Change::state ? states : refreshes); }
  int states = 0;
  int refreshes = 0;
};

/// A standby with everything that would answer a packet, and a master. What comes to the standby goes to the master.
class EngineRelay : public ::testing::Test {
 protected:
  EngineRelay() { standby_.shard->set_relay(relay_); }

  /// Has the master handle what the standby has relayed; returns what comes out of the master.
  std::vector<Sent> handle_relayed() {
    master_.out.sent.clear();
    for (const HandRelay::Taken& each : relay_.taken) {
      Bytes buffer(kPacketHeadroom);
      buffer.insert(buffer.end(), each.bytes.begin(), each.bytes.end());
      const auto size = static_cast<std::uint32_t>(each.bytes.size());
      Packet packet{buffer.data() + kPacketHeadroom, size, size, each.inside ? kInside : kOutside, kPacketHeadroom};
      master_.engine->process_relayed(std::span(&packet, 1), master_.now, master_.out);
    }
    relay_.taken.clear();
    return master_.out.sent;
  }
  /// Sends a packet to the standby. It must leave by the master.
  Seen relay(std::uint32_t unit, const Spec& spec) {
    EXPECT_TRUE(standby_.send(unit, spec).empty());
    const auto sent = handle_relayed();
    EXPECT_EQ(sent.size(), 1U);
    if (sent.size() != 1) return {};
    EXPECT_EQ(sent[0].unit, unit == kInside ? kOutside : kInside);
    return look(sent[0].bytes);
  }
  static Plan answering() {
    Plan plan;
    plan.firewall_terms =
        "      - { name: no-one, from: { destination-address: 198.19.0.99 }, then: reject }\n"
        "      - { name: all, then: accept }\n";
    plan.service_options = "tcp-non-syn: drop-flow-send-rst\nsession-refusal: reset";
    return plan;
  }

  HandRelay relay_;
  Bed standby_{answering(), 1, false};
  Bed master_{answering(), 2};
};

TEST_F(EngineRelay, WhatCannotBeRelayedIsDroppedForAReasonOfItsOwnAndNeverAnswered) {
  using enum PacketRelay::Outcome;
  const Spec rejected = udp(kClient, 5000, "198.19.0.99", 53);
  const Spec no_syn = tcp(kClient, 5000, kServer, 80, kAck, 100, 100);
  const std::pair<PacketRelay::Outcome, Drop> all[] = {
      {off, Drop::not_master}, {no_master, Drop::relay_no_master}, {queue_full, Drop::relay_queue_full}};
  for (const auto& [outcome, reason] : all) {
    relay_.outcome = outcome;
    standby_.expect_drop(kInside, rejected, reason);
    standby_.expect_drop(kInside, no_syn, reason);
    standby_.expect_drop(kOutside, udp(kServer, 53, "203.0.113.1", 4000), reason);
  }
  EXPECT_EQ(standby_.engine->counters().rejects_sent + standby_.engine->counters().errors_sent, 0U);
  EXPECT_EQ(standby_.engine->counters().relayed, 0U);
  // The service set counts it, too.
  EXPECT_EQ(standby_.engine->counters_of(0)->of(Drop::relay_queue_full), 3U);
  standby_.expect_accounted();
}

TEST_F(EngineRelay, ThePacketIsRelayedAsItCameAndNothingOfItHappensHere) {
  const Bytes packet = build(udp(kClient, 5000, kServer, 53, 100));
  Bytes padded = packet;
  padded.resize(packet.size() + 6);  // of a short frame: the master tells the packet from it
  EXPECT_TRUE(standby_.send(kInside, packet).empty());
  EXPECT_TRUE(standby_.send(kOutside, padded).empty());
  ASSERT_EQ(relay_.taken.size(), 2U);
  EXPECT_EQ(relay_.taken[0].bytes, packet);
  EXPECT_TRUE(relay_.taken[0].inside);
  EXPECT_EQ(relay_.taken[1].bytes, padded);
  EXPECT_FALSE(relay_.taken[1].inside);
  EXPECT_EQ(standby_.engine->counters().relayed, 2U);
  EXPECT_EQ(standby_.engine->counters().dropped(), 0U);
  EXPECT_EQ(standby_.shard->sessions(), 0U);
  standby_.expect_accounted();
}

TEST_F(EngineRelay, AConnectionWhoseAnswersComeByTheStandbyIsFollowed) {
  const Seen syn = master_.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  EXPECT_FALSE(master_.record().asymmetric);
  const std::uint32_t version = master_.record().version;
  const Seen answer = relay(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  EXPECT_EQ(answer.destination, kClient);
  EXPECT_TRUE(answer.checksums);
  EXPECT_EQ(master_.record().tcp_state, TcpState::syn_received);
  EXPECT_TRUE(master_.record().asymmetric);
  EXPECT_EQ(master_.record().version, version + 1) << "by the SYN and ACK alone";
  (void)master_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
  EXPECT_EQ(master_.record().tcp_state, TcpState::established);
  // Data both ways, then an end, whose halves come by different chassis.
  (void)relay(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kAck, 701, 101, 1000));
  (void)master_.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 1701, 10));
  master_.expect_drop(kInside, tcp(kClient, 5000, kServer, 80, kAck, 900'000, 1701), Drop::tcp_bad_sequence);
  (void)relay(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kFin | kAck, 1701, 111));
  EXPECT_EQ(master_.record().tcp_state, TcpState::fin_wait);
  (void)master_.pass(kInside, tcp(kClient, 5000, kServer, 80, kFin | kAck, 111, 1702));
  (void)relay(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kAck, 1702, 112));
  EXPECT_EQ(master_.record().tcp_state, TcpState::time_wait);
  EXPECT_EQ(master_.record().counters[1].packets, 4U);
  EXPECT_EQ(master_.engine->counters().relayed_here, 4U);
  master_.expect_accounted();
}

TEST_F(EngineRelay, ASessionIsMarkedOnceAndOnlyByPacketsThatWereRelayed) {
  const Seen one = master_.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)master_.pass(kInside, udp(kClient, 5001, kServer, 53));
  Changes changes;
  master_.shard->add_listener(changes);
  (void)master_.pass(kOutside, udp(kServer, 53, one.source, one.source_port));
  EXPECT_EQ(changes.refreshes, 0);
  for (int i = 0; i < 3; ++i) (void)relay(kOutside, udp(kServer, 53, one.source, one.source_port));
  EXPECT_EQ(changes.refreshes, 1) << "the peer learns of it once";
  EXPECT_EQ(changes.states, 0) << "no packet waits for that";
  EXPECT_TRUE(master_.record(0).asymmetric);
  EXPECT_EQ(standby_.shard->apply(master_.record(0), standby_.now), Applied::created);
  EXPECT_TRUE(standby_.record(0).asymmetric) << "it stays so after a takeover";
  EXPECT_FALSE(master_.record(1).asymmetric);
  EXPECT_EQ(master_.shard->digest(), master_.slow_digest());
  // A session that a relayed packet sets up, and one that a relayed packet of several fragments belongs to.
  (void)relay(kInside, udp(kClient, 5002, kServer, 53));
  EXPECT_TRUE(master_.record(2).asymmetric);
  for (const Bytes& fragment : fragments_of(build(udp(kClient, 5001, kServer, 53, 900)), 256, 1)) {
    EXPECT_TRUE(standby_.send(kInside, fragment).empty());
  }
  EXPECT_EQ(handle_relayed().size(), 4U);
  EXPECT_TRUE(master_.record(1).asymmetric);
  // What the master refuses marks nothing.
  (void)master_.pass(kInside, udp(kClient, 5003, kServer, 53));
  EXPECT_TRUE(standby_.send(kOutside, udp(kServer, 54, one.source, one.source_port)).empty());
  EXPECT_TRUE(handle_relayed().empty());
  EXPECT_FALSE(master_.record(3).asymmetric);
  master_.expect_accounted();
}

TEST_F(EngineRelay, APacketIsRelayedOnceOnly) {
  HandRelay back;
  master_.shard->set_relay(back);
  (void)master_.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_TRUE(standby_.send(kInside, udp(kClient, 5000, kServer, 53)).empty());
  // Meanwhile the other chassis becomes master. It is in its grace, in which it would forward packets of its own.
  master_.shard->deactivate(master_.now);
  EXPECT_TRUE(handle_relayed().empty());
  EXPECT_EQ(back.asked, 0);
  EXPECT_EQ(master_.drops(Drop::relay_not_master), 1U);
  // One that comes to it from its neighbours is relayed.
  EXPECT_TRUE(master_.send(kInside, udp(kClient, 5000, kServer, 53)).empty());
  EXPECT_EQ(back.taken.size(), 1U);
  master_.expect_accounted();
}

TEST_F(EngineRelay, InItsGraceAFormerMasterForwardsOnlyWhatItCannotRelay) {
  HandRelay relay;
  master_.shard->set_relay(relay);
  (void)master_.pass(kInside, udp(kClient, 5000, kServer, 53));
  master_.shard->deactivate(master_.now);
  for (const auto outcome : {PacketRelay::Outcome::no_master, PacketRelay::Outcome::queue_full}) {
    relay.outcome = outcome;
    (void)master_.pass(kInside, udp(kClient, 5000, kServer, 53));
  }
  relay.outcome = PacketRelay::Outcome::relayed;
  EXPECT_TRUE(master_.send(kInside, udp(kClient, 5000, kServer, 53)).empty());
  EXPECT_EQ(master_.engine->counters().forwarded_in_grace, 2U);
  EXPECT_EQ(master_.engine->counters().relayed, 1U);
  master_.wait(kForwardingGrace);
  relay.outcome = PacketRelay::Outcome::no_master;
  master_.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::relay_no_master);
  master_.expect_accounted();
}

TEST_F(EngineRelay, PacketsByWhichTheStandbyTestsItselfStayHere) {
  constexpr std::uint64_t kSecret = 7;
  standby_.engine->expect_self_tests(kSecret);
  const auto test = self_test_packet::make({kSecret, kInside, 1});
  EXPECT_EQ(standby_.send(kInside, Bytes(test.begin(), test.end())).size(), 1U);
  EXPECT_EQ(relay_.asked, 0);
}

}  // namespace
}  // namespace icr::node::test
