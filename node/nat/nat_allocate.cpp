// Allocates addresses, ports and port blocks of a pool.
#include <algorithm>

#include "node/nat/nat_protocol.h"
#include "node/nat/nat_state.h"

namespace icr::node {
NatRefusal NatState::count(Pool& p, NatRefusal refusal) {
  // Ports of such a pool come from blocks only.
  if (refusal == NatRefusal::out_of_ports && p.use == NatPoolUse::port_blocks) refusal = NatRefusal::out_of_blocks;
  switch (refusal) {
    case NatRefusal::out_of_ports:
      ++p.figures.out_of_port_errors;
      break;
    case NatRefusal::out_of_blocks:
      ++p.figures.out_of_block_errors;
      break;
    case NatRefusal::out_of_addresses:
      ++p.figures.out_of_address_errors;
      break;
    case NatRefusal::parity:
      ++p.figures.parity_port_errors;
      break;
    case NatRefusal::range:
      ++p.figures.preserve_range_errors;
      break;
    case NatRefusal::paired_out_of_ports:
      ++p.figures.app_port_errors;
      break;
    case NatRefusal::port_limit:
      ++p.figures.app_exceed_port_limit_errors;
      break;
    case NatRefusal::block_limit:
      ++p.figures.max_blocks_exceeded_errors;
      break;
    case NatRefusal::no_memory:
      ++p.figures.memory_allocation_errors;
      break;
    default:
      break;
  }
  return refusal;
}

NatRefusal NatState::refusal_of(PortPool::Refusal why) {
  return why == PortPool::Refusal::parity  ? NatRefusal::parity
         : why == PortPool::Refusal::range ? NatRefusal::range
                                           : NatRefusal::out_of_ports;
}

NatRefusal NatState::take_from(Pool& p, std::uint16_t service_set, const FlowKey& key, bool owns_port, FlowKey& to) {
  std::uint32_t external = 0;
  NatRefusal refusal = NatRefusal::none;
  if (p.use == NatPoolUse::addresses) {
    advance_hold(p);
    refusal = take_address(p, service_set, key.source, external);
  } else if (!owns_port) {
    refusal = take_portless(p, key.source, external);
  } else {
    const std::uint32_t known =
        p.mapped ? find_internal(p, service_set, key.source, key.source_port, key.protocol) : kNoRow;
    std::uint16_t port = 0;
    if (known != kNoRow) {
      external = rows_[known].external;
      port = rows_[known].external_port;
    } else if (p.mapped && free_mappings_.empty()) {
      refusal = NatRefusal::no_memory;
    } else {
      refusal = take_port(p, service_set, key, external, port);
      if (refusal == NatRefusal::none && p.mapped) {
        make_mapping(mapping_rows_ + *free_mappings_.take(), p, service_set, key.source, key.source_port, key.protocol,
                     external, port, true);
      }
    }
    to.source_port = port;
    if (protocol_in_v4(key) == ip_protocol::icmp) to.destination_port = port;
  }
  if (refusal != NatRefusal::none) return count(p, refusal);
  to.source = IpAddress::v4(external);
  return NatRefusal::none;
}

std::optional<NatState::PredictedSource> NatState::look_ahead(const NatTerm& term, const FlowKey& key,
                                                              Ticks now) const {
  if (term.type != NatType::napt44 || !key.is_v4() || !PortPool::translates_port(key.protocol)) return std::nullopt;
  const Pool& p = *pools_[term.source_pools.front()];
  if (p.use != NatPoolUse::ports) return std::nullopt;
  const auto place = p.ports->look_ahead(key.source, key.protocol, key.source_port, nonce_of(key, now));
  return place ? std::optional(PredictedSource{&*p.ports, *place}) : std::nullopt;
}

void NatState::prefetch_release(std::uint16_t pool_plus_one, const FlowKey& responder) const {
  const Pool* const p = pool(pool_plus_one);
  if (p != nullptr && p->ports)
    p->ports->prefetch(responder.destination, responder.protocol, responder.destination_port);
}

NatRefusal NatState::take_portless(Pool& p, const IpAddress& address, std::uint32_t& external) {
  if (p.deterministic) {
    const auto block = p.deterministic->of_host(address);
    if (!block) return NatRefusal::untranslatable;
    external = block->external;
    return NatRefusal::none;
  }
  const Host* const known = p.tracked ? hosts_.find(HostTable::of_pool(p.index), address) : nullptr;
  if (known != nullptr && known->pairing != kNoRow) {
    external = rows_[known->pairing].external;
  } else if (known != nullptr && known->first != kNoRow) {
    external = rows_[known->first].external;
  } else {
    const auto hashed = p.ports->hashed_address(address);
    if (!hashed) return NatRefusal::out_of_addresses;
    external = hashed->to_v4();
  }
  return NatRefusal::none;
}

NatRefusal NatState::take_address(Pool& p, std::uint16_t service_set, const IpAddress& address,
                                  std::uint32_t& external) {
  const Host* const known = hosts_.find(HostTable::of_pool(p.index), address);
  if (known != nullptr && known->pairing != kNoRow) {
    external = rows_[known->pairing].external;
    return NatRefusal::none;
  }
  const std::uint32_t all = p.addresses.size();
  const auto start = static_cast<std::uint32_t>(
      p.config->round_robin ? p.draws++ % all : detail::mix(++p.draws ^ seed_, address.to_v4() ^ ~seed_) % all);
  std::optional<std::uint32_t> index = p.free_rows->take(0, start, {0, all - 1});
  if (!index) index = take_held_row(p, address, [](std::uint32_t) { return true; });
  if (!index) return NatRefusal::out_of_addresses;
  make_owned(p.first_row + *index, p, service_set, address);
  external = p.addresses.at(*index);
  return NatRefusal::none;
}

NatRefusal NatState::take_port(Pool& p, std::uint16_t service_set, const FlowKey& key, std::uint32_t& external,
                               std::uint16_t& port) {
  const std::uint8_t protocol = protocol_in_v4(key);
  auto why = PortPool::Refusal::out_of_ports;
  if (p.hold != 0) {
    p.ports->advance(now_);
    advance_hold(p);
  }
  if (!p.tracked && !p.deterministic) {
    const auto binding = p.ports->allocate(key.source, protocol, key.source_port, nonce_of(key, now_), why);
    if (!binding) return refusal_of(why);
    external = binding->address.to_v4();
    port = binding->port;
    return NatRefusal::none;
  }
  Host* const host = p.tracked ? host_of(p, key.source) : nullptr;
  if (p.tracked && host == nullptr) return NatRefusal::no_memory;
  const NatRefusal refusal = take_tracked_port(p, service_set, key, host, external, port);
  if (refusal != NatRefusal::none && host != nullptr) drop_host(p, *host);
  return refusal;
}

NatRefusal NatState::take_tracked_port(Pool& p, std::uint16_t service_set, const FlowKey& key, Host* host,
                                       std::uint32_t& external, std::uint16_t& port) {
  const std::uint8_t protocol = protocol_in_v4(key);
  const std::uint32_t limit = p.config->limit_ports_per_host;
  if (limit != 0 && host->count >= limit) return NatRefusal::port_limit;
  if (p.deterministic) {
    const auto block = p.deterministic->of_host(key.source);
    if (!block) return NatRefusal::untranslatable;
    auto why = PortPool::Refusal::out_of_ports;
    const auto taken = p.ports->allocate_on(*p.addresses.index_of(block->external), {block->first, block->last},
                                            protocol, key.source_port, nonce_of(key, now_), why);
    if (!taken) return refusal_of(why);
    external = block->external;
    port = *taken;
    return NatRefusal::none;
  }
  if (!p.paired) return take_port_on(p, service_set, key, host, std::nullopt, external, port);
  if (host->pairing == kNoRow) return take_paired_port(p, service_set, key, *host, external, port);
  const std::uint32_t address = *p.addresses.index_of(rows_[host->pairing].external);
  const NatRefusal refusal = take_port_on(p, service_set, key, host, address, external, port);
  return refusal == NatRefusal::out_of_ports ? NatRefusal::paired_out_of_ports : refusal;
}

NatRefusal NatState::take_port_on(Pool& p, std::uint16_t service_set, const FlowKey& key, Host* host,
                                  std::optional<std::uint32_t> address, std::uint32_t& external, std::uint16_t& port) {
  if (p.use == NatPoolUse::port_blocks) {
    return take_block_port(p, service_set, key, *host, address, external, port);
  }
  const std::uint8_t protocol = protocol_in_v4(key);
  auto why = PortPool::Refusal::out_of_ports;
  if (!address) {
    const auto binding = p.ports->allocate(key.source, protocol, key.source_port, nonce_of(key, now_), why);
    if (!binding) return refusal_of(why);
    external = binding->address.to_v4();
    port = binding->port;
    return NatRefusal::none;
  }
  const auto taken =
      p.ports->allocate_on(*address, p.ports->whole(), protocol, key.source_port, nonce_of(key, now_), why);
  if (!taken) return refusal_of(why);
  external = p.addresses.at(*address);
  port = *taken;
  return NatRefusal::none;
}

NatRefusal NatState::take_paired_port(Pool& p, std::uint16_t service_set, const FlowKey& key, Host& host,
                                      std::uint32_t& external, std::uint16_t& port) {
  if (free_pairings_.empty()) return NatRefusal::no_memory;
  // Pair the host only once a port has been found, so that a failed set-up leaves no pairing behind.
  const NatRefusal refusal = take_port_on(p, service_set, key, &host, std::nullopt, external, port);
  if (refusal != NatRefusal::none) return refusal;
  make_pairing(pairing_rows_ + *free_pairings_.take(), p, service_set, host.address, external);
  return NatRefusal::none;
}

std::optional<BitRows::Wanted> NatState::wanted_blocks(const Pool& p, std::uint8_t protocol,
                                                       std::uint16_t original) const {
  const std::uint32_t size = p.config->blocks->block_size;
  const std::uint32_t low = p.config->port_low;
  const auto fits = [&](std::uint32_t number) {
    return p.ports->fits(
        {static_cast<std::uint16_t>(low + number * size), static_cast<std::uint16_t>(low + number * size + size - 1)},
        protocol, original);
  };
  const auto allowed = p.ports->preserving(p.ports->whole(), protocol, original);
  if (!allowed || p.blocks_per_address == 0) return std::nullopt;
  // All ports of a block without owner are free; only blocks at the ends of a range may contain no suitable port.
  std::uint32_t first = (allowed->first - low) / size;
  std::uint32_t last = std::min((allowed->last - low) / size, p.blocks_per_address - 1);
  const BitRows::Parity parity = size == 1 ? p.ports->parity_for(protocol, original) : BitRows::Parity::any;
  if (parity == BitRows::Parity::any) {
    if (first <= last && !fits(first)) ++first;
    if (first <= last && !fits(last)) {
      if (last == 0) return std::nullopt;
      --last;
    }
  }
  if (first > last) return std::nullopt;
  return BitRows::Wanted{first, last, parity};
}

std::optional<std::uint32_t> NatState::take_block(Pool& p, std::uint32_t first, std::uint32_t count,
                                                  const BitRows::Wanted& wanted, const IpAddress& host) {
  const bool may_have = p.free_rows->group_may_have(0, wanted);
  for (std::uint32_t i = 0; i < count && may_have; ++i) {
    const std::uint32_t index = (first + i) % p.addresses.size();
    if (!p.free_rows->may_have(index, wanted)) continue;
    const auto start =
        static_cast<std::uint32_t>(detail::mix(++p.draws ^ seed_, index ^ ~seed_) % (wanted.last - wanted.first + 1));
    const auto block = p.free_rows->take(index, wanted.first + start, wanted);
    if (block) return p.first_row + index * p.blocks_per_address + *block;
  }
  const auto held = take_held_row(p, host, [&](std::uint32_t number) {
    const std::uint32_t index = number / p.blocks_per_address;
    const std::uint32_t block = number % p.blocks_per_address;
    const std::uint32_t distance = (index + p.addresses.size() - first % p.addresses.size()) % p.addresses.size();
    const bool right_parity =
        wanted.parity == BitRows::Parity::any || (block % 2 == 0) == (wanted.parity == BitRows::Parity::even);
    return distance < count && wanted.first <= block && block <= wanted.last && right_parity;
  });
  return held ? std::optional(p.first_row + *held) : std::nullopt;
}

NatRefusal NatState::take_block_port(Pool& p, std::uint16_t service_set, const FlowKey& key, Host& host,
                                     std::optional<std::uint32_t> address, std::uint32_t& external,
                                     std::uint16_t& port) {
  const std::uint8_t protocol = protocol_in_v4(key);
  const std::uint16_t original = key.source_port;
  const std::uint64_t nonce = nonce_of(key, now_);
  auto why = PortPool::Refusal::out_of_ports;
  const auto take_in = [&](std::uint32_t row) {
    const Row& block = rows_[row];
    const auto taken =
        p.ports->allocate_on(*p.addresses.index_of(block.external), span_of(block), protocol, original, nonce, why);
    if (!taken) return false;
    external = block.external;
    port = *taken;
    return true;
  };
  const auto take_in_others = [&] {
    for (std::uint32_t row = host.first; row != kNoRow; row = rows_[row].next) {
      if (row == host.active || !take_in(row)) continue;
      set_active_block(host, row);
      return true;
    }
    return false;
  };
  const NatPool::BlockAllocation& config = *p.config->blocks;
  const Ticks limit = config.active_block_timeout_s * 10;
  const bool over = host.active != kNoRow && limit != 0 && now_ - rows_[host.active].active_since >= limit;
  if (!over) {
    if (host.active != kNoRow && take_in(host.active)) return NatRefusal::none;
    if (take_in_others()) return NatRefusal::none;
  }
  const bool may_have_more = host.blocks < config.max_blocks_per_address;
  if (may_have_more) {
    const std::uint32_t first = address                ? *address
                                : host.first != kNoRow ? *p.addresses.index_of(rows_[host.first].external)
                                                       : p.ports->first_index(host.address);
    const auto wanted = wanted_blocks(p, protocol, original);
    const auto row =
        wanted ? take_block(p, first, address ? 1 : p.addresses.size(), *wanted, host.address) : std::nullopt;
    if (row) {
      make_owned(*row, p, service_set, host.address);
      return take_in(*row) ? NatRefusal::none : refusal_of(why);
    }
    why = wanted ? PortPool::Refusal::out_of_ports : PortPool::Refusal::range;
  }
  // An active block that is past its time is still better than none.
  if (over && ((host.active != kNoRow && take_in(host.active)) || take_in_others())) return NatRefusal::none;
  return may_have_more || why != PortPool::Refusal::out_of_ports ? refusal_of(why) : NatRefusal::block_limit;
}

}  // namespace icr::node
