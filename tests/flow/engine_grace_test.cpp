// Tests a chassis that has ceased to be master: existing sessions go on for a moment, and no session is set up.
#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// Records what a shard reports.
class Ears final : public ChangeListener {
 public:
  void changed(std::uint32_t, Change) override { ++changes; }
  int changes = 0;
};

/// An open TCP connection of a master, and its external end.
Seen open_connection(Bed& bed) {
  const Seen syn = bed.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  (void)bed.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
  return syn;
}

TEST(EngineGrace, PacketsOfKnownSessionsPassAndChangeNothing) {
  Bed bed;
  const Seen udp_end = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  const Seen echo_end = bed.pass(kInside, echo(kClient, kServer, 7));
  const Seen tcp_end = open_connection(bed);
  bed.wait(1s);
  bed.shard->deactivate(bed.now);
  Ears ears;
  bed.shard->add_listener(ears);
  bed.shard->add_observer(ears);
  const std::uint64_t digest = bed.shard->digest();
  const SessionRecord before[3] = {bed.record(0), bed.record(1), bed.record(2)};

  EXPECT_EQ(bed.pass(kInside, udp(kClient, 5000, kServer, 53)).source_port, udp_end.source_port);
  EXPECT_EQ(bed.pass(kOutside, udp(kServer, 53, udp_end.source, udp_end.source_port)).destination, kClient);
  EXPECT_EQ(bed.pass(kOutside, echo(kServer, echo_end.source, echo_end.source_port, true)).destination, kClient);
  // TCP goes on by its window, which moves; a FIN passes too.
  (void)bed.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701, 1000));
  (void)bed.pass(kOutside, tcp(kServer, 80, tcp_end.source, tcp_end.source_port, kAck, 701, 1101));
  bed.expect_drop(kInside, tcp(kClient, 5000, kServer, 80, kAck, 900'000, 701), Drop::tcp_bad_sequence);
  (void)bed.pass(kInside, tcp(kClient, 5000, kServer, 80, kFin | kAck, 1101, 701));
  (void)bed.pass(kOutside, tcp(kServer, 80, tcp_end.source, tcp_end.source_port, kRst, 701, 0));

  EXPECT_EQ(bed.engine->counters().forwarded_in_grace, 7U);
  EXPECT_EQ(ears.changes, 0);
  EXPECT_EQ(bed.shard->digest(), digest);
  EXPECT_EQ(bed.record(2).tcp_state, TcpState::established);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    EXPECT_EQ(bed.record(slot).counters, before[slot].counters);
    EXPECT_EQ(bed.record(slot).idle, before[slot].idle);
    EXPECT_EQ(bed.record(slot).version, before[slot].version);
  }
  bed.expect_accounted();
}

TEST(EngineGrace, ErrorsAndFragmentsOfKnownSessionsPass) {
  Bed bed;
  const Seen out = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.shard->deactivate(bed.now);
  const Bytes error = icmp_error("198.19.0.1", out.source, 11, 0, build(udp(out.source, out.source_port, kServer, 53)));
  const auto sent = bed.send(kOutside, error);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).destination, kClient);
  EXPECT_EQ(bed.record().flag, SessionFlag::none);
  std::size_t passed = 0;
  for (const Bytes& fragment : fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 1)) {
    passed += bed.send(kInside, fragment).size();
  }
  EXPECT_EQ(passed, 4U);
  EXPECT_EQ(bed.engine->counters().forwarded_in_grace, 5U);
  bed.expect_accounted();
}

TEST(EngineGrace, WhoIsMasterAgainLearnsTheWindowsAgain) {
  Bed bed;
  (void)open_connection(bed);
  const auto far = [] { return tcp(kClient, 5000, kServer, 80, kAck, 900'000, 701); };
  bed.expect_drop(kInside, far(), Drop::tcp_bad_sequence);
  bed.shard->deactivate(bed.now);
  // Another master forwards what comes meanwhile, and dies before it has told how far the connection is.
  bed.wait(1s);
  bed.shard->activate(bed.now);
  (void)bed.pass(kInside, far());
  bed.expect_accounted();
}

TEST(EngineGrace, NothingNewBeginsSoNoPortHasTwoOwners) {
  Bed bed;
  const Seen end = open_connection(bed);
  const std::uint64_t ports = bed.shard->ports_in_use();
  (void)bed.pass(kInside, tcp(kClient, 5000, kServer, 80, kRst, 101, 0));
  bed.shard->deactivate(bed.now);
  bed.expect_drop(kInside, udp(kClient, 6000, kServer, 53), Drop::standby_new_session);
  bed.expect_drop(kOutside, udp(kServer, 53, end.source, 60000), Drop::standby_new_session);
  // A SYN on a connection that is over would make a new session of it.
  bed.expect_drop(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 900, 0), Drop::standby_new_session);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.shard->ports_in_use(), ports);
}

TEST(EngineGrace, EndsWithTheLeaseOfTheAddressesAndWithATombstone) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 5001, kServer, 53));
  bed.shard->deactivate(bed.now);
  (void)bed.shard->erase({0, bed.record(0).ref.generation}, bed.now);
  bed.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::standby_new_session);
  bed.wait(kForwardingGrace - 100ms);
  (void)bed.pass(kInside, udp(kClient, 5001, kServer, 53));
  bed.wait(100ms);
  bed.expect_drop(kInside, udp(kClient, 5001, kServer, 53), Drop::not_master);
  // A chassis that was standby all the time forwards nothing, and a second call does not begin a second grace.
  bed.shard->deactivate(bed.now);
  bed.expect_drop(kInside, udp(kClient, 5001, kServer, 53), Drop::not_master);
  bed.expect_accounted();
}

TEST(EngineGrace, AMasterThatMayNotActAnyMoreDropsEveryPacketUntilItMayAgain) {
  Bed bed;
  const Seen udp_end = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  const Seen tcp_end = open_connection(bed);
  bed.shard->act_until(bed.now + 50ms);
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.now += 50ms;
  Ears ears;
  bed.shard->add_listener(ears);
  const std::uint64_t sent = bed.engine->counters().packets_out;
  // Neither a packet that only adds to its session, nor one that changes it or sets one up, nor an error.
  bed.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::not_master);
  bed.expect_drop(kOutside, udp(kServer, 53, udp_end.source, udp_end.source_port), Drop::not_master);
  bed.expect_drop(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701, 100), Drop::not_master);
  bed.expect_drop(kOutside, tcp(kServer, 80, tcp_end.source, tcp_end.source_port, kRst, 701, 0), Drop::not_master);
  bed.expect_drop(kInside, udp(kClient, 6000, kServer, 53), Drop::not_master);
  bed.expect_drop(
      kOutside,
      icmp_error("198.19.0.1", udp_end.source, 11, 0, build(udp(udp_end.source, udp_end.source_port, kServer, 53))),
      Drop::not_master);
  for (const Bytes& fragment : fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 1)) {
    bed.expect_drop(kInside, fragment, Drop::not_master);
  }
  EXPECT_EQ(bed.engine->counters().packets_out, sent);
  EXPECT_EQ(ears.changes, 0);
  EXPECT_EQ(bed.shard->sessions(), 2U);
  bed.shard->deactivate(bed.now);
  bed.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::not_master);
  bed.shard->activate(bed.now);
  bed.shard->act_until(bed.now + 50ms);
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 6000, kServer, 53));
  bed.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
