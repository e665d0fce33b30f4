// Packets that leave only when the peer knows what they changed (docs/replication.md, Guarantees).
#include "node/flow/engine.h"

namespace icr::node {
namespace {

/// A packet grows by at most this much on its way through the engine (node/packet/packet.h).
constexpr std::uint32_t kGrowth = kPacketHeadroom;

bool stops_without_peer(Guarantee guarantee, const ServiceSet& config) {
  return guarantee == Guarantee::output_commit && config.without_peer == WithoutPeer::stop;
}

}  // namespace

void Engine::process_guarded(std::span<Packet> part, TimePoint now, PacketSink& out) {
  const Ticks at = Shard::ticks_of(now);
  gate_.out = &out;
  gate_.now = now;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const Look& look = looks_[i];
    if (look.binding == nullptr) continue;
    const bool guarded = look.binding->guarded && look.shard->active();
    PacketSink& sink = guarded ? gate_ : out;
    if (guarded) {
      const PeerCopy* const peer = look.shard->peer_copy();
      gate_.binding = look.binding;
      gate_.change_before = peer == nullptr ? 0 : peer->last_change();
      gate_.created_before = counters_.sessions_created;
    }
    leaving_ = kNoSlot;
    if (awaiting_) [[unlikely]] {
      handle_awaiting(part[i], look, staged_[i], at, sink);
      continue;
    }
    if (look.plain) {
      if (forward_plain(part[i], look, at, sink)) continue;
      unfold(part[i], look, staged_[i]);
    }
    handle(part[i], staged_[i], at, sink);
  }
}

Drop Engine::refuse_change(const UnitBinding& binding, Guarantee guarantee, std::uint32_t length) const {
  if (guarantee == Guarantee::asynchronous) return Drop::count;
  const PeerCopy* const peer = shards_[binding.shard]->peer_copy();
  if (peer == nullptr || !peer->complete()) {
    return stops_without_peer(guarantee, *binding.service->config) ? Drop::commit_no_peer : Drop::count;
  }
  return held_->has_room(length + kGrowth) ? Drop::count : Drop::commit_buffer_full;
}

void Engine::guard(const Packet& packet) {
  if (leaving_ == kNoSlot) return gate_.out->send(packet);
  const UnitBinding& binding = *gate_.binding;
  const ServiceSet& config = *binding.service->config;
  Shard& shard = *shards_[binding.shard];
  PeerCopy* const peer = shard.peer_copy();
  const std::uint64_t change = peer == nullptr ? 0 : peer->last_change();
  const bool changed = change != gate_.change_before;
  const HeldPackets::Owner owner{binding.shard, {leaving_, shard.table().at(leaving_).generation}};
  const bool behind = held_->holds(owner);
  const bool complete = peer != nullptr && peer->complete();
  if (!behind) {
    const bool known = complete && !changed && (peer->acknowledged_changes() == change || peer->has_newest(leaving_));
    if (known) return gate_.out->send(packet);
  }
  const Guarantee guarantee = shard.guarantee_of(shard.table().at(leaving_));
  if (!behind) {
    if (guarantee == Guarantee::asynchronous) return gate_.out->send(packet);
    if (!complete) {
      counters_.left_alone += changed ? 1U : 0U;
      return gate_.out->send(packet);
    }
  }
  // It does not leave now, as emit() has counted.
  --counters_.packets_out;
  if (!held_->has_room(packet.length)) return drop(binding, Drop::commit_buffer_full);
  ++counters_.waits_for_peer;
  if (behind && !changed) return held_->add_behind(packet, owner);
  HeldPackets::Head head{owner, change, TimePoint::max(), static_cast<std::uint16_t>(&binding - bindings_.data()),
                         counters_.sessions_created != gate_.created_before};
  if (guarantee == Guarantee::semi_synchronous) head.until = gate_.now + config.guarantee_limit_ms * 1ms;
  held_->add(packet, head);
  peer->await(change);
}

void Engine::release(TimePoint now, PacketSink& out) {
  if (!holds_packets()) return;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = *shards_[i];
    const PeerCopy* const peer = shard.peer_copy();
    const bool acts = shard.acts(now);
    const bool complete = peer != nullptr && peer->complete();
    const std::uint64_t acknowledged = peer == nullptr ? 0 : peer->acknowledged_changes();
    const auto judge = [&](const HeldPackets::Head& head) {
      using enum HeldPackets::Verdict;
      if (!acts) return dropped;
      if (head.change <= acknowledged) return leaves;
      const ServiceSet& config = *bindings_[head.binding].service->config;
      // A session that has ended since keeps the guarantee of its service set.
      const Session& session = shard.table().at(head.owner.session.slot);
      const bool lives = session.live && session.generation == head.owner.session.generation;
      const Guarantee guarantee = lives ? shard.guarantee_of(session) : config.guarantee;
      if (!complete) return stops_without_peer(guarantee, config) ? dropped : leaves;
      return now >= head.until || guarantee == Guarantee::asynchronous ? leaves : waits;
    };
    const auto leave = [&](const HeldPackets::Head& head, HeldPackets::Verdict verdict, const Packet& packet) {
      if (verdict == HeldPackets::Verdict::dropped) {
        drop(bindings_[head.binding], acts ? Drop::commit_no_peer : Drop::commit_not_master);
        // Nobody has heard of a session whose first packet did not leave, so nobody may use it.
        const SessionRef& ref = head.owner.session;
        const Session& session = shard.table().at(ref.slot);
        if (acts && head.opens && session.live && session.generation == ref.generation) shard.remove(ref.slot);
        return;
      }
      if (head.change > acknowledged) ++(complete ? counters_.left_late : counters_.left_alone);
      ++counters_.packets_out;
      out.send(packet);
    };
    held_->review(static_cast<std::uint16_t>(i), judge, leave);
  }
}

}  // namespace icr::node
