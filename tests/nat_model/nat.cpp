#include "tests/nat_model/nat.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/nat_model/arithmetic.h"
#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {
// -- Who has what --

Mapping* Nat::mapping_of(std::uint16_t pool, std::uint16_t service_set, const FlowKey& key) {
  const auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& m) {
    return m.pool == pool && m.service_set == service_set && m.host == key.source && m.host_port == key.source_port &&
           m.protocol == key.protocol;
  });
  return found == mappings_.end() ? nullptr : &*found;
}

Mapping* Nat::mapping_at(const OwnedPort& external) {
  const auto found =
      std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& m) { return m.external == external; });
  return found == mappings_.end() ? nullptr : &*found;
}

Pairing* Nat::pairing_of(std::uint16_t pool, const IpAddress& host) {
  const auto found = std::find_if(pairings_.begin(), pairings_.end(),
                                  [&](const Pairing& p) { return p.pool == pool && p.host == host; });
  return found == pairings_.end() ? nullptr : &*found;
}

Block* Nat::block_at(std::uint16_t pool, const IpAddress& address, std::uint16_t port) {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) {
    return b.pool == pool && b.address == address && b.first <= port && port <= b.last;
  });
  return found == blocks_.end() ? nullptr : &*found;
}

std::size_t Nat::ports_of(std::uint16_t pool, const IpAddress& host) const {
  return static_cast<std::size_t>(std::count_if(
      ports_.begin(), ports_.end(), [&](const auto& p) { return p.second.pool == pool && p.second.host == host; }));
}

bool Nat::all_answered(std::uint16_t pool, std::uint8_t protocol) const {
  const auto [known, fresh] = all_answered_.try_emplace({pool, protocol});
  if (fresh) {
    const auto all = addresses_of(cluster_.nat_pools[pool].addresses);
    known->second = std::all_of(all.begin(), all.end(), [&](const IpAddress& a) {
      return answered(cluster_, a, protocol, std::nullopt).whole;
    });
  }
  return known->second;
}

bool Nat::reserved(std::uint16_t pool, const IpAddress& address, std::uint8_t protocol,
                   std::optional<std::uint16_t> port) const {
  const auto [known, fresh] = answered_.try_emplace({OwnedPort{address, protocol, port.value_or(0)}, port.has_value()});
  if (fresh) known->second = answered(cluster_, address, protocol, port);
  return known->second.named || (known->second.whole && !all_answered(pool, protocol));
}

// -- Taking --

std::vector<FlowKey> Nat::ways(const NatPlan& plan, const FlowKey& key) {
  if (!plan.chosen) return {plan.to};
  std::vector<FlowKey> out;
  for (const Choice& c : plan.choices) {
    FlowKey to = plan.to;
    to.source = plan.embed ? embedded(*plan.embed, c.address) : c.address;
    if (c.port) {
      to.source_port = *c.port;
      if (in_v4(key) == kIcmp) to.destination_port = *c.port;
    }
    out.push_back(to);
  }
  return out;
}

bool Nat::may_change_source_port(const NatPlan& plan, const FlowKey& key) {
  const bool by_address =
      plan.type == NatType::dnat44 || plan.type == NatType::twice_basic_nat44 ||
      (plan.type == NatType::twice_dynamic_nat44 &&
       std::none_of(plan.choices.begin(), plan.choices.end(), [](const Choice& c) { return c.port.has_value(); }));
  return by_address && translated_by_port(key) && (plan.chosen || !(plan.to == key));
}

std::string Nat::take(const NatPlan& plan, std::uint16_t service_set, const FlowKey& key, bool inside,
                      const FlowKey& left, Ticks now, Translation& out) {
  // If its answers would have belonged to another session, it left with another port of the same class.
  FlowKey egress = left;
  for (const FlowKey& way : plan.taken) {
    FlowKey as = left;
    as.source_port = way.source_port;
    if (in_v4(key) == kIcmp) as.destination_port = way.destination_port;
    const std::uint16_t least = key.source_port < 1024 ? 512 : 1024;
    const bool fits = left.source_port >= least && (least == 1024 || left.source_port < 1024);
    if (as == way && fits && may_change_source_port(plan, key)) egress = way;
  }
  out.type = plan.type;
  out.pool = plan.pool;
  out.hairpin = plan.hairpin;
  if (egress == key) {  // arithmetic that changes nothing: no translation
    out.type = NatType::none;
    out.pool.reset();
  }
  if (!plan.chosen && !(egress == plan.to)) return "it should have left as " + describe(plan.to);
  if (plan.chosen) {
    const auto all = ways(plan, key);
    const auto way = std::find(all.begin(), all.end(), egress);
    if (way == all.end()) {
      std::string wrong = fmt::format("none of the {} legal choices, as {}", all.size(), describe(all.front()));
      for (const HeldBack& h : held_) {
        wrong += fmt::format("\n held: pool {} {} {}:{} of {} since {} {}", h.pool, h.what.protocol,
                             h.what.address.to_string(), h.what.port, h.host.to_string(), h.since, h.sure);
      }
      return wrong;
    }
    const auto choice = plan.choices.begin() + (way - all.begin());
    out.type = choice->type;
    out.pool = choice->pool;
    const Flags flags = flags_of(service_set, choice->pool);
    if (flags.addresses) {
      Pairing* p = pairing_of(choice->pool, key.source);
      std::erase_if(held_, [&](const HeldBack& h) {
        return h.pool == choice->pool && h.what == OwnedPort{choice->address, 0, 0};
      });
      if (p == nullptr) p = &pairings_.emplace_back(Pairing{choice->pool, key.source, choice->address, true, 0, now});
      ++p->sessions;
      out.exclusive = p;
    } else if (choice->known != nullptr) {
      out.source = choice->known;
      ++out.source->sessions;
    } else if (choice->port) {
      const OwnedPort port{choice->address, in_v4(key), *choice->port};
      if (flags.paired && pairing_of(choice->pool, key.source) == nullptr) {
        pairings_.push_back(Pairing{choice->pool, key.source, choice->address, false, 0, now});
      }
      const std::string wrong = take_port(choice->pool, key.source, port, now);
      if (!wrong.empty()) return wrong;
      if (flags.mapped) {
        mappings_.push_back(
            Mapping{choice->pool, service_set, key.source, key.source_port, key.protocol, port, 1, 0, now});
        out.source = &mappings_.back();
      } else {
        out.port = port;
      }
    }
  }
  if (plan.target != nullptr) {
    out.target = plan.target;
    out.inbound = !inside;
    ++out.target->sessions;
    if (out.inbound) ++out.target->inbound;
  }
  return {};
}

std::string Nat::take_port(std::uint16_t pool, const IpAddress& host, const OwnedPort& port, Ticks now) {
  if (!ports_.try_emplace(port, Owner{pool, host}).second) return "a port with two owners";
  std::erase_if(held_, [&](const HeldBack& h) { return h.pool == pool && h.what == port; });
  const auto& config = cluster_.nat_pools[pool].blocks;
  if (!config) return {};
  Block* block = block_at(pool, port.address, port.port);
  if (block == nullptr) {
    const std::uint32_t low = cluster_.nat_pools[pool].port_low;
    const std::uint32_t first = low + (port.port - low) / config->block_size * config->block_size;
    blocks_.push_back(Block{pool, host, port.address, static_cast<std::uint16_t>(first),
                            static_cast<std::uint16_t>(first + config->block_size - 1), 0, false, now, now, now});
    block = &blocks_.back();
    std::erase_if(held_, [&](const HeldBack& h) {
      return h.pool == pool && h.what == OwnedPort{port.address, 0, static_cast<std::uint16_t>(first)};
    });
  }
  if (!(block->host == host)) return "a port in the block of " + block->host.to_string();
  ++block->ports;
  if (block->active) return {};
  // It is the active one now; one that was, and is empty, ends.
  for (auto b = blocks_.begin(); b != blocks_.end();) {
    const bool was = b->active && b->pool == pool && b->host == host;
    if (was) b->active = false;
    const bool over = was && b->ports == 0;
    if (over) hold_back(pool, {b->address, 0, b->first}, b->host, now);
    b = over ? blocks_.erase(b) : std::next(b);
  }
  block->active = true;
  block->active_since = now;
  return {};
}

// -- Giving back --

Ticks Nat::hold_of(std::uint16_t pool) const {
  bool open = false;
  for (std::uint16_t s = 0; s < cluster_.service_sets.size(); ++s) {
    const Flags flags = flags_of(s, pool);
    if (flags.deterministic != nullptr) return 0;
    open = open || flags.filter_open;
  }
  return cluster_.nat_pools[pool].reuse_hold_s.value_or(open ? 120 : 0) * 10;
}

void Nat::hold_back(std::uint16_t pool, const OwnedPort& what, const IpAddress& host, Ticks now) {
  if (hold_of(pool) != 0) held_.push_back({pool, what, host, now, now + hold_of(pool), std::nullopt, true});
}

void Nat::release_port(const OwnedPort& port, bool ended, Ticks now) {
  const auto found = ports_.find(port);
  const Owner owner = found->second;
  ports_.erase(found);
  const bool over = ended && port.protocol == kTcp;
  // Ports of a block are their host's anyway.
  if (!over && !cluster_.nat_pools[owner.pool].blocks) hold_back(owner.pool, port, IpAddress{}, now);
  if (Pairing* const p = pairing_of(owner.pool, owner.host); p != nullptr && ports_of(owner.pool, owner.host) == 0) {
    p->last_used = now;
  }
  Block* const block = block_at(owner.pool, port.address, port.port);
  if (block == nullptr || --block->ports != 0) return;
  block->last_used = now;
  if (block->active) return;
  hold_back(owner.pool, {block->address, 0, block->first}, block->host, now);
  blocks_.remove_if([&](const Block& b) { return &b == block; });
}

void Nat::release_mapping(Mapping& m, bool inbound, bool ended, Ticks now) {
  m.over = m.over && ended;
  if (inbound) --m.inbound;
  if (--m.sessions == 0) m.last_used = now;
}

void Nat::release(const Translation& t, bool ended, Ticks now) {
  if (t.target != nullptr) release_mapping(*t.target, t.inbound, ended, now);
  if (t.source != nullptr) release_mapping(*t.source, false, ended, now);
  if (t.port) release_port(*t.port, ended, now);
  if (t.exclusive != nullptr && --t.exclusive->sessions == 0) t.exclusive->last_used = now;
}

void Nat::take_over(Ticks now) {
  for (Block& b : blocks_) b.active_since = b.created;
  for (HeldBack& h : held_) {
    h.sure = false;
    h.until = h.told.value_or(now) + hold_of(h.pool);
  }
  for (Mapping& m : mappings_) m.over = false;
}

void Nat::replicated(Ticks now) {
  for (HeldBack& h : held_) {
    if (!h.told) h.told = now;
  }
}

const HeldBack* Nat::held_at(std::uint16_t pool, const OwnedPort& what) const {
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const HeldBack& h) {
    return h.pool == pool && h.what == what && h.until > now_;
  });
  return found == held_.end() ? nullptr : &*found;
}

void Nat::expire(Ticks now) {
  now_ = now;
  const auto timeout = [&](std::uint16_t pool) { return cluster_.nat_pools[pool].mapping_timeout_s * 10; };
  for (auto m = mappings_.begin(); m != mappings_.end();) {
    const bool over = m->sessions == 0 && m->last_used + timeout(m->pool) <= now;
    if (over) release_port(m->external, m->over, now);
    m = over ? mappings_.erase(m) : std::next(m);
  }
  for (auto p = pairings_.begin(); p != pairings_.end();) {
    const bool used = p->exclusive ? p->sessions != 0 : ports_of(p->pool, p->host) != 0;
    const bool over = !used && p->last_used + timeout(p->pool) <= now;
    if (over && p->exclusive) hold_back(p->pool, {p->address, 0, 0}, p->host, now);
    p = over ? pairings_.erase(p) : std::next(p);
  }
  // A block that is active stays for a while without ports, so that a host does not get a new one for each session.
  for (auto b = blocks_.begin(); b != blocks_.end();) {
    const std::uint32_t rotation = cluster_.nat_pools[b->pool].blocks->active_block_timeout_s * 10;
    const bool over = b->ports == 0 && b->last_used + (rotation != 0 ? rotation : timeout(b->pool)) <= now;
    if (over) hold_back(b->pool, {b->address, 0, b->first}, b->host, now);
    b = over ? blocks_.erase(b) : std::next(b);
  }
  std::erase_if(held_, [&](const HeldBack& h) { return h.until <= now && h.told && *h.told + hold_of(h.pool) <= now; });
}

// -- Records --

std::string Nat::compare(const SessionRecord& r, Ticks now) const {
  const BindingRecord& b = r.binding;
  const auto idle_of = [&](bool used, Ticks last) { return used ? Ticks{0} : now - last; };
  const auto same = [&](std::uint16_t pool, const IpAddress& host, const IpAddress& external, bool used, Ticks last) {
    return b.pool == cluster_.nat_pools[pool].stable_id && b.internal == host && b.external == external &&
           b.idle == idle_of(used, last);
  };
  bool found = false;
  switch (r.kind) {
    case RecordKind::mapping:
      found = std::any_of(mappings_.begin(), mappings_.end(), [&](const Mapping& m) {
        return same(m.pool, m.host, m.external.address, m.sessions != 0, m.last_used) &&
               b.service_set == cluster_.service_sets[m.service_set].stable_id && b.internal_port == m.host_port &&
               b.external_port == m.external.port && b.protocol == m.protocol;
      });
      break;
    case RecordKind::port_block:
      found = std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& k) {
        return same(k.pool, k.host, k.address, k.ports != 0, k.last_used) && b.external_port == k.first &&
               b.last_port == k.last && ((b.flags & kBindingActiveBlock) != 0) == k.active;
      });
      break;
    case RecordKind::pairing:
      found = std::any_of(pairings_.begin(), pairings_.end(), [&](const Pairing& p) {
        const bool used = p.exclusive ? p.sessions != 0 : ports_of(p.pool, p.host) != 0;
        return same(p.pool, p.host, p.address, used, p.last_used) &&
               ((b.flags & kBindingExclusive) != 0) == p.exclusive;
      });
      break;
    case RecordKind::session:
      break;
  }
  if (found) return {};
  std::string out = fmt::format("kind {} pool {} host {}:{} external {}:{}-{} protocol {} flags {:x} idle {}; here",
                                static_cast<unsigned>(r.kind), b.pool, b.internal.to_string(), b.internal_port,
                                b.external.to_string(), b.external_port, b.last_port, b.protocol, b.flags, b.idle);
  for (const Mapping& m : mappings_) {
    if (m.external.address == b.external && m.external.port == b.external_port) {
      out += fmt::format(" {}:{} protocol {} sessions {} idle {}", m.host.to_string(), m.host_port, m.protocol,
                         m.sessions, idle_of(m.sessions != 0, m.last_used));
    }
  }
  for (const Block& k : blocks_) {
    if (k.address == b.external && k.first == b.external_port) {
      out += fmt::format(" {} ports {} active {} idle {}", k.host.to_string(), k.ports, k.active,
                         idle_of(k.ports != 0, k.last_used));
    }
  }
  return out;
}

}  // namespace icr::node::test::nat_model
