#include "node/flow/tcp_tracker.h"

#include <algorithm>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

/// Sequence space comparison (RFC 9293 section 3.4).
bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

/// How far an old acknowledgement may lag; at least a classic window, so that a shrinking window does not hurt.
constexpr std::uint32_t kMaxAckWindow = 66000;
/// Bit of TcpWindow::flags that is ours alone: the FIN of that direction was acknowledged.
constexpr std::uint8_t kFinAcked = 0x8;
/// Likewise: `end` is not learnt yet, but the other side has acknowledged that far.
constexpr std::uint8_t kAckSeen = 0x10;

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

void note_scale(TcpWindow& w, const Headers& h) {
  const int scale = window_scale_option(h);
  w.flags = static_cast<std::uint8_t>(w.flags & ~kTcpWindowScaled);
  w.scale = 0;
  if (scale >= 0) {
    w.flags |= kTcpWindowScaled;
    w.scale = static_cast<std::uint8_t>(scale);
  }
}

/// The window a segment advertises, in octets. SYNs are never scaled; scaling is on only if both SYNs carried the
/// option.
std::uint32_t advertised(const Segment& s, const TcpWindow& sender, const TcpWindow& receiver) {
  const bool scaled = (sender.flags & receiver.flags & kTcpWindowScaled) != 0;
  return s.syn || !scaled ? s.window : std::uint32_t{s.window} << sender.scale;
}

/// Takes the segment's word for where its side stands.
void learn(TcpWindow& sender, const TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  // A retransmission may be the first thing that is seen, when the other side has long acknowledged more.
  if ((sender.flags & kAckSeen) == 0 || after(s.end, sender.end)) sender.end = s.end;
  sender.flags = static_cast<std::uint8_t>(sender.flags & ~kAckSeen);
  sender.max_window = std::max(window, 1U);
  // What the other side allows is not known until it speaks: allow a full window of ours beyond the end.
  const std::uint32_t generous = std::max({receiver.max_window, 65535U << receiver.scale, 1U});
  sender.max_end = sender.end + generous;
  sender.flags |= kTcpWindowKnown;
}

/// Sender's segment was accepted: move the marks.
void advance(TcpWindow& sender, TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  if (after(s.end, sender.end)) sender.end = s.end;
  sender.max_window = std::max(sender.max_window, std::max(window, 1U));
  if (s.has_ack && (receiver.flags & kTcpWindowKnown) != 0) {
    const std::uint32_t allowed = s.ack + std::max(window, 1U);
    if (after(allowed, receiver.max_end)) receiver.max_end = allowed;
  }
  if (s.fin) sender.flags |= kTcpWindowFin;
  if (s.has_ack && (receiver.flags & kTcpWindowFin) != 0 && !after(receiver.end, s.ack)) receiver.flags |= kFinAcked;
}

TcpState next_state(const Session& session, Direction d, const Segment& s) {
  const TcpWindow& a = session.windows[0];
  const TcpWindow& b = session.windows[1];
  switch (session.tcp_state) {
    case TcpState::syn_sent:
      return d == Direction::responder && s.syn ? TcpState::syn_received : TcpState::syn_sent;
    case TcpState::syn_received:
      if (s.fin) return TcpState::fin_wait;
      return d == Direction::initiator && s.has_ack && !s.syn ? TcpState::established : TcpState::syn_received;
    case TcpState::established:
    case TcpState::fin_wait:
    case TcpState::closing:
    case TcpState::time_wait: {
      const unsigned fins = ((a.flags & kTcpWindowFin) != 0 ? 1U : 0U) + ((b.flags & kTcpWindowFin) != 0 ? 1U : 0U);
      if (fins == 0) return TcpState::established;
      if (fins == 1) return TcpState::fin_wait;
      return (a.flags & b.flags & kFinAcked) != 0 ? TcpState::time_wait : TcpState::closing;
    }
    case TcpState::none:
    case TcpState::closed:
      break;
  }
  return session.tcp_state;
}

/// A RST must sit where the receiver expects the next octet, or at least inside its window; in the handshake it must
/// acknowledge the SYN.
bool believable_rst(const Session& session, Direction d, const Segment& s) {
  const TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  const TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  if (session.tcp_state == TcpState::syn_sent && d == Direction::responder) return s.has_ack && s.ack == receiver.end;
  if ((sender.flags & kTcpWindowKnown) == 0) return true;
  return !after(s.seq, sender.max_end) && !after(sender.end - std::max(receiver.max_window, 1U), s.seq);
}

}  // namespace

void TcpTracker::start(Session& session, const Headers& segment, std::uint32_t window_epoch) {
  const Segment s(segment);
  session.windows[0] = session.windows[1] = TcpWindow{};
  session.window_epoch = window_epoch;
  if (s.syn) note_scale(session.windows[0], segment);
  learn(session.windows[0], session.windows[1], s, s.window);
  session.tcp_state = s.syn && !s.has_ack ? TcpState::syn_sent : TcpState::established;
}

TcpVerdict TcpTracker::follow(Session& session, Direction d, const Headers& segment, std::uint32_t window_epoch,
                              bool& state_changed) {
  if (session.window_epoch != window_epoch) {
    session.window_epoch = window_epoch;
    for (TcpWindow& w : session.windows) w.flags = static_cast<std::uint8_t>(w.flags & ~(kTcpWindowKnown | kAckSeen));
  }
  const Segment s(segment);
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  const bool over = session.tcp_state == TcpState::closed || session.tcp_state == TcpState::time_wait ||
                    session.tcp_state == TcpState::closing;

  if (s.syn && !s.has_ack) {
    if (d == Direction::initiator && over) return TcpVerdict::new_connection;
    if (d == Direction::initiator && session.tcp_state == TcpState::syn_sent) {
      // A SYN again: the same one retransmitted, or the initiator started over with another number.
      note_scale(sender, segment);
      learn(sender, receiver, s, s.window);
      return TcpVerdict::accept;
    }
    if (d == Direction::responder && session.tcp_state == TcpState::syn_sent) {
      // Simultaneous open (RFC 9293 section 3.5).
      note_scale(sender, segment);
      learn(sender, receiver, s, s.window);
      session.tcp_state = TcpState::syn_received;
      state_changed = true;
      return TcpVerdict::accept;
    }
    // A SYN on a live connection: its receiver answers with a challenge ACK (RFC 5961 section 4). It moves nothing
    // here.
    return TcpVerdict::accept;
  }

  if (s.rst) {
    if (!believable_rst(session, d, s)) return TcpVerdict::bad_rst;
    state_changed = session.tcp_state != TcpState::closed;
    session.tcp_state = TcpState::closed;
    return TcpVerdict::accept;
  }

  if (session.tcp_state == TcpState::syn_sent) {
    if (d == Direction::initiator) return TcpVerdict::bad_handshake;  // data before the handshake
    if (!s.syn) return TcpVerdict::bad_handshake;                     // answer without SYN
    if (s.ack != receiver.end) return TcpVerdict::bad_ack;            // acknowledges another SYN
    note_scale(sender, segment);
    if ((receiver.flags & sender.flags & kTcpWindowScaled) == 0) receiver.scale = sender.scale = 0;
    learn(sender, receiver, s, s.window);
    receiver.max_end = s.ack + std::max<std::uint32_t>(s.window, 1);
    session.tcp_state = TcpState::syn_received;
    state_changed = true;
    return TcpVerdict::accept;
  }

  const std::uint32_t window = advertised(s, sender, receiver);
  const bool receiver_known = (receiver.flags & kTcpWindowKnown) != 0;
  if ((sender.flags & kTcpWindowKnown) == 0) {
    learn(sender, receiver, s, window);
    if (s.has_ack && receiver_known && after(s.ack, receiver.end)) receiver.end = s.ack;
  } else {
    if (after(s.seq, sender.max_end)) return TcpVerdict::bad_sequence;
    if (after(sender.end - std::max(receiver.max_window, 1U), s.end)) return TcpVerdict::bad_sequence;
    if (s.has_ack && receiver_known) {
      if (after(s.ack, receiver.end)) return TcpVerdict::bad_ack;
      if (after(receiver.end - std::max(sender.max_window, kMaxAckWindow), s.ack)) return TcpVerdict::bad_ack;
    }
  }
  if (s.has_ack && !receiver_known && ((receiver.flags & kAckSeen) == 0 || after(s.ack, receiver.end))) {
    receiver.end = s.ack;
    receiver.flags |= kAckSeen;
  }
  advance(sender, receiver, s, window);
  const TcpState next = next_state(session, d, s);
  if (next != session.tcp_state) {
    session.tcp_state = next;
    state_changed = true;
  }
  return TcpVerdict::accept;
}

}  // namespace icr::node
