// Reads TCP segments and TcpWindows: sequence arithmetic, window sizes, and the flag bits that only the tracker uses.
// Only node/flow/tcp_tracker.cpp includes this header.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/record/session.h"
#include "node/packet/checksum.h"
#include "node/packet/headers.h"

namespace icr::node::tcp {

/// Returns true if `a` is after `b` in sequence space (RFC 9293 section 3.4).
inline bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

/// How far an old acknowledgement may lag; at least a classic window, so that a shrinking window does not hurt.
inline constexpr std::uint32_t kMaxAckWindow = 66000;
/// The largest window (RFC 7323 section 2.3); a larger value in a record is cut to this.
inline constexpr std::uint32_t kMaxWindow = 1U << 30;
inline constexpr std::uint8_t kMaxScale = 14;
/// The most data that a SYN can carry, because it is one segment.
inline constexpr std::uint32_t kMaxSynData = 65535;

// Bits of TcpWindow::flags that only the tracker uses.
/// The FIN of that direction was acknowledged.
inline constexpr std::uint8_t kFinAcked = 0x8;
/// `end` does not come from a segment that was seen here: the other side has acknowledged it, or it was replicated.
inline constexpr std::uint8_t kAckSeen = 0x10;
/// The window was learnt in the middle of the connection: that side may have sent up to a window more than was seen.
inline constexpr std::uint8_t kTaken = 0x20;
/// With kTaken: the other side has acknowledged exactly what was learnt, so the window is enforced from now on.
inline constexpr std::uint8_t kConfirmed = 0x40;
/// A SYN of that direction passed on a live connection; Session::syn_end is what an answer to it acknowledges.
inline constexpr std::uint8_t kSynPending = 0x80;

inline void set_flags(TcpWindow& w, std::uint8_t bits) { w.flags = static_cast<std::uint8_t>(w.flags | bits); }
inline void clear_flags(TcpWindow& w, std::uint8_t bits) { w.flags = static_cast<std::uint8_t>(w.flags & ~bits); }

struct Segment {
  std::uint32_t seq, ack, end;
  std::uint16_t window;
  bool syn, fin, rst, has_ack;

  explicit Segment(const Headers& h)
      : seq(load32(h.l4 + 4)),
        ack(load32(h.l4 + 8)),
        end(0),
        window(load16(h.l4 + 14)),
        syn((h.tcp_flags & tcp_flag::syn) != 0),
        fin((h.tcp_flags & tcp_flag::fin) != 0),
        rst((h.tcp_flags & tcp_flag::rst) != 0),
        has_ack((h.tcp_flags & tcp_flag::ack) != 0) {
    end = seq + h.payload_length + (syn ? 1U : 0U) + (fin ? 1U : 0U);
  }
};

inline void note_scale(TcpWindow& w, const Headers& h) {
  const int scale = window_scale_option(h);
  clear_flags(w, kTcpWindowScaled);
  w.scale = 0;
  if (scale >= 0) {
    set_flags(w, kTcpWindowScaled);
    w.scale = static_cast<std::uint8_t>(scale);
  }
}

/// Assumes the largest window scale, because the real one is not known and no segment must be dropped for it.
inline void assume_scale(TcpWindow& w) {
  set_flags(w, kTcpWindowScaled);
  w.scale = kMaxScale;
}

/// Returns the window that a segment advertises, in octets. SYNs are never scaled; scaling is on only if both SYNs
/// carried the option.
inline std::uint32_t advertised(const Segment& s, const TcpWindow& sender, const TcpWindow& receiver) {
  const bool scaled = (sender.flags & receiver.flags & kTcpWindowScaled) != 0;
  return s.syn || !scaled ? s.window : std::uint32_t{s.window} << sender.scale;
}

/// Returns the widest window that this side may have advertised: the widest seen, or, if the window was learnt in the
/// middle of the connection, the widest that its scale allows.
inline std::uint32_t widest(const TcpWindow& w) {
  std::uint32_t window = std::max(w.max_window, 1U);
  if ((w.flags & kTaken) != 0) window = std::max(window, 65535U << w.scale);
  return std::min(window, kMaxWindow);
}

/// Returns true if the window was learnt in the middle and is not confirmed: it may be wrong, and another segment is as
/// credible.
inline bool doubtful(const TcpWindow& w) { return (w.flags & (kTaken | kConfirmed)) == kTaken; }

}  // namespace icr::node::tcp
