// What the engine refuses, and what it answers.
#include <algorithm>

#include "node/flow/engine.h"
#include "node/packet/reply.h"
#include "node/packet/rewrite.h"

namespace icr::node {
namespace {

/// Rejects a second that are answered; the rest is dropped silently, so that a scan cannot make us a reflector.
constexpr std::uint32_t kRejectsPerSecond = 100;

constexpr std::uint16_t kNetBiosPort = 139;
constexpr std::uint32_t kLargeIcmp = 1024;
/// Protocol numbers that IANA has not assigned; 253 and 254 are for experiments (RFC 3692).
constexpr std::uint8_t kFirstUnassigned = 148, kLastUnassigned = 252;

/// A check of the screen that also is always on: whose counter it is.
Drop screened(const Screen& s, HeaderError error) {
  switch (error) {
    case HeaderError::ip_land:
      return s.tcp_land ? Drop::screen_land : Drop::count;
    case HeaderError::tcp_no_flag:
      return s.tcp_no_flag ? Drop::screen_no_flag : Drop::count;
    case HeaderError::tcp_syn_fin:
      return s.tcp_syn_fin ? Drop::screen_syn_fin : Drop::count;
    case HeaderError::tcp_fin_no_ack:
      return s.tcp_fin_no_ack ? Drop::screen_fin_no_ack : Drop::count;
    case HeaderError::ping_of_death:
      return s.icmp_ping_death ? Drop::screen_ping_of_death : Drop::count;
    default:
      return Drop::count;
  }
}

/// Returns true if the reason is a lack of resources or a limit, not a mistake of the host.
bool concerns_the_host(Drop reason) {
  switch (reason) {
    case Drop::out_of_ports:
    case Drop::out_of_addresses:
    case Drop::nat_parity:
    case Drop::nat_range:
    case Drop::nat_paired_out_of_ports:
    case Drop::nat_port_limit:
    case Drop::nat_out_of_blocks:
    case Drop::nat_block_limit:
    case Drop::nat_no_memory:
    case Drop::nat_conflict:
    case Drop::subscriber_limit:
    case Drop::session_limit:
    case Drop::flow_limit:
    case Drop::session_setup_rate:
    case Drop::no_session_id:
    case Drop::flow_index_full:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Engine::drop(const UnitBinding& binding, Drop reason, std::uint64_t packets) {
  counters_.drop(reason, packets);
  binding.service->counters.drop(reason, packets);
}

void Engine::drop(const UnitBinding& binding, HeaderError error) {
  if (binding.screened) {
    const Drop reason = screened(*binding.service->screen, error);
    if (reason != Drop::count) return drop(binding, reason);
  }
  counters_.drop(error);
  binding.service->counters.drop(error);
}

void Engine::drop_packet(const Packet& packet, const Staged& staged, Drop reason, Ticks now) {
  drop(*staged.binding, reason);
  const bool first = staged.headers.fragment && !staged.headers.later_fragment;
  if (first) refuse_fragments(*staged.binding, staged.headers, packet.unit, now);
}

void Engine::refuse_fragments(const UnitBinding& binding, const Headers& headers, std::uint32_t unit, Ticks now) {
  drop(binding, Drop::fragment_refused, fragments_.reject(headers, unit, binding.service->fragments, now));
}

Drop Engine::damage(const Packet& packet, const Headers& headers) {
  if (headers.fragment || packet.partial_checksum || transport_checksum_ok(headers)) return Drop::count;
  if (headers.protocol == ip_protocol::tcp) return Drop::tcp_checksum;
  return headers.protocol == ip_protocol::udp ? Drop::udp_checksum : Drop::icmp_checksum;
}

void Engine::drop_fragment(const Packet& packet, const Staged& staged, FragmentTable::Verdict verdict, Ticks now) {
  const UnitBinding& binding = *staged.binding;
  switch (verdict) {
    case FragmentTable::Verdict::overlap: {
      refuse_fragments(binding, staged.headers, packet.unit, now);
      const Screen* const screen = binding.service->screen;
      const bool tear_drop = screen != nullptr && screen->ip_tear_drop;
      return drop(binding, tear_drop ? Drop::screen_tear_drop : Drop::fragment_overlap);
    }
    case FragmentTable::Verdict::duplicate:
      return drop(binding, Drop::fragment_duplicate);
    case FragmentTable::Verdict::limit:
      return drop(binding, Drop::fragment_limit);
    case FragmentTable::Verdict::full:
      return drop(binding, Drop::fragment_table_full);
    case FragmentTable::Verdict::refused:
    case FragmentTable::Verdict::held:
    case FragmentTable::Verdict::forward:
      return drop(binding, Drop::fragment_refused);
  }
}

Drop Engine::screen(const Screen& s, const Headers& h) {
  if (s.ip_bad_option && h.bad_option != 0) return Drop::screen_bad_option;
  if (s.ip_source_route_option && h.source_route) return Drop::screen_source_route;
  if (s.ip_unknown_protocol && h.protocol >= kFirstUnassigned && h.protocol <= kLastUnassigned) {
    return Drop::screen_unknown_protocol;
  }
  if (s.ip_block_frag && h.fragment) return Drop::screen_block_fragment;
  if (h.protocol == ip_protocol::icmp || h.protocol == ip_protocol::icmp6) {
    if (s.icmp_fragment && h.fragment) return Drop::screen_icmp_fragment;
    if (s.icmp_large && h.l3_length > kLargeIcmp) return Drop::screen_icmp_large;
  }
  if (h.protocol != ip_protocol::tcp || h.later_fragment) return Drop::count;
  if (s.tcp_winnuke && (h.tcp_flags & tcp_flag::urg) != 0 && h.key.destination_port == kNetBiosPort) {
    return Drop::screen_winnuke;
  }
  if (s.tcp_syn_frag && h.fragment && (h.tcp_flags & tcp_flag::syn) != 0) return Drop::screen_syn_fragment;
  return Drop::count;
}

void Engine::count_first(const UnitBinding& binding, const Headers& headers) {
  ServiceSetCounters& counters = binding.service->counters;
  if ((headers.tcp_flags & tcp_flag::rst) != 0) {
    ++counters.first_rst;
  } else if ((headers.tcp_flags & tcp_flag::fin) != 0) {
    ++counters.first_fin;
  } else {
    ++counters.first_not_syn;
  }
}

bool Engine::take(Budget& budget, std::uint32_t limit, Ticks now) {
  if (now - budget.since >= 10) budget = {now, 0};
  if (budget.used < limit) {
    ++budget.used;
    return true;
  }
  ++counters_.rejects_suppressed;
  return false;
}

void Engine::reject(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out) {
  const Headers& headers = staged.headers;
  const bool reset = headers.protocol == ip_protocol::tcp;
  if (reset && (headers.tcp_flags & tcp_flag::rst) != 0) return;  // never answer a RST with one
  if (take(rejects_, kRejectsPerSecond, now)) answer(packet, staged, reset, out);
}

void Engine::refuse(const Packet& packet, const Staged& staged, Drop reason, Ticks now, PacketSink& out) {
  const SessionRefusal how = staged.binding->service->config->session_refusal;
  if (how == SessionRefusal::silent || !staged.binding->inside || !concerns_the_host(reason)) return;
  const Headers& headers = staged.headers;
  const bool tcp = headers.protocol == ip_protocol::tcp;
  if (tcp && (headers.tcp_flags & tcp_flag::rst) != 0) return;
  if (take(refusals_, kRejectsPerSecond, now)) answer(packet, staged, tcp && how == SessionRefusal::reset, out);
}

void Engine::answer(const Packet& packet, const Staged& staged, bool reset, PacketSink& out) {
  Packet reply{scratch_.data(), 0, static_cast<std::uint32_t>(scratch_.size()), packet.unit};
  reply.length = reset ? make_reset(staged.headers, scratch_.data()) : make_prohibited(staged.headers, scratch_.data());
  ++counters_.rejects_sent;
  ++staged.binding->service->counters.rejects_sent;
  emit(reply, packet.unit, out);
}

void Engine::limit_segments(const UnitBinding& binding, const Headers& headers, const Session& session,
                            Direction direction) {
  constexpr std::uint32_t kIpv6AndTcp = 60, kIpv6IsLonger = 20;
  const ServiceSet& config = *binding.service->config;
  std::uint32_t limit = config.tcp_mss == 0 ? 65535U : config.tcp_mss;
  const bool nat64 = session.nat_type == NatType::stateful_nat64;
  if (nat64) {
    // tcp-mss is meant for IPv4; the same segment is longer as IPv6. And what the IPv6 side announces is what the IPv4
    // side will send: it must fit the MTU of the IPv6 side, or each segment would be refused or cut.
    if (config.tcp_mss != 0) limit -= std::min(limit, kIpv6IsLonger);
    const bool to_v4 = headers.v6 && session.egress(direction).is_v4();
    if (to_v4) limit = std::min(limit, config.nat64.ipv6_mtu - kIpv6AndTcp);
  }
  if (limit == 65535) return;
  ServiceSetCounters& counters = binding.service->counters;
  ++counters.mss_syns;
  if (clamp_mss(headers, static_cast<std::uint16_t>(limit))) ++counters.mss_lowered;
}

}  // namespace icr::node
