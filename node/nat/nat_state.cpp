// The pools and terms of a shard, and how a first packet is translated. Allocation is in nat_allocate.cpp, what
// sessions hold is in nat_sessions.cpp, and bindings are in nat_rows.cpp and nat_records.cpp.
#include "node/nat/nat_state.h"

#include <algorithm>
#include <functional>

#include "model/base/guilt.h"
#include "model/config/reserved_endpoints.h"
#include "model/record/nat64_address.h"
#include "node/nat/nat_protocol.h"

namespace icr::node {
namespace {

/// Messages about blocks that wait for the card's loop.
constexpr std::size_t kBlockEvents = 4096;

/// What the service sets of a redundancy set need, before anything is allocated.
struct Needs {
  bool mappings = false;
  bool pairings = false;
  bool subscribers = false;
  bool hosts = false;
  std::uint32_t owned = 0;  ///< blocks and whole addresses
};

}  // namespace

NatState::NatState(const Cluster& cluster, std::uint16_t set, std::uint64_t seed, NatOutput& out)
    : rules_(cluster, set, reserved_endpoints(cluster)),
      out_(out),
      seed_(seed),
      free_pairings_(0),
      free_mappings_(0),
      by_internal_(0),
      by_external_(0),
      hosts_(0, 0),
      by_orphan_(0),
      events_(kBlockEvents) {
  for (auto& each : rules_.pools) {
    if (!each) {
      pools_.push_back(nullptr);
      continue;
    }
    pools_.push_back(std::make_unique<Pool>());
    static_cast<PoolRules&>(*pools_.back()) = std::move(*each);
    pools_.back()->bindings.resize(pools_.back()->service_sets.size());
  }
  rules_.pools.clear();
  const std::uint32_t max_sessions = cluster.redundancy_sets[set].max_sessions;
  Needs needs;
  for (const std::uint16_t s : rules_.service_sets) needs.subscribers |= rules_.subscriber_limits[s] != 0;
  // Rows of blocks and addresses, then pairings, then mappings; never more than slots can name. There are as many of
  // the first as the pools need: a cluster file in which slots cannot name them is refused.
  const std::uint32_t most = kMaxRecordSlots - max_sessions;
  for (auto& each : pools_) {
    if (!each) continue;
    Pool& p = *each;
    finish_pool(p, seed);
    reserve(p);
    add_hold(p, max_sessions);
    needs.mappings |= p.mapped;
    needs.pairings |= p.paired;
    needs.hosts |= p.tracked;
    p.first_row = needs.owned;
    needs.owned += p.row_count;
    if (p.row_count != 0) row_pools_.push_back(&p);
  }
  ICR_MUST(needs.owned <= most);
  std::sort(externals_.begin(), externals_.end(), [](const External& a, const External& b) { return a.low < b.low; });
  for (const External& each : externals_) {
    external_low_ = externals_.front().low;
    external_high_ = std::max(external_high_, each.high);
  }
  pairing_rows_ = needs.owned;
  const std::uint32_t pairings = needs.pairings ? std::min(std::max(max_sessions / 4, 64U), most - needs.owned) : 0;
  mapping_rows_ = pairing_rows_ + pairings;
  const std::uint32_t mappings = needs.mappings ? std::min(max_sessions, most - mapping_rows_) : 0;
  rows_.resize(mapping_rows_ + mappings);
  free_pairings_ = BitSet(pairings);
  for (std::uint32_t i = 0; i < pairings; ++i) (void)free_pairings_.mark(i);
  free_mappings_ = BitSet(mappings);
  for (std::uint32_t i = 0; i < mappings; ++i) (void)free_mappings_.mark(i);
  by_internal_ = FixedIndex(mappings);
  by_external_ = FixedIndex(mappings);
  // Each host in it has a session or a binding.
  const std::uint64_t hosts = (needs.subscribers ? std::uint64_t{max_sessions} : 0) +
                              (needs.hosts ? std::uint64_t{max_sessions} + rows_.size() : 0);
  hosts_ = HostTable(static_cast<std::uint32_t>(std::min<std::uint64_t>(hosts, 0x7fffffffU)), seed);
  // A session has two ends at most.
  orphans_.resize(needs.mappings ? std::size_t{max_sessions} * 2 : 0);
  for (std::size_t i = orphans_.size(); i-- > 0;) {
    orphans_[i].next_free = free_orphan_;
    free_orphan_ = static_cast<std::uint32_t>(i);
  }
  by_orphan_ = FixedIndex(static_cast<std::uint32_t>(orphans_.size()));
}

void NatState::take(NatRules& rules) {
  if (pools_.size() < rules.pools.size()) pools_.resize(rules.pools.size());
  for (std::size_t i = 0; i < rules.pools.size(); ++i) {
    if (!pools_[i]) continue;
    Pool& p = *pools_[i];
    PoolRules& next = *rules.pools[i];
    std::vector<BindingCounts> bindings(next.service_sets.size());
    for (std::size_t j = 0; j < p.bindings.size(); ++j) {
      const auto at = std::find(next.service_sets.begin(), next.service_sets.end(), p.service_sets[j]);
      bindings[static_cast<std::size_t>(at - next.service_sets.begin())] = p.bindings[j];
    }
    p.bindings = std::move(bindings);
    std::swap(static_cast<PoolRules&>(p), next);
    if (p.ports) p.ports->take(*p.config);
    if (p.hold == 0) continue;
    if (p.use == NatPoolUse::ports) p.ports->set_hold(p.hold);
    if (p.row_hold) p.row_hold->set_duration(p.hold);
  }
  std::swap(rules_, rules);
  std::swap(rules_.pools, rules.pools);
  any_over_ = false;
}

void NatState::finish_pool(Pool& p, std::uint64_t seed) {
  p.addresses = AddressList(p.config->addresses);
  if (!p.is_owned()) return;
  for (const AddressRange& range : p.config->addresses) {
    if (range.is_v4()) externals_.push_back({range.low.to_v4(), range.high.to_v4(), p.index});
  }
  if (p.use == NatPoolUse::addresses) {
    p.row_count = p.addresses.size();
    p.free_rows.emplace(1, p.addresses.size());
    return;
  }
  p.ports.emplace(*p.config, detail::mix(seed + p.index, 0xeb44accab455d165ULL));
  if (p.use == NatPoolUse::deterministic) {
    p.deterministic.emplace(*p.config, *p.terms.front());
    p.deterministic_refs.resize(p.deterministic->hosts());
  }
  if (p.use == NatPoolUse::port_blocks) {
    const std::uint32_t size = p.config->blocks->block_size;
    p.blocks_per_address = p.config->ports_per_address() / size;
    p.row_count = p.addresses.size() * p.blocks_per_address;
    // Where a flow's range is preserved, it wants blocks up to or from the one that holds port 1024.
    const std::uint32_t low = p.config->port_low;
    const std::uint32_t below = low < PortPool::kFirstHighPort ? PortPool::kFirstHighPort - low : 0;
    p.free_rows.emplace(p.addresses.size(), p.blocks_per_address, 1, below / size, (below + size - 1) / size);
  }
}

void NatState::reserve(Pool& p) {
  if (p.ports) p.ports->reserve(p.reserved);
  if (!p.free_rows) return;
  for (const ReservedEndpoints& each : p.reserved) {
    // A block with a reserved port is given to nobody, because its log line names one host for all its ports.
    for (std::uint64_t v4 = each.low; v4 <= each.high; ++v4) {
      const auto index = p.addresses.index_of(static_cast<std::uint32_t>(v4));
      if (!index) continue;
      if (p.use == NatPoolUse::addresses) {
        if (p.free_rows->set(0, *index)) p.reserved_rows.push_back(*index);
        continue;
      }
      if (each.protocol == EndpointProtocol::other || p.blocks_per_address == 0) continue;
      const std::uint32_t size = p.config->blocks->block_size;
      const std::uint32_t low = p.config->port_low;
      const PortRange ports = each.ports.value_or(PortRange{0, 65535});
      if (ports.high < low) continue;
      const std::uint32_t last = std::min((ports.high - low) / size, p.blocks_per_address - 1);
      for (std::uint32_t block = ports.low < low ? 0 : (ports.low - low) / size; block <= last; ++block) {
        if (p.free_rows->set(*index, block)) p.reserved_rows.push_back(*index * p.blocks_per_address + block);
      }
    }
  }
  std::sort(p.reserved_rows.begin(), p.reserved_rows.end());
}

void NatState::add_hold(Pool& p, std::uint32_t max_sessions) {
  if (p.hold == 0) return;
  // The ports of a block belong to one host as long as it has the block, and the block itself is held afterwards.
  if (p.use == NatPoolUse::ports) p.ports->hold_released(p.hold, std::max(max_sessions, 1024U));
  if (p.row_count != 0) p.row_hold.emplace(p.row_count, p.row_count, p.hold);
}

bool NatState::is_reserved_row(const Pool& p, std::uint32_t row) const {
  return std::binary_search(p.reserved_rows.begin(), p.reserved_rows.end(), row - p.first_row);
}

bool NatState::waits_for(std::uint16_t service_set, const FlowKey& key) const {
  const Pool* const p = key.destination.is_v4() ? pool_of(service_set, key.destination.to_v4()) : nullptr;
  if (p == nullptr) return true;
  if (!p->mapped || !PortPool::translates_port(key.protocol) || p->drain_of(service_set) != nullptr) return false;
  return find_external(key.destination.to_v4(), key.destination_port, key.protocol) != kNoRow;
}

NatResult NatState::translate(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside,
                              Ticks now) {
  now_ = now;
  NatResult result;
  FlowKey to = key;
  if (term != nullptr && term->type == NatType::none) term = nullptr;
  result.refused = translate_destination(service_set, term, key, inside, to, result);
  if (result.refused != NatRefusal::none) return result;
  if (const std::uint32_t limit = rules_.subscriber_limits[service_set]; limit != 0) {
    const Host* const host = hosts_.find(HostTable::of_service_set(service_set), inside ? key.source : to.destination);
    if (host != nullptr && host->count >= limit) {
      result.refused = NatRefusal::subscriber_limit;
      return result;
    }
  }
  if (term != nullptr) result.refused = translate_source(service_set, *term, key, to, result);
  if (result.refused != NatRefusal::none) return result;
  // A rule for one family that met an end of the other; or a host that calls itself by its external address, whose
  // answers would look like its questions. Only sources that nobody owns come so far with either: see has_way_back().
  if (to.source.is_v4() != to.destination.is_v4() || to.source == to.destination || to.mirrored() == key) {
    result.refused = NatRefusal::untranslatable;
    return result;
  }
  // Arithmetic may map an address to itself. What leaves as it came is not translated, for whoever asks and for twins.
  if (to == key) {
    result.type = NatType::none;
    result.pool = 0;
  }
  if (result.hairpin) ++counters_.hairpins;
  result.responder = to.mirrored();
  return result;
}

NatRefusal NatState::translate_destination(std::uint16_t service_set, const NatTerm* term, const FlowKey& key,
                                           bool inside, FlowKey& to, NatResult& result) {
  if (term != nullptr && translates_destination(term->type)) {
    const auto real = rules_.destination_of(term)(key);
    if (!real) return NatRefusal::untranslatable;
    to.destination = real->address;
    to.destination_port = real->port;
    result.type = term->type;
    result.hairpin = inside && rules_.insides[service_set].contains(to.destination);
    if (term->destination_pool) result.pool = static_cast<std::uint16_t>(*term->destination_pool + 1);
    return NatRefusal::none;
  }
  if (term != nullptr && term->type == NatType::stateful_nat64) {
    const auto v4 = extract_v4(*term->destination_prefix, key.destination);
    if (!v4 || !PortPool::translates_port(protocol_in_v4(key))) return NatRefusal::untranslatable;
    if (!nat64_may_embed(*term->destination_prefix, *v4)) return NatRefusal::untranslatable;
    to.destination = IpAddress::v4(*v4);
    to.protocol = protocol_in_v4(key);
  }
  return translate_external(service_set, key, inside, to, result);
}

NatRefusal NatState::translate_external(std::uint16_t service_set, const FlowKey& key, bool inside, FlowKey& to,
                                        NatResult& result) {
  if (to.destination.is_v4()) {
    if (Pool* const p = pool_of(service_set, to.destination.to_v4())) {
      const std::uint32_t row = p->mapped && PortPool::translates_port(to.protocol)
                                    ? find_external(to.destination.to_v4(), to.destination_port, to.protocol)
                                    : kNoRow;
      if (row == kNoRow || rows_[row].service_set != service_set || p->drain_of(service_set) != nullptr) {
        return NatRefusal::no_binding;
      }
      const Row& mapping = rows_[row];
      if (!inside) {
        const bool welcome = p->filter_open && (p->let_in->empty() ||
                                                std::any_of(p->let_in->begin(), p->let_in->end(),
                                                            [&](const Prefix& f) { return f.contains(key.source); }));
        if (!welcome) {
          ++p->figures.eif_refused;
          return NatRefusal::filtered;
        }
        if (p->flow_limit != 0 && mapping.inbound >= p->flow_limit) {
          ++p->figures.eif_limit_exceeded;
          return NatRefusal::flow_limit;
        }
      }
      if (mapping.internal.is_v4() != key.source.is_v4()) {
        // Somebody of the IPv4 internet to a host of NAT64 (RFC 6146 section 3.5.1.2). Two hosts inside of different
        // families have no common way back.
        if (inside || !p->nat64_prefix || !nat64_may_embed(*p->nat64_prefix, key.source.to_v4())) {
          return NatRefusal::untranslatable;
        }
        to.source = embed_v4(*p->nat64_prefix, key.source.to_v4());
      }
      to.destination = mapping.internal;
      to.destination_port = mapping.internal_port;
      if (protocol_in_v4(mapping.internal, mapping.protocol) == ip_protocol::icmp) {
        to.source_port = mapping.internal_port;
      }
      to.protocol = mapping.protocol;
      result.type = !mapping.internal.is_v4()             ? NatType::stateful_nat64
                    : p->use == NatPoolUse::deterministic ? NatType::deterministic_napt44
                                                          : NatType::napt44;
      result.pool = static_cast<std::uint16_t>(p->index + 1);
      result.to_mapping = true;
      result.hairpin = inside;
      return NatRefusal::none;
    }
  }
  NatRefusal refusal = NatRefusal::none;
  const IpAddress external = to.destination;
  (void)rules_.static_terms.any_of(service_set, external, [&](const StaticTerms::Entry& each) {
    if (each.term->type == NatType::twice_basic_nat44) return false;
    if (const auto internal = static_internal(*each.term, external)) {
      to.destination = *internal;
      result.type = each.term->type;
      result.pool = each.pool;
      result.hairpin = inside;
    } else {
      refusal = NatRefusal::untranslatable;
    }
    return true;
  });
  return refusal;
}

bool NatState::has_way_back(std::uint16_t service_set, const NatTerm& term, const FlowKey& key,
                            const FlowKey& to) const {
  const bool nat64 = term.type == NatType::stateful_nat64;
  // Somebody of the IPv4 internet, to a host of NAT64.
  if (!nat64 && !to.destination.is_v4()) return false;
  // RFC 6146 section 3.5: no source is from below the prefix.
  if (nat64 && term.destination_prefix->contains(key.source)) return false;
  const auto external = [&](const IpAddress& address) {
    const auto v4 = address.is_v4() ? std::optional(address.to_v4())
                    : nat64         ? extract_v4(*term.destination_prefix, address)
                                    : std::nullopt;
    return v4 && pool_of(service_set, *v4) != nullptr;
  };
  // The source, or the target after a rule or static mapping, has an external address as its own. Such an address could
  // not be distinguished from one that the pool allocates.
  if (external(key.source) || external(to.destination)) return false;
  // A socket contacts itself by an address of a pool. The pool could allocate that very endpoint as its source.
  const bool itself = to.destination == key.source && to.destination_port == key.source_port;
  return !itself || !external(key.destination);
}

NatRefusal NatState::translate_source(std::uint16_t service_set, const NatTerm& term, const FlowKey& key, FlowKey& to,
                                      NatResult& result) {
  switch (term.type) {
    case NatType::none:
    case NatType::dnat44:
      return NatRefusal::none;
    case NatType::basic_nat44:
    case NatType::twice_basic_nat44:
    case NatType::nptv6: {
      const auto external = static_external(term, key.source);
      if (!external) return NatRefusal::untranslatable;
      to.source = *external;
      result.type = term.type;
      result.pool = static_cast<std::uint16_t>(term.source_pools.empty() ? 0 : term.source_pools.front() + 1);
      return NatRefusal::none;
    }
    default:
      break;
  }
  const std::uint8_t protocol = protocol_in_v4(key);
  // Checked before anything is allocated, so that nothing must be released.
  if (!has_way_back(service_set, term, key, to)) return NatRefusal::untranslatable;
  // An echo has one identifier: when a mapping has translated its target's, the sender's own cannot be too. That holds
  // for hosts inside and for those that come in from outside.
  const bool owns_port = PortPool::translates_port(protocol) && !(protocol == ip_protocol::icmp && result.to_mapping);
  const auto take = [&](std::uint16_t index, NatType type) {
    const NatRefusal refusal = take_from(*pools_[index], service_set, key, owns_port, to);
    if (refusal == NatRefusal::none) {
      result.type = type;
      result.pool = static_cast<std::uint16_t>(index + 1);
      if (type == NatType::stateful_nat64 && !to.destination.is_v4()) {
        to.source = embed_v4(*term.destination_prefix, to.source.to_v4());  // RFC 6146 section 3.8
      }
    }
    return refusal;
  };
  // A host continues with the pool that it uses already.
  if (term.source_pools.size() > 1) {
    for (const std::uint16_t index : term.source_pools) {
      Pool& p = *pools_[index];
      const bool mapped =
          p.mapped && find_internal(p, service_set, key.source, key.source_port, key.protocol) != kNoRow;
      const Host* const host = p.tracked ? hosts_.find(HostTable::of_pool(index), key.source) : nullptr;
      if (mapped || (host != nullptr && host->pairing != kNoRow)) return take(index, term.type);
    }
  }
  NatRefusal refusal = NatRefusal::out_of_ports;
  for (const std::uint16_t index : term.source_pools) {
    refusal = take(index, term.type);
    const bool exhausted = refusal == NatRefusal::out_of_ports || refusal == NatRefusal::out_of_blocks ||
                           refusal == NatRefusal::out_of_addresses;
    if (!exhausted) return refusal;
  }
  if (!term.overload_pool) return refusal;
  return take(*term.overload_pool, term.type == NatType::twice_dynamic_nat44 ? NatType::twice_napt44 : NatType::napt44);
}

}  // namespace icr::node
