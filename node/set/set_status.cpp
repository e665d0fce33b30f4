#include "node/set/set_status.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "node/set/silence.h"

namespace icr::node {
namespace {

std::uint64_t millis(Duration time) { return static_cast<std::uint64_t>(std::max<Duration>(time, 0ms) / 1ms); }

PeerStatus peer_of(const MemberStatus& member, TimePoint now) {
  PeerStatus out{
      member.peer_term,    member.peer_priority, millis(now - member.peer_heard_at), member.copying,
      member.copied_slots, member.slots_to_copy, member.unacknowledged_records,      member.unacknowledged_bytes};
  out.commit_number = member.peer_commit.number;
  out.running_digest = member.peer_commit.running;
  out.commit_waits = member.peer_commit.waits;
  out.copying_ms = millis(member.copying_for);
  out.compared_ranges = member.compared.compared;
  out.equal_ranges = member.compared.equal;
  out.oldest_change_us = member.oldest_change_us;
  return out;
}

}  // namespace

void describe(const SetCore& core, TimePoint now, SetStatus& out) {
  const MemberStatus member = core.member().status();
  out.set_id = core.config().stable_id;
  out.role = member.role;
  out.warned = member.warnings != 0;
  out.drained = core.drained();
  out.claimed_term = member.claimed_term;
  out.awaited = core.awaited();
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
  if (const std::string witness = core.witness(); !witness.empty()) {
    if (core.fenced()) out.reason += "; fenced: it acts when its peer promises not to, or with the key of the witness";
    out.reason += "; witness: " + witness;
  }
  if (member.merging) out.reason += "; merging: it first sends the master the sessions that it set up as master";
  out.reason_age_s =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - member.changed_at).count());
  out.sessions = core.shard().sessions();
  for (const std::uint16_t index : core.config().service_sets) {
    ServiceSetCount count;
    count.service_set = core.cluster().service_sets[index].stable_id;
    count.by_state[static_cast<std::size_t>(SessionState::valid)] = core.shard().sessions_of(index);
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
  if (!core.config().stand_alone()) out.detector = silence_of(member.detector, member.peer_present);
  out.priority = member.priority;
  out.handing_over = member.handing_over;
  if (member.peer_heard_at != TimePoint()) out.peer = peer_of(member, now);
  for (const RoleTransition& t : core.history().entries()) {
    out.history.push_back({millis(now - t.at), t.from, t.to, t.term, t.reason});
  }
  out.digest = core.shard().digest();
}

}  // namespace icr::node
