// Bindings as rows: made by the active side, timed out by it, and brought by peers and checkpoints.
#include <algorithm>

#include "node/services/nat_state.h"

namespace icr::node {
namespace {

/// Ticks are compared modulo 2^32; an age beyond a quarter of that (three years) would turn into the future.
constexpr Ticks kLongestAge = 1U << 30;

std::uint8_t protocol_in_v4(std::uint8_t protocol) {
  return protocol == ip_protocol::icmp6 ? ip_protocol::icmp : protocol;
}

}  // namespace

// -- Finding --

std::uint32_t NatState::block_row(const Pool& p, std::uint32_t external, std::uint16_t port) const {
  const auto index = p.addresses.index_of(external);
  if (!index || port < p.config->port_low) return kNoRow;
  const std::uint32_t block = (std::uint32_t{port} - p.config->port_low) / p.config->blocks->block_size;
  const std::uint32_t number = *index * p.blocks_per_address + block;
  return block < p.blocks_per_address && number < p.row_count ? p.first_row + number : kNoRow;
}

PortPool::Span NatState::span_of(const Row& block) const {
  const std::uint16_t size = cluster_->nat_pools[block.pool].blocks->block_size;
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
    return r.external == external && r.external_port == port && protocol_in_v4(r.protocol) == protocol;
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
  for (auto& each : pools_) {
    if (!each || row - each->first_row >= each->row_count) continue;
    const std::uint32_t number = row - each->first_row;
    const std::uint32_t bits = each->free_rows->bits();
    (void)(taken ? each->free_rows->set(number / bits, number % bits)
                 : each->free_rows->clear(number / bits, number % bits));
    return;
  }
}

void NatState::mark_taken(std::uint32_t row, bool taken) {
  if (row < pairing_rows_) {
    mark_owned(row, taken || rows_[row].refs != 0);
    return;
  }
  DirtySet& free = row < mapping_rows_ ? free_pairings_ : free_mappings_;
  const std::uint32_t number = row - (row < mapping_rows_ ? pairing_rows_ : mapping_rows_);
  (void)(taken ? free.unmark(number) : free.mark(number));
}

Ticks NatState::timeout_of(const Row& r) const {
  const NatPool& config = cluster_->nat_pools[r.pool];
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

void NatState::give_birth(std::uint32_t row, bool taken) {
  Row& r = rows_[row];
  if (++r.generation == 0) r.generation = 1;
  r.version = 1;
  r.term = term_;
  r.pass = pass_;
  r.created = r.last_used = r.active_since = now_;
  enter(row, taken);
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
  give_birth(row, taken);
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
    if (known != nullptr && known->active != kNoRow) rest(known->active);
    ++p.figures.block_allocations;
  }
  give_birth(row, false);
  if (block) log_block(r, true);
}

void NatState::rest(std::uint32_t row) {
  Row& r = rows_[row];
  r.flags = static_cast<std::uint8_t>(r.flags & ~kBindingActiveBlock);
  ++r.version;
  if (Host* const host = hosts_.find(HostTable::of_pool(r.pool), r.internal)) host->active = kNoRow;
  if (r.refs == 0) return end(row);
  out_.binding_changed(row);
}

void NatState::set_active_block(Host& host, std::uint32_t row) {
  if (host.active != kNoRow) rest(host.active);
  Row& r = rows_[row];
  r.flags |= kBindingActiveBlock;
  r.active_since = now_;
  ++r.version;
  host.active = row;
  out_.binding_changed(row);
}

void NatState::enter(std::uint32_t row, bool taken) {
  Row& r = rows_[row];
  Pool& p = *pools_[r.pool];
  r.live = true;
  high_water_ = std::max(high_water_, row + 1);
  mark_taken(row, true);
  switch (r.kind) {
    case RecordKind::mapping: {
      by_internal_.insert(internal_hash(r.pool, r.service_set, r.internal, r.internal_port, r.protocol), row);
      const std::uint64_t key = external_key(r.external, r.external_port, protocol_in_v4(r.protocol));
      by_external_.insert(external_hash(key), row);
      if (Orphan* const waiting = orphan(key)) {
        r.refs = waiting->refs;
        r.inbound = waiting->inbound;
        r.users = waiting->users;
        drop_orphan(*waiting);
      }
      hold_port(p, r.external, r.external_port, protocol_in_v4(r.protocol), r.internal, taken);
      ++p.figures.mappings;
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
      ++p.figures.pairings;
      break;
    case RecordKind::session:
      break;
  }
  look_at(row);
}

void NatState::leave(std::uint32_t row) {
  Row& r = rows_[row];
  Pool& p = *pools_[r.pool];
  r.live = false;
  switch (r.kind) {
    case RecordKind::mapping: {
      by_internal_.erase(internal_hash(r.pool, r.service_set, r.internal, r.internal_port, r.protocol), row);
      const std::uint64_t key = external_key(r.external, r.external_port, protocol_in_v4(r.protocol));
      by_external_.erase(external_hash(key), row);
      if (r.refs != 0) {
        if (Orphan* const o = need_orphan(key)) {
          o->refs += r.refs;
          o->inbound += r.inbound;
          o->users += r.users;
        }
      }
      r.refs = r.inbound = 0;
      r.users = 0;
      release_port(p, r.external, r.external_port, protocol_in_v4(r.protocol), r.internal);
      --p.figures.mappings;
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
      --p.figures.pairings;
      break;
    case RecordKind::session:
      break;
  }
  mark_taken(row, false);
  look_at(row);
}

void NatState::end(std::uint32_t row) {
  Row& r = rows_[row];
  leave(row);
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

// -- Records --

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
  b.pool = r.pool;
  b.service_set = r.service_set;
  b.timeout_s = timeout_of(r) / 10;
  b.idle = used ? 0 : now - r.last_used;
  b.age = now - r.created;
  return true;
}

bool NatState::may_host(const Pool& p, std::uint16_t service_set, const IpAddress& host) const {
  const auto& sets = p.service_sets;
  if (std::find(sets.begin(), sets.end(), service_set) == sets.end()) return false;
  const auto holds = [&](const std::vector<AddressRange>& ranges) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return r.contains(host); });
  };
  return std::any_of(p.terms.begin(), p.terms.end(), [&](const NatTerm* term) {
    return (term->from.source_addresses.empty() || holds(term->from.source_addresses)) &&
           !holds(term->from.source_except) && (host.is_v4() || term->type == NatType::stateful_nat64);
  });
}

bool NatState::acceptable(std::uint32_t row, const SessionRecord& record) const {
  const BindingRecord& b = record.binding;
  if (b.pool >= pools_.size() || !pools_[b.pool] || !b.external.is_v4() || record.ref.generation == 0) return false;
  const Pool& p = *pools_[b.pool];
  if (!may_host(p, b.service_set, b.internal)) return false;
  const auto index = p.addresses.index_of(b.external);
  if (!index) return false;
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
      if (!PortPool::translates_port(protocol_in_v4(b.protocol)) ||
          (b.protocol == ip_protocol::icmp6) !=
              (!b.internal.is_v4() && protocol_in_v4(b.protocol) == ip_protocol::icmp)) {
        return false;
      }
      return owns_port_rightly(End{pools_[b.pool].get(), b.external.to_v4(), b.external_port, b.protocol, b.internal,
                                   b.internal_port, b.protocol, false});
    case RecordKind::session:
      break;
  }
  return false;
}

std::array<std::uint32_t, 2> NatState::in_the_way(std::uint32_t row, const SessionRecord& record) {
  const BindingRecord& b = record.binding;
  std::array<std::uint32_t, 2> out = {kNoRow, kNoRow};
  if (record.kind == RecordKind::mapping) {
    out = {find_external(b.external.to_v4(), b.external_port, protocol_in_v4(b.protocol)),
           find_internal(*pools_[b.pool], b.service_set, b.internal, b.internal_port, b.protocol)};
    if (out[1] == out[0]) out[1] = kNoRow;
  } else if (record.kind == RecordKind::pairing) {
    if (const Host* const host = hosts_.find(HostTable::of_pool(b.pool), b.internal)) out[0] = host->pairing;
  }
  for (std::uint32_t& other : out) {
    if (other == row) other = kNoRow;
  }
  return out;
}

Applied NatState::apply(std::uint32_t row, const SessionRecord& record, Ticks now) {
  now_ = now;
  if (row >= rows_.size() || !acceptable(row, record)) {
    ++counters_.bindings_refused;
    return Applied::refused;
  }
  const BindingRecord& b = record.binding;
  Row& r = rows_[row];
  const bool same = r.live && r.kind == record.kind && r.internal == b.internal && r.external == b.external.to_v4() &&
                    r.internal_port == b.internal_port && r.external_port == b.external_port && r.pool == b.pool &&
                    r.service_set == b.service_set && r.protocol == b.protocol;
  if (r.pass == pass_) {
    const bool older = record.ref.generation < r.generation;
    const bool buried = record.ref.generation == r.generation && !r.live && r.generation != 0;
    const bool stale = record.ref.generation == r.generation && same && record.version < r.version;
    if (older || buried || stale) return Applied::unchanged;
  }
  const auto others = in_the_way(row, record);
  for (const std::uint32_t other : others) {
    if (other == kNoRow || rows_[other].pass != pass_ || rows_[other].term <= b.term) continue;
    // Both are facts of this pass, and the one that is held is the younger: two masters contradict each other.
    ++counters_.bindings_conflicting;
    ++pools_[b.pool]->figures.conflicts_refused;
    return Applied::refused;
  }
  for (const std::uint32_t other : others) {
    // Where the record comes from it is alive, so what holds its endpoint or its host here has died there.
    if (other == kNoRow) continue;
    leave(other);
    ++counters_.bindings_displaced;
    out_.binding_changed(other);
  }
  const bool update = same && r.generation == record.ref.generation;
  if (!update) {
    if (r.live) leave(row);
    // Sessions of another host may use it: their tombstones are on the way, or activation will decide (look_at).
    r.kind = record.kind;
    r.internal = b.internal;
    r.external = b.external.to_v4();
    r.internal_port = b.internal_port;
    r.external_port = b.external_port;
    r.protocol = b.protocol;
    r.pool = b.pool;
    r.service_set = b.service_set;
    r.flags = static_cast<std::uint8_t>(b.flags & ~kBindingInUse);
    enter(row, false);
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
    leave(row);
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
    leave(row);
    out_.binding_changed(row);
    ++removed;
  }
  counters_.bindings_swept += removed;
  return removed;
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
}

void NatState::append_status(std::vector<NatPoolStatus>& out) const {
  for (const auto& each : pools_) {
    if (!each) continue;
    const Pool& p = *each;
    NatPoolStatus status = p.figures;
    status.pool = p.index;
    status.use = p.use;
    status.addresses = p.config->address_count();
    if (p.ports) {
      status.ports = p.ports->size();
      status.ports_in_use = p.ports->in_use();
      status.max_ports_in_use = p.ports->max_in_use();
      status.addresses_in_use = p.ports->addresses_in_use();
    }
    if (p.use == NatPoolUse::addresses) status.addresses_in_use = p.figures.pairings;
    if (p.use == NatPoolUse::port_blocks) {
      status.block_size = p.config->blocks->block_size;
      status.max_blocks_per_host = p.config->blocks->max_blocks_per_address;
      status.blocks = p.row_count;
    }
    if (p.deterministic) {
      status.block_size = p.deterministic->block_size();
      status.max_blocks_per_host = 1;
      status.blocks = p.deterministic->hosts();
    }
    for (const std::uint16_t s : p.service_sets) {
      status.service_set = s;
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
