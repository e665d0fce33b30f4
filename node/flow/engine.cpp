#include "node/flow/engine.h"

#include <algorithm>
#include <utility>

#include "model/config/keys.h"
#include "node/packet/reply.h"
#include "node/packet/rewrite.h"
#include "node/packet/self_test_packet.h"

namespace icr::node {
namespace {

/// The largest fragment that NAT64 makes in any configuration, or packet of our own.
constexpr std::size_t kScratchBytes =
    std::max<std::size_t>(kReplyBytes, key("service-sets[].nat-options.stateful-nat64", "ipv6-mtu").high);

std::vector<Prefix> nat64_prefixes(const Cluster& cluster, const ServiceSet& s) {
  std::vector<Prefix> out;
  for (const std::uint16_t rule : s.nat_rules) {
    for (const NatTerm& term : cluster.nat_rules[rule].terms) {
      if (term.type == NatType::stateful_nat64 && term.destination_prefix) out.push_back(*term.destination_prefix);
    }
  }
  return out;
}

EngineUpdate::Service settings_of(const Cluster& cluster, std::uint16_t index) {
  const ServiceSet& s = cluster.service_sets[index];
  return {&s, s.screen ? &cluster.screens[*s.screen] : nullptr, nat64_prefixes(cluster, s),
          FragmentTable::Limits{s.timeouts.fragment_limit, s.timeouts.reassembly_s}, may_guarantee(cluster, s)};
}

}  // namespace

Engine::Engine(const Cluster& cluster, std::vector<Shard*> shards, std::uint64_t seed)
    : shards_(std::move(shards)),
      fragments_(seed),
      staged_(kStageSize),
      scratch_(kScratchBytes),
      ipv4_id_(static_cast<std::uint16_t>(seed)) {
  std::size_t count = 0;
  for (const Shard* shard : shards_) count += cluster.redundancy_sets[shard->set()].service_sets.size();
  services_.reserve(count);  // bindings point to them
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    for (const std::uint16_t index : cluster.redundancy_sets[shards_[i]->set()].service_sets) {
      const ServiceSet& s = cluster.service_sets[index];
      const auto shard = static_cast<std::uint16_t>(i);
      Service& service = services_.emplace_back(Service{settings_of(cluster, index), index, {}, {}});
      const bool screened = service.screen != nullptr;
      const bool guarded = may_guarantee(cluster, s);
      bindings_.push_back({shard, index, true, screened, guarded, s.outside_unit, &service});
      bindings_.push_back({shard, index, false, screened, guarded, s.inside_unit, &service});
      for (const std::uint32_t unit : {s.inside_unit, s.outside_unit}) {
        if (binding_at_.size() <= unit) binding_at_.resize(unit + 1);
      }
      binding_at_[s.inside_unit] = static_cast<std::uint16_t>(bindings_.size() - 1);
      binding_at_[s.outside_unit] = static_cast<std::uint16_t>(bindings_.size());
    }
  }
  held_ = memory_for(std::any_of(bindings_.begin(), bindings_.end(), [](const UnitBinding& b) { return b.guarded; }));
}

std::unique_ptr<HeldPackets> Engine::memory_for(bool guarded) const {
  return guarded && !held_ ? std::make_unique<HeldPackets>(shards_.size()) : nullptr;
}

EngineUpdate Engine::prepare(const Cluster& cluster) const {
  EngineUpdate out;
  bool guarded = false;
  for (const Service& service : services_) {
    out.services.push_back(settings_of(cluster, service.index));
    guarded |= out.services.back().guarded;
  }
  out.held = memory_for(guarded);
  return out;
}

void Engine::take(EngineUpdate& update) {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    std::swap(static_cast<EngineUpdate::Service&>(services_[i]), update.services[i]);
  }
  for (UnitBinding& binding : bindings_) {
    binding.screened = binding.service->screen != nullptr;
    binding.guarded = binding.service->guarded;
  }
  if (!held_) std::swap(held_, update.held);
}

const Engine::UnitBinding* Engine::binding_of(std::uint32_t unit) const {
  const std::uint16_t place = unit < binding_at_.size() ? binding_at_[unit] : std::uint16_t{0};
  return place == 0 ? nullptr : &bindings_[place - 1U];
}

void Engine::handle(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  const Headers& headers = staged.headers;
  if (headers.protocol == self_test_packet::kProtocol) [[unlikely]] {
    if (is_self_test(packet)) return pass_self_test(packet, staged, out);
  }
  if (staged.binding->screened) [[unlikely]] {
    if (const Drop found = screen(*staged.binding->service->screen, headers); found != Drop::count) {
      return drop_packet(packet, staged, found, now);
    }
  }
  // IPv6 routing headers of type 0 (RFC 5095) were refused by read_headers(); those of other types pass.
  if (headers.source_route && !headers.v6) [[unlikely]]
    return refuse_source_route(packet, staged, now, out);
  if (headers.later_fragment) return handle_later_fragment(packet, staged, now, out);
  if (headers.icmp == IcmpKind::error) return handle_icmp_error(packet, staged, now, out);
  if (headers.fragment) {
    SessionHandle unused;
    const FragmentTable::Verdict verdict =
        fragments_.enter(headers, packet, staged.binding->service->fragments, now, unused);
    if (verdict != FragmentTable::Verdict::forward) return drop_fragment(packet, staged, verdict, now);
  }
  Shard& shard = *shards_[staged.binding->shard];
  if (const auto flow = shard.table().find(staged.binding->service_set, headers.key, staged.hash)) {
    if (forward(packet, staged, *flow, now, out)) return;
    if (!shard.active()) return drop_packet(packet, staged, Drop::standby_new_session, now);
    // The connection is over and its initiator opens it again: make room for the successor.
    ++counters_.sessions_reused;
    shard.remove(flow->slot);
  }
  if (!shard.active()) return drop_packet(packet, staged, Drop::standby_new_session, now);
  handle_first(packet, staged, now, out);
}

void Engine::handle_first(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  if (overloaded_) [[unlikely]]
    return drop_packet(packet, staged, Drop::overload_new_session, now);
  const UnitBinding& binding = *staged.binding;
  Shard& shard = *shards_[binding.shard];
  const Headers& headers = staged.headers;
  ServiceSetCounters& counters = binding.service->counters;
  const bool tcp = headers.protocol == ip_protocol::tcp;
  if (tcp && (headers.tcp_flags & (tcp_flag::syn | tcp_flag::ack)) != tcp_flag::syn) count_first(binding, headers);
  if (const Drop damaged = damage(packet, headers); damaged != Drop::count) {
    return drop_packet(packet, staged, damaged, now);
  }
  if (guarded_) [[unlikely]] {
    const Guarantee guarantee = binding.guarded ? shard.guarantee_of_first(headers, binding.service_set, binding.inside)
                                                : Guarantee::asynchronous;
    const Drop refused = refuse_change(binding, guarantee, packet.length);
    if (refused != Drop::count) return drop_packet(packet, staged, refused, now);
  }
  const SetUp result = shard.set_up(headers, binding.service_set, staged.hash, binding.inside, now);
  if (!result.slot) {
    const bool non_syn = result.refused == Drop::tcp_non_syn;
    if (result.reject || (non_syn && binding.service->config->tcp_non_syn == TcpNonSyn::drop_flow_send_rst)) {
      reject(packet, staged, now, out);
    } else {
      refuse(packet, staged, result.refused, now, out);
    }
    const bool reset = non_syn && (headers.tcp_flags & tcp_flag::rst) != 0;
    return drop_packet(packet, staged, reset ? Drop::tcp_rst_in_listen : result.refused, now);
  }
  ++counters_.sessions_created;
  ++counters.new_accepts;
  Session& session = shard.table().at(*result.slot);
  if (session.hairpin) ++counters.hairpinned_new;
  session.add_packet(Direction::initiator, headers.l3_length);
  pass_on(packet, staged, {*result.slot, Direction::initiator}, now, out);
}

bool Engine::forward(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out) {
  const UnitBinding& binding = *staged.binding;
  Shard& shard = *shards_[binding.shard];
  const Session& session = shard.table().at(flow.slot);
  const bool from_initiator_side = binding.inside != session.initiated_outside;
  // Of a hairpin session both ends are on the initiator's side.
  if (from_initiator_side != (flow.direction == Direction::initiator || session.hairpin) ||
      session.service_set != binding.service_set) {
    drop_packet(packet, staged, Drop::wrong_interface, now);
    return true;
  }
  Drop reason = Drop::count;
  if (staged.headers.protocol == ip_protocol::tcp && shard.may_change_state(session, staged.headers)) {
    reason = damage(packet, staged.headers);
    if (guarded_ && reason == Drop::count && shard.active()) [[unlikely]] {
      reason = refuse_change(binding, shard.guarantee_of(session), packet.length);
      const bool stops = reason == Drop::commit_no_peer;
      if (stops && !shard.would_change_state(flow.slot, flow.direction, staged.headers)) reason = Drop::count;
    }
    if (reason != Drop::count) [[unlikely]] {
      drop_packet(packet, staged, reason, now);
      return true;
    }
  }
  if (!shard.follow(flow.slot, flow.direction, staged.headers, now, reason)) {
    if (reason == Drop::count) return false;
    drop_packet(packet, staged, reason, now);
    return true;
  }
  ++binding.service->counters.existing_accepts;
  if (!shard.active()) [[unlikely]]
    ++counters_.forwarded_in_grace;
  if (session.hairpin) [[unlikely]]
    ++binding.service->counters.hairpinned_existing;
  pass_on(packet, staged, flow, now, out);
  return true;
}

void Engine::pass_on(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out) {
  const UnitBinding& binding = *staged.binding;
  leaving_ = flow.slot;
  const Session& session = shards_[binding.shard]->table().at(flow.slot);
  std::optional<Headers> before;  // of a first fragment
  if (staged.headers.fragment && !staged.headers.later_fragment) [[unlikely]]
    before = staged.headers;
  const std::uint32_t ingress = packet.unit;
  const std::uint32_t egress_unit = session.hairpin ? ingress : binding.other_unit;
  if ((staged.headers.tcp_flags & tcp_flag::syn) != 0) [[unlikely]] {
    limit_segments(binding, staged.headers, session, flow.direction);
  }
  if (session.nat_type != NatType::none) {
    const FlowKey to = session.egress(flow.direction);
    if (to.is_v4() == staged.headers.v6) [[unlikely]] {
      // The other family; a hairpin session of NAT64 is IPv6 on both sides.
      if (!send_nat64(packet, staged, to, egress_unit, now, out)) return;
      if (before) resolve_fragments(*before, ingress, staged, flow, now, out);
      return;
    }
    // A hairpin session of NAT64 translates to IPv4 and back in one step (RFC 6146 section 3.8), so its packets have
    // the same obstacle as those that leave as IPv4 (RFC 7915 section 5.1).
    if (session.nat_type == NatType::stateful_nat64 && staged.headers.source_route) [[unlikely]] {
      tell_nat64_sender(packet, staged, Nat64::source_route, now, out);
      return drop_packet(packet, staged, Drop::nat64_source_route, now);
    }
    renumber(staged, to);
    rewrite(staged.headers, to);
  }
  emit(packet, egress_unit, out);
  if (before) resolve_fragments(*before, ingress, staged, flow, now, out);
}

void Engine::renumber(Staged& staged, const FlowKey& to) {
  const Headers& h = staged.headers;
  if (!h.later_fragment) {
    staged.ip_id.reset();
    if (!needs_ip_id(h) || h.key.source == to.source) return;
    staged.ip_id = shards_[staged.binding->shard]->ip_ids().next(to.source.to_v4(), to.destination.to_v4(), h.protocol);
  }
  if (staged.ip_id) set_ip_id(h, *staged.ip_id);
}

void Engine::resolve_fragments(const Headers& first, std::uint32_t ingress, const Staged& staged, FlowRef flow,
                               Ticks now, PacketSink& out) {
  const Session& session = shards_[staged.binding->shard]->table().at(flow.slot);
  const bool crosses = session.egress(flow.direction).is_v4() == first.v6;
  const std::optional<std::uint16_t> ip_id = crosses ? std::nullopt : staged.ip_id;
  const SessionHandle handle{
      staged.binding->shard, flow.direction, {flow.slot, session.generation}, ip_id.has_value(), ip_id.value_or(0)};
  fragments_.resolve(first, ingress, handle, [&](Packet& held) {
    Staged later;
    later.binding = staged.binding;
    later.ip_id = ip_id;
    // It was read without error when it came; only its pointers are new.
    if (read_headers(held.data, held.length, later.headers) != HeaderError::none) return;
    (void)forward(held, later, flow, now, out);
  });
}

void Engine::handle_later_fragment(Packet& packet, Staged& staged, Ticks now, PacketSink& out) {
  SessionHandle handle;
  const FragmentTable::Verdict verdict =
      fragments_.enter(staged.headers, packet, staged.binding->service->fragments, now, handle);
  if (verdict == FragmentTable::Verdict::held) {
    ++counters_.fragments_held;
    return;
  }
  if (verdict != FragmentTable::Verdict::forward) return drop_fragment(packet, staged, verdict, now);
  const Session& session = shards_[handle.shard]->table().at(handle.ref.slot);
  if (!session.live || session.generation != handle.ref.generation) {
    return drop(*staged.binding, Drop::fragment_refused);
  }
  staged.ip_id.reset();
  if (handle.new_ip_id) staged.ip_id = handle.ip_id;
  (void)forward(packet, staged, {handle.ref.slot, handle.direction}, now, out);
}

bool Engine::is_self_test(const Packet& packet) const {
  const auto found = self_test_packet::read(std::span(packet.data, packet.length));
  return found && self_test_secret_ && found->secret == *self_test_secret_;
}

void Engine::pass_self_test(Packet& packet, Staged& staged, PacketSink& out) {
  ++counters_.self_tests_forwarded;
  FlowKey to = staged.headers.key;
  to.destination = IpAddress::v4(self_test_packet::kExit);
  rewrite(staged.headers, to);
  emit(packet, staged.binding->other_unit, out);
}

void Engine::emit(Packet& packet, std::uint32_t unit, PacketSink& out) {
  packet.unit = unit;
  ++counters_.packets_out;
  out.send(packet);
}

void Engine::tick(TimePoint now) {
  const Ticks at = Shard::ticks_of(now);
  if (at - last_expiry_ < 5) return;
  last_expiry_ = at;
  fragments_.expire(at, [&](const FragmentTable::Lost& lost) {
    const UnitBinding& binding = *binding_of(lost.unit);
    drop(binding, Drop::fragment_timeout, lost.timed_out);
    drop(binding, Drop::fragment_table_full, lost.evicted);
  });
}

const Engine::Service* Engine::service_of(std::uint16_t service_set) const {
  const auto found = std::find_if(services_.begin(), services_.end(),
                                  [&](const Service& service) { return service.index == service_set; });
  return found == services_.end() ? nullptr : &*found;
}

Engine::Service* Engine::service_of(std::uint16_t service_set) {
  const auto found = std::find_if(services_.begin(), services_.end(),
                                  [&](const Service& service) { return service.index == service_set; });
  return found == services_.end() ? nullptr : &*found;
}

const ServiceSetCounters* Engine::counters_of(std::uint16_t service_set) const {
  const Service* const service = service_of(service_set);
  return service == nullptr ? nullptr : &service->counters;
}

void Engine::statistics(std::uint16_t service_set, ServiceSetStatus& out) const {
  const Service* const service = service_of(service_set);
  if (service == nullptr) return;
  out.service_set = service->config->stable_id;
  service->counters.append_to(out);
  for (std::size_t g = 0; g < kStatisticsGroupCount; ++g) {
    // Lists of one group are always the same names in the same order.
    const CounterList& before = service->cleared.groups[g];
    for (std::size_t i = 0; i < before.size(); ++i) out.groups[g][i].value -= before[i].value;
  }
}

void Engine::clear_statistics(std::uint16_t service_set, std::optional<StatisticsGroup> group) {
  Service* const service = service_of(service_set);
  if (service == nullptr) return;
  ServiceSetStatus now;
  service->counters.append_to(now);
  for (std::size_t g = 0; g < kStatisticsGroupCount; ++g) {
    if (!group || g == static_cast<std::size_t>(*group)) service->cleared.groups[g] = now.groups[g];
  }
}

}  // namespace icr::node
