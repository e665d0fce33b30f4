// What may become of a first packet: how its destination is translated, and all the ways in which its source may be.
#include <algorithm>

#include "tests/nat_model/arithmetic.h"
#include "tests/nat_model/nat.h"
#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {
namespace {

bool has_destination_rule(NatType type) {
  return type == NatType::dnat44 || type == NatType::twice_basic_nat44 || type == NatType::twice_dynamic_nat44 ||
         type == NatType::twice_napt44;
}
bool one_to_one(NatType type) {
  return type == NatType::basic_nat44 || type == NatType::twice_basic_nat44 || type == NatType::nptv6;
}

/// Where a destination rule sends a packet.
std::optional<IpAddress> real_destination(const Cluster& cluster, const NatTerm& term, const IpAddress& destination) {
  if (term.destination_prefix) return same_host(destination, *term.destination_prefix);
  const auto to = addresses_of(cluster.nat_pools[*term.destination_pool].addresses);
  if (to.size() == 1) return to[0];
  const auto from = addresses_of(term.from.destination_addresses);
  const auto found = std::find(from.begin(), from.end(), destination);
  if (found == from.end()) return std::nullopt;
  return to[static_cast<std::size_t>(found - from.begin())];
}

std::optional<IpAddress> static_external(const NatTerm& term, const IpAddress& host) {
  const auto from = term.from.source_addresses[0].as_prefix();
  if (!from || !in_prefix(*from, host)) return std::nullopt;
  return term.type == NatType::nptv6 ? nptv6(host, *from, *term.source_prefix) : same_host(host, *term.source_prefix);
}

/// No port can be had: there is none at all, or none that preserves what is to be preserved.
std::vector<NatWhy> none_left(const NatPool& pool, bool any_free) {
  std::vector<NatWhy> why;
  if (!any_free || pool.blocks) why.push_back(NatWhy::out_of_ports);
  if (pool.preserve_parity) why.push_back(NatWhy::parity);
  if (pool.preserve_range) why.push_back(NatWhy::range);
  return why;
}

}  // namespace

Nat::Flags Nat::flags_of(std::uint16_t service_set, std::uint16_t pool) const {
  Flags flags;
  for (const NatTerm* term : nat_terms(cluster_, service_set)) {
    const bool source = std::count(term->source_pools.begin(), term->source_pools.end(), pool) != 0;
    const bool overload = term->overload_pool == pool;
    if ((!source && !overload) || one_to_one(term->type)) continue;
    const bool dynamic = term->type == NatType::dynamic_nat44 || term->type == NatType::twice_dynamic_nat44;
    if (source && dynamic) {
      flags.addresses = true;
      continue;
    }
    flags.ports = true;
    flags.mapped |= term->endpoint_independent_mapping || term->type == NatType::stateful_nat64;
    flags.paired |= term->address_pooling_paired;
    if (term->type == NatType::deterministic_napt44) flags.deterministic = term;
    if (term->endpoint_independent_filtering && !flags.filter_open) {
      flags.filter_open = true;
      flags.let_in = term->filtering_prefixes;
      flags.flow_limit = term->eif_flow_limit;
    }
    if (term->type == NatType::stateful_nat64) flags.nat64_prefix = term->destination_prefix;
  }
  return flags;
}

std::optional<std::uint16_t> Nat::pool_of(std::uint16_t service_set, const IpAddress& external) const {
  for (std::uint16_t i = 0; i < cluster_.nat_pools.size(); ++i) {
    const Flags flags = flags_of(service_set, i);
    if ((flags.ports || flags.addresses) && holds(cluster_.nat_pools[i], external)) return i;
  }
  return std::nullopt;
}

NatPlan Nat::plan(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside, Ticks now) {
  NatPlan p;
  p.to = key;
  plan_destination(service_set, term, key, inside, p);
  p.nowhere = !p.refused.empty();
  if (p.refused.empty() && term != nullptr) plan_source(service_set, *term, key, p, now);
  if (!p.refused.empty()) return p;
  // Between families without a rule for it; or to oneself, where answers would look like questions.
  const auto all = ways(p, key);
  const bool senseless = std::all_of(all.begin(), all.end(), [&](const FlowKey& to) {
    return to.source.is_v4() != to.destination.is_v4() || to.source == to.destination || to.mirrored() == key;
  });
  if (senseless) p.refused = {NatWhy::untranslatable};
  return p;
}

void Nat::plan_destination(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside,
                           NatPlan& p) {
  if (term != nullptr && has_destination_rule(term->type)) {
    // A port that the protocol does not have cannot be translated.
    const auto real = term->translated_ports && key.protocol != kTcp && key.protocol != kUdp
                          ? std::nullopt
                          : real_destination(cluster_, *term, key.destination);
    if (!real) {
      p.refused = {NatWhy::untranslatable};
      return;
    }
    p.to.destination = *real;
    if (term->translated_ports) {
      // Port n of the one range is port n of the other; to one port go all.
      const PortRange to = *term->translated_ports;
      const int low = term->from.destination_ports[0].low;
      p.to.destination_port =
          static_cast<std::uint16_t>(to.low == to.high ? to.low : to.low + (key.destination_port - low));
    }
    p.type = term->type;
    p.pool = term->destination_pool;
    p.hairpin = inside && lies_inside(cluster_, service_set, *real);
    return;
  }
  if (term != nullptr && term->type == NatType::stateful_nat64) {
    const auto v4 = embedded_in(*term->destination_prefix, key.destination);
    if (!v4 || !translated_by_port(key)) {
      p.refused = {NatWhy::untranslatable};
      return;
    }
    // Addresses that no packet may be sent to (RFC 1122 section 3.2.1.3, RFC 1112): this network, loopback, class D and
    // E.
    const unsigned first_octet = v4->bytes[12];
    if (first_octet == 0 || first_octet == 127 || first_octet >= 224) {
      p.refused = {NatWhy::untranslatable};
      return;
    }
    p.to.destination = *v4;
    p.to.protocol = in_v4(key);
  }
  plan_external(service_set, key, inside, p);
}

void Nat::plan_external(std::uint16_t service_set, const FlowKey& key, bool inside, NatPlan& p) {
  if (p.to.destination.is_v4()) {
    if (const auto pool = pool_of(service_set, p.to.destination)) {
      const Flags flags = flags_of(service_set, *pool);
      Mapping* const m = flags.mapped && translated_by_port(key)
                             ? mapping_at({p.to.destination, in_v4(key), p.to.destination_port})
                             : nullptr;
      if (m == nullptr || m->service_set != service_set) {
        p.refused = {NatWhy::no_binding};
        return;
      }
      if (!inside) {
        // RFC 4787 section 5.
        const bool welcome =
            flags.filter_open &&
            (flags.let_in.empty() || std::any_of(flags.let_in.begin(), flags.let_in.end(),
                                                 [&](const Prefix& f) { return in_prefix(f, key.source); }));
        if (!welcome) {
          p.refused = {NatWhy::filtered};
          return;
        }
        if (flags.flow_limit != 0 && m->inbound >= flags.flow_limit) {
          p.refused = {NatWhy::flow_limit};
          return;
        }
      }
      if (m->host.is_v4() != key.source.is_v4()) {
        if (inside || !flags.nat64_prefix) {
          p.refused = {NatWhy::untranslatable};
          return;
        }
        p.to.source = embedded(*flags.nat64_prefix, key.source);
      }
      p.target = m;
      p.to.destination = m->host;
      p.to.destination_port = m->host_port;
      if (in_v4(!m->host.is_v4(), m->protocol) == kIcmp) p.to.source_port = m->host_port;
      p.to.protocol = m->protocol;
      p.type = !m->host.is_v4()                 ? NatType::stateful_nat64
               : flags.deterministic != nullptr ? NatType::deterministic_napt44
                                                : NatType::napt44;
      p.pool = *pool;
      p.hairpin = inside;
      return;
    }
  }
  for (const NatTerm* term : nat_terms(cluster_, service_set)) {
    if (term->type != NatType::basic_nat44 && term->type != NatType::nptv6) continue;
    if (!in_prefix(*term->source_prefix, p.to.destination)) continue;
    const Prefix from = *term->from.source_addresses[0].as_prefix();
    const auto host = term->type == NatType::nptv6 ? nptv6(p.to.destination, *term->source_prefix, from)
                                                   : same_host(p.to.destination, from);
    const bool excepted = host && std::any_of(term->from.source_except.begin(), term->from.source_except.end(),
                                              [&](const AddressRange& r) { return holds(r, *host); });
    if (!host || excepted) {
      p.refused = {NatWhy::untranslatable};
      return;
    }
    p.to.destination = *host;
    p.type = term->type;
    p.pool = term->source_pools.empty() ? std::nullopt : std::optional(term->source_pools.front());
    p.hairpin = inside;
    return;
  }
}

bool Nat::has_way_back(std::uint16_t service_set, const NatTerm& term, const FlowKey& key, const FlowKey& to) const {
  const bool six = term.type == NatType::stateful_nat64;
  const auto given = [&](const IpAddress& address) {
    const auto v4 = address.is_v4() || !six ? std::optional(address) : embedded_in(*term.destination_prefix, address);
    return v4 && pool_of(service_set, *v4).has_value();
  };
  // From IPv4 to the mapping of a host with IPv6.
  if (!six && !to.destination.is_v4()) return false;
  // With an address that is for hosts as its own, or as that of whom it calls.
  if (given(key.source) || given(to.destination)) return false;
  // From an endpoint to itself, by an address that is for hosts.
  return !(key.source == to.destination && key.source_port == to.destination_port && given(key.destination));
}

void Nat::plan_source(std::uint16_t service_set, const NatTerm& term, const FlowKey& key, NatPlan& p, Ticks now) {
  if (term.type == NatType::dnat44) return;
  if (one_to_one(term.type)) {
    const auto external = static_external(term, key.source);
    if (!external) {
      p.refused = {NatWhy::untranslatable};
      return;
    }
    p.to.source = *external;
    p.type = term.type;
    p.pool = term.source_pools.empty() ? std::nullopt : std::optional(term.source_pools.front());
    return;
  }
  if (!has_way_back(service_set, term, key, p.to)) {
    p.refused = {NatWhy::untranslatable};
    return;
  }
  p.chosen = true;
  if (term.type == NatType::stateful_nat64 && !p.to.destination.is_v4()) p.embed = term.destination_prefix;
  // An echo has one identifier: a mapping has translated it already.
  const bool owns_port = translated_by_port(key) && !(in_v4(key) == kIcmp && p.target != nullptr);
  // A host goes on with the pool in which it has something already.
  if (term.source_pools.size() > 1) {
    for (const std::uint16_t pool : term.source_pools) {
      const bool mapped = flags_of(service_set, pool).mapped && mapping_of(pool, service_set, key) != nullptr;
      if (!mapped && pairing_of(pool, key.source) == nullptr) continue;
      p.refused = choices_in(pool, service_set, key, owns_port, now, p.choices);
      for (Choice& c : p.choices) c.type = term.type;
      return;
    }
  }
  for (const std::uint16_t pool : term.source_pools) {
    p.refused = choices_in(pool, service_set, key, owns_port, now, p.choices);
    for (Choice& c : p.choices) c.type = term.type;
    const auto exhausted = std::count_if(p.refused.begin(), p.refused.end(), [](NatWhy w) {
      return w == NatWhy::out_of_ports || w == NatWhy::out_of_blocks || w == NatWhy::out_of_addresses;
    });
    if (exhausted == 0) return;
    // Nothing left, or nothing that preserves: which of the two it calls it decides whether the next pool is asked.
    if (exhausted != static_cast<std::ptrdiff_t>(p.refused.size())) p.may_refuse = p.refused;
  }
  if (!term.overload_pool) return;
  p.refused = choices_in(*term.overload_pool, service_set, key, owns_port, now, p.choices);
  const NatType type = term.type == NatType::twice_dynamic_nat44 ? NatType::twice_napt44 : NatType::napt44;
  for (Choice& c : p.choices) c.type = type;
}

std::vector<NatWhy> Nat::choices_in(std::uint16_t pool, std::uint16_t service_set, const FlowKey& key, bool owns_port,
                                    Ticks now, std::vector<Choice>& out) {
  out.clear();
  const Flags flags = flags_of(service_set, pool);
  const auto all = addresses_of(cluster_.nat_pools[pool].addresses);
  const auto add = [&](const IpAddress& address) {
    out.push_back({pool, address, std::nullopt, NatType::none, nullptr});
  };
  const Pairing* const paired = pairing_of(pool, key.source);
  if (flags.addresses) {
    if (paired != nullptr) {
      add(paired->address);
      return {};
    }
    std::vector<const HeldBack*> held_back;
    for (const IpAddress& a : all) {
      const bool taken = std::any_of(pairings_.begin(), pairings_.end(),
                                     [&](const Pairing& p) { return p.exclusive && p.pool == pool && p.address == a; });
      // With the address a host has all its ports.
      const bool answered_there = reserved(pool, a, kTcp, std::nullopt) || reserved(pool, a, kUdp, std::nullopt) ||
                                  reserved(pool, a, kIcmp, std::nullopt) || reserved(pool, a, kGre, std::nullopt);
      if (taken || answered_there) continue;
      if (const HeldBack* const held = held_at(pool, {a, 0, 0})) {
        held_back.push_back(held);
      } else {
        add(a);
      }
    }
    add_held(key.source, held_back, out, [&](const HeldBack& h) { add(h.what.address); });
    return out.empty() ? std::vector<NatWhy>{NatWhy::out_of_addresses} : std::vector<NatWhy>{};
  }
  if (!owns_port) {
    // An address that is the host's already, if there is one.
    if (flags.deterministic != nullptr) {
      const auto share = share_of(cluster_.nat_pools[pool], *flags.deterministic, key.source);
      if (!share) return {NatWhy::untranslatable};
      add(share->address);
    } else if (paired != nullptr) {
      add(paired->address);
    } else {
      for (const Block& b : blocks_) {
        if (b.pool == pool && b.host == key.source) add(b.address);
      }
      if (!out.empty()) return {};
      for (const IpAddress& a : all) {
        if (!reserved(pool, a, kGre, 1)) add(a);
      }
      if (out.empty()) return {NatWhy::out_of_addresses};
    }
    return {};
  }
  if (flags.mapped) {
    if (Mapping* const m = mapping_of(pool, service_set, key)) {
      out.push_back({pool, m->external.address, m->external.port, NatType::none, m});
      return {};
    }
    if (mappings_.size() >= cluster_.redundancy_sets[0].max_sessions) return {NatWhy::no_memory};
  }
  const std::uint32_t limit = cluster_.nat_pools[pool].limit_ports_per_host;
  if (limit != 0 && ports_of(pool, key.source) >= limit) return {NatWhy::port_limit};
  if (flags.deterministic != nullptr) {
    const auto share = share_of(cluster_.nat_pools[pool], *flags.deterministic, key.source);
    if (!share) return {NatWhy::untranslatable};
    bool any_free = false;
    add_free(pool, key, share->address, share->first, share->last, out, any_free);
    if (!out.empty()) return {};
    return none_left(cluster_.nat_pools[pool], any_free);
  }
  std::vector<NatWhy> why = port_choices(pool, key, now, out);
  if (flags.paired && paired != nullptr) {
    std::replace(why.begin(), why.end(), NatWhy::out_of_ports, NatWhy::paired_out_of_ports);
  }
  if (cluster_.nat_pools[pool].blocks) {
    std::replace(why.begin(), why.end(), NatWhy::out_of_ports, NatWhy::out_of_blocks);
  }
  return why;
}

std::vector<NatWhy> Nat::port_choices(std::uint16_t pool, const FlowKey& key, Ticks now, std::vector<Choice>& out) {
  const NatPool& config = cluster_.nat_pools[pool];
  auto addresses = addresses_of(config.addresses);
  if (const Pairing* const paired = pairing_of(pool, key.source)) addresses = {paired->address};
  if (config.blocks) return block_choices(pool, key, addresses, now, out);
  bool any_free = false;
  std::vector<const HeldBack*> held;
  for (const IpAddress& a : addresses) {
    add_free(pool, key, a, config.port_low, config.port_high, out, any_free, &held);
  }
  add_held(key.source, held, out, [&](const HeldBack& h) {
    out.push_back({pool, h.what.address, h.what.port, NatType::none, nullptr});
  });
  if (!out.empty()) return {};
  return none_left(cluster_.nat_pools[pool], any_free);
}

std::vector<NatWhy> Nat::block_choices(std::uint16_t pool, const FlowKey& key, const std::vector<IpAddress>& addresses,
                                       Ticks now, std::vector<Choice>& out) {
  const NatPool& config = cluster_.nat_pools[pool];
  std::vector<const Block*> mine;
  const Block* active = nullptr;
  for (const Block& b : blocks_) {
    if (b.pool != pool || !(b.host == key.source)) continue;
    mine.push_back(&b);
    if (b.active) active = &b;
  }
  bool any_free = false;
  const auto from_block = [&](const Block& b) { add_free(pool, key, b.address, b.first, b.last, out, any_free); };
  const auto from_mine = [&] {
    if (active != nullptr) from_block(*active);
    if (!out.empty()) return;
    for (const Block* b : mine) from_block(*b);
  };
  const Ticks limit = config.blocks->active_block_timeout_s * 10;
  const bool over = active != nullptr && limit != 0 && now - active->active_since >= limit;
  if (!over) from_mine();
  if (!out.empty()) return {};
  if (mine.size() < config.blocks->max_blocks_per_address) {
    const std::uint32_t size = config.blocks->block_size;
    std::vector<const HeldBack*> held;
    for (const IpAddress& a : addresses) {
      for (std::uint32_t first = config.port_low; first + size - 1 <= config.port_high; first += size) {
        if (block_at(pool, a, static_cast<std::uint16_t>(first)) != nullptr) continue;
        // A block is its host's to the last port.
        bool whole = true;
        for (std::uint32_t port = first; port < first + size; ++port) {
          for (const std::uint8_t protocol : {kTcp, kUdp, kIcmp}) {
            whole = whole && !reserved(pool, a, protocol, static_cast<std::uint16_t>(port));
          }
        }
        if (!whole) continue;
        const HeldBack* const back = held_at(pool, {a, 0, static_cast<std::uint16_t>(first)});
        if (back == nullptr) {
          add_free(pool, key, a, first, first + size - 1, out, any_free);
          continue;
        }
        std::vector<Choice> there;
        add_free(pool, key, a, first, first + size - 1, there, any_free);
        if (!there.empty()) held.push_back(back);
      }
    }
    add_held(key.source, held, out, [&](const HeldBack& h) {
      add_free(pool, key, h.what.address, h.what.port, h.what.port + size - 1U, out, any_free);
    });
    if (!out.empty()) return {};
  }
  if (over) from_mine();
  if (!out.empty()) return {};
  auto why = none_left(config, any_free);
  // It has as many blocks as a host may have.
  if (mine.size() >= config.blocks->max_blocks_per_address)
    std::replace(why.begin(), why.end(), NatWhy::out_of_ports, NatWhy::block_limit);
  return why;
}

void Nat::add_free(std::uint16_t pool, const FlowKey& key, const IpAddress& address, std::uint32_t first,
                   std::uint32_t last, std::vector<Choice>& out, bool& any_free,
                   std::vector<const HeldBack*>* held) const {
  const NatPool& config = cluster_.nat_pools[pool];
  const bool is_port = in_v4(key) != kIcmp;  // an identifier has neither parity nor range
  for (std::uint32_t port = first; port <= last; ++port) {
    if (ports_.count({address, in_v4(key), static_cast<std::uint16_t>(port)}) != 0) continue;
    if (reserved(pool, address, in_v4(key), static_cast<std::uint16_t>(port))) continue;
    any_free = true;
    if (is_port && config.preserve_parity && port % 2 != key.source_port % 2) continue;
    if (is_port && config.preserve_range && (port < 1024) != (key.source_port < 1024)) continue;
    if (held != nullptr) {
      if (const HeldBack* const back = held_at(pool, {address, in_v4(key), static_cast<std::uint16_t>(port)})) {
        held->push_back(back);
        continue;
      }
    }
    out.push_back({pool, address, static_cast<std::uint16_t>(port), NatType::none, nullptr});
  }
}

}  // namespace icr::node::test::nat_model
