#include "node/set/set_view.h"

#include <algorithm>
#include <iterator>

namespace icr::node {
namespace {

bool same_pool(const NatPoolStatus& a, const NatPoolStatus& b) {
  return a.service_set == b.service_set && a.pool == b.pool;
}

std::uint64_t micros(Duration time) { return static_cast<std::uint64_t>(time / 1us); }

std::uint64_t millis(Duration time) { return static_cast<std::uint64_t>(std::max<Duration>(time, 0ms) / 1ms); }

PeerStatus peer_of(const MemberStatus& member, TimePoint now) {
  PeerStatus out{
      member.peer_term,    member.peer_priority, millis(now - member.peer_heard_at), member.copying,
      member.copied_slots, member.slots_to_copy, member.unacknowledged_records,      member.unacknowledged_bytes};
  out.commit_number = member.peer_commit.number;
  out.running_digest = member.peer_commit.running;
  out.commit_waits = member.peer_commit.waits;
  return out;
}

SilenceStatus silence_of(const MemberStatus& member) {
  const DetectorStatus& d = member.detector;
  SilenceStatus out{micros(d.floor),    micros(d.limit),     micros(d.threshold), micros(d.silence),
                    micros(d.own_late), micros(d.peer_late), micros(d.peer_says), d.avoided,
                    d.probes_sent,      d.probes_answered,   "hears the peer",    std::string(to_string(d.witness))};
  if (!member.peer_present) {
    out.state = "peer is lost";
  } else if (d.silence > d.floor) {
    out.state = "peer is silent, its silence is borne";
  }
  return out;
}

}  // namespace

SetView::SetView(SetShell& shell) : shell_(shell), core_(shell.core()) {}

void SetView::status(TimePoint now, SetStatus& out) const {
  const MemberStatus member = core_.member().status();
  out.set_id = core_.config().stable_id;
  out.role = member.role;
  out.warned = member.warnings != 0;
  out.claimed_term = member.claimed_term;
  out.awaited = core_.awaited();
  if (member.peer_present) {
    out.peer_role = member.peer_role;
    out.peer_warned = member.peer_warnings != 0;
  }
  out.connected = member.connected && member.peer_present;
  // The operator asks a master how its standby's copy is, and a standby how its own is.
  out.sync = member.role == Role::master && member.peer_present ? member.peer_sync : member.sync;
  out.term = member.term;
  out.reason = member.reason;
  if (!member.configuration_difference.empty()) {
    out.reason += "; the cluster file differs from that of the peer: " + member.configuration_difference;
  }
  if (member.merging) out.reason += "; merging: what it set up as master goes to the master first";
  if (!shell_.steering_warning().empty()) out.reason += "; " + shell_.steering_warning();
  out.reason_age_s =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - member.changed_at).count());
  out.sessions = shard().sessions();
  for (const std::uint16_t index : core_.config().service_sets) {
    ServiceSetCount count;
    count.service_set = core_.cluster().service_sets[index].stable_id;
    count.by_state[static_cast<std::size_t>(SessionState::valid)] = shard().sessions_of(index);
    out.service_sets.push_back(count);
  }
  if (member.role == Role::master) {
    out.sent_sequence = member.sent;
    out.acknowledged_sequence = member.acknowledged;
  } else {
    out.applied_sequence = member.acknowledged;
  }
  out.pending = member.pending_state;
  out.health_weight = member.health.weight;
  out.health_reasons = member.health.reasons;
  out.peer_health_weight = member.peer_health.weight;
  out.peer_health_reasons = member.peer_health.reasons;
  if (!core_.config().stand_alone()) out.detector = silence_of(member);
  out.priority = member.priority;
  out.handing_over = member.handing_over;
  if (member.peer_heard_at != TimePoint()) out.peer = peer_of(member, now);
  for (const RoleTransition& t : core_.history().entries()) {
    out.history.push_back({millis(now - t.at), t.from, t.to, t.term, t.reason});
  }
  out.digest = shard().digest();
  append_to(out.counters);
  out.scheduling = scheduling_;
}

bool SetView::remove(std::uint32_t slot, TimePoint /*now*/) {
  if (!shard().table().at(slot).live) return false;
  shard().remove(slot);
  ++cleared_;
  return true;
}

Result<std::string> SetView::switchover(TimePoint now) {
  if (auto begun = core_.request_switchover(now); !begun) return tl::unexpected(begun.error());
  return fmt::format("redundancy-set {}: switchover begun", core_.config().name);
}

std::uint32_t SetView::scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                            SessionVisitor& visitor) const {
  const SessionTable& table = shard().table();
  // Above the sessions there are bindings, which a scan for sessions passes over.
  const std::uint32_t last = std::min(end, table.high_water());
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < last; ++slot) {
    const Session& session = table.at(slot);
    // Most sessions are rejected on the line that is in the cache, without a record being made.
    if (!session.live || !filter.admits(session.initiator())) continue;
    if (shard().read(slot, now, record) && filter.matches(record) && !visitor.visit(record)) return slot + 1;
  }
  return std::max(begin, end);
}

BindingUse SetView::use_of(std::uint32_t slot) const {
  BindingUse use = shard().nat().users_of(slot - first_binding());
  use.slot = slot;
  return use;
}

bool SetView::holds_binding(const SessionRecord& holder, const SessionFilter& filter, std::uint8_t kinds) const {
  if (holder.kind == RecordKind::mapping) return shard().nat().holds(holder.binding, filter, kinds);
  const auto nat = shard().nat_view(holder);
  return nat && shard().nat().holds(*nat, filter, kinds);
}

bool SetView::remove_binding(std::uint32_t slot, TimePoint now) {
  if (!shard().remove_binding(slot, now)) return false;
  ++bindings_cleared_;
  return true;
}

void SetView::nat_pools(std::vector<NatPoolStatus>& out) const {
  shard().nat().append_status(out);
  for (auto& pool : out) {
    const auto before = std::find_if(cleared_pools_.begin(), cleared_pools_.end(),
                                     [&](const NatPoolStatus& each) { return same_pool(each, pool); });
    if (before == cleared_pools_.end()) continue;
    pool.subtract(*before);
  }
}

void SetView::clear_nat_statistics(StableId service_set) {
  std::vector<NatPoolStatus> now;
  shard().nat().append_status(now);
  cleared_pools_.erase(std::remove_if(cleared_pools_.begin(), cleared_pools_.end(),
                                      [&](const NatPoolStatus& each) { return each.service_set == service_set; }),
                       cleared_pools_.end());
  std::copy_if(now.begin(), now.end(), std::back_inserter(cleared_pools_),
               [&](const NatPoolStatus& each) { return each.service_set == service_set; });
}

std::uint32_t SetView::deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const {
  const DeterministicQuestion question{request.host, request.translated, request.port, request.cursor, kPageSessions};
  return shard().nat().append_deterministic(request.filter, question, out);
}

void SetView::append_to(CounterList& out) const {
  out.push_back({"sessions-cleared", cleared_});
  out.push_back({"bindings-cleared", bindings_cleared_});
  core_.append_to(out);
  shell_.append_to(out);
}

}  // namespace icr::node
