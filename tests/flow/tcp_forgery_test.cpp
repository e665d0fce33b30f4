// Forged segments of an attacker, who knows addresses and ports and guesses sequence numbers, end no session. Old
// segments of the real endpoints, which look like them, pass (RFC 9293 section 3.10.7.4, RFC 5961).
#include <gtest/gtest.h>

#include <random>

#include "tests/flow/tcp_connection.h"

namespace icr::node::test {
namespace {

constexpr std::uint32_t kHalf = 0x80000000U;
/// The distance of a forged number from the right one.
constexpr std::uint32_t kOff[] = {kHalf, 3000000U, 0U - 3000000U, 40000U, 1U, 0U - 1U};

/// The connection of shared case ha.rst_after_takeover: what the twin has is its handshake.
Connection taken_over() {
  Connection c;
  c.open();
  c.take_over();
  return c;
}

TEST(TcpForgery, ResetAfterATakeoverEndsNothing) {  // ha.rst_after_takeover
  for (const auto d : {I, R}) {
    for (const std::uint32_t off : kOff) {
      for (const bool spoken : {false, true}) {
        Connection c = taken_over();
        std::uint32_t mine = d == I ? 1001 : 5001;
        const std::uint32_t theirs = d == I ? 5001 : 1001;
        if (spoken) {  // once since, each of them
          EXPECT_TRUE(c.accepts(opposite(d), {kA, theirs, mine, 9}));
          EXPECT_TRUE(c.accepts(d, {kA, mine, theirs + 9, 7}));
          mine += 7;
        }
        (void)c.segment(d, {kReset, mine + off, 0});
        EXPECT_FALSE(c.moved);
        EXPECT_EQ(c.session.tcp_state, TcpState::established) << off;
        EXPECT_TRUE(c.accepts(d, {kA, mine, theirs + (spoken ? 9U : 0U), 7}));
        EXPECT_EQ(c.session.tcp_state, TcpState::established);
      }
    }
  }
}

TEST(TcpForgery, ResetAfterATakeoverWhereTheTwinKnowsLess) {
  // Both have sent since the twin last heard of them; the real one comes in answer to a challenge ACK.
  Connection c = taken_over();
  EXPECT_TRUE(c.accepts(R, {kReset, 5015, 0})) << "nobody here knows";
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(I, {kA, 1019, 5015})) << "challenge ACK";
  EXPECT_TRUE(c.accepts(R, {kReset, 5015, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.accepts(I, {kA, 1019, 5015})) << "was under way";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
}

TEST(TcpForgery, ResetThatTheReplicatedNumbersProve) {
  for (const auto d : {I, R}) {
    Connection c = taken_over();
    EXPECT_TRUE(c.accepts(d, {kReset, d == I ? 1001U : 5001U, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  }
  // Nothing is known of a side that had not spoken.
  Connection c;
  c.start({kS, 1000});
  c.take_over();
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001}));
  EXPECT_TRUE(c.accepts(R, {kReset, 0, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpForgery, FinFromBeforeTheEndEndsNothing) {
  for (const bool after_takeover : {false, true}) {
    Connection c;
    c.open();
    if (after_takeover) c.take_over();
    EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 1000}));
    EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001, 500}));
    EXPECT_TRUE(c.accepts(I, {kA, 2001, 5501, 1000}));
    (void)c.segment(I, {kF | kA, 1500, 5501, 0});
    EXPECT_TRUE(c.accepts(R, {kA, 5501, 3001, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
    EXPECT_TRUE(c.accepts(R, {kF | kA, 5501, 3001, 0}));
    EXPECT_TRUE(c.accepts(I, {kA, 3001, 5502, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait) << "only one side has ended";
    EXPECT_TRUE(c.accepts(I, {kA, 3001, 5502, 700}));
    EXPECT_TRUE(c.accepts(R, {kA, 5502, 3701, 0}));
    EXPECT_TRUE(c.accepts(I, {kF | kA, 3701, 5502, 0}));
    EXPECT_TRUE(c.accepts(R, {kA, 5502, 3702, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::time_wait) << "the real FIN counts";
  }
}

TEST(TcpForgery, FinCountsThoughTheEndWasForged) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 1000}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001, 0}));
  EXPECT_TRUE(c.accepts(I, {kA, 2100, 5001, 900})) << "a forged segment in the window";
  EXPECT_TRUE(c.accepts(I, {kF | kA, 2001, 5001, 0})) << "where the other side has acknowledged everything";
  EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
}

TEST(TcpForgery, ResetMoreThan64KBehindTheEnd) {
  Connection c;
  c.open(7, 7);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 0, 8000}));
  for (std::uint32_t i = 0; i < 10; ++i) EXPECT_TRUE(c.accepts(I, {kA, 1001 + i * 20000, 5001, 20000}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 20000, 0, 8000}));
  EXPECT_TRUE(c.accepts(I, {kReset, 1001 + 20000 + 65536, 0})) << "the low half is right";
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(I, {kReset, 1001 + 20000, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
}

TEST(TcpForgery, ResetOfASessionPickedUpInItsMiddle) {  // pf.fake_rst_picked_up
  for (const std::uint32_t off : kOff) {
    Connection c;
    c.start({kA, 5000, 900000, 5});
    (void)c.segment(R, {kReset, 900000 + off, 0});
    (void)c.segment(I, {kReset, 5000 + 77 + off, 0});
    EXPECT_EQ(c.session.tcp_state, TcpState::established) << off;
    EXPECT_TRUE(c.accepts(R, {kA, 900000, 5005, 6}));
    EXPECT_TRUE(c.accepts(I, {kA, 5005, 900006, 4}));
    EXPECT_TRUE(c.accepts(R, {kReset, 900006, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  }
  Connection c;
  c.start({kA, 5000, 900000, 5});
  EXPECT_TRUE(c.accepts(R, {kReset, 900000, 0})) << "what its receiver has just asked for";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
}

TEST(TcpForgery, DataAndTheResetAtItsEnd) {
  // A guess inside the window moves what is known of the end; a RST there still is none for its receiver, which says
  // so.
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(R, {kA, 5001 + 30000, 1001, 100}));
  EXPECT_TRUE(c.accepts(R, {kReset, 5001 + 30100, 0}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001})) << "asks for the missing octets";
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  // After a takeover, and of a session picked up, any number is inside.
  for (const bool picked_up : {false, true}) {
    Connection d = taken_over();
    if (picked_up) {
      d = Connection{};
      d.start({kA, 1001, 5001});
    }
    EXPECT_TRUE(d.accepts(R, {kA, 123456789, 1001, 100}));
    EXPECT_TRUE(d.accepts(R, {kReset, 123456889, 0}));
    EXPECT_TRUE(d.accepts(R, {kA | kF, 123456889, 1001}));
    EXPECT_TRUE(d.accepts(R, {kReset, 123456890, 0}));
    EXPECT_EQ(d.session.tcp_state, TcpState::established);
    EXPECT_TRUE(d.accepts(R, {kA, 5001, 1001, 50}));
    EXPECT_TRUE(d.accepts(I, {kA, 1001, 5051}));
    EXPECT_EQ(d.session.tcp_state, TcpState::established);
  }
}

TEST(TcpForgery, AcknowledgementsDoNotMakeAnEnd) {
  // Two forged acknowledgements of the same number do not confirm it: the initiator never sent so much.
  Connection c = taken_over();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 1000000000}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 10}));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001 + 1000000000}));
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(c.accepts(I, {kA, 1011 + i * 100, 5001, 100}));
    EXPECT_TRUE(c.accepts(R, {kA, 5001, 1111 + i * 100}));
  }
  EXPECT_TRUE(c.accepts(I, {kReset, 1511, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed) << "the real end is known";
}

TEST(TcpForgery, FinsThatNobodyAcknowledges) {
  // The initiator has finished; the responder still sends. A forged FIN of the responder must not end that.
  for (const std::uint32_t off : {kHalf, 3000000U, 0U - 3000000U}) {
    Connection c;
    c.open();
    EXPECT_TRUE(c.accepts(I, {kA | kF, 1001, 5001}));
    EXPECT_TRUE(c.accepts(R, {kA, 5001, 1002, 100}));
    EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
    c.take_over();
    EXPECT_TRUE(c.accepts(R, {kA | kF, 5101 + off, 1002}));
    EXPECT_TRUE(c.accepts(I, {kA, 1002, 5101}));
    EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait) << off;
    EXPECT_TRUE(c.accepts(R, {kA, 5101, 1002, 100}));
    EXPECT_TRUE(c.accepts(I, {kA, 1002, 5201}));
    EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
    EXPECT_TRUE(c.accepts(R, {kA | kF, 5201, 1002}));
    EXPECT_TRUE(c.accepts(I, {kA, 1002, 5202}));
    EXPECT_EQ(c.session.tcp_state, TcpState::time_wait);
  }
}

TEST(TcpForgery, SynWhileBothSidesFinish) {
  // RFC 5961 section 4: the end of the transfer may be on its way again, so the connection is not over yet.
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kA | kF, 1001, 5001}));
  EXPECT_TRUE(c.accepts(R, {kA | kF, 5001, 1001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closing);
  EXPECT_TRUE(c.accepts(I, {kS, 777000}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closing);
  EXPECT_TRUE(c.accepts(R, {kA, 5002, 1001})) << "challenge ACK";
  EXPECT_TRUE(c.accepts(R, {kA | kF, 5001, 1002}));
  EXPECT_TRUE(c.accepts(I, {kA, 1002, 5002}));
  EXPECT_EQ(c.session.tcp_state, TcpState::time_wait);
  EXPECT_EQ(c.segment(I, {kS, 777000}), TcpVerdict::new_connection);
}

TEST(TcpForgery, SynAckAfterATakeover) {
  Connection c;
  c.start({kS, 1000});
  c.take_over();
  EXPECT_EQ(c.segment(R, {kS | kA, 999000, 123456}), TcpVerdict::bad_syn_ack);
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpForgery, AcknowledgementsThatPushTheEndAway) {
  // After a takeover an acknowledgement may be ahead of what was seen, by a window: 1 GiB at the widest scale.
  for (const auto d : {I, R}) {
    Connection c;
    c.open(14, 14);
    c.take_over();
    const std::uint32_t mine = d == I ? 1001 : 5001;
    const std::uint32_t theirs = d == I ? 5001 : 1001;
    EXPECT_TRUE(c.accepts(d, {kA, mine, theirs, 9}));
    EXPECT_TRUE(c.accepts(opposite(d), {kA, theirs, mine + 9, 7}));
    EXPECT_TRUE(c.accepts(d, {kA, mine + 9, theirs + 7}));
    for (std::uint32_t push = 1; push <= 3; ++push) {
      (void)c.segment(d, {kA, mine + 9, theirs + 7 + push * 900'000'000U});
    }
    for (std::uint32_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(c.accepts(opposite(d), {kA, theirs + 7 + 100 * i, mine + 9 + 100 * i, 100})) << i;
      EXPECT_TRUE(c.accepts(d, {kA, mine + 9 + 100 * i, theirs + 107 + 100 * i, 100})) << i;
    }
  }
}

TEST(TcpForgery, HandshakeWhereTheTwinMissedTheRealOne) {
  Connection c;
  c.start({kS, 1000});
  c.take_over();
  (void)c.segment(I, {kS, 900'000'000});
  (void)c.segment(R, {kS, 1'900'000'000});
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(c.accepts(R, {kA, 5001 + 100 * i, 1001 + 100 * i, 100})) << i;
    EXPECT_TRUE(c.accepts(I, {kA, 1001 + 100 * i, 5101 + 100 * i, 100})) << i;
  }
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpForgery, AFinIsForgottenWithTheEndThatItMade) {
  Connection c = taken_over();
  EXPECT_TRUE(c.accepts(I, {kF | kA, 2000, 5001})) << "forged; nothing tells it from a real one";
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 3001})) << "the initiator has sent more than that";
  EXPECT_TRUE(c.accepts(I, {kA, 3001, 5001}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 3001}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
}

TEST(TcpForgery, TheEndOfDataBeyondTheWindowIsAcknowledged) {
  Connection c = taken_over();
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 9}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5010, 7}));
  EXPECT_TRUE(c.accepts(R, {kA, 5010, 1008}));
  EXPECT_TRUE(c.accepts(I, {kA, 1008 + 65535, 5010, 1000})) << "begins in the window";
  EXPECT_TRUE(c.accepts(R, {kA, 5010, 1008 + 65535 + 1000}));
}

TEST(TcpForgery, ASegmentInFragmentsOpensNoDoor) {
  Connection c;
  c.open();
  SegmentSpec first{kA, 5001, 1001, 1480};
  first.fragment = true;
  EXPECT_TRUE(c.accepts(R, first));
  EXPECT_EQ(c.segment(R, {kA, 5001 + kHalf - 1, 1001, 10}), TcpVerdict::bad_sequence);
  EXPECT_EQ(c.segment(R, {kReset, 5001 + 1000000, 0}), TcpVerdict::bad_rst);
  EXPECT_TRUE(c.accepts(R, {kReset, 5001 + 30000, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001 + 4000}));
  EXPECT_TRUE(c.accepts(R, {kReset, 5001 + 4000, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
}

// -- Old, and legitimate --

TEST(TcpOldSegment, RetransmissionMoreThanAWindowBack) {  // linux.ack_loss_stall
  Connection c;
  c.open();
  // Every acknowledgement reaches the card, and none of them reaches the sender.
  std::uint32_t seq = 1001;
  for (int i = 0; i < 46; ++i) {
    EXPECT_TRUE(c.short_way(I, {kA, seq, 5001, 1460}));
    seq += 1460;
    EXPECT_TRUE(c.short_way(R, {kA, 5001, seq}));
  }
  const Session before = c.session;
  EXPECT_FALSE(c.short_way(I, {kA, 1001, 5001, 1460}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 1460}));
  EXPECT_TRUE(c.accepts(I, {kA | kF, 1001, 5001, 1460}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001})) << "overtaken by 46 others";
  EXPECT_FALSE(c.moved);
  EXPECT_EQ(c.session.windows[0], before.windows[0]);
  EXPECT_EQ(c.session.windows[1], before.windows[1]);
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, seq})) << "its receiver says what it has";
}

TEST(TcpOldSegment, AcknowledgesNothingThatWasNotSent) {  // RFC 5961 section 5
  Connection c;
  c.open();
  EXPECT_EQ(c.segment(I, {kA, 1001U - 1000000, 5001 + 5000, 10}), TcpVerdict::bad_ack);
}

}  // namespace
}  // namespace icr::node::test
