#include "node/flow/tcp_tracker.h"

#include <algorithm>
#include <utility>

#include "node/flow/tcp_window.h"

namespace icr::node {
namespace {

using namespace tcp;

/// Forgets the FIN of a side, because it did not belong to this connection: the end of that side is elsewhere.
void forget_fin(TcpWindow& w) { clear_flags(w, kTcpWindowFin | kFinAcked); }

bool doubts_fin(const Session& session, Direction d) {
  return (session.doubted_fins >> static_cast<unsigned>(d) & 1U) != 0;
}
void doubt_fin(Session& session, Direction d, bool yes) {
  const unsigned bit = 1U << static_cast<unsigned>(d);
  session.doubted_fins = (yes ? session.doubted_fins | bit : session.doubted_fins & ~bit) & 3U;
}

/// Moves the end of the window of `d` to what the other side acknowledges, which differs from the end that was seen.
void learn_end(Session& session, Direction d, std::uint32_t ack) {
  TcpWindow& w = session.windows[static_cast<unsigned>(d)];
  // No new data follows a FIN, but data from before it may be retransmitted.
  const bool before_fin = !after(ack, w.end) && !after(w.end - kMaxAckWindow, ack);
  if ((w.flags & kTcpWindowFin) != 0 && before_fin) return;
  forget_fin(w);
  doubt_fin(session, d, false);
  w.end = ack;
  set_flags(w, kAckSeen);
}

/// Takes the segment's word for where its side stands.
void learn(TcpWindow& sender, const TcpWindow& receiver, const Segment& s, std::uint32_t window) {
  // No new data follows a FIN. A segment from before it does not move the end.
  const bool before_fin =
      (sender.flags & kTcpWindowFin) != 0 && !after(s.end, sender.end) && !after(sender.end - widest(receiver), s.end);
  // A retransmission may be the first thing that is seen, when the other side has long acknowledged more: then the end
  // remains what the acknowledgement said, and no more than that.
  const bool acknowledged = (sender.flags & kAckSeen) != 0 && !after(s.end, sender.end);
  if (!before_fin && !acknowledged) {
    if (sender.end != s.end) forget_fin(sender);
    sender.end = s.end;
    clear_flags(sender, kAckSeen);
  }
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

/// Sets the window of `d` from its SYN, which contains everything that there is to know. After a takeover the handshake
/// may have ended without the twin, and the SYN may be late or forged: then the window stays in doubt.
void learn_syn(Session& session, Direction d, const Headers& segment, const Segment& s) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  const TcpWindow before = std::exchange(sender, TcpWindow{});
  note_scale(sender, segment);
  if ((before.flags & kTaken) != 0) {
    set_flags(sender, kTaken | (before.flags & kTcpWindowScaled));
    sender.scale = std::max(sender.scale, before.scale);
  }
  learn(sender, session.windows[static_cast<unsigned>(opposite(d))], s, s.window);
  session.acked[static_cast<unsigned>(d)] = s.seq + 1;
  doubt_fin(session, d, false);
}

/// Stores what an accepted segment of `d` acknowledges. The number never goes back, except where the sequence numbers
/// are in doubt: there each acknowledgement replaces the one before.
void note_ack(Session& session, Direction d, std::uint32_t ack) {
  const auto other = static_cast<unsigned>(opposite(d));
  std::uint32_t& acked = session.acked[other];
  if (acked == 0 || after(ack, acked) || doubtful(session.windows[other])) acked = ack;
}

/// Handles a FIN of `d` that passed. One from before the end is forged, because nothing follows a FIN, or the end is:
/// it counts only if acknowledgements of the other side prove it. So does every FIN while the numbers are in doubt,
/// where the replicated state is proof as well; otherwise it counts there once exactly this FIN is acknowledged.
void note_fin(Session& session, Direction d, const Segment& s) {
  const auto side = static_cast<unsigned>(d);
  TcpWindow& sender = session.windows[side];
  const std::uint32_t acked = session.acked[side];
  const bool proven = acked != 0 && (s.seq == acked || s.end == acked);
  const bool last = sender.end == s.end;
  if (proven || (last && !doubtful(sender))) {
    set_flags(sender, kTcpWindowFin);
  } else if (last) {
    doubt_fin(session, d, true);
  }
}

/// Moves the windows after a segment of `d` was accepted.
void advance(Session& session, Direction d, const Segment& s, std::uint32_t window) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  if (!after(sender.end, s.end)) {
    if (sender.end != s.end) {
      forget_fin(sender);
      doubt_fin(session, d, false);
    }
    sender.end = s.end;
    clear_flags(sender, kAckSeen);
  }
  sender.max_window = std::max({sender.max_window, window, 1U});
  if (s.fin) note_fin(session, d, s);
  if (!s.has_ack || (receiver.flags & kTcpWindowKnown) == 0) return;
  const std::uint32_t allowed = s.ack + std::max(window, 1U);
  if (after(allowed, receiver.max_end)) receiver.max_end = allowed;
  if (doubtful(receiver) && (receiver.flags & kAckSeen) == 0 && s.ack == receiver.end) {
    // Both sides agree, so what only one of them claimed is no longer allowed.
    set_flags(receiver, kConfirmed);
    receiver.max_end = s.ack + widest(sender);
    if (doubts_fin(session, opposite(d))) set_flags(receiver, kTcpWindowFin);
    doubt_fin(session, opposite(d), false);
  }
  if ((receiver.flags & kTcpWindowFin) != 0 && !after(receiver.end, s.ack)) set_flags(receiver, kFinAcked);
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
  outside,   ///< outside the window: the receiver would ignore it
  unproven,  ///< in the window, but not where it is accepted: it passes, and its receiver answers with a challenge ACK
             ///< (RFC 5961 section 3.2)
  at_end,    ///< at the end of what was forwarded: its receiver accepts it if nothing was lost
  exact,     ///< at the number that its receiver expects
  refusal,   ///< in answer to a SYN
};

/// Classifies a RST. It must be where the receiver expects the next octet: at what the receiver acknowledged last, or,
/// if its acknowledgement is on the way, at the end of what was forwarded. In the handshake it must acknowledge the
/// SYN. Where the numbers of its side are in doubt, only the receiver's acknowledgement (or the replicated state)
/// counts, because the end may have been forged as well.
Reset judge_rst(const Session& session, Direction d, const Segment& s) {
  const auto side = static_cast<unsigned>(d);
  const TcpWindow& sender = session.windows[side];
  const TcpWindow& receiver = session.windows[1 - side];
  if ((receiver.flags & kSynPending) != 0 && s.has_ack && s.ack == session.syn_end) return Reset::refusal;
  if (session.tcp_state == TcpState::syn_sent && d == Direction::responder) {
    return s.has_ack && s.ack == receiver.end ? Reset::refusal : Reset::outside;
  }
  if (session.acked[side] != 0 && s.seq == session.acked[side]) return Reset::exact;
  if ((sender.flags & kTcpWindowKnown) == 0 || doubtful(sender)) return Reset::unproven;
  if (after(s.seq, sender.max_end) || after(sender.end - widest(receiver), s.seq)) return Reset::outside;
  return s.seq == sender.end ? Reset::at_end : Reset::unproven;
}

/// A segment that passes on a closed connection: true if it shows that the connection goes on. What the receiver of the
/// RST had under way does not, nor what its sender had sent before.
bool goes_on(const Session& session, Direction d, const Segment& s) {
  if (session.reset_by == ResetBy::unknown) return true;
  if (session.reset_by == ResetBy::refusal) return false;
  const TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  if (static_cast<unsigned>(session.reset_by) == static_cast<unsigned>(d) + 1) return !after(sender.end, s.end);
  // The receiver of the RST has not got as far as the RST, so it ignores it. If this segment was sent before the RST
  // arrived, the sender of the RST answers with another one, at the number that is acknowledged here.
  const TcpWindow& resetter = session.windows[static_cast<unsigned>(opposite(d))];
  return session.reset_unproven && s.has_ack && after(resetter.end, s.ack);
}

bool in_window(const TcpWindow& sender, const TcpWindow& receiver, const Segment& s) {
  return !after(s.seq, sender.max_end) && !after(sender.end - widest(receiver), s.end);
}

/// Returns true if a segment acknowledges what was acknowledged long ago.
bool lags(const TcpWindow& sender, const TcpWindow& receiver, const Segment& s) {
  return after(receiver.end - std::max(widest(sender), kMaxAckWindow), s.ack);
}

/// A SYN without ACK.
TcpVerdict follow_syn(Session& session, Direction d, const Headers& segment, const Segment& s, bool& state_changed) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  const bool over = session.tcp_state == TcpState::closed || session.tcp_state == TcpState::time_wait;
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
  learn_syn(session, d, segment, s);
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
  // A receiver may leave out data that came with the SYN (RFC 7413); a twin does not know how much that was.
  const bool taken = (receiver.flags & kTaken) != 0;
  const std::uint32_t least = taken ? session.syn_end - kMaxSynData : session.syn_end;
  if (after(least, s.ack) || after(s.ack, receiver.end)) return TcpVerdict::bad_syn_ack;
  learn_syn(session, Direction::responder, segment, s);
  if ((receiver.flags & sender.flags & kTcpWindowScaled) == 0) receiver.scale = sender.scale = 0;
  receiver.max_end = s.ack + std::max<std::uint32_t>(s.window, 1);
  set_flags(receiver, kTcpWindowKnown);
  session.acked[0] = s.ack;
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
  // One that fits the connection as it is known is a retransmission. Both of its numbers must fit: the responder may
  // choose a sequence number that is in the window of the connection that it has forgotten (RFC 6528 section 3).
  const bool known = (sender.flags & kTcpWindowKnown) != 0 && in_window(sender, receiver, s);
  if (known && !after(s.ack, receiver.end) && !lags(sender, receiver, s)) return false;
  receiver = TcpWindow{};
  session.doubted_fins = 0;
  learn_syn(session, d, segment, s);
  // What the SYN announced is forgotten, but its answer has the option only if the SYN had it.
  if ((sender.flags & kTcpWindowScaled) != 0) assume_scale(receiver);
  receiver.end = s.ack;
  receiver.max_end = s.ack + std::max<std::uint32_t>(s.window, 1);
  set_flags(receiver, kTcpWindowKnown | kTaken);
  set_flags(sender, kTaken);
  session.acked[static_cast<unsigned>(opposite(d))] = s.ack;
  session.tcp_state = TcpState::syn_received;
  return true;
}

/// Puts a window in doubt again if its end is only what the other side acknowledged, and is contradicted now. Where
/// data passed that was not seen here, an acknowledgement beyond what was seen moves the end, also a forged one; the
/// sender's own segments, and true acknowledgements, would then be refused for ever.
void doubt_claimed_end(TcpWindow& w) {
  if ((w.flags & kTaken) != 0 && (w.flags & kAckSeen) != 0) clear_flags(w, kConfirmed);
}

/// Checks a segment against the windows of both sides, where they are known. Clears `moves` if it carries nothing new:
/// a retransmission from before the window, or an acknowledgement that was overtaken long ago. Its receiver drops that
/// and answers with what it has, for which a sender that repeats itself waits.
TcpVerdict judge(Session& session, Direction d, const Segment& s, std::uint32_t window, bool& moves) {
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
  const bool inside = in_window(sender, receiver, s);
  const bool ahead = after(s.seq, sender.max_end);
  if (ahead) doubt_claimed_end(sender);
  if (!inside && !doubtful(sender) && (ahead || s.syn)) return TcpVerdict::bad_sequence;
  const bool told = s.has_ack && (receiver.flags & kTcpWindowKnown) != 0;
  const bool more = (receiver.flags & kTaken) != 0 && after(receiver.max_end, receiver.end);
  const std::uint32_t most = more ? receiver.max_end : receiver.end;
  if (told && after(s.ack, most)) doubt_claimed_end(receiver);
  if (told && !doubtful(receiver)) {
    if (after(s.ack, most)) return TcpVerdict::bad_ack;
    moves = !lags(sender, receiver, s);
  }
  if (!inside) {
    if (!doubtful(sender)) {
      moves = false;
      return TcpVerdict::accept;
    }
    clear_flags(sender, kAckSeen);
    doubt_fin(session, d, false);
    learn(sender, receiver, s, window);
  }
  if (told && moves && after(s.ack, receiver.end)) learn_end(session, opposite(d), s.ack);
  return TcpVerdict::accept;
}

TcpVerdict follow_rst(Session& session, Direction d, const Segment& s, bool& state_changed) {
  const Reset reset = judge_rst(session, d, s);
  if (reset == Reset::outside) {
    // An initiator resets what a half-open responder still believes in, and goes on with its SYN.
    const bool half_open = session.tcp_state == TcpState::syn_sent && d == Direction::initiator;
    return half_open ? TcpVerdict::accept : TcpVerdict::bad_rst;
  }
  if (reset == Reset::unproven) return TcpVerdict::accept;
  const ResetBy by = d == Direction::initiator ? ResetBy::initiator : ResetBy::responder;
  session.reset_by = reset == Reset::refusal ? ResetBy::refusal : by;
  session.reset_unproven = reset == Reset::at_end;
  state_changed = session.tcp_state != TcpState::closed;
  session.tcp_state = TcpState::closed;
  return TcpVerdict::accept;
}

/// Puts both sides in doubt, because the windows were learnt in another epoch.
void take_over(Session& session, std::uint16_t window_epoch) {
  session.window_epoch = window_epoch;
  session.reset_by = ResetBy::unknown;
  session.reset_unproven = false;
  session.doubted_fins = 0;
  session.syn_end = session.windows[0].end;
  for (unsigned side = 0; side < 2; ++side) {
    TcpWindow& w = session.windows[side];
    const bool heard_of = w.max_window != 0 || (w.flags & kAckSeen) != 0;
    session.acked[side] = heard_of ? w.end : 0;
    clear_flags(w, kTcpWindowKnown | kAckSeen | kConfirmed | kSynPending);
    if (heard_of) set_flags(w, kAckSeen);
    set_flags(w, kTaken);
  }
}

}  // namespace

void TcpTracker::start(Session& session, const Headers& segment, std::uint16_t window_epoch) {
  const Segment s(segment);
  session.windows[0] = session.windows[1] = TcpWindow{};
  session.window_epoch = window_epoch;
  session.syn_end = s.seq + 1;
  session.tcp_state = s.syn && !s.has_ack ? TcpState::syn_sent : TcpState::established;
  if (session.tcp_state == TcpState::syn_sent) {
    learn_syn(session, Direction::initiator, segment, s);
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
  // Its receiver has not confirmed its own sequence number, but its acknowledgement of the other side is reliable.
  if (!s.has_ack) return;
  session.acked[1] = s.ack;
  learn_end(session, Direction::responder, s.ack);
}

bool TcpTracker::may_change_state(const Session& session, const Headers& segment, std::uint16_t window_epoch) {
  constexpr std::uint8_t kControl = tcp_flag::syn | tcp_flag::fin | tcp_flag::rst;
  return (segment.tcp_flags & kControl) != 0 || session.tcp_state != TcpState::established ||
         session.window_epoch != window_epoch || doubtful(session.windows[0]) || doubtful(session.windows[1]);
}

TcpVerdict TcpTracker::follow(Session& session, Direction d, const Headers& segment, std::uint16_t window_epoch,
                              bool& state_changed) {
  if (session.window_epoch != window_epoch) take_over(session, window_epoch);
  const Segment s(segment);
  TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
  TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];

  if (s.syn && !s.has_ack) return follow_syn(session, d, segment, s, state_changed);

  if (s.rst) return follow_rst(session, d, s, state_changed);

  const TcpState before = session.tcp_state;
  // Its receiver drops a segment without ACK (RFC 9293 section 3.10.7.4), so it moves nothing.
  if (!s.has_ack) return before == TcpState::syn_sent ? TcpVerdict::bad_handshake : TcpVerdict::accept;
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
    if (s.has_ack && receiver_known && after(s.ack, receiver.end)) learn_end(session, opposite(d), s.ack);
  } else {
    bool moves = true;
    const TcpVerdict verdict = judge(session, d, s, window, moves);
    if (verdict == TcpVerdict::bad_sequence && s.syn) return TcpVerdict::bad_syn;
    if (verdict != TcpVerdict::accept || !moves) return verdict;
    // The SYN that it might have answered met a connection that is alive (RFC 5961 section 4).
    if (s.has_ack && !s.syn && receiver_known) clear_flags(receiver, kSynPending);
  }
  if (s.has_ack && !receiver_known && ((receiver.flags & kAckSeen) == 0 || after(s.ack, receiver.end))) {
    learn_end(session, opposite(d), s.ack);
  }
  if (session.tcp_state == TcpState::closed && goes_on(session, d, s)) session.tcp_state = TcpState::established;
  if (s.has_ack) note_ack(session, d, s.ack);
  advance(session, d, s, window);
  // Of a segment in fragments only the beginning was seen: its sender may have sent more.
  if (segment.fragment && (sender.flags & kTaken) == 0) set_flags(sender, kTaken | kConfirmed);
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
  // in_window() and judge(), with windows that were not taken: all of it was announced here, so widest() is max_window.
  const std::uint32_t lag = std::max(sender.max_window, kMaxAckWindow);
  if (after(seq, sender.max_end) || after(sender.end - receiver.max_window, end)) return false;
  if (after(ack, receiver.end) || after(receiver.end - lag, ack)) return false;
  // advance()
  if (after(end, sender.end)) sender.end = end;
  const std::uint32_t open = std::max(window, 1U);
  if (open > sender.max_window) sender.max_window = open;
  if (after(ack + open, receiver.max_end)) receiver.max_end = ack + open;
  std::uint32_t& acked = session.acked[static_cast<unsigned>(opposite(d))];
  acked = acked == 0 || after(ack, acked) ? ack : acked;
  return true;
}

}  // namespace icr::node
