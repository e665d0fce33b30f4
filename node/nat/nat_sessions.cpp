// Records what sessions hold of NAT. Their external ends follow from their keys.
#include <algorithm>
#include <functional>

#include "model/record/nat64_address.h"
#include "node/nat/nat_protocol.h"
#include "node/nat/nat_state.h"

namespace icr::node {
namespace {

/// Returns true if sessions of this type own an address or port of their source pool.
bool owns_source(NatType type) {
  switch (type) {
    case NatType::napt44:
    case NatType::dynamic_nat44:
    case NatType::deterministic_napt44:
    case NatType::twice_dynamic_nat44:
    case NatType::twice_napt44:
    case NatType::stateful_nat64:
      return true;
    default:
      return false;
  }
}

/// Returns true if such a session keeps its source port and may use another one, because nobody owns the port.
bool source_port_is_free(const NatSession& s) {
  const bool by_address =
      s.type == NatType::dnat44 || s.type == NatType::twice_basic_nat44 || s.type == NatType::twice_dynamic_nat44;
  return by_address && PortPool::translates_port(protocol_in_v4(s.initiator));
}

IpAddress subscriber_of(const NatSession& s) { return s.initiated_outside ? s.responder.source : s.initiator.source; }

}  // namespace

NatState::Pool* NatState::pool(std::uint16_t index_plus_one) {
  return index_plus_one == 0 || index_plus_one > pools_.size() ? nullptr : pools_[index_plus_one - 1U].get();
}

const NatState::Pool* NatState::pool(std::uint16_t index_plus_one) const {
  return index_plus_one == 0 || index_plus_one > pools_.size() ? nullptr : pools_[index_plus_one - 1U].get();
}

NatState::Pool* NatState::pool_with(std::uint16_t service_set, std::uint32_t external) const {
  const auto after = std::upper_bound(externals_.begin(), externals_.end(), external,
                                      [](std::uint32_t v4, const External& e) { return v4 < e.low; });
  if (after == externals_.begin() || external > std::prev(after)->high) return nullptr;
  Pool* const p = pools_[std::prev(after)->pool].get();
  const auto& sets = p->service_sets;
  return std::find(sets.begin(), sets.end(), service_set) == sets.end() ? nullptr : p;
}

NatState::Ends NatState::ends_of(const NatSession& s) const {
  Ends ends;
  if (s.type == NatType::none) return ends;
  const FlowKey& in = s.initiator;
  const FlowKey& back = s.responder;
  const std::uint8_t protocol = protocol_in_v4(in);
  const bool ports = PortPool::translates_port(protocol);
  Pool* const own = s.pool == 0 || s.pool > pools_.size() ? nullptr : pools_[s.pool - 1U].get();
  const auto in_v4 = [&](const IpAddress& address) -> std::optional<std::uint32_t> {
    if (address.is_v4()) return address.to_v4();
    if (s.type != NatType::stateful_nat64 || own == nullptr || !own->nat64_prefix) return std::nullopt;
    return extract_v4(*own->nat64_prefix, address);
  };
  if (!translates_destination(s.type) && ports) {
    const auto target = in_v4(in.destination);
    if (target && !(back.source.is_v4() && back.source.to_v4() == *target)) {
      Pool* const p = pool_of(s.service_set, *target);
      if (p != nullptr && p->mapped) {
        ends.target = End{p,           *target,          in.destination_port, protocol,
                          back.source, back.source_port, back.protocol,       s.initiated_outside};
      }
    }
  }
  if (own == nullptr || !owns_source(s.type)) return ends;
  const bool changed = s.type == NatType::stateful_nat64 ? !in.source.is_v4() : !(in.source == back.destination);
  if (!changed) return ends;
  const auto external = in_v4(back.destination);
  if (!external || !own->addresses.index_of(*external)) return ends;
  if (own->use == NatPoolUse::addresses || (own->ports && ports && !(protocol == ip_protocol::icmp && ends.target))) {
    ends.source = End{own, *external, back.destination_port, protocol, in.source, in.source_port, in.protocol, false};
  }
  return ends;
}

// -- Holding --

Host* NatState::host_of(Pool& p, const IpAddress& address) {
  bool fresh = false;
  Host* const host = hosts_.need(HostTable::of_pool(p.index), address, fresh);
  if (fresh) ++p.figures.users;
  return host;
}

void NatState::drop_host(Pool& p, Host& host) {
  if (hosts_.drop_if_idle(host)) --p.figures.users;
}

void NatState::count_host(Pool& p, const IpAddress& address) {
  if (!p.tracked) return;
  if (Host* const host = host_of(p, address)) ++host->count;
}

void NatState::uncount_host(Pool& p, const IpAddress& address) {
  if (!p.tracked) return;
  Host* const host = hosts_.find(HostTable::of_pool(p.index), address);
  if (host == nullptr || host->count == 0) return;
  if (--host->count == 0 && host->pairing != kNoRow) idle_now(host->pairing);
  drop_host(p, *host);
}

Host* NatState::paired_host(const Row& mapping) {
  return pools_[mapping.pool]->paired ? hosts_.find(HostTable::of_pool(mapping.pool), mapping.internal) : nullptr;
}

void NatState::count_sessions(const Row& mapping, std::uint32_t sessions) {
  if (Host* const host = paired_host(mapping)) host->sessions += sessions;
}

void NatState::uncount_sessions(const Row& mapping, std::uint32_t sessions) {
  if (Host* const host = paired_host(mapping)) host->sessions -= std::min(host->sessions, sessions);
}

void NatState::update_troubled(std::uint32_t row) {
  Row& r = rows_[row];
  const bool mapping = r.kind == RecordKind::mapping;
  const bool now =
      r.live ? r.users != r.refs * user_hash(r.internal, mapping ? r.internal_port : std::uint16_t{0}) : r.refs != 0;
  if (now == r.troubled) return;
  r.troubled = now;
  now ? ++troubled_ : --troubled_;
}

void NatState::hold_owned(std::uint32_t row, const IpAddress& host) {
  Row& r = rows_[row];
  if (!r.live && r.refs == 0) mark_owned(row, true);
  ++r.refs;
  r.users += user_hash(host, 0);
  update_troubled(row);
}

void NatState::release_owned(std::uint32_t row, const IpAddress& host) {
  Row& r = rows_[row];
  if (r.refs == 0) return;
  --r.refs;
  r.users -= user_hash(host, 0);
  update_troubled(row);
  if (r.refs != 0) return;
  if (!r.live) {
    mark_owned(row, false);
  } else if (active_ && r.kind == RecordKind::port_block && (r.flags & kBindingActiveBlock) == 0) {
    end(row);
  } else {
    idle_now(row);
  }
}

void NatState::hold_port(Pool& p, std::uint32_t external, std::uint16_t port, std::uint8_t protocol,
                         const IpAddress& host, bool taken) {
  if (!taken) (void)p.ports->claim(IpAddress::v4(external), protocol, port);
  if (p.use == NatPoolUse::port_blocks) {
    if (const std::uint32_t row = block_row(p, external, port); row != kNoRow) hold_owned(row, host);
  }
  if (p.deterministic) {
    const auto block = p.deterministic->of_host(host);
    if (block && p.deterministic_refs[block->number]++ == 0) {
      ++p.figures.users;
      p.figures.max_blocks_in_use = std::max(p.figures.max_blocks_in_use, ++p.figures.blocks_in_use);
    }
  }
  count_host(p, host);
}

void NatState::release_port(Pool& p, std::uint32_t external, std::uint16_t port, std::uint8_t protocol,
                            const IpAddress& host, bool ended) {
  const bool at_once = undoing_ || cancelling_ || (ended && protocol == ip_protocol::tcp);
  p.ports->release(IpAddress::v4(external), protocol, port, at_once ? std::nullopt : std::optional(now_));
  if (p.deterministic) {
    const auto block = p.deterministic->of_host(host);
    if (block && p.deterministic_refs[block->number] != 0 && --p.deterministic_refs[block->number] == 0) {
      --p.figures.users;
      --p.figures.blocks_in_use;
    }
  }
  uncount_host(p, host);
  if (p.use == NatPoolUse::port_blocks) {
    if (const std::uint32_t row = block_row(p, external, port); row != kNoRow) release_owned(row, host);
  }
}

void NatState::hold_end(const End& end, bool taken) {
  Pool& p = *end.pool;
  if (p.use == NatPoolUse::addresses) {
    hold_owned(p.first_row + *p.addresses.index_of(end.external), end.host);
    count_host(p, end.host);
    return;
  }
  if (!p.mapped) return hold_port(p, end.external, end.port, end.protocol, end.host, taken);
  if (end.inbound) {
    ++p.figures.eif_sessions;
    if (active_) ++p.figures.eif_sessions_created;
  }
  const std::uint32_t row = find_external(end.external, end.port, end.protocol);
  if (row == kNoRow) {
    Orphan* const o = need_orphan(external_key(end.external, end.port, end.protocol));
    if (o == nullptr) return;
    ++o->refs;
    o->users += user_hash(end.host, end.host_port);
    o->inbound += end.inbound ? 1U : 0U;
    return;
  }
  Row& mapping = rows_[row];
  ++mapping.refs;
  count_sessions(mapping, 1);
  mapping.users += user_hash(end.host, end.host_port);
  mapping.inbound += end.inbound ? 1U : 0U;
  update_troubled(row);
}

void NatState::release_end(const End& end) {
  Pool& p = *end.pool;
  if (p.use == NatPoolUse::addresses) {
    uncount_host(p, end.host);
    release_owned(p.first_row + *p.addresses.index_of(end.external), end.host);
    return;
  }
  if (!p.mapped) return release_port(p, end.external, end.port, end.protocol, end.host, end.ended);
  if (end.inbound && p.figures.eif_sessions != 0) --p.figures.eif_sessions;
  const std::uint32_t row = find_external(end.external, end.port, end.protocol);
  if (row == kNoRow) {
    Orphan* const o = orphan(external_key(end.external, end.port, end.protocol));
    if (o == nullptr) return;
    if (end.inbound && o->inbound != 0) --o->inbound;
    o->users -= user_hash(end.host, end.host_port);
    if (--o->refs == 0) drop_orphan(*o);
    return;
  }
  Row& mapping = rows_[row];
  if (!end.ended && !cancelling_) mapping.ended = false;
  if (end.inbound && mapping.inbound != 0) --mapping.inbound;
  if (mapping.refs == 0) return;
  uncount_sessions(mapping, 1);
  mapping.users -= user_hash(end.host, end.host_port);
  if (--mapping.refs == 0) idle_now(row);
  update_troubled(row);
}

void NatState::hold(const NatSession& s, bool taken, Ticks now) {
  now_ = now;
  if (rules_.subscriber_limits[s.service_set] != 0) {
    bool fresh = false;
    if (Host* const host = hosts_.need(HostTable::of_service_set(s.service_set), subscriber_of(s), fresh)) {
      ++host->count;
    }
  }
  const Pool* const own = pool(s.pool);
  if (taken && own != nullptr && own->ports_alone() && s.initiator.destination == s.responder.source) return;
  const Ends ends = ends_of(s);
  if (ends.target) hold_end(*ends.target, false);
  if (ends.source) hold_end(*ends.source, taken);
}

void NatState::release(const NatSession& s, Ticks now) {
  now_ = now;
  if (rules_.subscriber_limits[s.service_set] != 0) {
    Host* const host = hosts_.find(HostTable::of_service_set(s.service_set), subscriber_of(s));
    if (host != nullptr && host->count != 0) {
      --host->count;
      (void)hosts_.drop_if_idle(*host);
    }
  }
  Ends ends = ends_of(s);
  for (auto* const end : {&ends.target, &ends.source}) {
    if (!*end) continue;
    (*end)->ended = s.ended;
    release_end(**end);
  }
}

void NatState::cancel(const NatSession& s, Ticks now) {
  cancelling_ = true;
  hold(s, true, now);
  release(s, now);
  cancelling_ = false;
  const Ends ends = ends_of(s);
  if (!ends.source) return;
  // What translate() created is removed as well; the mapping first, because it holds a port of block and pairing.
  undoing_ = true;
  Pool& p = *ends.source->pool;
  const auto end_if_new = [&](std::uint32_t row) {
    if (row != kNoRow && rows_[row].live && rows_[row].created == now && !in_use(rows_[row])) end(row);
  };
  if (p.mapped) end_if_new(find_external(ends.source->external, ends.source->port, ends.source->protocol));
  if (p.use == NatPoolUse::port_blocks) end_if_new(block_row(p, ends.source->external, ends.source->port));
  const Host* const host = p.tracked ? hosts_.find(HostTable::of_pool(p.index), ends.source->host) : nullptr;
  if (host != nullptr && host->pairing != kNoRow) end_if_new(host->pairing);
  undoing_ = false;
}

std::optional<std::uint64_t> NatState::owned_port(const NatSession& s) const {
  const Ends ends = ends_of(s);
  if (!ends.source || ends.source->pool->mapped || !ends.source->pool->ports) return std::nullopt;
  return external_key(ends.source->external, ends.source->port, ends.source->protocol);
}

bool NatState::exhausted(std::uint16_t pool_plus_one, const FlowKey& initiator) const {
  const Pool* const p = pool(pool_plus_one);
  return p != nullptr && p->ports && p->ports->exhausted(protocol_in_v4(initiator));
}

std::optional<FlowKey> NatState::with_another_port(const NatSession& s, std::uint32_t attempt, Ticks now) const {
  if (!source_port_is_free(s)) return std::nullopt;
  // As in Linux, a privileged port is replaced by a privileged port.
  const bool low = s.initiator.source_port < PortPool::kFirstHighPort;
  const std::uint32_t first = low ? PortPool::kFirstHighPort / 2 : PortPool::kFirstHighPort;
  const std::uint32_t count = low ? PortPool::kFirstHighPort / 2 : 0x10000U - PortPool::kFirstHighPort;
  const std::uint64_t draw = detail::mix(nonce_of(s.initiator, now), attempt ^ 0xd6e8feb86659fd93ULL);
  FlowKey responder = s.responder;
  responder.destination_port = static_cast<std::uint16_t>(first + draw % count);
  if (protocol_in_v4(s.initiator) == ip_protocol::icmp) responder.source_port = responder.destination_port;
  return responder;
}

// -- Believing --

bool NatState::owns_port_rightly(const End& end) const {
  const Pool& p = *end.pool;
  if (!p.ports) {
    const auto index = p.addresses.index_of(end.external);
    return p.use == NatPoolUse::addresses && index && !is_reserved_row(p, p.first_row + *index);
  }
  if (!p.ports->in_range(end.port)) return false;
  if (p.ports->is_reserved(IpAddress::v4(end.external), end.protocol, end.port)) return false;
  if (p.deterministic) {
    const auto host = p.deterministic->host_of(IpAddress::v4(end.external), end.port);
    return host && end.host == IpAddress::v4(*host);
  }
  if (p.use != NatPoolUse::port_blocks) return true;
  const std::uint32_t row = block_row(p, end.external, end.port);
  return row != kNoRow && !is_reserved_row(p, row);
}

bool NatState::explains_source(const NatSession& s) const {
  const FlowKey& in = s.initiator;
  const FlowKey& back = s.responder;
  const bool same_port = in.source_port == back.destination_port || source_port_is_free(s);
  const bool echo = protocol_in_v4(in) == ip_protocol::icmp;
  const Pool* const own = pool(s.pool);
  if (in.source == back.destination) return same_port || echo;
  if (s.type == NatType::stateful_nat64 && in.source.is_v4()) {
    // From the IPv4 internet: its address is embedded.
    return own != nullptr && own->nat64_prefix && back.destination == embed_v4(*own->nat64_prefix, in.source.to_v4()) &&
           (same_port || echo);
  }
  if (owns_source(s.type)) {
    if (own == nullptr || (in.source.is_v4() && pool_of(s.service_set, in.source.to_v4()) != nullptr)) return false;
    std::optional<std::uint32_t> external;
    if (back.destination.is_v4()) {
      external = back.destination.to_v4();
    } else if (s.type == NatType::stateful_nat64 && own->nat64_prefix) {
      external = extract_v4(*own->nat64_prefix, back.destination);
    }
    if (!external || !own->addresses.index_of(*external)) return false;
    const bool right_use = s.type == NatType::dynamic_nat44 || s.type == NatType::twice_dynamic_nat44
                               ? own->use == NatPoolUse::addresses
                           : s.type == NatType::deterministic_napt44
                               ? own->use == NatPoolUse::deterministic
                               : own->use == NatPoolUse::ports || own->use == NatPoolUse::port_blocks;
    if (!right_use) return false;
    const Ends ends = ends_of(s);
    if (ends.source && !owns_port_rightly(*ends.source)) return false;
    if (ends.source && own->ports) return true;
    return same_port || echo;
  }
  return (same_port || echo) &&
         rules_.static_terms.any_of(s.service_set, back.destination, [&](const StaticTerms::Entry& each) {
           return each.term->type == s.type && each.pool == s.pool &&
                  static_external(*each.term, in.source) == back.destination;
         });
}

bool NatState::explains_destination(const NatSession& s) const {
  const FlowKey& in = s.initiator;
  const FlowKey& back = s.responder;
  const bool same_port = in.destination_port == back.source_port;
  const bool echo = protocol_in_v4(in) == ip_protocol::icmp;
  if (translates_destination(s.type)) {
    return std::any_of(rules_.terms.begin(), rules_.terms.end(), [&](const NatRules::AppliedTerm& each) {
      // The overload pool of a dynamic term gives ports.
      const bool overloaded = s.type == NatType::twice_napt44 && each.term->type == NatType::twice_dynamic_nat44 &&
                              each.term->overload_pool && *each.term->overload_pool + 1U == s.pool;
      if (each.service_set != s.service_set || (each.term->type != s.type && !overloaded)) return false;
      const auto target = rules_.destination_of(each.term)(in);
      return target && target->address == back.source && (target->port == back.source_port || echo);
    });
  }
  if (in.destination == back.source) return same_port || echo;
  if (s.type == NatType::none) return false;
  if (const Ends ends = ends_of(s); ends.target) return owns_port_rightly(*ends.target);
  if (!same_port && !echo) return false;
  const Pool* const own = pool(s.pool);
  IpAddress target = in.destination;
  if (s.type == NatType::stateful_nat64 && !target.is_v4() && own != nullptr && own->nat64_prefix) {
    const auto v4 = extract_v4(*own->nat64_prefix, target);
    if (!v4) return false;
    target = IpAddress::v4(*v4);
    if (target == back.source) return pool_of(s.service_set, *v4) == nullptr;
  }
  return rules_.static_terms.any_of(s.service_set, target, [&](const StaticTerms::Entry& each) {
    return each.term->type != NatType::twice_basic_nat44 && static_internal(*each.term, target) == back.source;
  });
}

bool NatState::consistent(const NatSession& s) const {
  const FlowKey& in = s.initiator;
  const FlowKey& back = s.responder;
  if (in.source.is_v4() != in.destination.is_v4() || back.source.is_v4() != back.destination.is_v4()) return false;
  const bool across = in.source.is_v4() != back.source.is_v4();
  if (back.protocol != (across ? protocol_across_families(in.protocol) : in.protocol)) return false;
  if (s.type == NatType::none) return s.pool == 0 && back == in.mirrored();
  if (across && s.type != NatType::stateful_nat64) return false;
  if (s.type == NatType::stateful_nat64 && !across && in.source.is_v4()) return false;
  if (s.pool != 0) {
    const Pool* const p = pool(s.pool);
    if (p == nullptr ||
        std::find(p->service_sets.begin(), p->service_sets.end(), s.service_set) == p->service_sets.end())
      return false;
  }
  if (protocol_in_v4(in) == ip_protocol::icmp &&
      (in.source_port != in.destination_port || back.source_port != back.destination_port)) {
    return false;
  }
  return !(back == in.mirrored()) && explains_source(s) && explains_destination(s);
}

// -- Settling --

bool NatState::must_reconcile() const { return troubled_ != 0 || orphan_count_ != 0; }

bool NatState::reconcile_owned(Pool& p, std::uint16_t service_set, std::uint32_t row, const IpAddress& host) {
  if (rows_[row].live) return rows_[row].internal == host;
  make_owned(row, p, service_set, host);
  ++counters_.adopted;
  return true;
}

bool NatState::reconcile_end(const End& e, std::uint16_t service_set) {
  Pool& p = *e.pool;
  if (p.use == NatPoolUse::addresses) {
    return reconcile_owned(p, service_set, p.first_row + *p.addresses.index_of(e.external), e.host);
  }
  if (p.mapped) {
    const std::uint32_t row = find_external(e.external, e.port, e.protocol);
    if (row == kNoRow) {
      const bool elsewhere = find_internal(p, service_set, e.host, e.host_port, e.inside_protocol) != kNoRow;
      if (elsewhere || free_mappings_.empty()) return false;
      make_mapping(mapping_rows_ + *free_mappings_.take(), p, service_set, e.host, e.host_port, e.inside_protocol,
                   e.external, e.port, false);
      ++counters_.adopted;
    } else if (!(rows_[row].internal == e.host) || rows_[row].internal_port != e.host_port) {
      return false;
    }
  }
  if (p.use != NatPoolUse::port_blocks) return true;
  const std::uint32_t block = block_row(p, e.external, e.port);
  return block != kNoRow && reconcile_owned(p, service_set, block, e.host);
}

bool NatState::reconcile(const NatSession& s, Ticks now) {
  now_ = now;
  const Ends ends = ends_of(s);
  return (!ends.target || reconcile_end(*ends.target, s.service_set)) &&
         (!ends.source || reconcile_end(*ends.source, s.service_set));
}

void NatState::finish_reconcile(Ticks now) {
  now_ = now;
  if (troubled_ == 0) return;
  for (std::uint32_t row = mapping_rows_; row < high_water_; ++row) {
    const Row& r = rows_[row];
    if (!r.live) continue;
    Pool& p = *pools_[r.pool];
    if (p.use != NatPoolUse::port_blocks) continue;
    const std::uint32_t block = block_row(p, r.external, r.external_port);
    if (block == kNoRow || !reconcile_owned(p, r.service_set, block, r.internal)) end(row);
  }
}

}  // namespace icr::node
