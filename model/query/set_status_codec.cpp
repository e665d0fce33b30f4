// How the status of a redundancy set travels.
#include "model/query/query_status_codec.h"
#include "model/query/system_codec.h"

namespace icr::query_codec {
namespace {

fbs::CountOfServiceSet to_row(const ServiceSetCount& count) {
  return {count.by_state[0], count.by_state[1], count.by_state[2], count.by_state[3], count.service_set, 0};
}

flatbuffers::Offset<fbs::PeerStatus> encode_peer(const std::optional<PeerStatus>& p, Builder& builder) {
  if (!p) return {};
  return fbs::CreatePeerStatus(builder, p->term, p->priority, p->heard_ago_ms, p->copying, p->copied_slots,
                               p->slots_to_copy, p->unacknowledged_records, p->unacknowledged_bytes, p->commit_number,
                               p->running_digest, p->commit_waits, p->copying_ms, p->compared_ranges, p->equal_ranges,
                               p->oldest_change_us);
}

constexpr std::uint8_t kUnknownRole = 0;
constexpr std::uint8_t kWarnedStandby = 4;

/// Returns the number by which replies name a role (query.fbs). A claiming member is named as a standby, which a former
/// release knows; a field of its own says that it claims.
std::uint8_t number_of(std::optional<Role> role, bool warned) {
  if (!role) return kUnknownRole;
  switch (*role) {
    case Role::initializing:
      return 1;
    case Role::master:
      return 2;
    case Role::standby:
    case Role::claiming:
      return warned ? kWarnedStandby : std::uint8_t{3};
  }
  return kUnknownRole;
}

/// Returns the role that `number` and `claiming` name, or nothing if the number is unknown.
std::optional<Role> role_of(std::uint8_t number, bool claiming) {
  switch (number) {
    case 1:
      return claiming ? Role::claiming : Role::initializing;
    case 2:
      return Role::master;
    case 3:
    case kWarnedStandby:
      return claiming ? Role::claiming : Role::standby;
    default:
      return std::nullopt;
  }
}

Vector<flatbuffers::Offset<fbs::RoleChange>> encode_history(const std::vector<RoleChange>& history, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::RoleChange>> rows;
  for (const auto& change : history) {
    const auto reason = builder.CreateString(change.reason);
    const unsigned claiming = (change.from == Role::claiming ? 1U : 0U) | (change.to == Role::claiming ? 2U : 0U);
    rows.push_back(fbs::CreateRoleChange(builder, change.ago_ms, number_of(change.from, false),
                                         number_of(change.to, false), change.term, reason,
                                         static_cast<std::uint8_t>(claiming)));
  }
  return builder.CreateVector(rows);
}

Result<std::vector<RoleChange>> decode_history(const Rows<fbs::RoleChange>* rows) {
  std::vector<RoleChange> out;
  if (rows == nullptr) return out;
  if (rows->size() > kMaxRoleChanges) return fail("{} role changes", rows->size());
  for (const auto* row : *rows) {
    const auto from = role_of(row->from(), (row->claiming() & 1U) != 0);
    const auto to = role_of(row->to(), (row->claiming() & 2U) != 0);
    if (!from || !to) return fail("role in a history out of range");
    out.push_back({row->ago_ms(), *from, *to, row->term(), printable(row->reason())});
  }
  return out;
}

}  // namespace

flatbuffers::Offset<fbs::Detector> encode_detector(const SilenceStatus& d, Builder& builder) {
  const auto state = builder.CreateString(d.state);
  const auto probe = builder.CreateString(d.probe);
  return fbs::CreateDetector(builder, d.floor, d.limit, d.threshold, d.silence, d.own_late, d.peer_late, d.peer_says,
                             d.avoided, d.probes_sent, d.probes_answered, state, probe);
}

SilenceStatus decode_detector(const fbs::Detector& in) {
  return {in.floor(),       in.limit(),           in.threshold(),        in.silence(),
          in.own_late(),    in.peer_late(),       in.peer_says(),        in.avoided(),
          in.probes_sent(), in.probes_answered(), printable(in.state()), printable(in.witness())};
}

Vector<const fbs::CountOfServiceSet*> encode_counts(const std::vector<ServiceSetCount>& counts, Builder& builder) {
  std::vector<fbs::CountOfServiceSet> rows;
  rows.reserve(counts.size());
  for (const auto& count : counts) rows.push_back(to_row(count));
  return builder.CreateVectorOfStructs(rows);
}

Result<std::vector<ServiceSetCount>> decode_counts(const Structs<fbs::CountOfServiceSet>* rows) {
  std::vector<ServiceSetCount> out;
  if (auto sound = check_rows(rows, kMaxServiceSets, "counts"); !sound) return tl::unexpected(sound.error());
  if (rows == nullptr) return out;
  for (const auto* row : *rows) {
    out.push_back({row->service_set(), {row->valid(), row->invalid(), row->pending(), row->other()}});
  }
  return out;
}

Vector<const fbs::InterChassisPath*> encode_paths(const std::vector<PathStatus>& paths, Builder& builder) {
  std::vector<fbs::InterChassisPath> rows;
  rows.reserve(paths.size());
  for (const auto& path : paths) {
    rows.emplace_back(to_address16(path.local), to_address16(path.remote), static_cast<std::uint8_t>(path.state),
                      path.active);
  }
  return builder.CreateVectorOfStructs(rows);
}

Result<std::vector<PathStatus>> decode_paths(const Structs<fbs::InterChassisPath>* rows) {
  std::vector<PathStatus> out;
  if (auto sound = check_rows(rows, kMaxPaths, "paths"); !sound) return tl::unexpected(sound.error());
  if (rows == nullptr) return out;
  for (const auto* row : *rows) {
    if (row->state() >= enum_end<PathState>()) return fail("state of an inter-chassis path out of range");
    out.push_back(
        {*to_address(&row->local()), *to_address(&row->remote()), static_cast<PathState>(row->state()), row->active()});
  }
  return out;
}

flatbuffers::Offset<fbs::SetStatus> encode_status(const SetStatus& status, Builder& builder) {
  const auto reason = builder.CreateString(status.reason);
  const auto service_sets = encode_counts(status.service_sets, builder);
  const auto counters = encode_counters(status.counters, builder);
  const auto scheduling = builder.CreateString(status.scheduling);
  const auto health = builder.CreateString(status.health_reasons);
  const auto peer_health = builder.CreateString(status.peer_health_reasons);
  const auto detector = encode_detector(status.detector, builder);
  const auto peer = encode_peer(status.peer, builder);
  const auto history = encode_history(status.history, builder);
  const auto paths = encode_paths(status.paths, builder);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<fbs::Alarm>>> alarms;
  if (status.alarms) alarms = encode_alarms(*status.alarms, builder);
  const auto awaited =
      status.awaited.empty() ? flatbuffers::Offset<flatbuffers::String>{} : builder.CreateString(status.awaited);
  return fbs::CreateSetStatus(
      builder, number_of(status.role, status.warned), number_of(status.peer_role, status.peer_warned), status.connected,
      static_cast<std::uint8_t>(status.sync), status.term, reason, status.reason_age_s, status.sessions,
      status.sent_sequence, status.acknowledged_sequence, status.applied_sequence, status.pending, status.digest,
      counters, scheduling, status.health_weight, health, status.peer_health_weight, peer_health, detector,
      status.priority, peer, history, status.set_id, service_sets, status.claimed_term, awaited,
      status.peer_role == Role::claiming, status.handing_over, paths, status.drained, alarms);
}

Result<SetStatus> decode_status(const fbs::SetStatus& in) {
  SetStatus out;
  const auto role = role_of(in.role(), in.claimed_term() != 0);
  const auto peer_role = role_of(in.peer_role(), in.peer_claiming());
  if (!role || (!peer_role && in.peer_role() != kUnknownRole) || in.sync() >= enum_end<Sync>()) {
    return fail("role or synchronisation state of redundancy set {} out of range", text_of_id(in.set_id()));
  }
  auto counts = decode_counts(in.counts());
  if (!counts) return tl::unexpected(counts.error());
  auto history = decode_history(in.history());
  if (!history) return tl::unexpected(history.error());
  out.history = std::move(*history);
  auto paths = decode_paths(in.paths());
  if (!paths) return tl::unexpected(paths.error());
  out.paths = std::move(*paths);
  if (in.alarms() != nullptr) {
    auto alarms = decode_alarms(*in.alarms());
    if (!alarms) return tl::unexpected(alarms.error());
    out.alarms = std::move(*alarms);
  }
  out.priority = in.priority();
  out.handing_over = in.handing_over();
  out.drained = in.drained();
  if (const auto* p = in.peer()) {
    out.peer = PeerStatus{p->term(),
                          p->priority(),
                          p->heard_ago_ms(),
                          p->copying(),
                          p->copied_slots(),
                          p->slots_to_copy(),
                          p->unacknowledged_records(),
                          p->unacknowledged_bytes(),
                          p->commit_number(),
                          p->running_digest(),
                          p->commit_waits(),
                          p->copying_ms(),
                          p->compared_ranges(),
                          p->equal_ranges(),
                          p->oldest_change_us()};
  }
  out.set_id = in.set_id();
  out.role = *role;
  out.claimed_term = in.claimed_term();
  out.awaited = printable(in.awaited());
  out.warned = in.role() == kWarnedStandby;
  out.peer_role = peer_role;
  out.peer_warned = in.peer_role() == kWarnedStandby;
  out.connected = in.connected();
  out.sync = static_cast<Sync>(in.sync());
  out.term = in.term();
  out.reason = printable(in.reason());
  out.reason_age_s = in.reason_age_s();
  out.sessions = in.sessions();
  out.service_sets = std::move(*counts);
  out.sent_sequence = in.sent_sequence();
  out.acknowledged_sequence = in.acknowledged_sequence();
  out.applied_sequence = in.applied_sequence();
  out.pending = in.pending();
  out.digest = in.digest();
  out.counters = decode_counters(in.counters());
  out.scheduling = printable(in.scheduling());
  out.health_weight = in.health_weight();
  out.health_reasons = printable(in.health_reasons());
  out.peer_health_weight = in.peer_health_weight();
  out.peer_health_reasons = printable(in.peer_health_reasons());
  if (in.detector() != nullptr) out.detector = decode_detector(*in.detector());
  return out;
}

}  // namespace icr::query_codec
