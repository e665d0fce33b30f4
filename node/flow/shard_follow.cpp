// Follows the packets of a shard's sessions: as master, and in the grace after it ceased to be master.
#include <algorithm>

#include "node/flow/shard.h"
#include "node/flow/tcp_tracker.h"

namespace icr::node {
namespace {

/// Returns Drop::count if the packet passes, or opens a new connection.
Drop drop_of(TcpVerdict verdict, TcpState state) {
  switch (verdict) {
    case TcpVerdict::accept:
    case TcpVerdict::new_connection:
      break;
    case TcpVerdict::bad_sequence:
      return Drop::tcp_bad_sequence;
    case TcpVerdict::bad_syn:
      return Drop::tcp_bad_syn;
    case TcpVerdict::bad_ack:
      return Drop::tcp_bad_ack;
    case TcpVerdict::bad_syn_ack:
      return Drop::tcp_bad_syn_ack;
    case TcpVerdict::bad_rst:
      return state == TcpState::syn_sent       ? Drop::tcp_bad_rst_in_syn_sent
             : state == TcpState::syn_received ? Drop::tcp_bad_rst_in_syn_received
                                               : Drop::tcp_bad_rst;
    case TcpVerdict::bad_handshake:
      return Drop::tcp_bad_handshake;
  }
  return Drop::count;
}

}  // namespace

bool Shard::may_change_state(const Session& session, const Headers& headers) const {
  return !headers.later_fragment && TcpTracker::may_change_state(session, headers, window_epoch_);
}

bool Shard::would_change_state(std::uint32_t slot, Direction direction, const Headers& headers) const {
  if (headers.protocol != ip_protocol::tcp || headers.later_fragment) return false;
  Session copy = table_.at(slot);
  bool moved = false;
  return TcpTracker::follow(copy, direction, headers, window_epoch_, moved) == TcpVerdict::new_connection || moved;
}

bool Shard::follow(std::uint32_t slot, Direction direction, const Headers& headers, Ticks now, Drop& drop) {
  Session& session = table_.at(slot);
  if (headers.icmp != IcmpKind::none) [[unlikely]] {
    const bool forth = direction == Direction::initiator;
    if (!(forth ? is_query(headers.icmp) : is_answer(headers.icmp))) {
      drop = Drop::icmp_echo_direction;
      return false;
    }
    const Service* const s = service(session.service_set);
    if (forth && s != nullptr &&
        s->policy.admits_only_the_other(headers.key, !session.initiated_outside, query_of(headers.icmp))) {
      drop = Drop::firewall_discard;
      return false;
    }
  }
  if (!active_) [[unlikely]]
    return follow_passively(session, direction, headers, drop);
  bool moved = false;
  if (headers.protocol == ip_protocol::tcp && !headers.later_fragment) {
    const TcpVerdict verdict = TcpTracker::follow(session, direction, headers, window_epoch_, moved);
    if (verdict != TcpVerdict::accept) [[unlikely]] {
      drop = drop_of(verdict, session.tcp_state);
      return false;
    }
    const bool syn_again = (headers.tcp_flags & (tcp_flag::syn | tcp_flag::ack)) == tcp_flag::syn;
    if (syn_again) session.flag = SessionFlag::found_existing;
  }
  touch(session, direction, headers.l3_length, now);
  if (moved) state_changed(slot, session);
  return true;
}

bool Shard::follow_passively(Session& session, Direction direction, const Headers& headers, Drop& drop) const {
  if (headers.protocol != ip_protocol::tcp || headers.later_fragment) return true;
  // The new master learns of a FIN or RST that passes here only when it is sent again; otherwise the session times out
  // there.
  Session copy = session;
  bool moved = false;
  const TcpVerdict verdict = TcpTracker::follow(copy, direction, headers, window_epoch_, moved);
  if (verdict != TcpVerdict::accept) {
    drop = drop_of(verdict, session.tcp_state);
    return false;
  }
  std::copy(std::begin(copy.windows), std::end(copy.windows), std::begin(session.windows));
  std::copy(std::begin(copy.acked), std::end(copy.acked), std::begin(session.acked));
  session.window_epoch = copy.window_epoch;
  return true;
}

}  // namespace icr::node
