// Bindings as rows: found, made by the active side, and timed out by it. What peers and checkpoints bring is in
// nat_records.cpp.
#include <algorithm>

#include "node/nat/nat_protocol.h"
#include "node/nat/nat_state.h"

namespace icr::node {
// -- Finding --

std::uint32_t NatState::block_row(const Pool& p, std::uint32_t external, std::uint16_t port) const {
  const auto index = p.addresses.index_of(external);
  if (!index || port < p.config->port_low) return kNoRow;
  const std::uint32_t block = (std::uint32_t{port} - p.config->port_low) / p.config->blocks->block_size;
  return block < p.blocks_per_address ? p.first_row + *index * p.blocks_per_address + block : kNoRow;
}

PortPool::Span NatState::span_of(const Row& block) const {
  const std::uint16_t size = rules_.cluster->nat_pools[block.pool].blocks->block_size;
  return {block.external_port, static_cast<std::uint16_t>(block.external_port + size - 1)};
}

std::uint64_t NatState::internal_hash(std::uint16_t pool_index, std::uint16_t service_set, const IpAddress& host,
                                      std::uint16_t port, std::uint8_t protocol) const {
  const std::uint64_t rest =
      std::uint64_t{pool_index} << 48 | std::uint64_t{service_set} << 32 | std::uint64_t{port} << 8 | protocol;
  return detail::mix(detail::load64(host.bytes.data()) ^ seed_ ^ rest,
                     detail::load64(host.bytes.data() + 8) ^ ~seed_ ^ rest * 0x9e3779b97f4a7c15ULL);
}

std::uint32_t NatState::find_internal(const Pool& p, std::uint16_t service_set, const IpAddress& host,
                                      std::uint16_t port, std::uint8_t protocol) const {
  return by_internal_.find(internal_hash(p.index, service_set, host, port, protocol), [&](std::uint32_t row) {
    const Row& r = rows_[row];
    return r.internal == host && r.internal_port == port && r.protocol == protocol && r.pool == p.index &&
           r.service_set == service_set;
  });
}

std::uint32_t NatState::find_external(std::uint32_t external, std::uint16_t port, std::uint8_t protocol) const {
  return by_external_.find(external_hash(external_key(external, port, protocol)), [&](std::uint32_t row) {
    const Row& r = rows_[row];
    return r.external == external && r.external_port == port && protocol_in_v4(r.internal, r.protocol) == protocol;
  });
}

NatState::Orphan* NatState::orphan(std::uint64_t key) {
  const std::uint32_t at = by_orphan_.find(external_hash(key), [&](std::uint32_t i) { return orphans_[i].key == key; });
  return at == FixedIndex::kNone ? nullptr : &orphans_[at];
}

NatState::Orphan* NatState::need_orphan(std::uint64_t key) {
  if (Orphan* const known = orphan(key)) return known;
  if (free_orphan_ == kNoRow) return nullptr;
  const std::uint32_t at = free_orphan_;
  free_orphan_ = orphans_[at].next_free;
  orphans_[at] = Orphan{};
  orphans_[at].key = key;
  by_orphan_.insert(external_hash(key), at);
  ++orphan_count_;
  return &orphans_[at];
}

void NatState::drop_orphan(Orphan& o) {
  const auto at = static_cast<std::uint32_t>(&o - orphans_.data());
  by_orphan_.erase(external_hash(o.key), at);
  o = Orphan{};
  o.next_free = free_orphan_;
  free_orphan_ = at;
  --orphan_count_;
}

// -- Making and ending --

void NatState::mark_owned(std::uint32_t row, bool taken) {
  const auto after = std::upper_bound(row_pools_.begin(), row_pools_.end(), row,
                                      [](std::uint32_t r, const Pool* p) { return r < p->first_row; });
  if (after == row_pools_.begin()) return;
  Pool& p = **std::prev(after);
  const std::uint32_t number = row - p.first_row;
  const std::uint32_t bits = p.free_rows->bits();
  const bool held = p.row_hold && p.row_hold->holds(number);
  if (taken) {
    if (held) p.row_hold->forget(number);
    (void)p.free_rows->set(number / bits, number % bits);
  } else if (!p.row_hold || undoing_) {
    (void)p.free_rows->clear(number / bits, number % bits);
  } else if (!held) {
    // There are as many places as rows, but void entries take places too, so the oldest may have to go.
    advance_hold(p);
    if (const auto oldest = p.row_hold->add(number, now_)) {
      (void)p.free_rows->clear(*oldest / bits, static_cast<std::uint32_t>(*oldest % bits));
      ++p.figures.reused_early;
    }
  }
}

void NatState::advance_hold(Pool& p) {
  if (!p.row_hold) return;
  const std::uint32_t bits = p.free_rows->bits();
  while (const auto number = p.row_hold->due(now_)) {
    (void)p.free_rows->clear(*number / bits, static_cast<std::uint32_t>(*number % bits));
  }
}

void NatState::mark_taken(std::uint32_t row, bool taken) {
  if (row < pairing_rows_) {
    mark_owned(row, taken || rows_[row].refs != 0);
    return;
  }
  BitSet& free = row < mapping_rows_ ? free_pairings_ : free_mappings_;
  const std::uint32_t number = row - (row < mapping_rows_ ? pairing_rows_ : mapping_rows_);
  (void)(taken ? free.unmark(number) : free.mark(number));
}

Ticks NatState::timeout_of(const Row& r) const {
  if (any_over_) {
    const PoolRules::Drain* const drain = pools_[r.pool]->drain_of(r.service_set);
    if (drain != nullptr && drain->over) return 0;
  }
  const NatPool& config = rules_.cluster->nat_pools[r.pool];
  const bool rotates = r.kind == RecordKind::port_block && config.blocks->active_block_timeout_s != 0;
  return (rotates ? config.blocks->active_block_timeout_s : config.mapping_timeout_s) * 10;
}

bool NatState::in_use(const Row& r) const {
  if (r.kind != RecordKind::pairing || (r.flags & kBindingExclusive) != 0) return r.refs != 0;
  const Host* const host = hosts_.find(HostTable::of_pool(r.pool), r.internal);
  return host != nullptr && host->count != 0;
}

void NatState::idle_now(std::uint32_t row) {
  Row& r = rows_[row];
  if (!cancelling_) r.last_used = now_;
  if (active_) out_.arm_binding(row, r.last_used + timeout_of(r));
}

void NatState::arm(std::uint32_t row) {
  const Row& r = rows_[row];
  if (r.live && !in_use(r)) out_.arm_binding(row, r.last_used + timeout_of(r));
}

void NatState::create(std::uint32_t row, bool taken) {
  Row& r = rows_[row];
  if (++r.generation == 0) r.generation = 1;
  r.version = 1;
  r.term = term_;
  r.pass = pass_;
  r.created = r.last_used = r.active_since = now_;
  r.ended = true;
  link(row, taken);
  out_.binding_changed(row);
  arm(row);
}

void NatState::make_mapping(std::uint32_t row, const Pool& p, std::uint16_t service_set, const IpAddress& host,
                            std::uint16_t host_port, std::uint8_t protocol, std::uint32_t external, std::uint16_t port,
                            bool taken) {
  Row& r = rows_[row];
  r.kind = RecordKind::mapping;
  r.flags = 0;
  r.internal = host;
  r.internal_port = host_port;
  r.external = external;
  r.external_port = port;
  r.protocol = protocol;
  r.pool = p.index;
  r.service_set = service_set;
  create(row, taken);
}

void NatState::make_pairing(std::uint32_t row, const Pool& p, std::uint16_t service_set, const IpAddress& host,
                            std::uint32_t external) {
  Row& r = rows_[row];
  r.kind = RecordKind::pairing;
  r.flags = 0;
  r.internal = host;
  r.external = external;
  r.internal_port = r.external_port = 0;
  r.protocol = 0;
  r.pool = p.index;
  r.service_set = service_set;
  create(row, false);
}

void NatState::make_owned(std::uint32_t row, Pool& p, std::uint16_t service_set, const IpAddress& host) {
  Row& r = rows_[row];
  const std::uint32_t number = row - p.first_row;
  const bool block = p.use == NatPoolUse::port_blocks;
  r.kind = block ? RecordKind::port_block : RecordKind::pairing;
  r.flags = block ? kBindingActiveBlock : kBindingExclusive;
  r.internal = host;
  r.external = p.addresses.at(block ? number / p.blocks_per_address : number);
  r.internal_port = 0;
  r.external_port = block ? static_cast<std::uint16_t>(p.config->port_low +
                                                       number % p.blocks_per_address * p.config->blocks->block_size)
                          : std::uint16_t{0};
  r.protocol = 0;
  r.pool = p.index;
  r.service_set = service_set;
  if (block) {
    Host* const known = hosts_.find(HostTable::of_pool(p.index), host);
    if (known != nullptr && known->active != kNoRow) deactivate_block(known->active);
    ++p.figures.block_allocations;
  }
  create(row, false);
  if (block) log_block(r, true);
}

void NatState::deactivate_block(std::uint32_t row) {
  Row& r = rows_[row];
  r.flags = static_cast<std::uint8_t>(r.flags & ~kBindingActiveBlock);
  ++r.version;
  if (Host* const host = hosts_.find(HostTable::of_pool(r.pool), r.internal)) host->active = kNoRow;
  if (r.refs == 0) return end(row);
  out_.binding_changed(row);
}

void NatState::set_active_block(Host& host, std::uint32_t row) {
  if (host.active != kNoRow) deactivate_block(host.active);
  Row& r = rows_[row];
  r.flags |= kBindingActiveBlock;
  r.active_since = now_;
  ++r.version;
  host.active = row;
  out_.binding_changed(row);
}

NatState::BindingCounts& NatState::counts_of(Pool& p, std::uint16_t service_set) {
  // A row is of a service set that uses the pool: of one of ours, or acceptable() has seen to it.
  const auto at = std::find(p.service_sets.begin(), p.service_sets.end(), service_set);
  return p.bindings[static_cast<std::size_t>(at - p.service_sets.begin())];
}

void NatState::link(std::uint32_t row, bool taken) {
  Row& r = rows_[row];
  Pool& p = *pools_[r.pool];
  r.live = true;
  high_water_ = std::max(high_water_, row + 1);
  mark_taken(row, true);
  switch (r.kind) {
    case RecordKind::mapping: {
      by_internal_.insert(internal_hash(r.pool, r.service_set, r.internal, r.internal_port, r.protocol), row);
      const std::uint64_t key = external_key(r.external, r.external_port, protocol_in_v4(r.internal, r.protocol));
      by_external_.insert(external_hash(key), row);
      if (Orphan* const waiting = orphan(key)) {
        r.refs = waiting->refs;
        r.inbound = waiting->inbound;
        r.users = waiting->users;
        drop_orphan(*waiting);
      }
      hold_port(p, r.external, r.external_port, protocol_in_v4(r.internal, r.protocol), r.internal, taken);
      count_sessions(r, r.refs);
      ++counts_of(p, r.service_set).mappings;
      break;
    }
    case RecordKind::port_block: {
      if (Host* const host = host_of(p, r.internal)) {
        r.next = host->first;
        host->first = row;
        ++host->blocks;
        if ((r.flags & kBindingActiveBlock) != 0) host->active = row;
      }
      p.figures.max_blocks_in_use = std::max(p.figures.max_blocks_in_use, ++p.figures.blocks_in_use);
      break;
    }
    case RecordKind::pairing:
      if (Host* const host = host_of(p, r.internal)) host->pairing = row;
      ++counts_of(p, r.service_set).pairings;
      break;
    case RecordKind::session:
      break;
  }
  update_troubled(row);
}

void NatState::unlink(std::uint32_t row) {
  Row& r = rows_[row];
  Pool& p = *pools_[r.pool];
  r.live = false;
  switch (r.kind) {
    case RecordKind::mapping: {
      by_internal_.erase(internal_hash(r.pool, r.service_set, r.internal, r.internal_port, r.protocol), row);
      const std::uint64_t key = external_key(r.external, r.external_port, protocol_in_v4(r.internal, r.protocol));
      by_external_.erase(external_hash(key), row);
      uncount_sessions(r, r.refs);
      if (r.refs != 0) {
        if (Orphan* const o = need_orphan(key)) {
          o->refs += r.refs;
          o->inbound += r.inbound;
          o->users += r.users;
        }
      }
      r.refs = r.inbound = 0;
      r.users = 0;
      release_port(p, r.external, r.external_port, protocol_in_v4(r.internal, r.protocol), r.internal, r.ended);
      --counts_of(p, r.service_set).mappings;
      break;
    }
    case RecordKind::port_block: {
      if (Host* const host = hosts_.find(HostTable::of_pool(p.index), r.internal)) {
        std::uint32_t* link = &host->first;
        while (*link != kNoRow && *link != row) link = &rows_[*link].next;
        if (*link == row) {
          *link = r.next;
          --host->blocks;
        }
        if (host->active == row) host->active = kNoRow;
        drop_host(p, *host);
      }
      r.next = kNoRow;
      --p.figures.blocks_in_use;
      break;
    }
    case RecordKind::pairing:
      if (Host* const host = hosts_.find(HostTable::of_pool(p.index), r.internal)) {
        if (host->pairing == row) host->pairing = kNoRow;
        drop_host(p, *host);
      }
      --counts_of(p, r.service_set).pairings;
      break;
    case RecordKind::session:
      break;
  }
  mark_taken(row, false);
  update_troubled(row);
}

void NatState::end(std::uint32_t row) {
  Row& r = rows_[row];
  unlink(row);
  if (r.kind == RecordKind::port_block) {
    ++pools_[r.pool]->figures.block_releases;
    log_block(r, false);
  }
  out_.binding_changed(row);
}

void NatState::due(std::uint32_t row, Ticks now) {
  now_ = now;
  const Row& r = rows_[row];
  if (!active_ || !r.live || in_use(r)) return;
  const Ticks deadline = r.last_used + timeout_of(r);
  if (static_cast<std::int32_t>(deadline - now) > 0) {
    out_.arm_binding(row, deadline);
    return;
  }
  end(row);
}

void NatState::log_block(const Row& r, bool allocated) {
  if (event_count_ == events_.size()) {
    ++pools_[r.pool]->figures.block_log_overflows;
    return;
  }
  const PortPool::Span span = span_of(r);
  events_[(first_event_ + event_count_++) % events_.size()] =
      BlockEvent{allocated, r.pool, r.service_set, span.first, span.last, r.external, r.internal};
}

std::optional<BlockEvent> NatState::next_block_event() {
  if (event_count_ == 0) return std::nullopt;
  const BlockEvent out = events_[first_event_];
  first_event_ = (first_event_ + 1) % events_.size();
  --event_count_;
  return out;
}

void NatState::activate(std::uint64_t term) {
  active_ = true;
  term_ = term;
}

// -- Questions --

void NatCounters::append_to(CounterList& out) const {
  out.push_back({"twin-bindings-created", bindings_created});
  out.push_back({"twin-bindings-updated", bindings_updated});
  out.push_back({"twin-bindings-deleted", bindings_deleted});
  out.push_back({"twin-bindings-displaced", bindings_displaced});
  out.push_back({"twin-bindings-swept", bindings_swept});
  out.push_back({"twin-refused-bindings", bindings_refused});
  out.push_back({"twin-refused-conflicting-bindings", bindings_conflicting});
  out.push_back({"bindings-made-again", adopted});
  out.push_back({"hairpinned-sessions", hairpins});
  out.push_back({"source-ports-changed", other_source_ports});
}

void NatState::append_status(std::vector<NatPoolStatus>& out) const {
  for (const auto& each : pools_) {
    if (!each) continue;
    const Pool& p = *each;
    NatPoolStatus status = p.figures;
    status.pool = rules_.pool_ids[p.index];
    status.use = p.use;
    status.addresses = p.config->address_count();
    if (p.use == NatPoolUse::addresses) status.addresses -= p.reserved_rows.size();
    if (p.ports) {
      status.ports = p.ports->size();
      status.ports_in_use = p.ports->in_use();
      status.max_ports_in_use = p.ports->max_in_use();
      status.addresses_in_use = p.ports->addresses_in_use();
    }
    if (p.ports) {
      status.held = p.ports->held();
      status.reused_early += p.ports->reused_early();
    }
    if (p.row_hold) status.held += p.row_hold->size();
    if (p.use == NatPoolUse::addresses) {
      for (const BindingCounts& each_set : p.bindings) status.addresses_in_use += each_set.pairings;
    }
    if (p.use == NatPoolUse::port_blocks) {
      status.block_size = p.config->blocks->block_size;
      status.max_blocks_per_host = p.config->blocks->max_blocks_per_address;
      status.blocks = p.row_count - p.reserved_rows.size();
    }
    if (p.deterministic) {
      status.block_size = p.deterministic->block_size();
      status.max_blocks_per_host = 1;
      status.blocks = p.deterministic->hosts();
    }
    for (std::size_t i = 0; i < p.service_sets.size(); ++i) {
      status.service_set = rules_.service_set_ids[p.service_sets[i]];
      status.mappings = p.bindings[i].mappings;
      status.pairings = p.bindings[i].pairings;
      out.push_back(status);
    }
  }
}

std::uint64_t NatState::ports_in_use() const {
  std::uint64_t sum = 0;
  for (const auto& p : pools_) sum += p && p->ports ? p->ports->in_use() : 0;
  return sum;
}

bool NatState::contested() const {
  return std::any_of(pools_.begin(), pools_.end(),
                     [](const auto& p) { return p && p->ports && p->ports->contested() != 0; });
}

std::size_t NatState::memory() const {
  std::size_t sum = rows_.size() * sizeof(Row) + hosts_.memory() + by_internal_.memory() + by_external_.memory() +
                    by_orphan_.memory() + orphans_.size() * sizeof(Orphan);
  for (const auto& p : pools_) {
    if (p && p->ports) sum += static_cast<std::size_t>(p->ports->size() / 8);
  }
  return sum;
}

}  // namespace icr::node
