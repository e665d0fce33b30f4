// The stages of a burst. What each packet needs is prefetched before the first packet is processed.
#include <algorithm>

#include "node/flow/engine.h"
#include "node/flow/tcp_tracker.h"

namespace icr::node {

void Engine::process(std::span<Packet> burst, TimePoint now, PacketSink& out) {
  const Ticks at = Shard::ticks_of(now);
  while (!burst.empty()) {
    const auto part = burst.first(std::min(burst.size(), kStageSize));
    burst = burst.subspan(part.size());
    read(part, now);
    look_ahead(look_up(part.size()), at);
    if (guarded_) [[unlikely]] {
      process_guarded(part, now, out);
      continue;
    }
    if (awaiting_) [[unlikely]] {
      process_awaiting(part, at, out);
      continue;
    }
    // In order: a session that an earlier packet of the burst set up is found by a later one.
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Look& look = looks_[i];
      if (look.binding == nullptr) continue;
      if (look.plain) {
        if (forward_plain(part[i], look, at, out)) continue;
        unfold(part[i], look, staged_[i]);
      }
      handle(part[i], staged_[i], at, out);
    }
  }
}

void Engine::unfold(Packet& packet, const Look& look, Staged& staged) {
  staged.binding = look.binding;
  staged.hash = look.hash;
  headers_of_plain(packet.data, look.headers, staged.headers);
}

void Engine::process_awaiting(std::span<Packet> part, Ticks now, PacketSink& out) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (looks_[i].binding != nullptr) handle_awaiting(part[i], looks_[i], staged_[i], now, out);
  }
}

void Engine::handle_awaiting(Packet& packet, const Look& look, Staged& staged, Ticks now, PacketSink& out) {
  if (look.plain) unfold(packet, look, staged);
  const bool former = look.shard->awaits_former_packet() && is_former(look, staged.headers);
  const std::uint64_t sent = counters_.packets_out;
  const std::uint64_t created = counters_.sessions_created;
  handle(packet, staged, now, out);
  // A packet that ends its session and opens the next one is not of the former one.
  if (former && counters_.packets_out != sent && counters_.sessions_created == created) {
    look.shard->former_packet_passed();
  }
}

bool Engine::is_former(const Look& look, const Headers& headers) {
  // A fragment or an error that names no session by its own headers is not the first packet that anybody waits for.
  if (headers.later_fragment || headers.icmp == IcmpKind::error) return false;
  const auto flow = look.shard->table().find(look.binding->service_set, headers.key, look.hash);
  return flow && look.shard->is_former(look.shard->table().at(flow->slot));
}

Engine::Arrival Engine::arrival_of(std::uint32_t unit, TimePoint now) const {
  const UnitBinding* const binding = binding_of(unit);
  Shard* const shard = binding == nullptr ? nullptr : shards_[binding->shard];
  return {unit, binding, shard != nullptr && shard->acts(now) ? shard : nullptr};
}

bool Engine::read_whole(Packet& packet, const Arrival& arrival, const SessionTable& table, Ticks now, Look& look,
                        Staged& staged) {
  const HeaderError error = read_headers(packet.data, packet.length, staged.headers);
  if (error != HeaderError::none) {
    drop(*arrival.binding, error);
    const bool first = staged.headers.fragment && !staged.headers.later_fragment;
    if (first) refuse_fragments(*arrival.binding, staged.headers, packet.unit, now);
    return false;
  }
  packet.length = staged.headers.l3_length;
  look.lines = (staged.headers.protocol == ip_protocol::tcp ? SessionTable::kLineTcp : 0U) |
               (staged.headers.v6 ? SessionTable::kLineWide : 0U);
  look.hash = table.hash(arrival.binding->service_set, staged.headers.key);
  staged.binding = arrival.binding;
  staged.hash = look.hash;
  return true;
}

void Engine::read_passive(Packet& packet, const Arrival& arrival, TimePoint now, Look& look, Staged& staged) {
  if (arrival.binding == nullptr) return counters_.drop(Drop::unknown_interface);
  Shard& shard = *shards_[arrival.binding->shard];
  if (relay_or_drop(packet, *arrival.binding, now)) return;
  look.plain = false;
  if (!read_whole(packet, arrival, shard.table(), Shard::ticks_of(now), look, staged)) return;
  look.binding = arrival.binding;
  look.shard = &shard;
}

bool Engine::relay_or_drop(const Packet& packet, const UnitBinding& binding, TimePoint now) {
  using enum PacketRelay::Outcome;
  const Shard& shard = *shards_[binding.shard];
  if (handles_relayed_) {
    drop(binding, Drop::relay_not_master);
    return true;
  }
  if (is_self_test(packet)) return false;
  const auto outcome =
      shard.relay() == nullptr ? off : shard.relay()->relay(binding.service_set, binding.inside, packet);
  if (outcome == relayed) {
    ++counters_.relayed;
    return true;
  }
  if (shard.forwards(now)) return false;
  drop(binding, outcome == no_master    ? Drop::relay_no_master
                : outcome == queue_full ? Drop::relay_queue_full
                                        : Drop::not_master);
  return true;
}

void Engine::process_relayed(std::span<Packet> packets, TimePoint now, PacketSink& out) {
  handles_relayed_ = true;
  for (Packet& packet : packets) {
    ++counters_.relayed_here;
    const UnitBinding* const binding = binding_of(packet.unit);
    leaving_ = kNoSlot;
    process(std::span(&packet, 1), now, out);
    if (leaving_ == kNoSlot || binding == nullptr) continue;
    Shard& shard = *shards_[binding->shard];
    if (shard.active() && shard.table().at(leaving_).live) shard.mark_asymmetric(leaving_);
  }
  handles_relayed_ = false;
}

void Engine::read(std::span<Packet> burst, TimePoint now) {
  Arrival arrival = arrival_of(burst.front().unit, now);
  awaiting_ = arrival.shard != nullptr && arrival.shard->awaits_former_packet();
  guarded_ = arrival.shard != nullptr && arrival.binding->guarded;
  counters_.packets_in += burst.size();
  for (std::size_t i = 0; i < burst.size(); ++i) {
    Packet& packet = burst[i];
    Look& look = looks_[i];
    look.binding = nullptr;
    counters_.bytes_in += packet.length;
    if (packet.unit != arrival.unit) {
      arrival = arrival_of(packet.unit, now);
      awaiting_ |= arrival.shard != nullptr && arrival.shard->awaits_former_packet();
      guarded_ |= arrival.shard != nullptr && arrival.binding->guarded;
    }
    if (arrival.shard == nullptr) [[unlikely]] {
      read_passive(packet, arrival, now, look, staged_[i]);
      continue;
    }
    const SessionTable& table = arrival.shard->table();
    look.plain = read_plain(packet.data, packet.length, look.headers);
    if (look.plain) {
      const PlainHeaders& h = look.headers;
      packet.length = h.length;  // link padding is no part of the packet
      look.lines = h.protocol == ip_protocol::tcp ? SessionTable::kLineTcp : 0U;
      look.hash = table.hash_v4(arrival.binding->service_set, h.source, h.destination, h.source_port,
                                h.destination_port, h.protocol);
    } else if (!read_whole(packet, arrival, table, Shard::ticks_of(now), look, staged_[i])) {
      continue;
    }
    look.binding = arrival.binding;
    look.shard = arrival.shard;
    table.prefetch(look.hash);
  }
}

std::size_t Engine::look_up(std::size_t count) {
  std::size_t again = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Look& look = looks_[i];
    if (look.binding == nullptr) continue;
    look.reference = look.shard->table().candidate(look.hash, look.lines);
    again_[again] = i;
    again += look.reference == SessionTable::kNoReference ? 1U : 0U;
  }
  std::size_t firsts = 0;
  for (std::size_t i = 0; i < again; ++i) {
    Look& look = looks_[again_[i]];
    look.reference = look.shard->table().candidate_second(look.hash, look.lines);
    firsts_[firsts] = again_[i];
    firsts += look.reference == SessionTable::kNoReference ? 1U : 0U;
  }
  return firsts;
}

void Engine::look_ahead(std::size_t firsts, Ticks now) {
  std::uint32_t guesses = 0;
  for (std::size_t i = 0; i < firsts; ++i) {
    const Look& look = looks_[firsts_[i]];
    predicted_[i].reset();
    if (!look.shard->active()) continue;
    FlowKey key;
    if (look.plain) {
      const PlainHeaders& h = look.headers;
      key = {IpAddress::v4(h.source), IpAddress::v4(h.destination), h.source_port, h.destination_port, h.protocol};
    } else {
      const Headers& headers = staged_[firsts_[i]].headers;
      if (headers.later_fragment || headers.icmp == IcmpKind::error) continue;
      key = headers.key;
    }
    predicted_[i] = look.shard->look_ahead(key, look.binding->service_set, look.binding->inside, now);
    guesses += predicted_[i] ? 1U : 0U;
  }
  if (guesses == 0) return;
  for (std::size_t i = 0; i < firsts; ++i) {
    if (predicted_[i]) looks_[firsts_[i]].shard->look_further(*predicted_[i]);
  }
  // A burst is of one shard, as a rule.
  looks_[firsts_[0]].shard->prefetch_slots(guesses);
}

bool Engine::forward_plain(Packet& packet, const Look& look, Ticks now, PacketSink& out) {
  if (look.reference == SessionTable::kNoReference) return false;
  const FlowRef flow = SessionTable::flow_of(look.reference);
  const PlainHeaders& h = look.headers;
  Session& session = look.shard->table().at(flow.slot);
  if (!session.matches_plain(flow.direction, h.source, h.destination, h.source_port, h.destination_port, h.protocol)) {
    return false;
  }
  const bool from_initiator_side = look.binding->inside != session.initiated_outside;
  if (from_initiator_side != (flow.direction == Direction::initiator)) return false;
  if (session.service_set != look.binding->service_set) return false;
  // Of the screen's checks only those of TCP can find something in a plain packet.
  if (look.binding->screened && h.protocol == ip_protocol::tcp) [[unlikely]]
    return false;
  if (h.protocol == ip_protocol::tcp &&
      !TcpTracker::follow_established(session, flow.direction, packet.data + detail::kPlainIp,
                                      h.length - detail::kPlainIp - h.tcp_header_length, look.shard->window_epoch())) {
    return false;
  }
  leaving_ = flow.slot;
  ++look.binding->service->counters.existing_accepts;
  Shard::touch(session, flow.direction, h.length, now);
  if (session.nat_type != NatType::none) {
    const Session::PlainEgress to = session.plain_egress(flow.direction);
    if (needs_ip_id_plain(packet.data) && to.source != h.source) {
      set_ip_id_plain(packet.data, look.shard->ip_ids().next(to.source, to.destination, h.protocol));
    }
    rewrite_plain(packet.data, h, to.source, to.destination, to.source_port, to.destination_port);
  }
  emit(packet, look.binding->other_unit, out);
  return true;
}

}  // namespace icr::node
