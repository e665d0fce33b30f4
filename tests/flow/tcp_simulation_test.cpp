// Two TCP endpoints talk through the tracker over a link that loses, repeats and reorders, while the tracker's state is
// replaced again and again by an older copy of it, as in a takeover, and an attacker forges segments. Whatever happens,
// both must finish: a legitimate segment that is dropped for ever would stop them, and a session that a forged segment
// ends would be forgotten.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/flow/tcp_endpoint.h"

namespace icr::node::test {
namespace {

struct InFlight {
  unsigned arrives;
  Direction direction;
  SegmentSpec segment;
  bool forged = false;
};

struct Outcome {
  bool finished = false;
  bool reset = false;  ///< an endpoint accepted a RST
  unsigned steps = 0;
  unsigned refused = 0;
  unsigned forged = 0;         ///< segments of the attacker
  unsigned forged_passed = 0;  ///< those of them that were forwarded
  std::string end;             ///< where the endpoints stand
  unsigned ended = 0;          ///< those after which the tracker takes the connection for closed
};

struct Room {
  bool takeovers = false;
  bool clean_link = true;
  bool attacker = false;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Room room)
      : random_(seed), client_(true, random_), server_(false, random_), room_(room) {
    loss_ = room.clean_link ? 0 : below(random_, 8);
    jitter_ = room.clean_link ? 1 : 1 + below(random_, 12);
    takeovers_left_ = room.takeovers ? 1 + below(random_, 4) : 0;
    next_takeover_ = 5 + below(random_, 400);
  }

  Outcome run() {
    for (now_ = 1; now_ < 200000 && !outcome_.finished && !outcome_.reset; ++now_) {
      if (now_ >= next_takeover_ && takeovers_left_ != 0 && exists_) take_over();
      while (!link_.empty() && link_.begin()->first <= now_) {
        const InFlight arrived = link_.begin()->second;
        link_.erase(link_.begin());
        Endpoint& to = arrived.direction == Direction::initiator ? server_ : client_;
        if (arrived.forged && lucky(arrived.direction, arrived.segment)) continue;
        offer(opposite(arrived.direction), to.receive(arrived.segment, now_));
      }
      offer(Direction::initiator, client_.step(now_));
      offer(Direction::responder, server_.step(now_));
      const bool open = client_.open() && server_.open();
      if (room_.attacker && open && now_ < kAttackEnds && below(random_, 2) == 0) attack();
      outcome_.finished = client_.finished() && server_.finished();
      outcome_.reset = client_.was_reset() || server_.was_reset();
    }
    outcome_.steps = now_;
    outcome_.end = "client: " + client_.describe() + "; server: " + server_.describe();
    return outcome_;
  }

 private:
  static constexpr unsigned kAttackEnds = 20000;

  void take_over() {
    session_ = twin_;
    session_.window_epoch = 0;
    ++epoch_;
    --takeovers_left_;
    blackout_until_ = now_ + below(random_, 100);
    next_takeover_ = now_ + 5 + below(random_, 600);
  }

  void offer(Direction d, const std::vector<SegmentSpec>& segments) {
    for (const SegmentSpec& s : segments) {
      if (below(random_, 100) < loss_ || now_ < blackout_until_) continue;
      if (!exists_) {
        if (s.flags != tcp_flag::syn) continue;
        TcpTracker::start(session_, SegmentHeader(s).headers(), epoch_);
        exists_ = true;
        twin_ = session_;
      } else if (!follow(d, s)) {
        ++outcome_.refused;
        continue;
      }
      if (below(random_, 200) == 0) twin_ = session_;
      for (unsigned copies = below(random_, 100) < loss_ ? 2 : 1; copies != 0; --copies) send(d, s);
    }
  }

  bool follow(Direction d, const SegmentSpec& s) {
    bool moved = false;
    TcpVerdict verdict = TcpTracker::follow(session_, d, SegmentHeader(s).headers(), epoch_, moved);
    if (verdict == TcpVerdict::new_connection) {
      TcpTracker::start(session_, SegmentHeader(s).headers(), epoch_);
      verdict = TcpVerdict::accept;
    }
    // Replication is asynchronous: the last news may be missing.
    if (moved && below(random_, 3) != 0) twin_ = session_;
    return verdict == TcpVerdict::accept;
  }

  void send(Direction d, const SegmentSpec& s, bool forged = false) {
    const unsigned arrives = now_ + 1 + below(random_, jitter_);
    link_.emplace(arrives, InFlight{arrives, d, s, forged});
  }

  /// Returns true if a segment has a number at which a RST counts (RFC 5961 section 3.2): what the receiver expects
  /// next, what it has acknowledged, or the end of what its sender has sent. A blind attacker hits one of them once in
  /// 2^32 attempts; here, near the window, he would in every run.
  [[nodiscard]] bool lucky(Direction d, const SegmentSpec& s) const {
    const Endpoint& from = d == Direction::initiator ? client_ : server_;
    const Endpoint& to = d == Direction::initiator ? server_ : client_;
    const auto side = static_cast<unsigned>(d);
    return s.seq == to.expected() || s.seq == from.next() || s.seq == session_.acked[side] ||
           s.seq == session_.windows[side].end;
  }

  /// Sends a forged segment into a connection that is open. (If a forged SYN makes a connection begin anew, the scale
  /// of its windows is not known, so that any number within 1 GiB may be right; tcp_tracker_test.cpp has forged
  /// handshakes.) The attacker does not see the connection, so he can only guess its numbers. He is lucky more often
  /// than a real one: his sequence number is mostly near the window. His acknowledgement never is in it, or his data
  /// and his FIN would be the sender's own for all that anybody can tell.
  void attack() {
    constexpr std::array<unsigned, 8> kFlags = {tcp_flag::rst,
                                                tcp_flag::rst | tcp_flag::ack,
                                                tcp_flag::syn,
                                                tcp_flag::syn | tcp_flag::ack,
                                                tcp_flag::fin | tcp_flag::ack,
                                                tcp_flag::ack,
                                                tcp_flag::ack | tcp_flag::psh,
                                                tcp_flag::psh};
    const Direction d = below(random_, 2) == 0 ? Direction::initiator : Direction::responder;
    const Endpoint& to = d == Direction::initiator ? server_ : client_;
    SegmentSpec s;
    s.flags = static_cast<std::uint8_t>(kFlags[below(random_, kFlags.size())]);
    const std::uint32_t reach = 2 * to.buffer() + 4000;
    s.seq = below(random_, 8) == 0 ? static_cast<std::uint32_t>(random_())
                                   : to.expected() + below(random_, 2 * reach) - reach;
    // What no receiver accepts (RFC 5961 section 5.2): it was never sent, or acknowledged long ago.
    const std::uint32_t far = (1U << 28) + below(random_, 1U << 30);
    s.ack = below(random_, 2) == 0 ? to.next() + far : to.next() - far;
    s.payload = (s.flags & tcp_flag::psh) != 0 ? 1 + below(random_, kMss) : 0;
    s.window = static_cast<std::uint16_t>(random_());
    if ((s.flags & tcp_flag::syn) != 0) s.scale = static_cast<int>(below(random_, 15));
    if (lucky(d, s)) return;
    ++outcome_.forged;
    const bool was_closed = session_.tcp_state == TcpState::closed;
    if (!follow(d, s)) return;
    ++outcome_.forged_passed;
    if (!was_closed && session_.tcp_state == TcpState::closed) ++outcome_.ended;
    send(d, s, true);
  }

  Random random_;
  Endpoint client_;
  Endpoint server_;
  Room room_;
  std::multimap<unsigned, InFlight> link_;  ///< by arrival
  unsigned loss_ = 0;
  unsigned jitter_ = 1;
  Session session_;
  bool exists_ = false;
  Session twin_;  ///< what the standby has
  std::uint16_t epoch_ = 1;
  Outcome outcome_;
  unsigned now_ = 0;
  unsigned next_takeover_ = 0;
  unsigned blackout_until_ = 0;
  unsigned takeovers_left_ = 0;
};

std::uint64_t first_seed() {
  const char* text = std::getenv("ICR_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

TEST(TcpSimulation, ConnectionsFinishWithoutTakeover) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Outcome o = Simulation(seed, {}).run();
    ASSERT_TRUE(o.finished) << "seed " << seed << ", refused " << o.refused << ", " << o.end;
    ASSERT_EQ(o.refused, 0U) << "seed " << seed << ": nothing is lost or late, so nothing may be refused";
  }
}

TEST(TcpSimulation, ConnectionsFinishOnABadLink) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Outcome o = Simulation(seed, {.clean_link = false}).run();
    ASSERT_TRUE(o.finished) << "seed " << seed << ", refused " << o.refused << ", " << o.end;
  }
}

TEST(TcpSimulation, ConnectionsFinishThroughTakeovers) {
  const std::uint64_t first = first_seed();
  for (std::uint64_t seed = first; seed < first + 300; ++seed) {
    const Outcome o = Simulation(seed, {.takeovers = true, .clean_link = seed % 3 == 0}).run();
    ASSERT_TRUE(o.finished) << "ICR_TEST_SEED=" << seed << ", refused " << o.refused << ", " << o.end;
  }
}

TEST(TcpSimulation, ForgedSegmentsNeitherEndNorStopAConnection) {
  const std::uint64_t first = first_seed();
  std::uint64_t forged = 0;
  std::uint64_t passed = 0;
  for (std::uint64_t seed = first; seed < first + 200; ++seed) {
    const Outcome o =
        Simulation(seed, {.takeovers = seed % 2 == 0, .clean_link = seed % 3 == 0, .attacker = true}).run();
    ASSERT_FALSE(o.reset) << "ICR_TEST_SEED=" << seed << ": an endpoint believed a forged RST";
    ASSERT_EQ(o.ended, 0U) << "ICR_TEST_SEED=" << seed << ", forged " << o.forged;
    ASSERT_TRUE(o.finished) << "ICR_TEST_SEED=" << seed << ", refused " << o.refused << ", forged " << o.forged << ", "
                            << o.end;
    forged += o.forged;
    passed += o.forged_passed;
  }
  // The attack is real: many segments, and many of them get as far as the endpoints.
  EXPECT_GT(forged, 10'000U);
  EXPECT_GT(passed, 1'000U);
}

}  // namespace
}  // namespace icr::node::test
