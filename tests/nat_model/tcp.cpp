#include "tests/nat_model/tcp.h"

namespace icr::node::test::nat_model {
namespace {

bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }
bool has(const Wire& s, std::uint8_t flag) { return (s.flags & flag) != 0; }
/// Beyond every window: the widest here is 65535 << 2.
bool far(std::uint32_t a, std::uint32_t b) { return after(a, b + (1U << 24)) || after(b, a + (1U << 24)); }

/// True for a segment that was sent and acknowledged long ago. Its receiver answers it and discards it (RFC 9293
/// section 3.10.7.4).
bool old(const Tcp::End& sender, const Wire& s) { return sender.spoke && after(sender.next, s.seq + (1U << 24)); }

bool over(TcpState s) { return s == TcpState::time_wait || s == TcpState::closed; }

}  // namespace

std::optional<Drop> drop_of(TcpFate fate, const Tcp& tcp, const Wire& s) {
  const bool opening = tcp.state == TcpState::syn_sent;
  switch (fate) {
    case TcpFate::bad_sequence:
      return has(s, kSyn) ? Drop::tcp_bad_syn : Drop::tcp_bad_sequence;
    case TcpFate::bad_ack:
      return opening && has(s, kSyn) ? Drop::tcp_bad_syn_ack : Drop::tcp_bad_ack;
    case TcpFate::bad_rst:
      if (opening) return Drop::tcp_bad_rst_in_syn_sent;
      return tcp.state == TcpState::syn_received ? Drop::tcp_bad_rst_in_syn_received : Drop::tcp_bad_rst;
    case TcpFate::bad_handshake:
      return Drop::tcp_bad_handshake;
    default:
      return std::nullopt;
  }
}

TcpFate judge(const Tcp& tcp, unsigned d, const Wire& s) {
  const Tcp::End& sender = tcp.end[d];
  const Tcp::End& receiver = tcp.end[1 - d];
  if (has(s, kSyn) && !has(s, kAck)) return d == 0 && over(tcp.state) ? TcpFate::restart : TcpFate::pass;
  if (has(s, kRst)) {
    if (tcp.state == TcpState::syn_sent && d == 1) return s.ack == receiver.next ? TcpFate::pass : TcpFate::bad_rst;
    return sender.spoke && far(s.seq, sender.next) ? TcpFate::bad_rst : TcpFate::pass;
  }
  if (tcp.state == TcpState::syn_sent) {
    if (d == 1 && has(s, kSyn)) return s.ack == receiver.next ? TcpFate::pass : TcpFate::bad_ack;
    // Half-open on the responder: its bare acknowledgement must get through, so that it is reset.
    return d == 1 && s.flags == kAck && s.payload.empty() ? TcpFate::pass : TcpFate::bad_handshake;
  }
  if (sender.spoke && far(s.seq, sender.next) && (!old(sender, s) || has(s, kSyn))) return TcpFate::bad_sequence;
  if (has(s, kAck) && receiver.spoke && after(s.ack, receiver.next)) return TcpFate::bad_ack;
  return TcpFate::pass;
}

void open(Tcp& tcp, const Wire& s) {
  tcp = Tcp{};
  tcp.state = has(s, kAck) || !has(s, kSyn) ? TcpState::established : TcpState::syn_sent;
  tcp.end[0].next = s.seq + static_cast<std::uint32_t>(s.payload.size()) + (has(s, kSyn) ? 1U : 0U);
  tcp.end[0].acked = s.seq;
  tcp.end[0].spoke = true;
  tcp.end[0].scale = s.scale;
  tcp.end[1].next = s.ack;
  tcp.end[1].acked = s.ack;
  if (tcp.state == TcpState::syn_sent) {
    tcp.end[0].told = s.seq + 1;
  } else {
    tcp.end[1].told = s.ack;
  }
  tcp.strict = tcp.state == TcpState::syn_sent;
}

void follow(Tcp& tcp, unsigned d, const Wire& s) {
  Tcp::End& sender = tcp.end[d];
  Tcp::End& receiver = tcp.end[1 - d];
  const std::uint32_t length =
      static_cast<std::uint32_t>(s.payload.size()) + (has(s, kSyn) ? 1U : 0U) + (has(s, kFin) ? 1U : 0U);
  if (has(s, kRst)) {
    // RFC 5961 section 3.2: a RST that is not at the expected number only causes a challenge ACK.
    const bool refusal = tcp.state == TcpState::syn_sent && d == 1;
    if (!refusal && s.seq != sender.next) return;
    tcp.reset_by = tcp.state == TcpState::syn_sent ? Tcp::ResetBy::refusal
                   : d == 0                        ? Tcp::ResetBy::initiator
                                                   : Tcp::ResetBy::responder;
    tcp.state = TcpState::closed;
    return;
  }
  if (has(s, kSyn) && !has(s, kAck)) {
    if (tcp.state != TcpState::syn_sent) return;  // a SYN on a live connection moves nothing
    sender.next = s.seq + length;
    sender.told = s.seq + 1;
    sender.scale = s.scale;
    return;
  }
  if (old(sender, s)) return;
  if (tcp.state == TcpState::syn_sent && !has(s, kSyn)) {
    if (tcp.strict) return;  // the half-open responder's acknowledgement
    tcp.state = TcpState::established;
  }
  if (!sender.spoke || after(s.seq + length, sender.next)) sender.next = s.seq + length;
  sender.spoke = true;
  if (s.seq + length == sender.next) sender.cut = false;
  if (has(s, kFin)) sender.fin = true;
  if (has(s, kAck)) {
    receiver.told = s.ack;
    if (s.ack == receiver.next) receiver.cut = false;
    if (after(s.ack, receiver.acked)) receiver.acked = s.ack;
    if (receiver.fin && s.ack == receiver.next) receiver.fin_acked = true;
  }
  if (has(s, kSyn)) {
    sender.acked = s.seq;
    sender.scale = s.scale;
    if (tcp.state == TcpState::syn_sent) sender.told = s.seq + 1;
    if (tcp.state == TcpState::syn_sent) tcp.state = TcpState::syn_received;
    return;
  }
  if (tcp.state == TcpState::closed) {
    // Who sends on has not reset it. Who did not send the RST may not have it yet.
    const bool goes_on = tcp.reset_by == Tcp::ResetBy::unknown ||
                         tcp.reset_by == (d == 0 ? Tcp::ResetBy::initiator : Tcp::ResetBy::responder);
    if (!goes_on) return;
  }
  if (tcp.state == TcpState::syn_received && d == 1 && !has(s, kFin)) return;
  if (!tcp.end[0].fin && !tcp.end[1].fin) {
    tcp.state = TcpState::established;
  } else if (tcp.end[0].fin != tcp.end[1].fin) {
    tcp.state = TcpState::fin_wait;
  } else {
    tcp.state = tcp.end[0].fin_acked && tcp.end[1].fin_acked ? TcpState::time_wait : TcpState::closing;
  }
}

void cut_up(Tcp& tcp, unsigned d) {
  tcp.strict = false;
  tcp.end[d].cut = true;
}

void take_over(Tcp& tcp) {
  tcp.strict = false;
  tcp.reset_by = Tcp::ResetBy::unknown;
  for (Tcp::End& end : tcp.end) {
    end.told.reset();
    if (end.spoke && !end.cut) end.told = end.next;
  }
}

Segment next_segment(const Tcp& tcp, Dice& dice) {
  Segment s;
  const auto scale = [&] { return dice.chance(50) ? -1 : static_cast<int>(dice.below(3)); };
  const auto fill = [&](unsigned d, std::uint8_t flags, std::size_t payload) {
    s.direction = d;
    s.flags = flags;
    s.seq = tcp.end[d].next;
    s.ack = (flags & kAck) != 0 ? tcp.end[1 - d].next : 0;
    s.payload = payload;
  };
  // Where nobody can know what the receiver expects, a RST or a FIN is in the grey zone; so is the number 0, which says
  // "not known" to some.
  const auto sure = [&](unsigned d) {
    return tcp.strict || (tcp.end[d].told == tcp.end[d].next && tcp.end[d].next != 0);
  };
  const auto what = dice.below(100);
  if (tcp.state == TcpState::syn_sent) {
    if (what < 20 || (!tcp.strict && what < 30)) {
      fill(0, kSyn, 0);  // again
      s.seq = tcp.end[0].next - 1;
      s.scale = tcp.end[0].scale;
    } else if (what < 75) {
      fill(1, kSyn | kAck, 0);
      s.seq = dice.word();
      s.scale = scale();
      s.mss = dice.chance(50) ? static_cast<int>(dice.between(500, 9000)) : -1;
      if (tcp.strict && dice.chance(10)) s.ack += 77;
    } else if (what < 82) {
      fill(1, kRst | kAck, 0);
      s.seq = 0;
      if (tcp.strict && dice.chance(30)) s.ack += 1U << 25;
    } else if (what < 88) {
      fill(1, kAck, 0);
      if (!tcp.strict) fill(1, kSyn | kAck, 0);
      s.seq = dice.word();
    } else {
      fill(dice.below(2), kAck | kPsh, dice.between(1, 40));
      if (!tcp.strict) {
        fill(0, kSyn, 0);
        s.seq = tcp.end[0].next - 1;
        s.scale = tcp.end[0].scale;
      }
    }
    return s;
  }
  if (tcp.state == TcpState::syn_received) {
    if (what < 70) {
      fill(0, kAck, dice.chance(30) ? dice.between(1, 60) : 0);
    } else if (what < 85) {
      fill(1, kSyn | kAck, 0);
      s.seq = tcp.end[1].next - 1;
      s.scale = tcp.end[1].scale;
    } else {
      const unsigned d = what < 92 ? 0 : 1;
      fill(0, kAck, 0);
      if (sure(d)) fill(d, d == 0 ? kRst : kRst | kAck, 0);
    }
    return s;
  }
  if (tcp.state == TcpState::closed || tcp.state == TcpState::time_wait || tcp.state == TcpState::closing) {
    if (what < 40) {
      fill(0, kSyn, 0);
      s.seq = dice.word();
      s.scale = scale();
    } else {
      fill(dice.below(2), kAck, 0);  // what was under way, or the last acknowledgement
    }
    return s;
  }
  // Established, one end may have finished.
  unsigned d = dice.below(2);
  // Whoever has much out waits for the other.
  if (tcp.end[d].next - tcp.end[d].acked > 20000) d = 1 - d;
  const std::size_t payload = tcp.end[d].fin ? 0 : dice.below(4) == 0 ? 0 : dice.between(1, 200);
  fill(d, payload == 0 ? kAck : kAck | kPsh, payload);
  if (what < 60) return s;
  if (what < 70) {
    if (!tcp.end[d].fin && sure(d)) {
      s.flags |= kFin;
    }
  } else if (what < 72) {
    if (sure(d)) fill(d, kRst | kAck, 0);
  } else if (what < 74) {  // forged, after a takeover as well
    fill(d, dice.chance(50) ? kRst : kRst | kAck, 0);
    s.seq += dice.between(1, 100);
  } else if (what < 80) {  // sent again
    s.payload = 0;
    s.flags = kAck;
    s.seq -= 1;
  } else if (what < 84) {  // a SYN on a live connection
    fill(0, kSyn, 0);
    s.seq = dice.word();
  } else if (tcp.strict && tcp.end[0].spoke && tcp.end[1].spoke) {
    const std::uint32_t offset = dice.chance(50) ? 1U << 25 : 0U - (1U << 25);
    const auto kind = dice.below(3);
    if (kind == 0) s.seq += offset;
    if (kind == 1) s.ack += 1000 + dice.below(1U << 24);
    if (kind == 2) {
      fill(d, kRst, 0);
      s.seq += offset;
    }
  }
  return s;
}

}  // namespace icr::node::test::nat_model
