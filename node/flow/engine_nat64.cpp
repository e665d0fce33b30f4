// Packets that leave in the other family (RFC 6146, RFC 7915), and ICMP errors of every kind of NAT (RFC 5508).
#include "model/record/nat64_address.h"
#include "node/flow/engine.h"
#include "node/packet/checksum.h"
#include "node/packet/reply.h"
#include "node/packet/rewrite.h"

namespace icr::node {
namespace {

/// ICMP errors of our own a second (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8).
constexpr std::uint32_t kErrorsPerSecond = 1000;

Drop drop_of(Nat64 reason) {
  switch (reason) {
    case Nat64::too_big:
      return Drop::nat64_too_big;
    case Nat64::hop_limit:
      return Drop::nat64_hop_limit;
    case Nat64::source_route:
      return Drop::nat64_source_route;
    case Nat64::udp_no_checksum:
      return Drop::nat64_udp_no_checksum;
    case Nat64::icmp_fragment:
      return Drop::nat64_icmp_fragment;
    case Nat64::icmp_no_equal:
      return Drop::nat64_icmp_no_equal;
    case Nat64::protocol_unknown:
      return Drop::nat64_protocol;
    case Nat64::too_long:
    case Nat64::done:
    case Nat64::fragment:
      break;
  }
  return Drop::nat64_too_long;
}

/// Octet of the Segments Left field of the routing header, which the packet has (RFC 8200 section 4.4).
std::uint32_t segments_left_at(const Headers& headers) {
  std::uint8_t next = headers.l3[6];
  std::uint32_t at = 40;
  while (next != 43) {
    // A fragment header has no length: its second octet is reserved, and whatever the sender wrote.
    const bool fragment = next == 44;
    next = headers.l3[at];
    at += fragment ? 8U : (headers.l3[at + 1] + 1U) * 8U;
  }
  return at + 3;
}

}  // namespace

Nat64Options Engine::nat64_options(const UnitBinding& binding) {
  const ServiceSet::Nat64& config = binding.service->config->nat64;
  return {config.ipv6_mtu, config.clear_dont_fragment, ipv4_id_++};
}

bool Engine::send_nat64(const Packet& packet, const Staged& staged, const FlowKey& to, std::uint32_t unit, Ticks now,
                        PacketSink& out) {
  const UnitBinding& binding = *staged.binding;
  ServiceSetCounters& counters = binding.service->counters;
  // The caller keeps its packet: only the buffer is used for the new one.
  Packet translated = packet;
  Headers headers = staged.headers;
  const Nat64Options options = nat64_options(binding);
  const Nat64 outcome = translate_nat64(translated, headers, to, options);
  if (outcome != Nat64::done && outcome != Nat64::fragment) {
    tell_nat64_sender(packet, staged, outcome, now, out);
    drop_packet(packet, staged, drop_of(outcome), now);
    return false;
  }
  ++(headers.v6 ? counters.nat64_to_v6 : counters.nat64_to_v4);
  if (outcome == Nat64::done) {
    emit(translated, unit, out);
    return true;
  }
  std::uint64_t pieces = 0;
  cut_ipv6(headers, options.ipv6_mtu, scratch_.data(), [&](std::uint8_t* data, std::uint32_t length) {
    Packet piece{data, length, length, unit};
    emit(piece, unit, out);
    ++pieces;
  });
  counters_.fragments_made += pieces - 1;
  counters.fragments_made += pieces - 1;
  return true;
}

void Engine::tell_nat64_sender(const Packet& packet, const Staged& staged, Nat64 reason, Ticks now, PacketSink& out) {
  const Headers& h = staged.headers;
  if (h.later_fragment) return;  // RFC 1812 section 4.3.2.7
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t field = 0;
  switch (reason) {
    case Nat64::too_big:  // only IPv4 is ever too big
      type = 3;
      code = 4;
      field = staged.binding->service->config->nat64.ipv6_mtu - 20;
      break;
    case Nat64::hop_limit:
      type = h.v6 ? 3 : 11;
      break;
    case Nat64::source_route:
      type = h.v6 ? 4 : 3;
      code = h.v6 ? 0 : 5;
      field = h.v6 ? segments_left_at(h) : 0;
      break;
    default:
      return;  // RFC 7915: silently
  }
  if (!take(errors_, kErrorsPerSecond, now)) return;
  Packet answer{scratch_.data(), 0, static_cast<std::uint32_t>(scratch_.size()), packet.unit};
  answer.length = make_icmp_error(h, type, code, field, scratch_.data());
  ++counters_.errors_sent;
  ++staged.binding->service->counters.errors_sent;
  emit(answer, packet.unit, out);
}

void Engine::refuse_source_route(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out) {
  const UnitBinding& binding = *staged.binding;
  const Headers& headers = staged.headers;
  const SessionTable& table = shards_[binding.shard]->table();
  const auto flow = table.find(binding.service_set, headers.key, staged.hash);
  // IPv4 is on the outside of NAT64. No error is ever sent about an error (RFC 1122 section 3.2.2).
  const bool nat64 = flow && !binding.inside && headers.icmp != IcmpKind::error &&
                     !table.at(flow->slot).egress(flow->direction).is_v4();
  if (nat64) tell_nat64_sender(packet, staged, Nat64::source_route, now, out);
  drop_packet(packet, staged, nat64 ? Drop::nat64_source_route : Drop::source_route, now);
}

IpAddress Engine::error_source(const UnitBinding& binding, const Headers& headers, const Session& session,
                               Direction direction) {
  const FlowKey flow = session.flow(direction);
  const FlowKey egress = session.egress(direction);
  // The other end itself.
  if (headers.key.source == flow.source) return egress.source;
  if (headers.v6 != egress.is_v4()) {
    // A router in between keeps its address, but inside, where addresses are translated: there the NAT's own address
    // stands for it (RFC 5508 section 4.2, REQ-5).
    const bool hidden = binding.inside && !(flow.source == egress.source);
    return hidden ? egress.source : headers.key.source;
  }
  // A router of the IPv4 side has an address below the NAT64 prefix (RFC 6052); one of the IPv6 side has none in IPv4.
  if (headers.v6) return egress.source;
  for (const Prefix& prefix : binding.service->nat64_prefixes) {
    if (prefix.contains(egress.source)) return embed_v4(prefix, headers.key.source.to_v4());
  }
  return egress.source;
}

void Engine::handle_icmp_error(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  Headers& headers = staged.headers;
  const UnitBinding& binding = *staged.binding;
  if (headers.fragment) return drop_packet(packet, staged, Drop::icmp_error_malformed, now);
  if (!icmp_checksum_ok(headers)) return drop(binding, Drop::icmp_checksum);
  Headers quoted;
  if (!read_quoted_headers(headers.l4 + 8, headers.l4_length - 8, quoted) || quoted.v6 != headers.v6) {
    return drop(binding, Drop::icmp_error_malformed);
  }
  if (!ip_checksum_ok(quoted)) return drop(binding, Drop::icmp_error_checksum);
  // The packet inside went the other way: its mirror is the flow that this error travels with.
  Shard& shard = *shards_[binding.shard];
  SessionTable& table = shard.table();
  const auto flow = table.find(binding.service_set, quoted.key.mirrored());
  if (!flow) return drop(binding, Drop::icmp_error_no_session);
  Session& session = table.at(flow->slot);
  const bool from_initiator_side = binding.inside != session.initiated_outside;
  if (from_initiator_side != (flow->direction == Direction::initiator || session.hairpin)) {
    return drop(binding, Drop::wrong_interface);
  }
  if (!(headers.key.destination == quoted.key.source)) return drop(binding, Drop::icmp_error_malformed);
  if (shard.active()) {
    session.flag = SessionFlag::found_existing;
  } else {
    ++counters_.forwarded_in_grace;
  }
  // RFC 5508 section 4: translate both headers; the session is neither refreshed nor closed.
  const std::uint32_t unit = session.hairpin ? packet.unit : binding.other_unit;
  const FlowKey quoted_to = session.flow(opposite(flow->direction));
  FlowKey outer = headers.key;
  outer.source = error_source(binding, headers, session, flow->direction);
  outer.destination = session.egress(flow->direction).destination;
  if (outer.destination.is_v4() == headers.v6) {
    Packet answer{scratch_.data(), 0, static_cast<std::uint32_t>(scratch_.size()), unit};
    const Nat64 outcome = translate_nat64_error(headers, outer, quoted, quoted_to, nat64_options(binding),
                                                scratch_.data(), answer.length);
    // No error is ever sent about an error (RFC 1122 section 3.2.2).
    if (outcome != Nat64::done) return drop(binding, drop_of(outcome));
    emit(answer, unit, out);
  } else {
    if (session.nat_type != NatType::none) {
      renumber(staged, outer);
      rewrite_icmp_error(headers, outer, quoted, quoted_to);
    }
    emit(packet, unit, out);
  }
  ++counters_.icmp_errors_translated;
  ++binding.service->counters.icmp_errors;
}

}  // namespace icr::node
