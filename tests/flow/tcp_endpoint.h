// A small but honest TCP endpoint for tests of the tracker.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/flow/segments.h"

namespace icr::node::test {

using Random = std::mt19937_64;

inline std::uint32_t below(Random& random, std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }

inline constexpr std::uint32_t kMss = 1000;
inline constexpr unsigned kRto = 40;

/// Returns true if `a` is `b` or after it in sequence space.
inline bool at_or_after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) >= 0; }

/// A small but honest TCP: handshake, sliding window, out-of-order buffer, slow start after a timeout, zero windows
/// with probes, FIN. It resists forged segments as RFC 5961 says: only a RST at the exact number resets it, and a
/// segment whose acknowledgement cannot be right moves nothing.
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

  [[nodiscard]] bool open() const { return state_ == State::open; }
  /// Returns true if it has accepted a RST.
  [[nodiscard]] bool was_reset() const { return reset_; }
  /// Returns the number that it expects next, and the next one that it sends.
  [[nodiscard]] std::uint32_t expected() const { return rcv_; }
  [[nodiscard]] std::uint32_t next() const { return nxt_; }
  [[nodiscard]] std::uint32_t buffer() const { return buffer_; }

  /// Returns where it stands, for the message of a test that fails.
  [[nodiscard]] std::string describe() const {
    return fmt::format(
        "state {} unacknowledged {} next {} of {} expected {} peer window {} unread {} of {} FIN sent {} got {}",
        static_cast<int>(state_), una_ - iss_, nxt_ - iss_, to_send_, rcv_ - irs_, peer_window_, unread_, buffer_,
        fin_sent_, peer_fin_);
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
    const bool rst_bit = (s.flags & tcp_flag::rst) != 0;
    if (rst_bit) {
      take_rst(s, out);
      return out;
    }
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
      if (ack_bit && s.ack != iss_ + 1) {
        SegmentSpec rst;  // RFC 9293 section 3.5.1: the other side is half-open
        rst.flags = tcp_flag::rst;
        rst.seq = s.ack;
        out.push_back(rst);
        return out;
      }
      if (!syn_bit || !ack_bit) return out;
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
      if (!ack_bit || s.ack != iss_ + 1 || !at_or_after(s.seq, rcv_)) return out;
      state_ = State::open;
      una_ = iss_ + 1;
    }
    if (!ack_bit) return out;  // RFC 9293 section 3.10.7.4
    if (!at_or_after(nxt_, s.ack) || !at_or_after(s.ack, una_ - widest_peer_window_)) {
      out.push_back(segment(tcp_flag::ack, nxt_, 0));  // RFC 5961 section 5.2
      return out;
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

  void take_rst(const SegmentSpec& s, std::vector<SegmentSpec>& out) {
    if (state_ == State::listening) return;
    if (state_ == State::syn_sent) {
      reset_ |= (s.flags & tcp_flag::ack) != 0 && s.ack == iss_ + 1;
      return;
    }
    if (s.seq == rcv_ && state_ == State::syn_received && !active_) {
      state_ = State::listening;
      nxt_ = iss_;
    } else if (s.seq == rcv_) {
      reset_ = true;
    } else if (at_or_after(s.seq, rcv_) && at_or_after(rcv_ + buffer_, s.seq)) {
      out.push_back(segment(tcp_flag::ack, nxt_, 0));  // RFC 5961 section 3.2
    }
  }

  void take_ack(const SegmentSpec& s, unsigned now, std::vector<SegmentSpec>& out) {
    if (!at_or_after(s.ack, una_) || !at_or_after(nxt_, s.ack)) return;
    const bool news = s.ack != una_;
    una_ = s.ack;
    peer_window_ = std::uint32_t{s.window} << peer_scale_;
    widest_peer_window_ = std::max(widest_peer_window_, peer_window_);
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
  std::uint32_t widest_peer_window_ = 65535;
  std::uint32_t edge_ = 0, fin_at_ = 0;
  bool reset_ = false;
  bool edge_known_ = false, fin_known_ = false, fin_sent_ = false, peer_fin_ = false;
  int scale_ = 0, offered_ = 0, scale_in_force_ = 0, peer_scale_ = 0;
  std::uint32_t reader_ = 0;
  unsigned last_sent_ = 0;
  std::map<std::uint32_t, std::uint32_t> waiting_;
};

}  // namespace icr::node::test
