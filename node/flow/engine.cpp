#include "node/flow/engine.h"

#include <algorithm>

#include "node/packet/checksum.h"
#include "node/packet/reply.h"
#include "node/packet/rewrite.h"

namespace icr::node {
namespace {

/// Rejects a second that are answered; the rest is dropped silently, so that a scan cannot make us a reflector.
constexpr std::uint32_t kRejectsPerSecond = 100;

/// Why a fragment is dropped; Drop::count: it is not.
Drop drop_of(FragmentTable::Verdict verdict) {
  switch (verdict) {
    case FragmentTable::Verdict::overlap:
      return Drop::fragment_overlap;
    case FragmentTable::Verdict::limit:
      return Drop::fragment_limit;
    case FragmentTable::Verdict::full:
      return Drop::fragment_table_full;
    case FragmentTable::Verdict::refused:
      return Drop::fragment_refused;
    case FragmentTable::Verdict::forward:
    case FragmentTable::Verdict::held:
      break;
  }
  return Drop::count;
}

}  // namespace

Engine::Engine(const Cluster& cluster, std::vector<Shard*> shards, const Timeouts& limits, std::uint64_t seed)
    : shards_(std::move(shards)),
      fragments_(limits.fragment_limit, limits.reassembly_s, seed),
      staged_(kStageSize),
      scratch_(kReplyBytes) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    for (const std::uint16_t index : cluster.redundancy_sets[shards_[i]->set()].service_sets) {
      const ServiceSet& s = cluster.service_sets[index];
      const auto shard = static_cast<std::uint16_t>(i);
      bindings_.push_back({shard, index, true, s.outside_unit});
      binding_units_.push_back(s.inside_unit);
      bindings_.push_back({shard, index, false, s.inside_unit});
      binding_units_.push_back(s.outside_unit);
    }
  }
}

const Engine::Binding* Engine::binding_of(std::uint32_t unit) const {
  for (std::size_t i = 0; i < binding_units_.size(); ++i) {
    if (binding_units_[i] == unit) return &bindings_[i];
  }
  return nullptr;
}

void Engine::handle(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  const Headers& headers = staged.headers;
  if (headers.later_fragment) return handle_later_fragment(packet, staged, now, out);
  if (headers.icmp == IcmpKind::error) return handle_icmp_error(packet, staged, now, out);
  if (headers.fragment) {
    SessionHandle unused;
    const Drop refused = drop_of(fragments_.enter(headers, packet, now, unused));
    if (refused != Drop::count) return counters_.drop(refused);
  }
  Shard& shard = *shards_[staged.binding->shard];
  if (const auto flow = shard.table().find(headers.key, staged.hash)) {
    if (forward(packet, staged, *flow, now, out)) return;
    // The connection is over and its initiator opens it again: make room for the successor.
    ++counters_.sessions_reused;
    shard.remove(flow->slot);
  }
  const SetUp result = shard.set_up(headers, staged.binding->service_set, staged.binding->inside, now);
  if (!result.slot) {
    if (result.reject) reject(packet, staged, now, out);
    return drop_packet(packet, staged, result.refused);
  }
  ++counters_.sessions_created;
  Session& session = shard.table().at(*result.slot);
  session.add_packet(Direction::initiator, headers.l3_length);
  pass_on(packet, staged, {*result.slot, Direction::initiator}, now, out);
}

bool Engine::forward(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out) {
  Shard& shard = *shards_[staged.binding->shard];
  const Session& session = shard.table().at(flow.slot);
  const bool from_initiator_side = staged.binding->inside != session.initiated_outside;
  if (from_initiator_side != (flow.direction == Direction::initiator) ||
      session.service_set != staged.binding->service_set) {
    drop_packet(packet, staged, Drop::wrong_interface);
    return true;
  }
  Drop reason = Drop::count;
  if (!shard.follow(flow.slot, flow.direction, staged.headers, now, reason)) {
    if (reason == Drop::count) return false;
    drop_packet(packet, staged, reason);
    return true;
  }
  pass_on(packet, staged, flow, now, out);
  return true;
}

void Engine::pass_on(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out) {
  const Session& session = shards_[staged.binding->shard]->table().at(flow.slot);
  const bool first_fragment = staged.headers.fragment && !staged.headers.later_fragment;
  const Headers before = first_fragment ? staged.headers : Headers{};
  const std::uint32_t ingress = packet.unit;
  if (session.nat_type != NatType::none) rewrite(staged.headers, session.egress(flow.direction));
  emit(packet, staged.binding->other_unit, out);
  if (!first_fragment) return;
  const SessionHandle handle{staged.binding->shard, flow.direction, {flow.slot, session.generation}};
  fragments_.resolve(before, ingress, handle, [&](Packet& held) {
    Staged later;
    later.binding = staged.binding;
    // It was read without error when it came; only its pointers are new.
    if (read_headers(held.data, held.length, later.headers) != HeaderError::none) return;
    (void)forward(held, later, flow, now, out);
  });
}

void Engine::handle_later_fragment(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  SessionHandle handle;
  const FragmentTable::Verdict verdict = fragments_.enter(staged.headers, packet, now, handle);
  if (verdict == FragmentTable::Verdict::held) {
    ++counters_.fragments_held;
    return;
  }
  if (const Drop refused = drop_of(verdict); refused != Drop::count) return counters_.drop(refused);
  const Session& session = shards_[handle.shard]->table().at(handle.ref.slot);
  if (!session.live || session.generation != handle.ref.generation) return counters_.drop(Drop::fragment_refused);
  (void)forward(packet, staged, {handle.ref.slot, handle.direction}, now, out);
}

void Engine::handle_icmp_error(Packet& packet, Staged& staged, Ticks /*now*/, PacketSink& out) {
  Headers& headers = staged.headers;
  if (headers.fragment) return counters_.drop(Drop::icmp_error_malformed);
  if (!icmp_checksum_ok(headers)) return counters_.drop(Drop::icmp_checksum);
  Headers quoted;
  if (!read_quoted_headers(headers.l4 + 8, headers.l4_length - 8, quoted) || quoted.v6 != headers.v6) {
    return counters_.drop(Drop::icmp_error_malformed);
  }
  // The packet inside went the other way: its mirror is the flow that this error travels with.
  SessionTable& table = shards_[staged.binding->shard]->table();
  const auto flow = table.find(quoted.key.mirrored());
  if (!flow) return counters_.drop(Drop::icmp_error_no_session);
  Session& session = table.at(flow->slot);
  const bool from_initiator_side = staged.binding->inside != session.initiated_outside;
  if (from_initiator_side != (flow->direction == Direction::initiator)) return counters_.drop(Drop::wrong_interface);
  if (!(headers.key.destination == quoted.key.source)) return counters_.drop(Drop::icmp_error_malformed);
  session.flag = SessionFlag::found_existing;
  ++counters_.icmp_errors_translated;
  // RFC 5508 section 4: translate both headers; the session is neither refreshed nor closed.
  const FlowKey egress = session.egress(flow->direction);
  FlowKey outer = headers.key;
  outer.destination = egress.destination;
  if (headers.key.source == session.flow(flow->direction).source) outer.source = egress.source;
  if (session.nat_type != NatType::none) {
    rewrite_icmp_error(headers, outer, quoted, session.flow(opposite(flow->direction)));
  }
  emit(packet, staged.binding->other_unit, out);
}

void Engine::emit(Packet& packet, std::uint32_t unit, PacketSink& out) {
  packet.unit = unit;
  ++counters_.packets_out;
  out.send(packet);
}

void Engine::drop_packet(const Packet& packet, const Staged& staged, Drop reason) {
  counters_.drop(reason);
  if (staged.headers.fragment && !staged.headers.later_fragment) {
    const std::uint32_t held = fragments_.reject(staged.headers, packet.unit);
    counters_.drops[static_cast<std::size_t>(Drop::fragment_refused)] += held;
  }
}

void Engine::reject(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out) {
  const Headers& headers = staged.headers;
  const bool reset = headers.protocol == ip_protocol::tcp;
  if (reset && (headers.tcp_flags & tcp_flag::rst) != 0) return;  // never answer a RST with one
  if (now - reject_tick_ >= 10) {
    reject_tick_ = now;
    rejects_this_second_ = 0;
  }
  if (++rejects_this_second_ > kRejectsPerSecond) {
    ++counters_.rejects_suppressed;
    return;
  }
  Packet answer{scratch_.data(), 0, static_cast<std::uint32_t>(scratch_.size()), packet.unit};
  answer.length = reset ? make_reset(headers, scratch_.data()) : make_prohibited(headers, scratch_.data());
  ++counters_.rejects_sent;
  emit(answer, packet.unit, out);
}

void Engine::tick(TimePoint now) {
  const Ticks at = Shard::ticks_of(now);
  if (at - last_expiry_ < 5) return;
  last_expiry_ = at;
  counters_.drops[static_cast<std::size_t>(Drop::fragment_timeout)] += fragments_.expire(at);
}

}  // namespace icr::node
