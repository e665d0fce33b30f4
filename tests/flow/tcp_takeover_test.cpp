// Two TCP endpoints talk through the tracker over a link that loses, repeats and reorders, while the tracker's state is
// replaced again and again by an older copy of it, as in a takeover. Whatever happens, both must finish: a legitimate
// segment that is dropped for ever would stop them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/flow/segments.h"

namespace icr::node::test {
namespace {

using Random = std::mt19937_64;

std::uint32_t below(Random& random, std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }

constexpr std::uint32_t kMss = 1000;
constexpr unsigned kRto = 40;

bool at_or_after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) >= 0; }

/// A small but honest TCP: handshake, sliding window, out-of-order buffer, slow start after a timeout, zero windows
/// with probes, FIN.
class Endpoint {
 public:
  Endpoint(bool active, Random& random) : active_(active), random_(random) {
    iss_ = static_cast<std::uint32_t>(random());
    una_ = nxt_ = iss_;
    to_send_ = below(random, 4) == 0 ? below(random, 3000) : below(random, 400000);
    scale_ = static_cast<int>(below(random, 15));
    if (below(random, 4) == 0) scale_ = -1;
    buffer_ = scale_ < 0 ? 2000 + below(random, 63000) : 4000 + below(random, 2000000);
    if (scale_ >= 0) buffer_ = std::max(buffer_, 3U << scale_);  // or its window would always be rounded down to 0
    reader_ = below(random, 3);
    if (active_) state_ = State::syn_sent;
  }

  [[nodiscard]] bool finished() const {
    return state_ == State::open && fin_sent_ && una_ == nxt_ && peer_fin_ && sent_all();
  }

  std::vector<SegmentSpec> step(unsigned now) {
    std::vector<SegmentSpec> out;
    read_application(out);
    if (state_ == State::listening) return out;
    if (state_ != State::open) {
      if (last_sent_ == 0 || now - last_sent_ >= kRto) {
        last_sent_ = now;
        out.push_back(syn());
      }
      return out;
    }
    const std::uint32_t limit = una_ + std::min(peer_window_, cwnd_ * kMss);
    while (!sent_all() && nxt_ != limit && at_or_after(limit, nxt_)) {
      const std::uint32_t size = std::min({kMss, data_end() - nxt_, limit - nxt_});
      out.push_back(data(nxt_, size));
      nxt_ += size;
      arm(now);
    }
    if (sent_all() && !fin_sent_) {
      fin_sent_ = true;
      out.push_back(segment(tcp_flag::fin | tcp_flag::ack, nxt_, 0));
      ++nxt_;
      arm(now);
    }
    if (una_ != nxt_ && now - last_sent_ >= kRto) {
      arm(now);
      cwnd_ = 1;
      recover_ = nxt_;
      out.push_back(retransmission());
    } else if (una_ == nxt_ && now - last_sent_ >= kRto * 2) {
      arm(now);
      // Window probe or keepalive: an old octet.
      if (below(random_, 2) == 0) {
        out.push_back(segment(tcp_flag::ack, nxt_ - 1, 0));
      } else {
        out.push_back(segment(tcp_flag::ack, nxt_, 0));
      }
    }
    return out;
  }

  std::vector<SegmentSpec> receive(const SegmentSpec& s, unsigned now) {
    std::vector<SegmentSpec> out;
    const bool syn_bit = (s.flags & tcp_flag::syn) != 0;
    const bool ack_bit = (s.flags & tcp_flag::ack) != 0;
    if (state_ == State::listening && syn_bit && !ack_bit) {
      state_ = State::syn_received;
      irs_ = s.seq;
      rcv_ = s.seq + 1;
      agree_scale(s);
      nxt_ = iss_ + 1;
      last_sent_ = now;
      peer_window_ = s.window;
      out.push_back(syn());
      return out;
    }
    if (state_ == State::syn_sent) {
      if (!syn_bit || !ack_bit || s.ack != iss_ + 1) return out;
      state_ = State::open;
      irs_ = s.seq;
      rcv_ = s.seq + 1;
      agree_scale(s);
      una_ = nxt_ = iss_ + 1;
      peer_window_ = s.window;
      out.push_back(segment(tcp_flag::ack, nxt_, 0));
      return out;
    }
    if (state_ == State::listening) return out;
    if (syn_bit) {
      // A SYN that was repeated: the answer got lost.
      if (state_ == State::syn_received) {
        out.push_back(syn());
      } else {
        out.push_back(segment(tcp_flag::ack, nxt_, 0));
      }
      return out;
    }
    if (state_ == State::syn_received) {
      if (!ack_bit || s.ack == iss_) return out;
      state_ = State::open;
      una_ = iss_ + 1;
    }
    take_ack(s, now, out);
    take_data(s, out);
    return out;
  }

 private:
  enum class State { listening, syn_sent, syn_received, open };

  [[nodiscard]] std::uint32_t data_end() const { return iss_ + 1 + to_send_; }
  [[nodiscard]] bool sent_all() const { return at_or_after(nxt_, data_end()); }

  void arm(unsigned now) { last_sent_ = now; }

  void agree_scale(const SegmentSpec& s) {
    if (scale_ < 0 || s.scale < 0) {
      scale_in_force_ = peer_scale_ = 0;
      if (buffer_ > 65535) buffer_ = 65535;
    } else {
      scale_in_force_ = scale_;
      peer_scale_ = s.scale;
    }
    offered_ = s.scale;
  }

  SegmentSpec syn() {
    SegmentSpec s;
    s.flags = active_ ? tcp_flag::syn : static_cast<std::uint8_t>(tcp_flag::syn | tcp_flag::ack);
    s.seq = iss_;
    s.ack = active_ ? 0 : rcv_;
    s.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(buffer_, 65535));
    s.scale = active_ || offered_ >= 0 ? scale_ : -1;
    nxt_ = iss_ + 1;
    return s;
  }

  SegmentSpec segment(unsigned flags, std::uint32_t seq, std::uint32_t size) {
    SegmentSpec s;
    s.flags = static_cast<std::uint8_t>(flags);
    s.seq = seq;
    s.ack = rcv_;
    s.payload = size;
    std::uint32_t window = (buffer_ - std::min(buffer_, unread_)) >> scale_in_force_;
    // Never shrink the window.
    const std::uint32_t edge = rcv_ + (window << scale_in_force_);
    if (edge_known_ && !at_or_after(edge, edge_)) {
      window = (edge_ - rcv_ + (1U << scale_in_force_) - 1) >> scale_in_force_;
    } else {
      edge_ = edge;
      edge_known_ = true;
    }
    s.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(window, 65535));
    return s;
  }
  SegmentSpec data(std::uint32_t seq, std::uint32_t size) { return segment(tcp_flag::ack | tcp_flag::psh, seq, size); }

  SegmentSpec retransmission() {
    if (at_or_after(una_, data_end())) return segment(tcp_flag::fin | tcp_flag::ack, una_, 0);
    return data(una_, std::min({kMss, data_end() - una_, nxt_ - una_}));
  }

  void take_ack(const SegmentSpec& s, unsigned now, std::vector<SegmentSpec>& out) {
    if (!at_or_after(s.ack, una_) || !at_or_after(nxt_, s.ack)) return;
    const bool news = s.ack != una_;
    una_ = s.ack;
    peer_window_ = std::uint32_t{s.window} << peer_scale_;
    if (!news) return;
    arm(now);
    cwnd_ = std::min(cwnd_ + 1, 200U);
    if (una_ != nxt_ && !at_or_after(una_, recover_)) out.push_back(retransmission());
  }

  void take_data(const SegmentSpec& s, std::vector<SegmentSpec>& out) {
    const std::uint32_t end = s.seq + s.payload;
    const bool fin = (s.flags & tcp_flag::fin) != 0;
    if (s.payload == 0 && !fin) {
      if (s.seq != rcv_) out.push_back(segment(tcp_flag::ack, nxt_, 0));  // probe or keepalive
      return;
    }
    const std::uint32_t room = buffer_ - std::min(buffer_, unread_);
    if (fin) fin_at_ = end, fin_known_ = true;
    if (at_or_after(rcv_ + room, end) && at_or_after(end, rcv_)) {
      waiting_[s.seq - irs_] = std::max(waiting_[s.seq - irs_], s.payload);
    }
    for (bool more = true; more;) {
      more = false;
      for (const auto& [start, size] : waiting_) {
        const std::uint32_t from = irs_ + start;
        if (at_or_after(rcv_, from) && !at_or_after(rcv_, from + size)) {
          unread_ += from + size - rcv_;
          rcv_ = from + size;
          more = true;
        }
      }
    }
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      it = at_or_after(rcv_, irs_ + it->first + it->second) ? waiting_.erase(it) : std::next(it);
    }
    if (fin_known_ && !peer_fin_ && rcv_ == fin_at_) {
      peer_fin_ = true;
      ++rcv_;
    }
    out.push_back(segment(tcp_flag::ack, nxt_, 0));
  }

  /// Applications read at once, slowly, or not at all for a while.
  void read_application(std::vector<SegmentSpec>& out) {
    if (unread_ == 0 || state_ != State::open) return;
    const std::uint32_t before = unread_;
    if (reader_ == 1) {
      unread_ -= std::min(unread_, 3000U);
    } else if (reader_ == 0 || below(random_, 150) == 0) {
      unread_ = 0;
    }
    const bool was_shut = buffer_ - std::min(buffer_, before) < kMss;
    if (was_shut && buffer_ - unread_ >= kMss) out.push_back(segment(tcp_flag::ack, nxt_, 0));
  }

  bool active_;
  Random& random_;
  State state_ = State::listening;
  std::uint32_t iss_ = 0, una_ = 0, nxt_ = 0, irs_ = 0, rcv_ = 0, recover_ = 0;
  std::uint32_t to_send_ = 0, peer_window_ = 0, cwnd_ = 10, buffer_ = 0, unread_ = 0;
  std::uint32_t edge_ = 0, fin_at_ = 0;
  bool edge_known_ = false, fin_known_ = false, fin_sent_ = false, peer_fin_ = false;
  int scale_ = 0, offered_ = 0, scale_in_force_ = 0, peer_scale_ = 0;
  std::uint32_t reader_ = 0;
  unsigned last_sent_ = 0;
  std::map<std::uint32_t, std::uint32_t> waiting_;
};

struct InFlight {
  unsigned arrives;
  Direction direction;
  SegmentSpec segment;
};

struct Outcome {
  bool finished = false;
  unsigned steps = 0;
  unsigned refused = 0;
};

Outcome run(std::uint64_t seed, bool takeovers, bool clean_link) {
  Random random(seed);
  Endpoint client(true, random);
  Endpoint server(false, random);
  std::multimap<unsigned, InFlight> link;  // by arrival
  const unsigned loss = clean_link ? 0 : below(random, 8);
  const unsigned jitter = clean_link ? 1 : 1 + below(random, 12);
  Session session;
  bool exists = false;
  Session twin;  // what the standby has
  std::uint16_t epoch = 1;
  Outcome outcome;
  unsigned next_takeover = takeovers ? 5 + below(random, 400) : 0xffffffff;
  unsigned blackout_until = 0;
  unsigned left = takeovers ? 1 + below(random, 4) : 0;

  const auto offer = [&](Direction d, const std::vector<SegmentSpec>& segments, unsigned now) {
    for (const SegmentSpec& s : segments) {
      if (below(random, 100) < loss || now < blackout_until) continue;
      if (!exists) {
        if (s.flags != tcp_flag::syn) continue;
        TcpTracker::start(session, SegmentHeader(s).headers(), epoch);
        exists = true;
        twin = session;
      } else {
        bool moved = false;
        const TcpVerdict verdict = TcpTracker::follow(session, d, SegmentHeader(s).headers(), epoch, moved);
        // Replication is asynchronous: the last news may be missing.
        if (moved && below(random, 3) != 0) twin = session;
        if (verdict != TcpVerdict::accept) {
          ++outcome.refused;
          continue;
        }
      }
      if (below(random, 200) == 0) twin = session;
      for (unsigned copies = below(random, 100) < loss ? 2 : 1; copies != 0; --copies) {
        const unsigned arrives = now + 1 + below(random, jitter);
        link.emplace(arrives, InFlight{arrives, d, s});
      }
    }
  };

  for (unsigned now = 1; now < 200000; ++now) {
    outcome.steps = now;
    if (client.finished() && server.finished()) {
      outcome.finished = true;
      break;
    }
    if (now >= next_takeover && left != 0 && exists) {
      session = twin;
      session.window_epoch = 0;
      ++epoch;
      --left;
      blackout_until = now + below(random, 100);
      next_takeover = now + 5 + below(random, 600);
    }
    while (!link.empty() && link.begin()->first <= now) {
      const InFlight arrived = link.begin()->second;
      link.erase(link.begin());
      Endpoint& to = arrived.direction == Direction::initiator ? server : client;
      offer(opposite(arrived.direction), to.receive(arrived.segment, now), now);
    }
    offer(Direction::initiator, client.step(now), now);
    offer(Direction::responder, server.step(now), now);
  }
  return outcome;
}

std::uint64_t first_seed() {
  const char* text = std::getenv("ICR_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

TEST(TcpSimulation, ConnectionsFinishWithoutTakeover) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Outcome o = run(seed, false, true);
    ASSERT_TRUE(o.finished) << "seed " << seed << ", refused " << o.refused;
    ASSERT_EQ(o.refused, 0U) << "seed " << seed << ": nothing is lost or late, so nothing may be refused";
  }
}

TEST(TcpSimulation, ConnectionsFinishOnABadLink) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Outcome o = run(seed, false, false);
    ASSERT_TRUE(o.finished) << "seed " << seed << ", refused " << o.refused;
  }
}

TEST(TcpSimulation, ConnectionsFinishThroughTakeovers) {
  const std::uint64_t first = first_seed();
  for (std::uint64_t seed = first; seed < first + 300; ++seed) {
    const Outcome o = run(seed, true, seed % 3 == 0);
    ASSERT_TRUE(o.finished) << "ICR_TEST_SEED=" << seed << ", refused " << o.refused;
  }
}

}  // namespace
}  // namespace icr::node::test
