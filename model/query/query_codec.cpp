// How requests and replies travel.
#include <algorithm>
#include <cstring>

#include "model/query/commit_codec.h"
#include "model/query/query.h"
#include "model/query/query_status_codec.h"
#include "model/query/system_codec.h"

namespace icr {
namespace {

using namespace query_codec;

constexpr std::size_t kMaxSets = 64;
constexpr std::size_t kMaxTables = 32768;
constexpr std::size_t kMaxNames = 2 * kMaxServiceSets;

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
  if (auto sound = take(decode_groups(in.groups()), out.groups); !sound) return sound;
  if (auto sound = take(decode_failovers(in.failovers()), out.failovers); !sound) return sound;
  if (auto sound = take(decode_system(in.system()), out.system); !sound) return sound;
  if (auto sound = take(decode_traffic(in.traffic()), out.traffic); !sound) return sound;
  if (auto sound = take(decode_term_hits(in.term_hits()), out.term_hits); !sound) return sound;
  if (auto sound = take(decode_log(in.log()), out.log); !sound) return sound;
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
  out.add_force(request.force);
  out.add_cancel(request.cancel);
  out.add_without_counters(request.without_counters);
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
  if (request.order) out.add_order(static_cast<std::uint8_t>(*request.order));
  out.add_floor(request.floor);
  if (request.grouping) out.add_grouping(static_cast<std::uint8_t>(*request.grouping));
  out.add_prefix_length(request.prefix_length);
  out.add_from(request.from);
  out.add_at(request.at);
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
  const auto failovers = encode_failovers(reply.failovers, builder);
  flatbuffers::Offset<fbs::SystemStatus> system;
  if (reply.system != SystemStatus{}) system = encode_system(reply.system, builder);
  const auto session_groups = encode_groups(reply.groups, builder);
  const auto traffic = encode_traffic(reply.traffic, builder);
  const auto term_hits = encode_term_hits(reply.term_hits, builder);
  flatbuffers::Offset<fbs::LogPage> log;
  if (reply.log != LogPage{}) log = encode_log(reply.log, builder);
  std::vector<flatbuffers::Offset<fbs::Name>> names;
  for (const auto& [id, name] : reply.names) names.push_back(fbs::CreateName(builder, id, builder.CreateString(name)));
  const auto name_rows = builder.CreateVector(names);
  const auto root =
      fbs::CreateQueryReply(builder, reply.request_id, static_cast<std::uint8_t>(reply.error), reason, status_rows,
                            utilization, batch, reply.next_cursor, reply.done, group_rows, text, pools, uses,
                            statistics, analysis, usage, live, reply.cluster_digest, counts, deterministic, name_rows,
                            commit, failovers, system, session_groups, traffic, term_hits, log);
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
  out.force = in->force();
  out.cancel = in->cancel();
  out.without_counters = in->without_counters();
  out.filter = std::move(*filter);
  out.record_kinds = in->record_kinds();
  if (const auto group = in->group(); group.has_value()) {
    if (*group >= kStatisticsGroupCount) return fail("group of statistics {} out of range", *group);
    out.group = static_cast<StatisticsGroup>(*group);
  }
  out.host = to_address(in->host());
  out.translated = to_address(in->translated());
  out.port = optional_of(in->port());
  if (const auto order = in->order(); order.has_value()) {
    if (*order >= kSessionOrderCount) return fail("order of sessions {} out of range", *order);
    out.order = static_cast<SessionOrder>(*order);
  }
  out.floor = in->floor();
  if (const auto grouping = in->grouping(); grouping.has_value()) {
    if (*grouping >= kSessionGroupingCount) return fail("grouping of sessions {} out of range", *grouping);
    out.grouping = static_cast<SessionGrouping>(*grouping);
  }
  out.prefix_length = in->prefix_length();
  out.from = in->from();
  out.at = in->at();
  if (out.at < 0 || out.at > kLastMoment) return fail("moment {} out of range", out.at);
  if (out.prefix_length > 128) return fail("prefix length {} out of range", out.prefix_length);
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
