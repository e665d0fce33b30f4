#include "model/query/query_status_codec.h"

#include <algorithm>
#include <cstring>

#include "model/base/text.h"

namespace icr::query_codec {

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

std::string printable(const flatbuffers::String* text) {
  return text == nullptr ? std::string() : printable_text(text->string_view());
}

Vector<flatbuffers::Offset<fbs::Counter>> encode_counters(const CounterList& counters, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::Counter>> rows;
  rows.reserve(counters.size());
  for (const auto& counter : counters) {
    rows.push_back(fbs::CreateCounter(builder, builder.CreateString(counter.name), counter.value));
  }
  return builder.CreateVector(rows);
}

CounterList decode_counters(const Rows<fbs::Counter>* rows) {
  CounterList out;
  if (rows == nullptr) return out;
  for (const auto* row : *rows) out.push_back({printable(row->name()), row->value()});
  return out;
}

Vector<flatbuffers::Offset<fbs::NatPool>> encode_pools(const std::vector<NatPoolStatus>& in, Builder& b) {
  std::vector<flatbuffers::Offset<fbs::NatPool>> rows;
  rows.reserve(in.size());
  for (const auto& p : in) {
    fbs::NatPoolBuilder row(b);
    row.add_service_set_id(p.service_set);
    row.add_pool_id(p.pool);
    row.add_use(static_cast<std::uint8_t>(p.use));
    row.add_addresses(p.addresses);
    row.add_addresses_in_use(p.addresses_in_use);
    row.add_ports(p.ports);
    row.add_ports_in_use(p.ports_in_use);
    row.add_max_ports_in_use(p.max_ports_in_use);
    row.add_out_of_port_errors(p.out_of_port_errors);
    row.add_out_of_address_errors(p.out_of_address_errors);
    row.add_parity_port_errors(p.parity_port_errors);
    row.add_preserve_range_errors(p.preserve_range_errors);
    row.add_app_port_errors(p.app_port_errors);
    row.add_app_exceed_port_limit_errors(p.app_exceed_port_limit_errors);
    row.add_memory_allocation_errors(p.memory_allocation_errors);
    row.add_block_size(p.block_size);
    row.add_max_blocks_per_host(p.max_blocks_per_host);
    row.add_blocks(p.blocks);
    row.add_blocks_in_use(p.blocks_in_use);
    row.add_max_blocks_in_use(p.max_blocks_in_use);
    row.add_block_allocations(p.block_allocations);
    row.add_block_releases(p.block_releases);
    row.add_out_of_block_errors(p.out_of_block_errors);
    row.add_max_blocks_exceeded_errors(p.max_blocks_exceeded_errors);
    row.add_block_log_overflows(p.block_log_overflows);
    row.add_users(p.users);
    row.add_mappings(p.mappings);
    row.add_pairings(p.pairings);
    row.add_eif_sessions(p.eif_sessions);
    row.add_eif_sessions_created(p.eif_sessions_created);
    row.add_eif_limit_exceeded(p.eif_limit_exceeded);
    row.add_eif_refused(p.eif_refused);
    row.add_conflicts_refused(p.conflicts_refused);
    row.add_held(p.held);
    row.add_reused_early(p.reused_early);
    rows.push_back(row.Finish());
  }
  return b.CreateVector(rows);
}

Result<std::vector<NatPoolStatus>> decode_pools(const Rows<fbs::NatPool>* in) {
  std::vector<NatPoolStatus> out;
  if (in == nullptr) return out;
  if (in->size() > kPageSessions) return fail("{} NAT pools", in->size());
  for (const auto* row : *in) {
    if (row->use() >= kNatPoolUseCount) return fail("use {} of a NAT pool out of range", row->use());
    NatPoolStatus p;
    p.service_set = row->service_set_id();
    p.pool = row->pool_id();
    p.use = static_cast<NatPoolUse>(row->use());
    p.addresses = row->addresses();
    p.addresses_in_use = row->addresses_in_use();
    p.ports = row->ports();
    p.ports_in_use = row->ports_in_use();
    p.max_ports_in_use = row->max_ports_in_use();
    p.out_of_port_errors = row->out_of_port_errors();
    p.out_of_address_errors = row->out_of_address_errors();
    p.parity_port_errors = row->parity_port_errors();
    p.preserve_range_errors = row->preserve_range_errors();
    p.app_port_errors = row->app_port_errors();
    p.app_exceed_port_limit_errors = row->app_exceed_port_limit_errors();
    p.memory_allocation_errors = row->memory_allocation_errors();
    p.block_size = row->block_size();
    p.max_blocks_per_host = row->max_blocks_per_host();
    p.blocks = row->blocks();
    p.blocks_in_use = row->blocks_in_use();
    p.max_blocks_in_use = row->max_blocks_in_use();
    p.block_allocations = row->block_allocations();
    p.block_releases = row->block_releases();
    p.out_of_block_errors = row->out_of_block_errors();
    p.max_blocks_exceeded_errors = row->max_blocks_exceeded_errors();
    p.block_log_overflows = row->block_log_overflows();
    p.users = row->users();
    p.mappings = row->mappings();
    p.pairings = row->pairings();
    p.eif_sessions = row->eif_sessions();
    p.eif_sessions_created = row->eif_sessions_created();
    p.eif_limit_exceeded = row->eif_limit_exceeded();
    p.eif_refused = row->eif_refused();
    p.conflicts_refused = row->conflicts_refused();
    p.held = row->held();
    p.reused_early = row->reused_early();
    out.push_back(p);
  }
  return out;
}

Vector<const fbs::BindingUse*> encode_uses(const std::vector<BindingUse>& in, Builder& b) {
  std::vector<fbs::BindingUse> rows;
  rows.reserve(in.size());
  for (const auto& use : in) rows.emplace_back(use.slot, use.sessions, use.ports);
  return b.CreateVectorOfStructs(rows);
}

Result<std::vector<BindingUse>> decode_uses(const Structs<fbs::BindingUse>* in) {
  std::vector<BindingUse> out;
  if (auto sound = check_rows(in, kPageSessions, "uses of bindings"); !sound) return tl::unexpected(sound.error());
  if (in == nullptr) return out;
  for (const auto* row : *in) out.push_back({row->slot(), row->sessions(), row->ports()});
  std::sort(out.begin(), out.end(), [](const BindingUse& a, const BindingUse& b) { return a.slot < b.slot; });
  return out;
}

Vector<const fbs::DeterministicBlock*> encode_deterministic(const std::vector<DeterministicRow>& in, Builder& b) {
  std::vector<fbs::DeterministicBlock> rows;
  rows.reserve(in.size());
  for (const auto& row : in) {
    rows.emplace_back(row.binding.internal, row.binding.external, row.ports_in_use, row.service_set, row.pool,
                      row.binding.first_port, row.binding.last_port);
  }
  return b.CreateVectorOfStructs(rows);
}

Result<std::vector<DeterministicRow>> decode_deterministic(const Structs<fbs::DeterministicBlock>* in) {
  std::vector<DeterministicRow> out;
  if (auto sound = check_rows(in, kPageSessions, "deterministic blocks"); !sound) return tl::unexpected(sound.error());
  if (in == nullptr) return out;
  for (const auto* row : *in) {
    if (row->first_port() > row->last_port()) return fail("ports {}-{}", row->first_port(), row->last_port());
    out.push_back({row->service_set(),
                   row->pool(),
                   {row->internal(), row->external(), row->first_port(), row->last_port()},
                   row->ports_in_use()});
  }
  return out;
}

Vector<flatbuffers::Offset<fbs::Statistics>> encode_statistics(const std::vector<ServiceSetStatus>& in, Builder& b) {
  std::vector<flatbuffers::Offset<fbs::Statistics>> rows;
  for (const auto& status : in) {
    for (std::size_t group = 0; group < kStatisticsGroupCount; ++group) {
      const auto counters = encode_counters(status.groups[group], b);
      rows.push_back(fbs::CreateStatistics(b, static_cast<std::uint8_t>(group), counters, status.service_set));
    }
  }
  return b.CreateVector(rows);
}

Result<std::vector<ServiceSetStatus>> decode_statistics(const Rows<fbs::Statistics>* in) {
  std::vector<ServiceSetStatus> out;
  if (in == nullptr) return out;
  if (in->size() > kPageServiceSets * kStatisticsGroupCount) return fail("{} groups of statistics", in->size());
  for (const auto* row : *in) {
    if (row->group() >= kStatisticsGroupCount) return fail("group of statistics {} out of range", row->group());
    if (out.empty() || out.back().service_set != row->service_set_id()) {
      if (out.size() == kPageServiceSets) return fail("statistics of more than {} service sets", kPageServiceSets);
      out.emplace_back();
      out.back().service_set = row->service_set_id();
    }
    out.back().groups[row->group()] = decode_counters(row->counters());
  }
  return out;
}

namespace {

Result<void> decode_histogram(const flatbuffers::Vector<std::uint64_t>* in, RateHistogram& out) {
  if (in == nullptr) return {};
  if (in->size() != out.seconds.size()) return fail("histogram of {} buckets", in->size());
  std::copy(in->begin(), in->end(), out.seconds.begin());
  return {};
}

}  // namespace

flatbuffers::Offset<fbs::CardAnalysis> encode_analysis(const CardAnalysis& in, Builder& b) {
  const auto created = b.CreateVector(in.created.seconds.data(), in.created.seconds.size());
  const auto deleted = b.CreateVector(in.deleted.seconds.data(), in.deleted.seconds.size());
  return fbs::CreateCardAnalysis(b, in.peak_sessions, in.peak_created_per_second, in.peak_deleted_per_second,
                                 in.packets_received, in.packets_transmitted, in.slow_path_forward,
                                 in.slow_path_discard, in.samples, created, deleted);
}

Result<CardAnalysis> decode_analysis(const fbs::CardAnalysis* in) {
  CardAnalysis out;
  if (in == nullptr) return out;
  out.peak_sessions = in->peak_sessions();
  out.peak_created_per_second = in->peak_created_per_second();
  out.peak_deleted_per_second = in->peak_deleted_per_second();
  out.packets_received = in->packets_received();
  out.packets_transmitted = in->packets_transmitted();
  out.slow_path_forward = in->slow_path_forward();
  out.slow_path_discard = in->slow_path_discard();
  out.samples = in->samples();
  if (auto sound = decode_histogram(in->created(), out.created); !sound) return tl::unexpected(sound.error());
  if (auto sound = decode_histogram(in->deleted(), out.deleted); !sound) return tl::unexpected(sound.error());
  return out;
}

flatbuffers::Offset<fbs::CardUsage> encode_usage(const CardUsage& in, Builder& b) {
  std::vector<fbs::UseOfServiceSet> rows;
  rows.reserve(in.service_sets.size());
  for (const auto& use : in.service_sets) rows.emplace_back(use.bytes, use.service_set, 0);
  return fbs::CreateCardUsage(b, in.machine, in.used, in.sessions, in.sessions_max, in.policies,
                              b.CreateVectorOfStructs(rows));
}

Result<CardUsage> decode_usage(const fbs::CardUsage* in) {
  CardUsage out;
  if (in == nullptr) return out;
  out.machine = in->machine();
  out.used = in->used();
  out.sessions = in->sessions();
  out.sessions_max = in->sessions_max();
  out.policies = in->policies();
  if (auto sound = check_rows(in->uses(), kMaxServiceSets, "service sets"); !sound) {
    return tl::unexpected(sound.error());
  }
  if (in->uses() == nullptr) return out;
  for (const auto* row : *in->uses()) out.service_sets.push_back({row->service_set(), row->bytes()});
  return out;
}

flatbuffers::Offset<fbs::LiveSessions> encode_live(const LiveSessions& in, Builder& b) {
  return fbs::CreateLiveSessions(b, in.all.total, in.all.ipv4, in.tcp.total, in.tcp.ipv4, in.udp.total, in.udp.ipv4);
}

Result<LiveSessions> decode_live(const fbs::LiveSessions* in) {
  if (in == nullptr) return LiveSessions{};
  LiveSessions out{{in->all(), in->all_ipv4()}, {in->tcp(), in->tcp_ipv4()}, {in->udp(), in->udp_ipv4()}};
  const auto exceeds = [](std::uint64_t tcp, std::uint64_t udp, std::uint64_t all) {
    return tcp > all || udp > all - tcp;
  };
  const bool sound = out.all.ipv4 <= out.all.total && out.tcp.ipv4 <= out.tcp.total && out.udp.ipv4 <= out.udp.total &&
                     !exceeds(out.tcp.total, out.udp.total, out.all.total) &&
                     !exceeds(out.tcp.ipv4, out.udp.ipv4, out.all.ipv4);
  if (!sound) return fail("numbers of live sessions contradict each other");
  return out;
}

Vector<const fbs::SessionGroup*> encode_groups(const std::vector<SessionGroup>& groups, Builder& builder) {
  std::vector<fbs::SessionGroup> rows;
  rows.reserve(groups.size());
  for (const auto& each : groups) {
    rows.emplace_back(to_address16(each.key.prefix), each.sums.sessions, each.sums.packets, each.sums.bytes,
                      each.key.id, 0U);
  }
  return builder.CreateVectorOfStructs(rows);
}

Result<std::vector<SessionGroup>> decode_groups(const Structs<fbs::SessionGroup>* rows) {
  std::vector<SessionGroup> out;
  if (auto sound = check_rows(rows, kPageGroups, "groups"); !sound) return tl::unexpected(sound.error());
  if (rows == nullptr) return out;
  out.reserve(rows->size());
  for (const auto* row : *rows) {
    out.push_back({{*to_address(&row->prefix()), row->id()}, {row->sessions(), row->packets(), row->bytes()}});
  }
  return out;
}

}  // namespace icr::query_codec
