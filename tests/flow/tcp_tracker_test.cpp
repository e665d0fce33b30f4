// The TCP tracker, segment by segment.
#include <gtest/gtest.h>

#include "tests/flow/tcp_connection.h"

namespace icr::node::test {
namespace {

TEST(TcpTracker, HandshakeDataAndBothFins) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_sent);
  EXPECT_TRUE(c.accepts(I, {kS, 1000})) << "retransmitted SYN";
  EXPECT_FALSE(c.moved);
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_received);
  EXPECT_TRUE(c.moved);
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001})) << "retransmitted SYN ACK";
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 500}));
  EXPECT_FALSE(c.moved);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1501, 1460}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1501, 1460})) << "retransmission";
  EXPECT_TRUE(c.accepts(R, {kA | kF, 6461, 1501}));
  EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
  EXPECT_TRUE(c.accepts(I, {kA, 1501, 6462, 300})) << "half closed: the other side still sends";
  EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
  EXPECT_TRUE(c.accepts(R, {kA, 6462, 1801}));
  EXPECT_TRUE(c.accepts(I, {kA | kF, 1801, 6462}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closing);
  EXPECT_TRUE(c.accepts(R, {kA, 6462, 1802}));
  EXPECT_EQ(c.session.tcp_state, TcpState::time_wait);
  EXPECT_TRUE(c.accepts(I, {kA | kF, 1801, 6462})) << "retransmitted FIN in TIME-WAIT";
  EXPECT_EQ(c.segment(I, {kS, 77777}), TcpVerdict::new_connection);
}

TEST(TcpTracker, WindowsAreEnforced) {
  Connection c;
  c.open(-1, -1, 10000);
  // Beyond what the other side allows, and far behind.
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 1000, 10000}));
  EXPECT_EQ(c.segment(I, {kA, 1001 + 10001, 5001, 100, 10000}), TcpVerdict::bad_sequence);
  EXPECT_TRUE(c.accepts(I, {kA, 1001U - 60000, 5001, 100, 10000})) << "old: its receiver answers it";
  EXPECT_EQ(c.segment(R, {kA, 5001, 2002, 0, 10000}), TcpVerdict::bad_ack) << "never sent";
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001, 0, 10000}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001U - 66001, 0, 10000})) << "old";
  // A zero window still lets a probe of one octet pass.
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001, 0, 0}));
  EXPECT_TRUE(c.accepts(I, {kA, 2001, 5001, 1, 10000}));
  EXPECT_TRUE(c.accepts(I, {kA, 2000, 5001, 0, 10000})) << "keepalive";
  // The refused segments moved nothing, nor the old ones.
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpTracker, WindowScaling) {
  Connection c;
  c.open(7, 9, 1000);
  // Not scaled in SYNs; scaled afterwards by what its sender announced.
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 0, 1000}));  // 1000 << 9
  EXPECT_TRUE(c.accepts(I, {kA, 1001 + 512000, 5001, 0, 1000}));
  EXPECT_EQ(c.segment(I, {kA, 1001 + 512001, 5001, 10, 1000}), TcpVerdict::bad_sequence);
  EXPECT_TRUE(c.accepts(R, {kA, 5001 + 128000, 1001, 0, 1000}));
  EXPECT_EQ(c.segment(R, {kA, 5001 + 128001, 1001, 10, 1000}), TcpVerdict::bad_sequence);
  // Only one side has the option: no scaling.
  Connection d;
  d.open(7, -1, 1000);
  EXPECT_TRUE(d.accepts(R, {kA, 5001, 1001, 0, 1000}));
  EXPECT_EQ(d.segment(I, {kA, 1001 + 1001, 5001, 10, 1000}), TcpVerdict::bad_sequence);
}

TEST(TcpTracker, SequenceNumbersWrapAround) {
  Connection c;
  c.start({kS, 0xfffffff0});
  EXPECT_TRUE(c.accepts(R, {kS | kA, 0xffffff00, 0xfffffff1}));
  EXPECT_TRUE(c.accepts(I, {kA, 0xfffffff1, 0xffffff01}));
  std::uint32_t a = 0xfffffff1;
  std::uint32_t b = 0xffffff01;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(c.accepts(I, {kA, a, b, 1000}));
    a += 1000;
    EXPECT_TRUE(c.accepts(R, {kA, b, a, 700}));
    b += 700;
  }
}

TEST(TcpTracker, ResetsMustBeBelievable) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_EQ(c.segment(R, {kReset | kA, 0, 999}), TcpVerdict::bad_rst);
  EXPECT_EQ(c.segment(R, {kReset, 0, 0}), TcpVerdict::bad_rst);
  EXPECT_TRUE(c.accepts(R, {kReset | kA, 0, 1001})) << "connection refused";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.moved);

  Connection d;
  d.open();
  EXPECT_EQ(d.segment(R, {kReset, 5001 + 70000, 0}), TcpVerdict::bad_rst);
  EXPECT_EQ(d.segment(R, {kReset, 5001U - 70000, 0}), TcpVerdict::bad_rst);
  EXPECT_EQ(d.session.tcp_state, TcpState::established);
  EXPECT_TRUE(d.accepts(R, {kReset, 5001, 0}));
  EXPECT_EQ(d.session.tcp_state, TcpState::closed);
  EXPECT_EQ(d.segment(I, {kS, 4}), TcpVerdict::new_connection);
}

TEST(TcpTracker, HandshakeRefusals) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_EQ(c.segment(I, {kA, 1001, 5001, 10}), TcpVerdict::bad_handshake);
  EXPECT_EQ(c.segment(R, {kA, 5001, 1001, 10}), TcpVerdict::bad_handshake);
  EXPECT_EQ(c.segment(R, {kA | kF, 5001, 1001}), TcpVerdict::bad_handshake);
  EXPECT_EQ(c.segment(R, {kS | kA, 5000, 900}), TcpVerdict::bad_syn_ack);
  EXPECT_EQ(c.segment(R, {kS | kA, 5000, 1002}), TcpVerdict::bad_syn_ack);
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_sent);
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
}

TEST(TcpTracker, InitiatorStartsOverWithAnotherNumber) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_TRUE(c.accepts(I, {kS, 900000}));
  EXPECT_EQ(c.segment(R, {kS | kA, 5000, 1001}), TcpVerdict::bad_syn_ack) << "of the first SYN";
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 900001}));
  EXPECT_TRUE(c.accepts(I, {kA, 900001, 5001, 50}));
}

TEST(TcpTracker, FastOpenWithAndWithoutTheData) {
  Connection c;
  c.start({kS, 1000, 0, 300});
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1301})) << "data taken";
  EXPECT_TRUE(c.accepts(I, {kA, 1301, 5001, 100}));
  Connection d;
  d.start({kS, 1000, 0, 300});
  EXPECT_TRUE(d.accepts(R, {kS | kA, 5000, 1001})) << "data left out";
  EXPECT_TRUE(d.accepts(I, {kA, 1001, 5001, 300}));
  EXPECT_TRUE(d.accepts(R, {kA, 5001, 1301}));
}

TEST(TcpTracker, SimultaneousOpen) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_TRUE(c.accepts(R, {kS, 5000}));
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_received);
  EXPECT_TRUE(c.accepts(I, {kS | kA, 1000, 5001}));
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 100}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5101, 100}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpTracker, ASynOnALiveConnectionGetsItsChallengeAck) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 100}));
  // The initiator was rebooted and opens again from the same port; the responder remembers the old connection.
  EXPECT_TRUE(c.accepts(I, {kS, 777000}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1101})) << "challenge ACK";
  EXPECT_TRUE(c.accepts(I, {kReset, 1101, 0})) << "the initiator's answer to it";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_EQ(c.segment(I, {kS, 777000}), TcpVerdict::new_connection);
}

TEST(TcpTracker, ABlindSynMovesNothing) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kS, 777000}));
  EXPECT_TRUE(c.accepts(R, {kS, 888000}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 100}));
  EXPECT_EQ(c.segment(I, {kA, 777001, 5001, 100}), TcpVerdict::bad_sequence);
  EXPECT_EQ(c.segment(R, {kS | kA, 999000, 4242}), TcpVerdict::bad_syn);
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpTracker, HalfOpenResponder) {
  // The responder still holds an older connection half open: its ACK must reach the initiator, whose RST clears it.
  Connection c;
  c.start({kS, 300000});
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_sent);
  EXPECT_TRUE(c.accepts(I, {kReset, 1001, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_sent);
  EXPECT_TRUE(c.accepts(I, {kS, 300000}));
  EXPECT_TRUE(c.accepts(R, {kS | kA, 9000, 300001}));
}

TEST(TcpTracker, AResponderThatHasForgottenTheConnection) {
  for (const auto d : {I, R}) {
    Connection c;
    c.open(7, 7);
    EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 1000}));
    EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001, 1000}));
    // Both ends have lost the old connection (reboot); one opens again on the same ports.
    EXPECT_TRUE(c.accepts(d, {kS, 2000000000, 0, 0, 65535, 9}));
    EXPECT_TRUE(c.accepts(opposite(d), {kS | kA, 3000000000, 2000000001, 0, 65535, 9}));
    EXPECT_EQ(c.session.tcp_state, TcpState::syn_received);
    EXPECT_TRUE(c.moved);
    EXPECT_TRUE(c.accepts(d, {kA, 2000000001, 3000000001, 100}));
    EXPECT_TRUE(c.accepts(opposite(d), {kA, 3000000001, 2000000101, 100}));
    EXPECT_TRUE(c.accepts(d, {kA, 2000000101, 3000000101, 100}));
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
    // The old numbers are over.
    EXPECT_TRUE(c.accepts(d, {kA, 1100001, 3000000101, 100})) << "older than all that the new one sent";
    EXPECT_EQ(c.segment(opposite(d), {kReset, 5001, 0}), TcpVerdict::bad_rst);
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
  }
}

TEST(TcpTracker, AResponderThatRefusesTheNewConnection) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kS, 2000000000}));
  EXPECT_TRUE(c.accepts(R, {kReset | kA, 0, 2000000001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
}

TEST(TcpTracker, RetransmittedSynAckDoesNotBeginAnew) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(I, {kS, 1000})) << "its first answer was lost";
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 2000}));
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001})) << "a late duplicate";
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 3001}));
}

TEST(TcpTracker, ASegmentInFragments) {
  Connection c;
  c.open();
  SegmentSpec first{kA, 1001, 5001, 1480};
  first.fragment = true;
  EXPECT_TRUE(c.accepts(I, first));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 4000})) << "more than the first fragment showed";
  EXPECT_TRUE(c.accepts(I, {kA, 1001 + 4000, 5001, 100}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 4100}));
  EXPECT_EQ(c.segment(R, {kA, 5001, 1001 + 4100 + 70000}), TcpVerdict::bad_ack);
}

TEST(TcpTracker, AnOlderSegmentAfterOneInFragments) {
  Connection c;
  c.open();
  SegmentSpec first{kA, 1001, 5001, 1480};
  first.fragment = true;
  EXPECT_TRUE(c.accepts(I, first));
  EXPECT_TRUE(c.accepts(I, {kA, 1001 + 3999, 5001})) << "a keep-alive, before what was seen to be sent ends";
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 4000}));
}

TEST(TcpTracker, FromTheMiddleOfAConnection) {
  // Scales are not known: large windows must not be taken for small ones.
  Connection c;
  c.start({kA, 100000, 700000, 0, 500});
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  std::uint32_t seq = 700000;
  for (int i = 0; i < 60; ++i, seq += 1460) EXPECT_TRUE(c.accepts(R, {kA, seq, 100000, 1460, 500})) << i;
  EXPECT_TRUE(c.accepts(I, {kA, 100000, 700000 + 1460, 0, 500}));
  EXPECT_TRUE(c.accepts(I, {kA, 100000, seq, 0, 500}));
}

// -- After a takeover --

TEST(TcpTakeover, EachSideIsLearntFromWhateverItSendsFirst) {
  // Numbers have gone on far since the twin last heard of them.
  const std::uint32_t a = 1001 + 900000000, b = 5001 + 1700000000;
  for (const bool initiator_first : {true, false}) {
    Connection c;
    c.open(7, 7);
    c.take_over();
    if (initiator_first) {
      EXPECT_TRUE(c.accepts(I, {kA, a, b, 100}));
    }
    EXPECT_TRUE(c.accepts(R, {kA, b, a, 100}));
    EXPECT_TRUE(c.accepts(I, {kA, a, b + 100, 100}));
    EXPECT_TRUE(c.accepts(R, {kA, b + 100, a + 100, 100}));
    EXPECT_TRUE(c.accepts(I, {kA, a + 100, b + 200}));
    // Confirmed by both sides: enforced again.
    EXPECT_EQ(c.segment(R, {kA, b + 1200000000, a + 100, 10}), TcpVerdict::bad_sequence);
    EXPECT_EQ(c.segment(R, {kA, b + 200, a + 1200000000}), TcpVerdict::bad_ack);
    EXPECT_EQ(c.segment(I, {kA, a + 1200000000, b + 200, 10}), TcpVerdict::bad_sequence);
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
  }
}

TEST(TcpTakeover, AHoleIsFilledAndAcknowledgedBeyond) {
  // The responder had sent far beyond a lost segment. The initiator's repeated ACK is seen first, then the
  // retransmission; what it acknowledges then was never seen here.
  const std::uint32_t hole = 5001 + 500000;
  Connection c;
  c.open(7, 7);
  c.take_over();
  EXPECT_TRUE(c.accepts(I, {kA, 1001, hole, 0, 4000}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, hole, 0, 4000}));
  EXPECT_TRUE(c.accepts(R, {kA, hole, 1001, 1460, 4000}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, hole + 300000, 0, 4000}));
  EXPECT_TRUE(c.accepts(R, {kA, hole + 300000, 1001, 1460, 4000}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, hole + 301460, 0, 4000}));
  // The same with the retransmission first.
  Connection d;
  d.open(7, 7);
  d.take_over();
  EXPECT_TRUE(d.accepts(R, {kA, hole, 1001, 1460, 4000}));
  EXPECT_TRUE(d.accepts(I, {kA, 1001, hole, 0, 4000}));
  EXPECT_TRUE(d.accepts(I, {kA, 1001, hole + 300000, 0, 4000}));
}

TEST(TcpTakeover, NewDataFirstThenARetransmissionFarBehind) {
  Connection c;
  c.open(7, 7, 1000);  // small windows at first, which is all the twin knows
  c.take_over();
  const std::uint32_t top = 5001 + 3000000;
  EXPECT_TRUE(c.accepts(R, {kA, top, 1001, 1460, 1000}));
  EXPECT_TRUE(c.accepts(R, {kA, top - 3000000, 1001, 1460, 1000}));
  EXPECT_TRUE(c.accepts(R, {kA, top + 1460, 1001, 1460, 1000}));
}

TEST(TcpTakeover, ZeroWindowAndLostAcks) {
  // The receiver has acknowledged everything and closed its window, but the sender did not hear of it.
  Connection c;
  c.open(7, 7);
  c.take_over();
  const std::uint32_t acked = 5001 + 1000000;
  EXPECT_TRUE(c.accepts(I, {kA, 1001, acked, 0, 0}));
  EXPECT_TRUE(c.accepts(R, {kA, acked - 500000, 1001, 1460}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, acked, 0, 0}));
  EXPECT_TRUE(c.accepts(R, {kA, acked - 500000, 1001, 1460}));
}

TEST(TcpTakeover, GarbageFirstDoesNotStickToTheConnection) {
  for (int which = 0; which < 2; ++which) {
    Connection c;
    c.open(7, 7);
    c.take_over();
    if (which == 0) {
      EXPECT_TRUE(c.accepts(R, {kA, 2900000000, 1001, 100}));
    } else {
      EXPECT_TRUE(c.accepts(I, {kA, 1001, 2900000000, 100}));
    }
    for (std::uint32_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(c.accepts(R, {kA, 90001 + i * 100, 1101 + i * 100, 100})) << which << " " << i;
      EXPECT_TRUE(c.accepts(I, {kA, 1101 + i * 100, 90101 + i * 100, 100})) << which << " " << i;
    }
  }
}

TEST(TcpTakeover, TheNewsOfTheHandshakeWereLost) {
  for (const bool initiator_first : {true, false}) {
    Connection c;
    c.start({kS, 1000, 0, 0, 64000, 7});
    c.take_over();  // as it was when only the SYN had passed
    if (initiator_first) {
      EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 100, 500}));
      EXPECT_TRUE(c.moved);
      EXPECT_TRUE(c.accepts(R, {kA, 5001, 1101, 100, 500}));
    } else {
      EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 100, 500}));
      EXPECT_TRUE(c.accepts(I, {kA, 1001, 5101, 100, 500}));
    }
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
    // Windows are scaled, though nobody saw by how much.
    EXPECT_TRUE(c.accepts(I, {kA, 1001 + 60000, 5101, 100, 500}));
    EXPECT_TRUE(c.accepts(R, {kA, 5001 + 60000, 1101, 100, 500}));
  }
}

TEST(TcpTakeover, InTheMiddleOfTheHandshake) {
  Connection c;
  c.start({kS, 1000, 0, 0, 64000, 7});
  c.take_over();
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001, 0, 64000, 7}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);

  // The twin has an older SYN than the one that is answered.
  Connection d;
  d.start({kS, 1000, 0, 0, 64000, 7});
  d.take_over();
  EXPECT_EQ(d.segment(R, {kS | kA, 5000, 888001, 0, 64000, 7}), TcpVerdict::bad_syn_ack) << "may be forged";
  EXPECT_TRUE(d.accepts(I, {kS, 888000, 0, 0, 64000, 7})) << "which has got no answer";
  EXPECT_TRUE(d.accepts(R, {kS | kA, 5000, 888001, 0, 64000, 7}));
  EXPECT_TRUE(d.accepts(I, {kA, 888001, 5001, 10}));

  Connection e;
  e.start({kS, 1000, 0, 0, 64000, 7});
  EXPECT_TRUE(e.accepts(R, {kS | kA, 5000, 1001, 0, 64000, 7}));
  e.take_over();
  EXPECT_TRUE(e.accepts(R, {kS | kA, 5000, 1001, 0, 64000, 7}));
  EXPECT_TRUE(e.accepts(I, {kA, 1001, 5001, 100}));
  EXPECT_EQ(e.session.tcp_state, TcpState::established);
  EXPECT_TRUE(e.accepts(R, {kA, 5001, 1101, 100}));
}

TEST(TcpTakeover, FinsThatTheTwinDidNotHearOf) {
  Connection c;
  c.open();
  c.take_over();
  // Both have sent FIN; one is retransmitted.
  EXPECT_TRUE(c.accepts(R, {kA | kF, 60000, 30001}));
  EXPECT_TRUE(c.accepts(I, {kA, 30001, 60001}));
  EXPECT_TRUE(c.accepts(I, {kA | kF, 30000, 60001}));
  EXPECT_TRUE(c.accepts(R, {kA, 60001, 30001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::time_wait);
}

TEST(TcpTakeover, TheTwinsConnectionIsOverAndANewOneBegan) {
  // The twin still has the old connection as established; its client opens the next one on the same port, and the
  // server knows nothing of the old one any more.
  Connection c;
  c.open(7, 7);
  c.take_over();
  EXPECT_TRUE(c.accepts(I, {kS, 2000000000, 0, 0, 64000, 7}));
  EXPECT_TRUE(c.accepts(R, {kS | kA, 3000000000, 2000000001, 0, 64000, 7}));
  EXPECT_TRUE(c.accepts(I, {kA, 2000000001, 3000000001, 100}));
  EXPECT_TRUE(c.accepts(R, {kA, 3000000001, 2000000101, 100}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpTakeover, WindowsFromAHostileRecordDoNotBlockTheConnection) {
  Connection c;
  c.open();
  for (TcpWindow& w : c.session.windows) w = TcpWindow{0xdeadbeef, 0x01020304, 0xffffffff, 14, 0xff};
  c.take_over();
  std::uint32_t a = 1001;
  std::uint32_t b = 5001;
  for (int i = 0; i < 50; ++i, a += 1000, b += 1000) {
    EXPECT_TRUE(c.accepts(I, {kA, a, b, 1000}));
    EXPECT_TRUE(c.accepts(R, {kA, b, a + 1000, 1000}));
  }
}

}  // namespace
}  // namespace icr::node::test
