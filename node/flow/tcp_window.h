// What a TCP segment says, and how the tracker reads a TcpWindow: sequence arithmetic, widths, and the bits that are
// the tracker's alone. Only for node/flow/tcp_tracker.cpp.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/session.h"
#include "node/packet/checksum.h"
#include "node/packet/headers.h"

namespace icr::node::tcp {

/// Sequence space comparison (RFC 9293 section 3.4).
inline bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

/// How far an old acknowledgement may lag; at least a classic window, so that a shrinking window does not hurt.
inline constexpr std::uint32_t kMaxAckWindow = 66000;
/// Windows end here (RFC 7323 section 2.3); what a record says beyond it is not believed.
inline constexpr std::uint32_t kMaxWindow = 1U << 30;
inline constexpr std::uint8_t kMaxScale = 14;
/// A SYN and its data are one segment.
inline constexpr std::uint32_t kMaxSynData = 65535;

// Bits of TcpWindow::flags that are ours alone.
/// The FIN of that direction was acknowledged.
inline constexpr std::uint8_t kFinAcked = 0x8;
/// `end` is not what that side was seen to send here: the other side has acknowledged it, or it was replicated.
inline constexpr std::uint8_t kAckSeen = 0x10;
/// Learnt in the middle of the connection: that side may have sent up to a window more than was seen.
inline constexpr std::uint8_t kTaken = 0x20;
/// Taken, and the other side has acknowledged exactly what was learnt: from now on the windows are enforced.
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

/// The scale is not known: the widest, so that no segment is dropped for it.
inline void assume_scale(TcpWindow& w) {
  set_flags(w, kTcpWindowScaled);
  w.scale = kMaxScale;
}

/// The window a segment advertises, in octets. SYNs are never scaled; scaling is on only if both SYNs carried the
/// option.
inline std::uint32_t advertised(const Segment& s, const TcpWindow& sender, const TcpWindow& receiver) {
  const bool scaled = (sender.flags & receiver.flags & kTcpWindowScaled) != 0;
  return s.syn || !scaled ? s.window : std::uint32_t{s.window} << sender.scale;
}

/// The widest window that this side may have advertised: what was seen, or, learnt in the middle, what it could be.
inline std::uint32_t widest(const TcpWindow& w) {
  std::uint32_t window = std::max(w.max_window, 1U);
  if ((w.flags & kTaken) != 0) window = std::max(window, 65535U << w.scale);
  return std::min(window, kMaxWindow);
}

/// Taken, and not confirmed: what was learnt may have been wrong, and the segment at hand is as good a witness.
inline bool doubtful(const TcpWindow& w) { return (w.flags & (kTaken | kConfirmed)) == kTaken; }

}  // namespace icr::node::tcp
