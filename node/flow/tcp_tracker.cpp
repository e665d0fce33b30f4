#include "node/flow/tcp_tracker.h"

#include <algorithm>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

/// Sequence space comparison (RFC 9293 section 3.4).
bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

/// How far an old acknowledgement may lag; at least a classic window, so that a shrinking window does not hurt.
constexpr std::uint32_t kMaxAckWindow = 66000;
/// Windows end here (RFC 7323 section 2.3); what a record says beyond it is not believed.
constexpr std::uint32_t kMaxWindow = 1U << 30;
constexpr std::uint8_t kMaxScale = 14;
/// A SYN and its data are one segment.
constexpr std::uint32_t kMaxSynData = 65535;

// Bits of TcpWindow::flags that are ours alone.
/// The FIN of that direction was acknowledged.
constexpr std::uint8_t kFinAcked = 0x8;
/// `end` is not what that side was seen to send, but what the other side has acknowledged.
constexpr std::uint8_t kAckSeen = 0x10;
/// Learnt in the middle of the connection: that side may have sent up to a window more than was seen.
constexpr std::uint8_t kTaken = 0x20;
/// Taken, and the other side has acknowledged exactly what was learnt: from now on the windows are enforced.
constexpr std::uint8_t kConfirmed = 0x40;
/// A SYN of that direction passed on a live connection; Session::syn_end is what an answer to it acknowledges.
constexpr std::uint8_t kSynPending = 0x80;

void set_flags(TcpWindow& w, std::uint8_t bits) { w.flags = static_cast<std::uint8_t>(w.flags | bits); }
void clear_flags(TcpWindow& w, std::uint8_t bits) { w.flags = static_cast<std::uint8_t>(w.flags & ~bits); }

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
  clear_flags(w, kTcpWindowScaled);
  w.scale = 0;
  if (scale >= 0) {
    set_flags(w, kTcpWindowScaled);
    w.scale = static_cast<std::uint8_t>(scale);
  }
}

/// The scale is not known: the widest, so that no segment is dropped for it.
void assume_scale(TcpWindow& w) {
  set_flags(w, kTcpWindowScaled);
  w.scale = kMaxScale;
}

/// The window a segment advertises, in octets. SYNs are never scaled; scaling is on only if both SYNs carried the
/// option.
std::uint32_t advertised(const Segment& s, const TcpWindow& sender, const TcpWindow& receiver) {
  const bool scaled = (sender.flags & receiver.flags & kTcpWindowScaled) != 0;
  return s.syn || !scaled ? s.window : std::uint32_t{s.window} << sender.scale;
}

/// The widest window that this side may have advertised: what was seen, or, learnt in the middle, what it could be.
std::uint32_t widest(const TcpWindow& w) {
  std::uint32_t window = std::max(w.max_window, 1U);
  if ((w.flags & kTaken) != 0) window = std::max(window, 65535U << w.scale);
  return std::min(window, kMaxWindow);
}

/// Taken, and not confirmed: what was learnt may have been wrong, and the segment at hand is as good a witness.
bool doubtful(const TcpWindow& w) { return (w.flags & (kTaken | kConfirmed)) == kTaken; }

/// Takes the segment's word for where its side stands.
void learn(TcpWindow& sender, const TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  // A retransmission may be the first thing that is seen, when the other side has long acknowledged more.
  if ((sender.flags & kAckSeen) == 0 || after(s.end, sender.end)) sender.end = s.end;
  clear_flags(sender, kAckSeen);
  sender.max_window = std::max({s.syn ? 0U : sender.max_window, window, 1U});
  // What the other side allows is not known until it speaks: allow the widest window beyond the end. In the middle of a
  // connection two, because acknowledgements may have passed that were not seen here.
  const bool told = s.syn && (receiver.flags & kTcpWindowKnown) != 0;
  std::uint32_t generous =
      told ? widest(receiver) : std::min(std::max(widest(receiver), 65535U << receiver.scale), kMaxWindow);
  if ((sender.flags & kTaken) != 0) generous = std::min(2 * generous, kMaxWindow);
  sender.max_end = sender.end + generous;
  set_flags(sender, kTcpWindowKnown);
}

/// A SYN tells all there is to know of its side.
void learn_syn(TcpWindow& sender, const TcpWindow& receiver, const Headers& segment, const Segment& s) {
  sender = TcpWindow{};
  note_scale(sender, segment);
  learn(sender, receiver, s, s.window);
}

/// Sender's segment was accepted: move the marks.
void advance(TcpWindow& sender, TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  if (!after(sender.end, s.end)) {
    sender.end = s.end;
    clear_flags(sender, kAckSeen);
  }
  sender.max_window = std::max({sender.max_window, window, 1U});
  if (s.fin) set_flags(sender, kTcpWindowFin);
  if (!s.has_ack || (receiver.flags & kTcpWindowKnown) == 0) return;
  const std::uint32_t allowed = s.ack + std::max(window, 1U);
  if (after(allowed, receiver.max_end)) receiver.max_end = allowed;
  if ((receiver.flags & kTcpWindowFin) != 0 && !after(receiver.end, s.ack)) set_flags(receiver, kFinAcked);
  if ((receiver.flags & (kTaken | kAckSeen)) == kTaken && s.ack == receiver.end) set_flags(receiver, kConfirmed);
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

/// What becomes of a RST.
enum class Reset : std::uint8_t {
  outside,  ///< nobody would believe it
  inexact,  ///< inside the window: its receiver asks with a challenge ACK (RFC 5961 section 3.2)
  exact,    ///< its receiver believes it
  refusal,  ///< the same, in answer to a SYN
};

/// A RST must sit where the receiver expects the next octet; in the handshake it must acknowledge the SYN. Where that
/// is nobody here knows for sure: it is the end of what was forwarded, or, if some of that got lost behind us, what the
/// receiver has acknowledged.
Reset judge_rst(const Session& session, Direction d, const Segment& s) {
  const auto side = static_cast<unsigned>(d);
  const TcpWindow& sender = session.windows[side];
  const TcpWindow& receiver = session.windows[1 - side];
  if ((receiver.flags & kSynPending) != 0 && s.has_ack && s.ack == session.syn_end) return Reset::refusal;
  if (session.tcp_state == TcpState::syn_sent && d == Direction::responder) {
    return s.has_ack && s.ack == receiver.end ? Reset::refusal : Reset::outside;
  }
  if ((sender.flags & kTcpWindowKnown) == 0) return Reset::exact;
  if (after(s.seq, sender.max_end) || after(sender.end - widest(receiver), s.seq)) return Reset::outside;
  // After a takeover, and of segments in fragments, the end is not known well enough to insist on it.
  if (doubtful(sender) || (sender.flags & kAckSeen) != 0) return Reset::exact;
  const auto unacknowledged = static_cast<std::uint16_t>(sender.end - session.acked[side]);
  return s.seq == sender.end || s.seq == sender.end - unacknowledged ? Reset::exact : Reset::inexact;
}

/// A segment that passes on a closed connection: true if it shows that the connection goes on. What the receiver of the
/// RST had under way does not, nor what its sender had sent before.
bool goes_on(const Session& session, Direction d, const Segment& s) {
  if (session.reset_by == ResetBy::unknown) return true;
  return static_cast<unsigned>(session.reset_by) == static_cast<unsigned>(d) + 1 &&
         !after(session.windows[static_cast<unsigned>(d)].end, s.end);
}

/// Notes what a segment of `d` acknowledges.
void note_ack(Session& session, Direction d, std::uint32_t ack) {
  session.acked[static_cast<unsigned>(opposite(d))] = static_cast<std::uint16_t>(ack);
}

bool in_window(const TcpWindow& sender, const TcpWindow& receiver, const Segment& s) {
  return !after(s.seq, sender.max_end) && !after(sender.end - widest(receiver), s.end);
}

/// A SYN without ACK.
TcpVerdict follow_syn(Session& session, Direction d, const Headers& segment, const Segment& s, bool& state_changed) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  const bool over = session.tcp_state == TcpState::closed || session.tcp_state == TcpState::time_wait ||
                    session.tcp_state == TcpState::closing;
  if (d == Direction::initiator && over) return TcpVerdict::new_connection;
  const std::uint32_t sent = sender.end;
  const bool again = session.syn_end == s.seq + 1 || (sender.flags & kTaken) != 0;
  session.syn_end = s.seq + 1;
  if (session.tcp_state != TcpState::syn_sent) {
    // A SYN on a live connection: its receiver answers with a challenge ACK (RFC 5961 section 4). It moves nothing
    // here. A receiver that has forgotten the connection answers with SYN and ACK or RST: remember what that will be.
    set_flags(sender, kSynPending);
    clear_flags(receiver, kSynPending);
    return TcpVerdict::accept;
  }
  // The initiator's again: the same one retransmitted, or it started over with another number. The responder's:
  // simultaneous open (RFC 9293 section 3.5).
  learn_syn(sender, receiver, segment, s);
  // Data that came with it the first time (RFC 7413) may be acknowledged though it is repeated without.
  if (d == Direction::initiator && again && after(sent, sender.end) && sent - sender.end <= kMaxSynData) {
    sender.max_end += sent - sender.end;
    sender.end = sent;
  }
  if (d == Direction::responder) {
    session.tcp_state = TcpState::syn_received;
    state_changed = true;
  }
  return TcpVerdict::accept;
}

/// The responder's SYN and ACK, in answer to the initiator's SYN.
TcpVerdict follow_syn_ack(Session& session, const Headers& segment, const Segment& s, bool& state_changed) {
  TcpWindow& receiver = session.windows[0];
  TcpWindow& sender = session.windows[1];
  // A receiver may leave out data that came with the SYN (RFC 7413). A twin may not know of the latest SYN.
  const bool answers = !after(session.syn_end, s.ack) && !after(s.ack, receiver.end);
  if (!answers && (receiver.flags & kTaken) == 0) return TcpVerdict::bad_syn_ack;
  if (!answers) receiver.end = s.ack;
  learn_syn(sender, receiver, segment, s);
  if ((receiver.flags & sender.flags & kTcpWindowScaled) == 0) receiver.scale = sender.scale = 0;
  receiver.max_end = s.ack + std::max<std::uint32_t>(s.window, 1);
  set_flags(receiver, kTcpWindowKnown);
  note_ack(session, Direction::responder, s.ack);
  session.tcp_state = TcpState::syn_received;
  state_changed = true;
  return TcpVerdict::accept;
}

/// Another segment before the responder's SYN and ACK was seen. True: the handshake took place elsewhere, go on.
bool handshake_missed(Session& session, Direction d, const Headers& segment, TcpVerdict& verdict) {
  if ((session.windows[0].flags & session.windows[1].flags & kTaken) != 0) {
    // A twin whose news of the handshake were lost with the master.
    if ((session.windows[0].flags & kTcpWindowScaled) != 0) assume_scale(session.windows[1]);
    session.tcp_state = TcpState::established;
    return true;
  }
  // Half-open on the responder's side: its ACK must reach the initiator, which answers with a RST (RFC 9293 section
  // 3.5.1). Everything else has no business before the handshake.
  const bool bare_ack = d == Direction::responder && segment.payload_length == 0 && segment.tcp_flags == tcp_flag::ack;
  verdict = bare_ack ? TcpVerdict::accept : TcpVerdict::bad_handshake;
  return false;
}

/// SYN and ACK in answer to a SYN that passed on a connection which its receiver has forgotten: it begins anew.
bool begins_anew(Session& session, Direction d, const Headers& segment, const Segment& s) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  if (!s.syn || !s.has_ack || (receiver.flags & kSynPending) == 0 || s.ack != session.syn_end) return false;
  // One that fits the connection as it is known is a retransmission.
  if ((sender.flags & kTcpWindowKnown) != 0 && in_window(sender, receiver, s)) return false;
  receiver = TcpWindow{};
  learn_syn(sender, receiver, segment, s);
  // What the SYN announced is forgotten, but its answer has the option only if the SYN had it.
  if ((sender.flags & kTcpWindowScaled) != 0) assume_scale(receiver);
  receiver.end = s.ack;
  receiver.max_end = s.ack + std::max<std::uint32_t>(s.window, 1);
  set_flags(receiver, kTcpWindowKnown | kTaken);
  set_flags(sender, kTaken);
  note_ack(session, d, s.ack);
  session.tcp_state = TcpState::syn_received;
  return true;
}

/// The sender's segment against the windows of both sides, where they are known.
TcpVerdict judge(TcpWindow& sender, TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  if (!in_window(sender, receiver, s)) {
    if (!doubtful(sender)) return TcpVerdict::bad_sequence;
    clear_flags(sender, kAckSeen);
    learn(sender, receiver, s, window);
  }
  if (!s.has_ack || (receiver.flags & kTcpWindowKnown) == 0) return TcpVerdict::accept;
  const std::uint32_t most = (receiver.flags & kTaken) != 0 ? receiver.max_end : receiver.end;
  const bool beyond = after(s.ack, most);
  const bool behind = after(receiver.end - std::max(widest(sender), kMaxAckWindow), s.ack);
  if ((beyond || behind) && !doubtful(receiver)) return TcpVerdict::bad_ack;
  if (after(s.ack, receiver.end)) {
    receiver.end = s.ack;
    set_flags(receiver, kAckSeen);
  }
  return TcpVerdict::accept;
}

TcpVerdict follow_rst(Session& session, Direction d, const Segment& s, bool& state_changed) {
  const Reset reset = judge_rst(session, d, s);
  if (reset == Reset::outside) {
    // An initiator resets what a half-open responder still believes in, and goes on with its SYN.
    const bool half_open = session.tcp_state == TcpState::syn_sent && d == Direction::initiator;
    return half_open ? TcpVerdict::accept : TcpVerdict::bad_rst;
  }
  if (reset == Reset::inexact) return TcpVerdict::accept;
  const ResetBy by = d == Direction::initiator ? ResetBy::initiator : ResetBy::responder;
  session.reset_by = reset == Reset::refusal ? ResetBy::refusal : by;
  state_changed = session.tcp_state != TcpState::closed;
  session.tcp_state = TcpState::closed;
  return TcpVerdict::accept;
}

}  // namespace

void TcpTracker::start(Session& session, const Headers& segment, std::uint16_t window_epoch) {
  const Segment s(segment);
  session.windows[0] = session.windows[1] = TcpWindow{};
  session.window_epoch = window_epoch;
  session.syn_end = s.seq + 1;
  session.tcp_state = s.syn && !s.has_ack ? TcpState::syn_sent : TcpState::established;
  if (session.tcp_state == TcpState::syn_sent) {
    learn_syn(session.windows[0], session.windows[1], segment, s);
    return;
  }
  // From the middle of a connection: how its windows are scaled was said before.
  if (s.syn) note_scale(session.windows[0], segment);
  if (!s.syn || (session.windows[0].flags & kTcpWindowScaled) != 0) {
    if (!s.syn) assume_scale(session.windows[0]);
    assume_scale(session.windows[1]);
  }
  for (TcpWindow& w : session.windows) set_flags(w, kTaken);
  learn(session.windows[0], session.windows[1], s, advertised(s, session.windows[0], session.windows[1]));
}

TcpVerdict TcpTracker::follow(Session& session, Direction d, const Headers& segment, std::uint16_t window_epoch,
                              bool& state_changed) {
  if (session.window_epoch != window_epoch) {
    session.window_epoch = window_epoch;
    session.reset_by = ResetBy::unknown;
    session.syn_end = session.windows[0].end;
    for (TcpWindow& w : session.windows) {
      clear_flags(w, kTcpWindowKnown | kAckSeen | kConfirmed | kSynPending);
      set_flags(w, kTaken);
    }
  }
  const Segment s(segment);
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];

  if (s.syn && !s.has_ack) return follow_syn(session, d, segment, s, state_changed);

  if (s.rst) return follow_rst(session, d, s, state_changed);

  const TcpState before = session.tcp_state;
  if (before == TcpState::syn_sent) {
    if (d == Direction::responder && s.syn) return follow_syn_ack(session, segment, s, state_changed);
    TcpVerdict verdict = TcpVerdict::accept;
    if (!handshake_missed(session, d, segment, verdict)) return verdict;
  }

  if (begins_anew(session, d, segment, s)) {
    state_changed = true;
    return TcpVerdict::accept;
  }
  const std::uint32_t window = advertised(s, sender, receiver);
  const bool receiver_known = (receiver.flags & kTcpWindowKnown) != 0;
  if ((sender.flags & kTcpWindowKnown) == 0) {
    learn(sender, receiver, s, window);
    if (s.has_ack && receiver_known && after(s.ack, receiver.end)) {
      receiver.end = s.ack;
      set_flags(receiver, kAckSeen);
    }
  } else if (const TcpVerdict verdict = judge(sender, receiver, s, window); verdict != TcpVerdict::accept) {
    return verdict == TcpVerdict::bad_sequence && s.syn ? TcpVerdict::bad_syn : verdict;
  } else if (s.has_ack && !s.syn && receiver_known) {
    // The SYN that it might have answered met a connection that is alive (RFC 5961 section 4).
    clear_flags(receiver, kSynPending);
  }
  if (s.has_ack && !receiver_known && ((receiver.flags & kAckSeen) == 0 || after(s.ack, receiver.end))) {
    receiver.end = s.ack;
    set_flags(receiver, kAckSeen);
  }
  if (session.tcp_state == TcpState::closed && goes_on(session, d, s)) session.tcp_state = TcpState::established;
  advance(sender, receiver, s, window);
  if (s.has_ack) note_ack(session, d, s.ack);
  // Of a segment in fragments only the beginning was seen: its sender may have sent more.
  if (segment.fragment) {
    set_flags(sender, kTaken);
    clear_flags(sender, kConfirmed);
  }
  session.tcp_state = next_state(session, d, s);
  state_changed = session.tcp_state != before;
  return TcpVerdict::accept;
}

bool TcpTracker::follow_established(Session& session, Direction d, const std::uint8_t* tcp,
                                    std::uint32_t payload_length, std::uint16_t window_epoch) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  constexpr std::uint8_t kDoubt = kAckSeen | kTaken | kSynPending | kTcpWindowFin;
  const bool usual = session.tcp_state == TcpState::established && session.window_epoch == window_epoch &&
                     (sender.flags & receiver.flags & kTcpWindowKnown) != 0 &&
                     ((sender.flags | receiver.flags) & kDoubt) == 0;
  if (!usual) return false;
  const std::uint32_t seq = load32(tcp + 4);
  const std::uint32_t ack = load32(tcp + 8);
  const std::uint32_t end = seq + payload_length;
  const bool scaled = (sender.flags & receiver.flags & kTcpWindowScaled) != 0;
  const std::uint32_t window = std::uint32_t{load16(tcp + 14)} << (scaled ? sender.scale : 0);
  // in_window() and judge(), with windows that were not taken.
  const std::uint32_t room = std::min(std::max(receiver.max_window, 1U), kMaxWindow);
  const std::uint32_t lag = std::max(std::min(std::max(sender.max_window, 1U), kMaxWindow), kMaxAckWindow);
  if (after(seq, sender.max_end) || after(sender.end - room, end)) return false;
  if (after(ack, receiver.end) || after(receiver.end - lag, ack)) return false;
  // advance()
  if (after(end, sender.end)) sender.end = end;
  const std::uint32_t open = std::max(window, 1U);
  if (open > sender.max_window) sender.max_window = open;
  if (after(ack + open, receiver.max_end)) receiver.max_end = ack + open;
  note_ack(session, d, ack);
  return true;
}

}  // namespace icr::node
