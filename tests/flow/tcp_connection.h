// A connection for tests of the TCP tracker.
#pragma once

#include <gtest/gtest.h>

#include "tests/flow/segments.h"

namespace icr::node::test {

inline constexpr auto I = Direction::initiator;
inline constexpr auto R = Direction::responder;
inline constexpr std::uint8_t kS = tcp_flag::syn, kA = tcp_flag::ack, kF = tcp_flag::fin, kReset = tcp_flag::rst;

/// One connection as the tracker sees it. Numbers: initiator's ISN 1000, responder's 5000.
class Connection {
 public:
  void start(const SegmentSpec& s) { TcpTracker::start(session, SegmentHeader(s).headers(), epoch); }
  TcpVerdict segment(Direction d, const SegmentSpec& s) {
    moved = false;
    return TcpTracker::follow(session, d, SegmentHeader(s).headers(), epoch, moved);
  }
  bool accepts(Direction d, const SegmentSpec& s) { return segment(d, s) == TcpVerdict::accept; }

  void open(int initiator_scale = -1, int responder_scale = -1, std::uint16_t window = 65535) {
    start({kS, 1000, 0, 0, window, initiator_scale});
    EXPECT_TRUE(accepts(R, {kS | kA, 5000, 1001, 0, window, responder_scale}));
    EXPECT_TRUE(accepts(I, {kA, 1001, 5001, 0, window}));
    EXPECT_EQ(session.tcp_state, TcpState::established);
  }
  /// True: the short way took it.
  bool short_way(Direction d, const SegmentSpec& s) {
    const SegmentHeader header(s);
    return TcpTracker::follow_established(session, d, header.headers().l4, s.payload, epoch);
  }
  /// The twin with this state becomes master.
  void take_over() {
    ++epoch;
    session.window_epoch = 0;
  }

  Session session;
  std::uint16_t epoch = 7;
  bool moved = false;
};

}  // namespace icr::node::test
