// Takes over the bindings that another master gave to hosts while both were master, unless they contradict one here.
#include <algorithm>

#include "node/nat/nat_protocol.h"
#include "node/nat/nat_state.h"

namespace icr::node {
Adopted NatState::conflict(Pool& p, Adopted why) {
  ++p.figures.conflicts_refused;
  return why;
}

bool NatState::may_own(std::uint32_t row, const IpAddress& host) const {
  const Row& r = rows_[row];
  return r.live ? r.internal == host : r.refs == 0;
}

Adopted NatState::may_adopt_port(Pool& p, std::uint32_t external, std::uint16_t port, std::uint8_t protocol,
                                 const IpAddress& host) {
  if (p.ports->owned(IpAddress::v4(external), protocol, port)) return conflict(p, Adopted::port_taken);
  const Host* const known = p.tracked ? hosts_.find(HostTable::of_pool(p.index), host) : nullptr;
  const std::uint32_t limit = p.config->limit_ports_per_host;
  if (limit != 0 && known != nullptr && known->count >= limit) return Adopted::limit;
  if (p.use != NatPoolUse::port_blocks) return Adopted::created;
  const std::uint32_t block = block_row(p, external, port);
  if (block == kNoRow) return Adopted::invalid;
  if (!may_own(block, host)) return conflict(p, Adopted::binding_taken);
  const bool one_more = !rows_[block].live;
  if (one_more && known != nullptr && known->blocks >= p.config->blocks->max_blocks_per_address) return Adopted::limit;
  return Adopted::created;
}

Adopted NatState::may_adopt_end(const End& e, std::uint16_t service_set) {
  Pool& p = *e.pool;
  if (p.use == NatPoolUse::addresses) return may_adopt_address(p, e.external, e.host);
  if (!p.mapped) return may_adopt_port(p, e.external, e.port, e.protocol, e.host);
  const std::uint32_t row = find_external(e.external, e.port, e.protocol);
  if (row != kNoRow) {
    const Row& r = rows_[row];
    const bool same = r.internal == e.host && r.internal_port == e.host_port && r.protocol == e.inside_protocol &&
                      r.service_set == service_set;
    return same ? Adopted::created : conflict(p, Adopted::port_taken);
  }
  if (find_internal(p, service_set, e.host, e.host_port, e.inside_protocol) != kNoRow) {
    return conflict(p, Adopted::binding_taken);
  }
  if (free_mappings_.empty()) return Adopted::table_full;
  return may_adopt_port(p, e.external, e.port, e.protocol, e.host);
}

Adopted NatState::may_adopt_address(Pool& p, std::uint32_t external, const IpAddress& host) {
  const std::uint32_t row = p.first_row + *p.addresses.index_of(external);
  const Host* const known = hosts_.find(HostTable::of_pool(p.index), host);
  const bool has_another = known != nullptr && known->pairing != kNoRow && known->pairing != row;
  return may_own(row, host) && !has_another ? Adopted::created : conflict(p, Adopted::binding_taken);
}

Adopted NatState::may_adopt(const NatSession& s) {
  if (const std::uint32_t limit = rules_.subscriber_limits[s.service_set]; limit != 0) {
    const IpAddress& subscriber = s.initiated_outside ? s.responder.source : s.initiator.source;
    const Host* const host = hosts_.find(HostTable::of_service_set(s.service_set), subscriber);
    if (host != nullptr && host->count >= limit) return Adopted::limit;
  }
  const Ends ends = ends_of(s);
  if (ends.target) {
    if (const Adopted answer = may_adopt_end(*ends.target, s.service_set); refused(answer)) return answer;
  }
  return ends.source ? may_adopt_end(*ends.source, s.service_set) : Adopted::created;
}

Adopted NatState::adopt(const SessionRecord& record, Ticks now) {
  now_ = now;
  const BindingRecord& b = record.binding;
  const auto owner = owner_of(b);
  if (!owner || !b.external.is_v4()) return Adopted::invalid;
  Pool& p = owner->pool;
  const auto index = p.addresses.index_of(b.external);
  if (!index) return Adopted::invalid;
  const std::uint32_t external = b.external.to_v4();
  switch (record.kind) {
    case RecordKind::port_block: {
      const std::uint32_t row = p.use == NatPoolUse::port_blocks ? block_row(p, external, b.external_port) : kNoRow;
      return row == kNoRow || !acceptable(*owner, row, record) ? Adopted::invalid : adopt_block(*owner, row, b);
    }
    case RecordKind::pairing: {
      const bool whole = (b.flags & kBindingExclusive) != 0;
      if (!acceptable(*owner, whole ? p.first_row + *index : pairing_rows_, record)) return Adopted::invalid;
      return whole ? adopt_address(*owner, p.first_row + *index, b) : adopt_pairing(*owner, b);
    }
    case RecordKind::mapping:
      return acceptable(*owner, mapping_rows_, record) ? adopt_mapping(*owner, b) : Adopted::invalid;
    case RecordKind::session:
      break;
  }
  return Adopted::invalid;
}

/// Sets the times of a binding that was just created here to those of the other master.
Adopted NatState::adopted(std::uint32_t row, const BindingRecord& b) {
  Row& r = rows_[row];
  r.created = now_ - std::min(b.age, kLongestAge);
  if (!in_use(r)) r.last_used = now_ - std::min(b.idle, kLongestAge);
  arm(row);
  return Adopted::created;
}

Adopted NatState::adopt_block(const Owner& owner, std::uint32_t row, const BindingRecord& b) {
  Pool& p = owner.pool;
  if (!may_own(row, b.internal)) return conflict(p, Adopted::binding_taken);
  if (rows_[row].live) return Adopted::known;
  const Host* const host = hosts_.find(HostTable::of_pool(p.index), b.internal);
  if (host != nullptr && host->blocks >= p.config->blocks->max_blocks_per_address) return Adopted::limit;
  // New ports come from the host's existing block, if it has one here.
  const std::uint32_t active = host == nullptr ? kNoRow : host->active;
  make_owned(row, p, owner.service_set, b.internal);
  if (active != kNoRow && rows_[active].live) {
    if (Host* const host_now = hosts_.find(HostTable::of_pool(p.index), b.internal))
      set_active_block(*host_now, active);
  }
  return rows_[row].live ? adopted(row, b) : Adopted::known;
}

Adopted NatState::adopt_address(const Owner& owner, std::uint32_t row, const BindingRecord& b) {
  Pool& p = owner.pool;
  if (const Adopted answer = may_adopt_address(p, b.external.to_v4(), b.internal); refused(answer)) return answer;
  if (rows_[row].live) return Adopted::known;
  make_owned(row, p, owner.service_set, b.internal);
  return adopted(row, b);
}

Adopted NatState::adopt_pairing(const Owner& owner, const BindingRecord& b) {
  Pool& p = owner.pool;
  const Host* const host = hosts_.find(HostTable::of_pool(p.index), b.internal);
  if (host != nullptr && host->pairing != kNoRow) {
    return rows_[host->pairing].external == b.external.to_v4() ? Adopted::known : conflict(p, Adopted::binding_taken);
  }
  if (free_pairings_.empty()) return Adopted::table_full;
  const std::uint32_t row = pairing_rows_ + *free_pairings_.take();
  make_pairing(row, p, owner.service_set, b.internal, b.external.to_v4());
  return adopted(row, b);
}

Adopted NatState::adopt_mapping(const Owner& owner, const BindingRecord& b) {
  Pool& p = owner.pool;
  const End end{&p,         b.external.to_v4(), b.external_port, protocol_in_v4(b.internal, b.protocol),
                b.internal, b.internal_port,    b.protocol,      false};
  if (const Adopted answer = may_adopt_end(end, owner.service_set); refused(answer)) return answer;
  if (find_external(end.external, end.port, end.protocol) != kNoRow) return Adopted::known;
  if (p.use == NatPoolUse::port_blocks) {
    const std::uint32_t block = block_row(p, end.external, end.port);
    if (block == kNoRow || !reconcile_owned(p, owner.service_set, block, b.internal)) return Adopted::invalid;
  }
  const std::uint32_t row = mapping_rows_ + *free_mappings_.take();
  make_mapping(row, p, owner.service_set, b.internal, b.internal_port, b.protocol, end.external, end.port, false);
  return adopted(row, b);
}

}  // namespace icr::node
