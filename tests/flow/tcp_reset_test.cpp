// Who may end a connection or hold it up: resets, SYNs on a live connection, repeated SYNs.
#include <gtest/gtest.h>

#include <utility>

#include "tests/flow/tcp_connection.h"

namespace icr::node::test {
namespace {

TEST(TcpReset, OneInTheWindowIsForTheReceiverToJudge) {
  for (const auto d : {I, R}) {
    Connection c;
    c.open();
    const std::uint32_t mine = d == I ? 1001 : 5001, theirs = d == I ? 5001 : 1001;
    EXPECT_TRUE(c.accepts(d, {kReset, mine + 40000, 0}));
    EXPECT_FALSE(c.moved);
    EXPECT_TRUE(c.accepts(d, {kReset, mine - 1, 0}));
    EXPECT_TRUE(c.accepts(d, {kReset, mine + 1, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::established);
    EXPECT_TRUE(c.accepts(opposite(d), {kA, theirs, mine})) << "challenge ACK";
    EXPECT_TRUE(c.accepts(d, {kA, mine, theirs, 100}));
    EXPECT_TRUE(c.short_way(d, {kA, mine + 100, theirs, 100}));
    // The real one.
    EXPECT_TRUE(c.accepts(d, {kReset, mine + 200, 0}));
    EXPECT_EQ(c.session.tcp_state, TcpState::closed);
    EXPECT_TRUE(c.moved);
  }
}

TEST(TcpReset, WhatWasForwardedMayHaveBeenLostBehindUs) {
  // 2000 octets passed, 1000 of them are acknowledged. The sender resets at the end of what it sent; or, when it has
  // forgotten all, at what the receiver acknowledges.
  for (const std::uint32_t at : {2001U, 3001U, 2500U}) {
    for (const bool short_way : {false, true}) {
      Connection c;
      c.open();
      const SegmentSpec data{kA, 1001, 5001, 1000}, more{kA, 2001, 5001, 1000}, ack{kA, 5001, 2001};
      for (const auto& [d, s] : {std::pair{I, data}, std::pair{I, more}, std::pair{R, ack}}) {
        EXPECT_TRUE(short_way ? c.short_way(d, s) : c.accepts(d, s));
      }
      EXPECT_TRUE(c.accepts(I, {kReset, at, 0}));
      EXPECT_EQ(c.session.tcp_state, at == 2500 ? TcpState::established : TcpState::closed) << at;
      // Its receiver has not come to the end, so it asks: that one was not believed. The answer is.
      EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001}));
      EXPECT_EQ(c.session.tcp_state, at == 2001 ? TcpState::closed : TcpState::established) << at;
      EXPECT_TRUE(c.accepts(I, {kReset, 2001, 0}));
      EXPECT_TRUE(c.accepts(R, {kA, 5001, 2001})) << "was under way";
      EXPECT_EQ(c.session.tcp_state, TcpState::closed);
    }
  }
}

TEST(TcpReset, InTheHandshake) {
  Connection c;
  c.start({kS, 1000});
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(R, {kReset, 5001 + 300, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::syn_received);
  EXPECT_TRUE(c.accepts(I, {kReset, 1001, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);

  Connection d;
  d.start({kS, 1000});
  EXPECT_TRUE(d.accepts(R, {kReset | kA, 0, 1001}));
  EXPECT_TRUE(d.accepts(R, {kA, 9000, 1001}));
  EXPECT_TRUE(d.accepts(R, {kA, 9000, 1001}));
  EXPECT_EQ(d.session.tcp_state, TcpState::closed) << "a connection that was refused does not go on";
}

TEST(TcpReset, WhoSendsOnHasNotResetIt) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 100}));
  EXPECT_TRUE(c.accepts(R, {kReset, 5101, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5101, 50})) << "was under way";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1001, 50})) << "overtaken by its RST";
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.accepts(R, {kA, 5101, 1051, 100}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);
  EXPECT_TRUE(c.moved);

  // The twin does not know whose RST it was.
  for (const auto d : {I, R}) {
    Connection e;
    e.open();
    EXPECT_TRUE(e.accepts(I, {kReset, 1001, 0}));
    e.take_over();
    EXPECT_TRUE(e.accepts(d, d == I ? SegmentSpec{kA, 1001, 5001, 10} : SegmentSpec{kA, 5001, 1001, 10}));
    EXPECT_EQ(e.session.tcp_state, TcpState::established);
  }
}

TEST(TcpReset, AfterAFinTheStateIsWhatItWas) {
  Connection c;
  c.open();
  EXPECT_TRUE(c.accepts(I, {kA | kF, 1001, 5001}));
  EXPECT_TRUE(c.accepts(R, {kReset, 5001, 0}));
  EXPECT_EQ(c.session.tcp_state, TcpState::closed);
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1002, 100}));
  EXPECT_EQ(c.session.tcp_state, TcpState::fin_wait);
}

TEST(TcpFastOpen, ASynRepeatedWithoutItsData) {
  Connection c;
  c.start({kS, 1000, 0, 100});
  EXPECT_TRUE(c.accepts(I, {kS, 1000}));
  EXPECT_EQ(c.segment(R, {kS | kA, 5000, 1102}), TcpVerdict::bad_syn_ack);
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1101})) << "to the first one, late";
  EXPECT_TRUE(c.accepts(I, {kA, 1101, 5001, 100}));
  EXPECT_EQ(c.session.tcp_state, TcpState::established);

  Connection t;
  t.start({kS, 1000, 0, 100});
  t.take_over();
  EXPECT_TRUE(t.accepts(I, {kS, 1000}));
  EXPECT_TRUE(t.accepts(R, {kS | kA, 5000, 1101}));

  // With another number it is another connection.
  Connection d;
  d.start({kS, 1000, 0, 100});
  EXPECT_TRUE(d.accepts(I, {kS, 990}));
  EXPECT_EQ(d.segment(R, {kS | kA, 5000, 1101}), TcpVerdict::bad_syn_ack);
}

TEST(TcpSynOnALiveConnection, IsForgottenWhenItsReceiverGoesOn) {
  // Repeated in the handshake.
  Connection c;
  c.start({kS, 1000});
  EXPECT_TRUE(c.accepts(R, {kS | kA, 5000, 1001}));
  EXPECT_TRUE(c.accepts(I, {kS, 1000}));
  EXPECT_TRUE(c.accepts(I, {kA, 1001, 5001, 10}));
  EXPECT_TRUE(c.accepts(R, {kA, 5001, 1011}));
  EXPECT_TRUE(c.short_way(I, {kA, 1011, 5001, 10}));
  EXPECT_TRUE(c.short_way(R, {kA, 5001, 1021, 10}));

  // Spoofed, from either side.
  for (const auto d : {I, R}) {
    Connection e;
    e.open();
    EXPECT_TRUE(e.accepts(d, {kS, 770000}));
    EXPECT_FALSE(e.short_way(I, {kA, 1001, 5001, 10}));
    EXPECT_TRUE(e.accepts(opposite(d), d == I ? SegmentSpec{kA, 5001, 1001} : SegmentSpec{kA, 1001, 5001}));
    EXPECT_TRUE(e.short_way(I, {kA, 1001, 5001, 10}));
    // Its answer is no longer waited for.
    EXPECT_EQ(e.segment(opposite(d), {kReset | kA, 3000000000, 770001}), TcpVerdict::bad_rst);
    EXPECT_EQ(e.segment(opposite(d), {kS | kA, 3000000000, 770001}), TcpVerdict::bad_syn);
    EXPECT_EQ(e.session.tcp_state, TcpState::established);
  }
}

}  // namespace
}  // namespace icr::node::test
