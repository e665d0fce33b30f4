// What a peer or a checkpoint says of sessions: the sink side of a shard, and its source side.
#include <algorithm>
#include <unordered_map>

#include "node/flow/shard.h"

namespace icr::node {
void ShardCounters::append_to(CounterList& out) const {
  out.push_back({"twin-sessions-created", applied_created});
  out.push_back({"twin-sessions-updated", applied_updated});
  out.push_back({"twin-sessions-unchanged", applied_unchanged});
  out.push_back({"twin-sessions-deleted", applied_deleted});
  out.push_back({"twin-sessions-displaced", displaced});
  out.push_back({"twin-sessions-swept", swept});
  out.push_back({"twin-refused-slot", refused_slot});
  out.push_back({"twin-refused-service-set", refused_service});
  out.push_back({"twin-refused-index-full", refused_index});
  out.push_back({"twin-contested-ports-resolved", contested_resolved});
  out.push_back({"sessions-expired", expired});
  out.push_back({"sessions-ended-by-policy-rematch", rematched});
  out.push_back({"sessions-ended-by-drain-time", drained});
  out.push_back({"sessions-ended-below-replication-threshold", never_told});
}

bool Shard::read(std::uint32_t slot, TimePoint now, SessionRecord& out) const {
  if (slot >= table_.capacity()) {
    const bool live = nat_.read(slot - table_.capacity(), ticks_of(now), out);
    out.ref.slot = slot;
    return live;
  }
  if (slot >= table_.high_water()) {
    // A cursor on its way to the bindings: memory that was never used stays untouched.
    out.ref = {slot, 0};
    return false;
  }
  const Session& s = table_.at(slot);
  out.ref = {slot, s.generation};
  if (!s.live) return false;
  out.kind = RecordKind::session;
  const Ticks at = ticks_of(now);
  out.version = s.version;
  out.flow[0] = s.initiator();
  out.flow[1] = s.responder();
  out.tcp_state = s.tcp_state;
  out.nat_type = s.nat_type;
  out.flag = s.flag;
  out.alg = s.alg;
  out.initiated_outside = s.initiated_outside;
  out.hairpin = s.hairpin;
  out.asymmetric = s.asymmetric;
  const Service& of = *service(s.service_set);
  out.service_set = of.id;
  out.policy = of.policy.id_of(s.policy);
  out.nat_pool = nat_.id_of_pool(s.nat_pool);
  out.timeout_s = s.timeout_s();
  out.idle = at - s.last_activity;
  out.age = at - s.created;
  out.lifetime_s = of.config->timeouts.session_s;
  out.has_tcp = s.protocol() == ip_protocol::tcp;
  out.tcp = {s.windows[0], s.windows[1]};
  out.has_counters = true;
  out.counters = {s.counters(Direction::initiator), s.counters(Direction::responder)};
  return true;
}

void Shard::digests(std::uint32_t first, std::uint32_t range_slots, std::span<std::uint64_t> out) const {
  const bool any_withheld = withheld() != 0;
  std::size_t slot = std::min<std::size_t>(first, digest_words_.size());
  for (std::uint64_t& sum : out) {
    sum = 0;
    const std::size_t end = std::min(slot + range_slots, digest_words_.size());
    for (; slot < end; ++slot) {
      if (!any_withheld || !is_withheld(static_cast<std::uint32_t>(slot))) sum += digest_words_[slot];
    }
  }
}

bool Shard::used_within(std::uint32_t slot, TimePoint now, Ticks span) const {
  if (slot >= table_.capacity()) return SessionSource::used_within(slot, now, span);
  const Session& session = table_.at(slot);
  return session.live && ticks_of(now) - session.last_activity <= span;
}

void Shard::twin_changed(std::uint32_t slot) {
  digest_slot(slot);
  observed(slot, Change::state);
}

void Shard::begin_pass(TimePoint /*now*/) {
  ++pass_;
  nat_.begin_pass();
}

std::optional<std::uint16_t> Shard::service_of(StableId id) const {
  const auto index = cluster_->service_set_ids.find(id);
  return index && service(*index) != nullptr ? index : std::nullopt;
}

std::uint32_t Shard::sessions_with(StableId service_set) const {
  const auto index = service_of(service_set);
  return index ? sessions_of(*index) : 0;
}

std::optional<NatSession> Shard::nat_view(const SessionRecord& r) const {
  const auto of = service_of(r.service_set);
  const auto pool = nat_.pool_with_id(r.nat_pool);
  if (!of || !pool) return std::nullopt;
  return NatSession{r.flow[0], r.flow[1], r.nat_type, *pool, *of, r.initiated_outside};
}

std::optional<NatSession> Shard::plausible(const SessionRecord& r) const {
  const bool tcp_fits = r.has_tcp == (r.protocol() == ip_protocol::tcp) &&
                        (r.tcp_state != TcpState::none) == (r.protocol() == ip_protocol::tcp);
  const bool sound = tcp_fits && r.timeout_s != 0 && r.timeout_s <= kNeverSeconds && r.lifetime_s <= kNeverSeconds &&
                     !(r.flow[0] == r.flow[0].mirrored());
  const auto view = sound ? nat_view(r) : std::nullopt;
  return view && nat_.consistent(*view) ? view : std::nullopt;
}

std::optional<NatSession> Shard::acceptable(const SessionRecord& r) {
  if (r.ref.slot >= table_.capacity()) {
    ++counters_.refused_slot;
    return std::nullopt;
  }
  auto view = plausible(r);
  if (!view) ++counters_.refused_service;
  return view;
}

void Shard::bring(Session& session, const SessionRecord& r, Ticks at) const {
  session.tcp_state = r.tcp_state;
  session.flag = r.flag;
  session.alg = r.alg;
  session.hairpin = r.hairpin;
  session.asymmetric = r.asymmetric;
  // A term that is not here any more leaves the session without one; it lives on.
  session.policy = service(session.service_set)->policy.policy_with_id(r.policy);
  session.set_timeout_s(r.timeout_s);
  session.last_activity = at - std::min(r.idle, kLongestAge);
  session.told(at);
  session.created = at - std::min(r.age, kLongestAge);
  session.window_epoch = 0;
  session.reset_by = ResetBy::unknown;
  if (r.has_tcp) {
    session.windows[0] = r.tcp[0];
    session.windows[1] = r.tcp[1];
  }
  if (r.has_counters) {
    session.set_counters(Direction::initiator, r.counters[0]);
    session.set_counters(Direction::responder, r.counters[1]);
  }
}

Applied Shard::apply(const SessionRecord& r, TimePoint now) {
  if (r.kind != RecordKind::session) {
    if (r.ref.slot >= table_.capacity()) return nat_.apply(r.ref.slot - table_.capacity(), r, ticks_of(now));
    ++counters_.refused_slot;
    return Applied::refused;
  }
  const auto view = acceptable(r);
  if (!view) return Applied::refused;
  const std::uint32_t slot = r.ref.slot;
  Session& session = table_.at(slot);
  const bool same_keys = session.initiator() == r.flow[0] && session.responder() == r.flow[1];
  if (session.pass == pass_) {
    const bool older = r.ref.generation < session.generation;
    const bool buried = r.ref.generation == session.generation && !session.live && session.generation != 0;
    const bool stale =
        r.ref.generation == session.generation && session.live && same_keys && r.version < session.version;
    if (older || buried || stale) {
      ++counters_.applied_unchanged;
      return Applied::unchanged;
    }
  }
  const bool update = session.live && same_keys && session.generation == r.ref.generation &&
                      session.service_set == view->service_set && session.nat_pool == view->pool &&
                      session.nat_type == r.nat_type && session.initiated_outside == r.initiated_outside;
  const bool replaced = session.live && !update;
  if (replaced) unlink(slot);
  if (!update) {
    if (!replaced) table_.claim(slot);
    // The session is live at the master, so any local session with the same flow keys must already be dead there:
    // displace it.
    for (const FlowKey& key : r.flow) {
      if (const auto other = table_.find(view->service_set, key); other && other->slot != slot) {
        unlink(other->slot);
        table_.release(other->slot);
        ++counters_.displaced;
        twin_changed(other->slot);
      }
    }
    const Session before = session;
    session = Session{};
    session.service_set = view->service_set;
    session.set_keys(r.flow[0], r.flow[1]);
    if (!table_.insert(slot)) {
      session.generation = before.generation;
      session.pass = before.pass;
      table_.release(slot);
      ++counters_.refused_index;
      if (replaced) twin_changed(slot);
      return Applied::refused;
    }
    count_session(session, 1);
    session.nat_pool = view->pool;
    session.nat_type = r.nat_type;
    session.initiated_outside = r.initiated_outside;
    nat_.hold(nat_view(session), false, ticks_of(now));
  }
  // Counters come every second. The disk need not know them so soon.
  const bool only_refreshed = update && session.version == r.version;
  session.generation = r.ref.generation;
  session.version = r.version;
  session.pass = pass_;
  bring(session, r, ticks_of(now));
  if (only_refreshed) {
    observed(slot, Change::refresh);
  } else {
    twin_changed(slot);
  }
  ++(update ? counters_.applied_updated : counters_.applied_created);
  return update ? Applied::updated : Applied::created;
}

Applied Shard::erase(SessionRef dead, TimePoint now) {
  if (dead.slot >= table_.capacity()) return nat_.erase(dead.slot - table_.capacity(), dead.generation, ticks_of(now));
  Session& session = table_.at(dead.slot);
  if (session.pass == pass_ && dead.generation < session.generation) {
    ++counters_.applied_unchanged;
    return Applied::unchanged;
  }
  const bool was_live = session.live;
  if (was_live) {
    unlink(dead.slot);
    ++counters_.applied_deleted;
  } else {
    // An empty slot counts as used from now on: cursors must visit it, because its generation is the tombstone.
    table_.claim(dead.slot);
    ++counters_.applied_unchanged;
  }
  table_.release(dead.slot);
  session.generation = dead.generation;
  session.pass = pass_;
  twin_changed(dead.slot);
  return was_live ? Applied::deleted : Applied::unchanged;
}

void Shard::keep(std::uint32_t first, std::uint32_t count) {
  const std::uint64_t last = std::uint64_t{first} + count;
  const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(last, capacity()));
  std::uint32_t slot = first;
  for (const std::uint32_t sessions_end = std::min(end, table_.high_water()); slot < sessions_end; ++slot) {
    // The slot of a session has a word, and no other slot has one. Reading it saves a miss for each empty slot.
    if (digest_words_[slot] != 0 && !is_withheld(slot)) table_.at(slot).pass = pass_;
  }
  for (slot = std::max(slot, table_.capacity()); slot < end; ++slot) nat_.keep(slot - table_.capacity());
}

std::uint32_t Shard::end_pass(TimePoint now) {
  std::uint32_t removed = 0;
  for (std::uint32_t slot = 0; slot < table_.high_water(); ++slot) {
    Session& session = table_.at(slot);
    if (!session.live || session.pass == pass_) continue;
    unlink(slot);
    table_.release(slot);
    twin_changed(slot);
    ++removed;
  }
  counters_.swept += removed;
  return removed + nat_.end_pass(ticks_of(now));
}

void Shard::resolve_contested() {
  const Ticks now = activated_;
  if (nat_.must_reconcile()) {
    // Rare: a takeover amid changes of bindings, or amid a copy.
    for (std::uint32_t slot = 0; slot < table_.high_water(); ++slot) {
      const Session& session = table_.at(slot);
      if (!session.live || nat_.reconcile(nat_view(session), now)) continue;
      remove(slot);
      ++counters_.contested_resolved;
    }
    nat_.finish_reconcile(now);
  }
  if (!nat_.contested()) return;
  // Rare: a takeover between the record of a new owner of a port and the tombstone of the old one. The younger session
  // is the one that the old master allocated last; the other was dead already.
  struct Owner {
    std::uint32_t slot;
    Ticks created;
  };
  std::unordered_map<std::uint64_t, Owner> owners;
  for (std::uint32_t slot = 0; slot < table_.high_water(); ++slot) {
    const Session& session = table_.at(slot);
    if (!session.live) continue;
    const auto port = nat_.owned_port(nat_view(session));
    if (!port) continue;
    const auto [found, fresh] = owners.try_emplace(*port, Owner{slot, session.created});
    if (fresh) continue;
    const bool younger = static_cast<std::int32_t>(session.created - found->second.created) >= 0;
    const std::uint32_t loser = younger ? found->second.slot : slot;
    if (younger) found->second = Owner{slot, session.created};
    remove(loser);
    ++counters_.contested_resolved;
  }
}

}  // namespace icr::node
