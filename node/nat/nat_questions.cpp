// Answers questions of operators about the NAT of a shard, and removes bindings for them.
#include <algorithm>

#include "node/nat/nat_state.h"

namespace icr::node {

BindingUse NatState::users_of(std::uint32_t row) const {
  const Row& r = rows_[row];
  switch (r.kind) {
    case RecordKind::port_block:
      return {row, 0, r.refs};
    case RecordKind::mapping:
      return {row, r.refs, 1};
    case RecordKind::pairing: {
      if ((r.flags & kBindingExclusive) != 0) return {row, r.refs, 0};
      const Host* const host = hosts_.find(HostTable::of_pool(r.pool), r.internal);
      if (host == nullptr) return {row, 0, 0};
      // Where there are mappings, a port is theirs: several sessions may use it, or none any more.
      return {row, pools_[r.pool]->mapped ? host->sessions : host->count, host->count};
    }
    case RecordKind::session:
      break;
  }
  return {row, 0, 0};
}

bool NatState::remove(std::uint32_t row, Ticks now) {
  const Row& r = rows_[row];
  if (!active_ || !r.live || in_use(r)) return false;
  now_ = now;
  end(row);
  return true;
}

bool NatState::matches_pairing(const Pool& p, const IpAddress& host, const SessionFilter& filter) const {
  const Host* const known = hosts_.find(HostTable::of_pool(p.index), host);
  if (known == nullptr || known->pairing == kNoRow) return false;
  const Row& r = rows_[known->pairing];
  BindingRecord binding;
  binding.internal = r.internal;
  binding.external = IpAddress::v4(r.external);
  binding.pool = rules_.pool_ids[r.pool];
  binding.service_set =
      rules_.service_set_ids[r.service_set];  // of whoever paired the host; its other service sets share it
  return filter.matches(binding);
}

bool NatState::holds(const NatSession& session, const SessionFilter& filter, std::uint8_t kinds) const {
  const auto is_meant = [&](const End& end) {
    const Pool& p = *end.pool;
    if ((kinds & kind_bit(RecordKind::pairing)) != 0 && (p.paired || p.use == NatPoolUse::addresses) &&
        matches_pairing(p, end.host, filter)) {
      return true;
    }
    if (!p.mapped || (kinds & kind_bit(RecordKind::mapping)) == 0) return false;
    BindingRecord binding;
    binding.internal = end.host;
    binding.external = IpAddress::v4(end.external);
    binding.internal_port = end.host_port;
    binding.external_port = end.port;
    binding.protocol = end.protocol;
    binding.pool = rules_.pool_ids[p.index];
    binding.service_set = rules_.service_set_ids[session.service_set];
    return filter.matches(binding);
  };
  const Ends ends = ends_of(session);
  return (ends.source && is_meant(*ends.source)) || (ends.target && is_meant(*ends.target));
}

bool NatState::holds(const BindingRecord& mapping, const SessionFilter& filter, std::uint8_t kinds) const {
  const Pool* const p = pool(pool_with_id(mapping.pool).value_or(0));
  return p != nullptr && p->paired && (kinds & kind_bit(RecordKind::pairing)) != 0 &&
         matches_pairing(*p, mapping.internal, filter);
}

std::uint32_t NatState::append_deterministic(const SessionFilter& filter, const DeterministicQuestion& question,
                                             std::vector<DeterministicRow>& out) const {
  std::uint64_t blocks = 0;  // of the pools before
  const std::uint64_t end = std::uint64_t{question.first} + question.most;
  for (const auto& each : pools_) {
    if (!each || !each->deterministic) continue;
    const Pool& p = *each;
    if (filter.nat_pool && *filter.nat_pool != rules_.pool_ids[p.index]) continue;
    const auto service_set = std::find_if(p.service_sets.begin(), p.service_sets.end(), [&](std::uint16_t s) {
      return filter.has_service_set(rules_.service_set_ids[s]);
    });
    if (service_set == p.service_sets.end()) continue;
    const std::uint32_t first_port = question.port.value_or(p.config->port_low);
    const std::uint32_t last_port = question.port.value_or(p.config->port_high);
    const std::uint32_t step = std::max(1U, p.deterministic->block_size());
    // The n-th host that is asked for, if there is one.
    const auto host_number = [&](std::uint32_t n) -> std::optional<IpAddress> {
      if (question.host) return *question.host;
      if (!question.translated) return IpAddress::v4(p.deterministic->host(n));
      const auto owner =
          p.deterministic->host_of(*question.translated, static_cast<std::uint16_t>(first_port + n * step));
      return owner ? std::optional(IpAddress::v4(*owner)) : std::nullopt;
    };
    const std::uint32_t own = question.host         ? 1
                              : question.translated ? (last_port - first_port) / step + 1
                                                    : p.deterministic->hosts();
    for (std::uint64_t n = std::max<std::uint64_t>(blocks, question.first); n < std::min(blocks + own, end); ++n) {
      const auto host = host_number(static_cast<std::uint32_t>(n - blocks));
      const auto block = host ? p.deterministic->of_host(*host) : std::nullopt;
      if (!block) continue;
      out.push_back({rules_.service_set_ids[*service_set],
                     rules_.pool_ids[p.index],
                     {host->to_v4(), block->external, block->first, block->last},
                     p.deterministic_refs[block->number]});
    }
    blocks += own;
  }
  return static_cast<std::uint32_t>(blocks);
}

}  // namespace icr::node
