#include "model/query/query.h"

#include <algorithm>
#include <cstring>

#include "model/query/commit_codec.h"
#include "model/query/query_status_codec.h"

namespace icr {
namespace {

using namespace query_codec;

constexpr std::size_t kMaxSets = 64;
constexpr std::size_t kMaxTables = 32768;
constexpr std::size_t kMaxNames = 2 * kMaxServiceSets;

fbs::Address16 to_address16(const IpAddress& address) {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes.data(), 16);
  return {words[0], words[1]};
}

std::optional<IpAddress> to_address(const fbs::Address16* address) {
  if (address == nullptr) return std::nullopt;
  const std::uint64_t words[2] = {address->high(), address->low()};
  IpAddress out;
  std::memcpy(out.bytes.data(), words, 16);
  return out;
}

Result<std::optional<Prefix>> to_prefix(const fbs::Address16* in, std::uint8_t length) {
  const auto address = to_address(in);
  if (!address) return std::optional<Prefix>{};
  if (length > (address->is_v4() ? 32 : 128)) return fail("prefix length {} out of range", length);
  return std::optional<Prefix>{Prefix::of(*address, length)};
}

flatbuffers::Offset<fbs::QueryFilter> encode_filter(const SessionFilter& filter,
                                                    flatbuffers::FlatBufferBuilder& builder) {
  flatbuffers::Offset<flatbuffers::Vector<StableId>> service_sets;
  if (!filter.service_sets.empty()) service_sets = builder.CreateVector(filter.service_sets);
  fbs::QueryFilterBuilder out(builder);
  if (filter.application_protocol) out.add_application_protocol(*filter.application_protocol);
  if (filter.protocol) out.add_protocol(*filter.protocol);
  if (filter.source_port) out.add_source_port(*filter.source_port);
  if (filter.destination_port) out.add_destination_port(*filter.destination_port);
  if (filter.source_prefix) {
    const auto base = to_address16(filter.source_prefix->base);
    out.add_source_prefix(&base);
    out.add_source_prefix_length(filter.source_prefix->length);
  }
  if (filter.destination_prefix) {
    const auto base = to_address16(filter.destination_prefix->base);
    out.add_destination_prefix(&base);
    out.add_destination_prefix_length(filter.destination_prefix->length);
  }
  out.add_service_set_ids(service_sets);
  out.add_translated(filter.translated);
  if (filter.nat_pool) out.add_pool_id(*filter.nat_pool);
  if (filter.xlated_prefix) {
    const auto base = to_address16(filter.xlated_prefix->base);
    out.add_xlated_prefix(&base);
    out.add_xlated_prefix_length(filter.xlated_prefix->length);
  }
  if (filter.xlated_port) out.add_xlated_port(*filter.xlated_port);
  return out.Finish();
}

template <class T>
std::optional<T> optional_of(const flatbuffers::Optional<T>& value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

Result<SessionFilter> decode_filter(const fbs::QueryFilter* in) {
  SessionFilter out;
  if (in == nullptr) return out;
  out.application_protocol = optional_of(in->application_protocol());
  if (out.application_protocol && *out.application_protocol >= application_protocols().size()) {
    return fail("application protocol {} out of range", *out.application_protocol);
  }
  out.protocol = optional_of(in->protocol());
  out.source_port = optional_of(in->source_port());
  out.destination_port = optional_of(in->destination_port());
  auto source = to_prefix(in->source_prefix(), in->source_prefix_length());
  if (!source) return tl::unexpected(source.error());
  auto destination = to_prefix(in->destination_prefix(), in->destination_prefix_length());
  if (!destination) return tl::unexpected(destination.error());
  auto xlated = to_prefix(in->xlated_prefix(), in->xlated_prefix_length());
  if (!xlated) return tl::unexpected(xlated.error());
  out.xlated_prefix = *xlated;
  out.xlated_port = optional_of(in->xlated_port());
  out.source_prefix = *source;
  out.destination_prefix = *destination;
  out.translated = in->translated();
  out.nat_pool = optional_of(in->pool_id());
  if (const auto* service_sets = in->service_set_ids(); service_sets != nullptr) {
    if (service_sets->size() > kMaxServiceSets) return fail("{} service sets", service_sets->size());
    for (unsigned i = 0; i < service_sets->size(); ++i) {
      StableId id = 0;  // it need not be aligned
      std::memcpy(&id, service_sets->Data() + i * sizeof(id), sizeof(id));
      out.service_sets.push_back(flatbuffers::EndianScalar(id));
    }
    std::sort(out.service_sets.begin(), out.service_sets.end());
  }
  return out;
}

fbs::CountOfServiceSet to_row(const ServiceSetCount& count) {
  return {count.by_state[0], count.by_state[1], count.by_state[2], count.by_state[3], count.service_set, 0};
}

flatbuffers::Offset<flatbuffers::Vector<const fbs::CountOfServiceSet*>> encode_counts(
    const std::vector<ServiceSetCount>& counts, flatbuffers::FlatBufferBuilder& builder) {
  std::vector<fbs::CountOfServiceSet> rows;
  rows.reserve(counts.size());
  for (const auto& count : counts) rows.push_back(to_row(count));
  return builder.CreateVectorOfStructs(rows);
}

using CountRows = flatbuffers::Vector<const fbs::CountOfServiceSet*>;

Result<std::vector<ServiceSetCount>> decode_counts(const CountRows* rows) {
  std::vector<ServiceSetCount> out;
  if (auto sound = check_rows(rows, kMaxServiceSets, "counts"); !sound) return tl::unexpected(sound.error());
  if (rows == nullptr) return out;
  for (const auto* row : *rows) {
    out.push_back({row->service_set(), {row->valid(), row->invalid(), row->pending(), row->other()}});
  }
  return out;
}

flatbuffers::Offset<fbs::Detector> encode_detector(const SilenceStatus& d, flatbuffers::FlatBufferBuilder& builder) {
  const auto state = builder.CreateString(d.state);
  const auto witness = builder.CreateString(d.witness);
  return fbs::CreateDetector(builder, d.floor, d.limit, d.threshold, d.silence, d.own_late, d.peer_late, d.peer_says,
                             d.avoided, d.probes_sent, d.probes_answered, state, witness);
}

SilenceStatus decode_detector(const fbs::Detector& in) {
  return {in.floor(),       in.limit(),           in.threshold(),        in.silence(),
          in.own_late(),    in.peer_late(),       in.peer_says(),        in.avoided(),
          in.probes_sent(), in.probes_answered(), printable(in.state()), printable(in.witness())};
}

flatbuffers::Offset<fbs::PeerStatus> encode_peer(const std::optional<PeerStatus>& p,
                                                 flatbuffers::FlatBufferBuilder& builder) {
  if (!p) return {};
  return fbs::CreatePeerStatus(builder, p->term, p->priority, p->heard_ago_ms, p->copying, p->copied_slots,
                               p->slots_to_copy, p->unacknowledged_records, p->unacknowledged_bytes, p->commit_number,
                               p->running_digest, p->commit_waits);
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

flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<fbs::RoleChange>>> encode_history(
    const std::vector<RoleChange>& history, flatbuffers::FlatBufferBuilder& builder) {
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

Result<std::vector<RoleChange>> decode_history(const flatbuffers::Vector<flatbuffers::Offset<fbs::RoleChange>>* rows) {
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

flatbuffers::Offset<fbs::SetStatus> encode_status(const SetStatus& status, flatbuffers::FlatBufferBuilder& builder) {
  const auto reason = builder.CreateString(status.reason);
  const auto service_sets = encode_counts(status.service_sets, builder);
  const auto counters = encode_counters(status.counters, builder);
  const auto scheduling = builder.CreateString(status.scheduling);
  const auto health = builder.CreateString(status.health_reasons);
  const auto peer_health = builder.CreateString(status.peer_health_reasons);
  const auto detector = encode_detector(status.detector, builder);
  const auto peer = encode_peer(status.peer, builder);
  const auto history = encode_history(status.history, builder);
  const auto awaited =
      status.awaited.empty() ? flatbuffers::Offset<flatbuffers::String>{} : builder.CreateString(status.awaited);
  return fbs::CreateSetStatus(
      builder, number_of(status.role, status.warned), number_of(status.peer_role, status.peer_warned), status.connected,
      static_cast<std::uint8_t>(status.sync), status.term, reason, status.reason_age_s, status.sessions,
      status.sent_sequence, status.acknowledged_sequence, status.applied_sequence, status.pending, status.digest,
      counters, scheduling, status.health_weight, health, status.peer_health_weight, peer_health, detector,
      status.priority, peer, history, status.set_id, service_sets, status.claimed_term, awaited,
      status.peer_role == Role::claiming, status.handing_over);
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
  out.priority = in.priority();
  out.handing_over = in.handing_over();
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
                          p->commit_waits()};
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

flatbuffers::Offset<fbs::CardUtilization> encode_utilization(const CardUtilization& in,
                                                             flatbuffers::FlatBufferBuilder& builder) {
  return fbs::CreateCardUtilization(builder, in.sessions, in.slots, in.setup_rate, in.setup_rate_limit, in.drop_rate,
                                    in.teardown_rate, in.cpu_permyriad);
}

CardUtilization decode_utilization(const fbs::CardUtilization* in) {
  if (in == nullptr) return {};
  return {in->sessions(),  in->slots(),         in->setup_rate(),   in->setup_rate_limit(),
          in->drop_rate(), in->teardown_rate(), in->cpu_permyriad()};
}

/// Takes a part that was decoded into the reply.
template <class T>
Result<void> take(Result<T> part, T& into) {
  if (!part) return tl::unexpected(part.error());
  into = std::move(*part);
  return {};
}

Result<void> decode_parts(const fbs::QueryReply& in, QueryReply& out) {
  if (auto sound = take(decode_pools(in.nat_pools()), out.nat_pools); !sound) return sound;
  if (auto sound = take(decode_uses(in.uses()), out.uses); !sound) return sound;
  if (auto sound = take(decode_deterministic(in.deterministic_blocks()), out.deterministic); !sound) return sound;
  if (auto sound = take(decode_statistics(in.statistics()), out.statistics); !sound) return sound;
  if (auto sound = take(decode_analysis(in.analysis()), out.analysis); !sound) return sound;
  if (auto sound = take(decode_usage(in.usage()), out.usage); !sound) return sound;
  if (auto sound = take(decode_live(in.live()), out.live); !sound) return sound;
  return take(decode_commit(in.commit()), out.commit);
}

Result<const fbs::QueryMessage*> verified(const void* data, std::size_t size, std::size_t max_bytes,
                                          std::vector<std::uint64_t>& scratch) {
  constexpr std::size_t kSmallestBuffer = 12;
  if (size < kSmallestBuffer || size > max_bytes) return fail("message of {} bytes", size);
  const std::uint8_t* bytes = aligned(data, size, scratch);
  flatbuffers::Verifier verifier(bytes, size, 8, kMaxTables);
  if (!fbs::VerifyQueryMessageBuffer(verifier)) return fail("not a query message");
  return fbs::GetQueryMessage(bytes);
}

}  // namespace

void CardUtilization::add(const CardUtilization& other) {
  sessions += other.sessions;
  slots += other.slots;
  setup_rate += other.setup_rate;
  setup_rate_limit += other.setup_rate_limit;
  drop_rate += other.drop_rate;
  teardown_rate += other.teardown_rate;
  cpu_permyriad += other.cpu_permyriad;
}

SessionState state_of(const SessionRecord& record) {
  const bool closed = record.tcp_state == TcpState::time_wait || record.tcp_state == TcpState::closed;
  return closed ? SessionState::invalid : SessionState::valid;
}

bool addresses_a_set(QueryKind kind) {
  switch (kind) {
    case QueryKind::status:
    case QueryKind::counters:
    case QueryKind::server_counters:
    case QueryKind::analysis:
    case QueryKind::usage:
    case QueryKind::clear_analysis:
    case QueryKind::commit:
      return false;
    default:
      return true;
  }
}

void RateHistogram::add(std::uint64_t per_second) {
  const auto bucket = std::find_if(kFrom.begin(), kFrom.end(), [&](std::uint32_t from) { return per_second >= from; });
  ++seconds[static_cast<std::size_t>(bucket - kFrom.begin())];
}

void RateHistogram::add(const RateHistogram& other) {
  for (std::size_t i = 0; i < seconds.size(); ++i) seconds[i] += other.seconds[i];
}

void LiveSessions::OfProtocol::add(const OfProtocol& other) {
  total += other.total;
  ipv4 += other.ipv4;
}

void LiveSessions::count(const SessionRecord& record) {
  const FlowKey& initiator = record.flow[0];
  const OfProtocol one{1, initiator.source.is_v4() ? std::uint64_t{1} : std::uint64_t{0}};
  all.add(one);
  if (initiator.protocol == ip_protocol::tcp) tcp.add(one);
  if (initiator.protocol == ip_protocol::udp) udp.add(one);
}

void LiveSessions::add(const LiveSessions& other) {
  all.add(other.all);
  tcp.add(other.tcp);
  udp.add(other.udp);
}

void CardAnalysis::add(const CardAnalysis& other) {
  peak_sessions += other.peak_sessions;
  peak_created_per_second += other.peak_created_per_second;
  peak_deleted_per_second += other.peak_deleted_per_second;
  packets_received += other.packets_received;
  packets_transmitted += other.packets_transmitted;
  slow_path_forward += other.slow_path_forward;
  slow_path_discard += other.slow_path_discard;
  samples += other.samples;
  created.add(other.created);
  deleted.add(other.deleted);
}

void encode_request(const QueryRequest& request, flatbuffers::FlatBufferBuilder& builder) {
  builder.Clear();
  const auto filter = encode_filter(request.filter, builder);
  flatbuffers::Offset<fbs::CommitRequest> commit;
  if (request.kind == QueryKind::commit) commit = encode_commit(request.commit, builder);
  fbs::QueryRequestBuilder out(builder);
  out.add_cluster_digest(request.cluster_digest);
  out.add_request_id(request.request_id);
  out.add_kind(static_cast<std::uint8_t>(request.kind));
  out.add_cluster_id(request.cluster_id);
  out.add_card_id(request.card_id);
  out.add_set_id(request.set_id);
  out.add_cursor(request.cursor);
  out.add_limit(request.limit);
  out.add_by_state(request.by_state);
  out.add_filter(filter);
  out.add_record_kinds(request.record_kinds);
  if (request.group) out.add_group(static_cast<std::uint8_t>(*request.group));
  fbs::Address16 host;
  fbs::Address16 translated;
  if (request.host) {
    host = to_address16(*request.host);
    out.add_host(&host);
  }
  if (request.translated) {
    translated = to_address16(*request.translated);
    out.add_translated(&translated);
  }
  if (request.port) out.add_port(*request.port);
  out.add_commit(commit);
  const auto root = out.Finish();
  fbs::FinishQueryMessageBuffer(builder, fbs::CreateQueryMessage(builder, root, 0));
}

void encode_reply(const QueryReply& reply, BatchEncoder& sessions, flatbuffers::FlatBufferBuilder& builder) {
  builder.Clear();
  flatbuffers::Offset<fbs::SessionBatch> batch;
  if (!sessions.empty()) batch = sessions.finish(builder);
  std::vector<flatbuffers::Offset<fbs::SetStatus>> status;
  for (const auto& each : reply.status) status.push_back(encode_status(each, builder));
  std::vector<flatbuffers::Offset<fbs::CounterGroup>> groups;
  for (const auto& group : reply.counters) {
    const auto name = builder.CreateString(group.service_set);
    const auto counters = encode_counters(group.counters, builder);
    groups.push_back(fbs::CreateCounterGroup(builder, name, counters));
  }
  const auto reason = builder.CreateString(reply.reason);
  const auto text = builder.CreateString(reply.text);
  const auto status_rows = builder.CreateVector(status);
  const auto group_rows = builder.CreateVector(groups);
  const auto counts = encode_counts(reply.counts, builder);
  const auto utilization = encode_utilization(reply.utilization, builder);
  const auto pools = encode_pools(reply.nat_pools, builder);
  const auto uses = encode_uses(reply.uses, builder);
  const auto deterministic = encode_deterministic(reply.deterministic, builder);
  const auto statistics = encode_statistics(reply.statistics, builder);
  const auto analysis = encode_analysis(reply.analysis, builder);
  const auto usage = encode_usage(reply.usage, builder);
  const auto live = encode_live(reply.live, builder);
  flatbuffers::Offset<fbs::CommitReply> commit;
  if (reply.commit != CommitReply{}) commit = encode_commit(reply.commit, builder);
  std::vector<flatbuffers::Offset<fbs::Name>> names;
  for (const auto& [id, name] : reply.names) names.push_back(fbs::CreateName(builder, id, builder.CreateString(name)));
  const auto name_rows = builder.CreateVector(names);
  const auto root = fbs::CreateQueryReply(builder, reply.request_id, static_cast<std::uint8_t>(reply.error), reason,
                                          status_rows, utilization, batch, reply.next_cursor, reply.done, group_rows,
                                          text, pools, uses, statistics, analysis, usage, live, reply.cluster_digest,
                                          counts, deterministic, name_rows, commit);
  fbs::FinishQueryMessageBuffer(builder, fbs::CreateQueryMessage(builder, 0, root));
}

Result<QueryRequest> decode_request(const void* data, std::size_t size) {
  std::vector<std::uint64_t> scratch;
  const auto message = verified(data, size, kMaxRequestBytes, scratch);
  if (!message) return tl::unexpected(message.error());
  const auto* in = (*message)->request();
  if (in == nullptr) return fail("no request in the message");
  auto filter = decode_filter(in->filter());
  if (!filter) return tl::unexpected(filter.error());
  QueryRequest out;
  out.cluster_digest = in->cluster_digest();
  out.request_id = in->request_id();
  out.kind = static_cast<QueryKind>(in->kind());
  out.cluster_id = in->cluster_id();
  out.card_id = in->card_id();
  out.set_id = in->set_id();
  out.cursor = in->cursor();
  out.limit = in->limit();
  out.by_state = in->by_state();
  out.filter = std::move(*filter);
  out.record_kinds = in->record_kinds();
  if (const auto group = in->group(); group.has_value()) {
    if (*group >= kStatisticsGroupCount) return fail("group of statistics {} out of range", *group);
    out.group = static_cast<StatisticsGroup>(*group);
  }
  out.host = to_address(in->host());
  out.translated = to_address(in->translated());
  out.port = optional_of(in->port());
  if (auto sound = take(decode_commit(in->commit()), out.commit); !sound) return tl::unexpected(sound.error());
  return out;
}

Result<QueryReply> decode_reply(const void* data, std::size_t size) {
  std::vector<std::uint64_t> scratch;
  const auto message = verified(data, size, kMaxReplyBytes, scratch);
  if (!message) return tl::unexpected(message.error());
  const auto* in = (*message)->reply();
  if (in == nullptr) return fail("no reply in the message");
  if (in->error() >= kQueryErrorCount) return fail("error code {} out of range", in->error());
  QueryReply out;
  out.request_id = in->request_id();
  out.error = static_cast<QueryError>(in->error());
  out.reason = printable(in->reason());
  if (in->status() != nullptr) {
    if (in->status()->size() > kMaxSets) return fail("status of {} redundancy sets", in->status()->size());
    for (const auto* each : *in->status()) {
      auto status = decode_status(*each);
      if (!status) return tl::unexpected(status.error());
      out.status.push_back(std::move(*status));
    }
  }
  out.utilization = decode_utilization(in->utilization());
  if (in->sessions() != nullptr) {
    const auto batch = BatchDecoder::check(in->sessions(), kPageSessions);
    if (!batch) return tl::unexpected(batch.error());
    if (batch->unknown().records != 0) {
      return fail("{} sessions of a later release with values that this one does not know", batch->unknown().records);
    }
    out.sessions.reserve(batch->sessions());
    batch->for_each_session([&](const SessionRecord& record) { out.sessions.push_back(record); });
    std::sort(out.sessions.begin(), out.sessions.end(),
              [](const SessionRecord& a, const SessionRecord& b) { return a.ref.slot < b.ref.slot; });
  }
  out.next_cursor = in->next_cursor();
  out.done = in->done();
  out.cluster_digest = in->cluster_digest();
  if (in->names() != nullptr) {
    if (in->names()->size() > kMaxNames) return fail("{} names", in->names()->size());
    for (const auto* each : *in->names()) out.names.emplace_back(each->id(), printable(each->name()));
  }
  auto counts = decode_counts(in->service_set_counts());
  if (!counts) return tl::unexpected(counts.error());
  out.counts = std::move(*counts);
  if (in->counters() != nullptr) {
    for (const auto* group : *in->counters()) {
      out.counters.push_back({printable(group->service_set()), decode_counters(group->counters())});
    }
  }
  out.text = printable(in->text());
  if (auto sound = decode_parts(*in, out); !sound) return tl::unexpected(sound.error());
  return out;
}

}  // namespace icr
