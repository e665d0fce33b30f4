// Converts bindings to records for peers, disks and operators, and applies records of peers and checkpoints.
#include <algorithm>

#include "node/nat/nat_protocol.h"
#include "node/nat/nat_state.h"

namespace icr::node {
void NatState::append_layout(std::uint32_t first_slot, SlotLayout& out) const {
  const auto add = [&](SlotRange::Use use, std::uint32_t first, std::uint32_t end) {
    if (first == end) return;
    SlotRange range;
    range.use = use;
    range.first = first_slot + first;
    range.count = end - first;
    out.push_back(range);
  };
  for (const Pool* const p : row_pools_) {
    std::uint32_t row = p->first_row;
    const std::uint32_t per_address = p->use == NatPoolUse::addresses ? 1 : p->blocks_per_address;
    for (const AddressRange& addresses : p->config->addresses) {
      if (!addresses.is_v4() || per_address == 0) continue;
      SlotRange range;
      range.use = SlotRange::Use::owned;
      range.pool = rules_.pool_ids[p->index];
      range.external = addresses.low.to_v4();
      range.per_address = per_address;
      if (p->use == NatPoolUse::port_blocks) {
        range.port_low = p->config->port_low;
        range.block_size = p->config->blocks->block_size;
      }
      range.first = first_slot + row;
      range.count = (addresses.high.to_v4() - range.external + 1) * per_address;
      row += range.count;
      out.push_back(range);
    }
  }
  add(SlotRange::Use::pairings, pairing_rows_, mapping_rows_);
  add(SlotRange::Use::mappings, mapping_rows_, rows());
}

bool NatState::read(std::uint32_t row, Ticks now, SessionRecord& out) const {
  const Row& r = rows_[row];
  out.ref = {row, r.generation};
  if (!r.live) return false;
  out.kind = r.kind;
  out.version = r.version;
  BindingRecord& b = out.binding;
  const bool used = in_use(r);
  b.term = r.term;
  b.internal = r.internal;
  b.external = IpAddress::v4(r.external);
  b.internal_port = r.internal_port;
  b.external_port = r.external_port;
  b.last_port = r.kind == RecordKind::port_block ? span_of(r).last : std::uint16_t{0};
  b.protocol = r.protocol;
  b.flags = static_cast<std::uint8_t>(r.flags | (used ? kBindingInUse : 0));
  b.pool = rules_.pool_ids[r.pool];
  b.service_set = rules_.service_set_ids[r.service_set];
  b.timeout_s = timeout_of(r) / 10;
  b.idle = used ? 0 : now - r.last_used;
  b.age = now - r.created;
  return true;
}

bool NatState::may_host(const Pool& p, std::uint16_t service_set, const IpAddress& host) const {
  const auto& sets = p.service_sets;
  if (std::find(sets.begin(), sets.end(), service_set) == sets.end()) return false;
  // No host uses an external address as its own (NatState::has_way_back).
  if (host.is_v4() && pool_of(service_set, host.to_v4()) != nullptr) return false;
  const auto holds = [&](const std::vector<AddressRange>& ranges) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return r.contains(host); });
  };
  return std::any_of(p.terms.begin(), p.terms.end(), [&](const NatTerm* term) {
    return (term->from.source_addresses.empty() || holds(term->from.source_addresses)) &&
           !holds(term->from.source_except) && (host.is_v4() || term->type == NatType::stateful_nat64);
  });
}

std::optional<std::uint16_t> NatState::pool_with_id(StableId id) const {
  if (id == 0) return 0;
  const auto index = rules_.cluster->pool_ids.find(id);
  if (!index || !pools_[*index]) return std::nullopt;
  return static_cast<std::uint16_t>(*index + 1);
}

std::optional<NatState::Owner> NatState::owner_of(const BindingRecord& b) const {
  const auto pool = pool_with_id(b.pool).value_or(0);
  const auto service_set = rules_.cluster->service_set_ids.find(b.service_set);
  if (pool == 0 || !service_set) return std::nullopt;
  return Owner{*pools_[pool - 1U], *service_set};
}

bool NatState::acceptable(const Owner& owner, std::uint32_t row, const SessionRecord& record) const {
  const BindingRecord& b = record.binding;
  if (!b.external.is_v4() || record.ref.generation == 0) return false;
  Pool& p = owner.pool;
  if (!may_host(p, owner.service_set, b.internal)) return false;
  const auto index = p.addresses.index_of(b.external);
  if (!index || (p.free_rows && row - p.first_row < p.row_count && is_reserved_row(p, row))) return false;
  switch (record.kind) {
    case RecordKind::port_block:
      return p.use == NatPoolUse::port_blocks && block_row(p, b.external.to_v4(), b.external_port) == row &&
             (b.external_port - p.config->port_low) % p.config->blocks->block_size == 0 &&
             b.last_port == b.external_port + p.config->blocks->block_size - 1 && (b.flags & kBindingExclusive) == 0;
    case RecordKind::pairing:
      if ((b.flags & kBindingExclusive) != 0) return p.use == NatPoolUse::addresses && row == p.first_row + *index;
      return p.paired && row >= pairing_rows_ && row < mapping_rows_;
    case RecordKind::mapping:
      if (!p.mapped || row < mapping_rows_ || row >= rows_.size() || b.flags > kBindingInUse) return false;
      if (!PortPool::translates_port(protocol_in_v4(b.internal, b.protocol))) return false;
      return owns_port_rightly(
          End{&p, b.external.to_v4(), b.external_port, b.protocol, b.internal, b.internal_port, b.protocol, false});
    case RecordKind::session:
      break;
  }
  return false;
}

std::array<std::uint32_t, 2> NatState::conflicting_rows(const Owner& owner, std::uint32_t row,
                                                        const SessionRecord& record) {
  const BindingRecord& b = record.binding;
  std::array<std::uint32_t, 2> out = {kNoRow, kNoRow};
  if (record.kind == RecordKind::mapping) {
    out = {find_external(b.external.to_v4(), b.external_port, protocol_in_v4(b.internal, b.protocol)),
           find_internal(owner.pool, owner.service_set, b.internal, b.internal_port, b.protocol)};
    if (out[1] == out[0]) out[1] = kNoRow;
  } else if (record.kind == RecordKind::pairing) {
    if (const Host* const host = hosts_.find(HostTable::of_pool(owner.pool.index), b.internal)) out[0] = host->pairing;
  }
  for (std::uint32_t& other : out) {
    if (other == row) other = kNoRow;
  }
  return out;
}

Applied NatState::apply(std::uint32_t row, const SessionRecord& record, Ticks now) {
  now_ = now;
  const BindingRecord& b = record.binding;
  const auto owner = owner_of(b);
  if (row >= rows_.size() || !owner || !acceptable(*owner, row, record)) {
    ++counters_.bindings_refused;
    return Applied::refused;
  }
  const std::uint16_t pool = owner->pool.index;
  Row& r = rows_[row];
  const bool same = r.live && r.kind == record.kind && r.internal == b.internal && r.external == b.external.to_v4() &&
                    r.internal_port == b.internal_port && r.external_port == b.external_port && r.pool == pool &&
                    r.service_set == owner->service_set && r.protocol == b.protocol;
  if (r.pass == pass_) {
    const bool older = record.ref.generation < r.generation;
    const bool buried = record.ref.generation == r.generation && !r.live && r.generation != 0;
    const bool stale = record.ref.generation == r.generation && same && record.version < r.version;
    if (older || buried || stale) return Applied::unchanged;
  }
  const auto others = conflicting_rows(*owner, row, record);
  for (const std::uint32_t other : others) {
    if (other == kNoRow || rows_[other].pass != pass_ || rows_[other].term <= b.term) continue;
    // Both bindings were named in this pass, and the existing one is of a later term: two masters contradict each
    // other.
    ++counters_.bindings_conflicting;
    ++owner->pool.figures.conflicts_refused;
    return Applied::refused;
  }
  for (const std::uint32_t other : others) {
    // The binding is live at the sender, so any other binding with its endpoint or host must have ended there.
    if (other == kNoRow) continue;
    unlink(other);
    ++counters_.bindings_displaced;
    out_.binding_changed(other);
  }
  const bool update = same && r.generation == record.ref.generation;
  if (!update) {
    if (r.live) unlink(row);
    // Sessions of another host may use it: their tombstones are on the way, or activation will decide
    // (update_troubled).
    r.kind = record.kind;
    r.internal = b.internal;
    r.external = b.external.to_v4();
    r.internal_port = b.internal_port;
    r.external_port = b.external_port;
    r.protocol = b.protocol;
    r.pool = pool;
    r.service_set = owner->service_set;
    r.flags = static_cast<std::uint8_t>(b.flags & ~kBindingInUse);
    link(row, false);
  } else if (r.kind == RecordKind::port_block) {
    r.flags = static_cast<std::uint8_t>(b.flags & ~kBindingInUse);
    if (Host* const host = hosts_.find(HostTable::of_pool(r.pool), r.internal)) {
      if ((r.flags & kBindingActiveBlock) != 0) {
        host->active = row;
      } else if (host->active == row) {
        host->active = kNoRow;
      }
    }
  }
  r.generation = record.ref.generation;
  r.version = record.version;
  r.term = b.term;
  r.ended = false;  // records do not tell how earlier connections ended
  r.created = r.active_since = now - std::min(b.age, kLongestAge);
  r.last_used = now - std::min(b.idle, kLongestAge);
  r.pass = pass_;
  ++(update ? counters_.bindings_updated : counters_.bindings_created);
  out_.binding_changed(row);
  return update ? Applied::updated : Applied::created;
}

Applied NatState::erase(std::uint32_t row, std::uint32_t generation, Ticks now) {
  now_ = now;
  if (row >= rows_.size()) {
    ++counters_.bindings_refused;
    return Applied::refused;
  }
  Row& r = rows_[row];
  if (r.pass == pass_ && generation < r.generation) return Applied::unchanged;
  const bool was_live = r.live;
  if (was_live) {
    unlink(row);
    ++counters_.bindings_deleted;
  }
  high_water_ = std::max(high_water_, row + 1);
  r.generation = generation;
  r.pass = pass_;
  out_.binding_changed(row);
  return was_live ? Applied::deleted : Applied::unchanged;
}

std::uint32_t NatState::end_pass(Ticks now) {
  now_ = now;
  std::uint32_t removed = 0;
  for (std::uint32_t row = 0; row < high_water_; ++row) {
    if (!rows_[row].live || rows_[row].pass == pass_) continue;
    unlink(row);
    out_.binding_changed(row);
    ++removed;
  }
  counters_.bindings_swept += removed;
  return removed;
}

}  // namespace icr::node
