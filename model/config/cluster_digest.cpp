// Cluster::digest. The order of the values below is part of what two programs compare: a change of it makes a program
// of the previous release refuse to speak with this one, so append.
#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// FNV-1a, 64 bits, over values in a form that does not depend on the machine.
class Digester {
 public:
  void byte(std::uint8_t value) { state_ = (state_ ^ value) * 0x100000001b3ULL; }
  void number(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void flag(bool value) { byte(value ? 1 : 0); }
  void text(std::string_view value) {
    number(value.size());
    for (const char c : value) byte(static_cast<std::uint8_t>(c));
  }
  void address(const IpAddress& value) {
    for (const auto b : value.bytes) byte(b);
  }
  template <class T>
  void maybe(const std::optional<T>& value) {
    byte(value ? 1 : 0);
    number(value ? *value : 0);
  }
  void numbers(const std::vector<std::uint16_t>& values) {
    number(values.size());
    for (const auto value : values) number(value);
  }
  void prefix(const Prefix& value) {
    address(value.base);
    number(value.length);
  }
  void ranges(const std::vector<AddressRange>& values) {
    number(values.size());
    for (const auto& value : values) {
      address(value.low);
      address(value.high);
    }
  }
  void ports(const std::vector<PortRange>& values) {
    number(values.size());
    for (const auto& value : values) {
      number(value.low);
      number(value.high);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

void add(Digester& d, const Endpoint& endpoint) {
  d.address(endpoint.address);
  d.number(endpoint.port);
}

void add(Digester& d, const Chassis& chassis) {
  d.text(chassis.name);
  add(d, Endpoint{chassis.inter_chassis_address, chassis.inter_chassis_port});
  add(d, chassis.query);
  d.text(chassis.data_folder);
  d.flag(chassis.kernel_guard);
  d.number(chassis.cards.size());
  for (const auto& card : chassis.cards) {
    d.text(card.name);
    d.number(static_cast<std::uint64_t>(card.family));
    d.number(card.workers);
    d.number(card.ports.size());
    for (const auto& port : card.ports) {
      d.number(port.unit);
      d.number(static_cast<std::uint64_t>(port.kind));
      d.text(port.device);
      d.number(port.steer_from.size());
      for (const auto& interface : port.steer_from) d.text(interface);
      d.number(port.queues);
      d.text(port.read_file);
      d.text(port.write_file);
    }
  }
  // A file without the key keeps the digest that releases before the key gave it.
  const Scheduling usual;
  if (chassis.scheduling.policy == usual.policy && chassis.scheduling.priority == usual.priority) return;
  d.number(static_cast<std::uint64_t>(chassis.scheduling.policy));
  d.number(chassis.scheduling.priority);
}

void add(Digester& d, const RedundancySet& set) {
  d.text(set.name);
  d.number(set.id);
  d.number(set.members.size());
  for (const auto& member : set.members) {
    d.number(member.chassis);
    d.text(member.card);
    d.number(member.priority);
  }
  d.numbers(set.service_sets);
  d.number(set.virtual_addresses.size());
  for (const auto& address : set.virtual_addresses) {
    d.text(address.interface);
    d.address(address.address);
    d.number(address.prefix_length);
  }
  d.number(static_cast<std::uint64_t>(set.heartbeat_interval.count()));
  d.number(set.heartbeat_count);
  d.number(static_cast<std::uint64_t>(set.longest_silence().count()));
  d.number(static_cast<std::uint64_t>(set.hold_time.count()));
  d.number(set.preempt ? 1 : 0);
  d.number(set.max_sessions);
  const auto& health = set.health;
  for (const auto weight : {health.interface, health.kernel, health.store, health.self_test}) {
    d.number(weight);
  }
}

void add(Digester& d, const ServiceSet& set) {
  d.text(set.name);
  d.number(set.inside_unit);
  d.number(set.outside_unit);
  d.numbers(set.firewall_rules);
  d.numbers(set.nat_rules);
  d.maybe(set.max_sessions);
  d.maybe(set.max_session_setup_rate);
  d.number(static_cast<std::uint64_t>(set.tcp_non_syn));
  d.number(static_cast<std::uint64_t>(set.session_refusal));
  d.number(set.tcp_mss);
  d.number(set.max_flows);
  d.number(set.max_sessions_per_subscriber);
  d.number(set.nat64.ipv6_mtu);
  d.flag(set.nat64.clear_dont_fragment);
  d.maybe(set.screen);
  const auto& t = set.timeouts;
  d.number(t.inactivity_s);
  d.maybe(t.inactivity_tcp_s);
  d.maybe(t.inactivity_non_tcp_s);
  d.number(t.open_s);
  d.number(t.close_s);
  d.number(t.session_s);
  d.number(t.reassembly_s);
  d.number(t.fragment_limit);
}

void add(Digester& d, const MatchConditions& from) {
  d.ranges(from.source_addresses);
  d.ranges(from.source_except);
  d.ranges(from.destination_addresses);
  d.ranges(from.destination_except);
  d.ports(from.source_ports);
  d.ports(from.destination_ports);
  d.numbers(from.applications);
}

void add(Digester& d, const FirewallRule& rule) {
  d.text(rule.name);
  d.number(static_cast<std::uint64_t>(rule.direction));
  d.number(rule.terms.size());
  for (const auto& term : rule.terms) {
    d.text(term.name);
    add(d, term.from);
    d.number(static_cast<std::uint64_t>(term.then));
  }
}

void add(Digester& d, const NatRule& rule) {
  d.text(rule.name);
  d.number(static_cast<std::uint64_t>(rule.direction));
  d.number(rule.terms.size());
  for (const auto& term : rule.terms) {
    d.text(term.name);
    add(d, term.from);
    d.number(static_cast<std::uint64_t>(term.type));
    d.numbers(term.source_pools);
    d.maybe(term.overload_pool);
    d.maybe(term.destination_pool);
    d.prefix(term.source_prefix.value_or(Prefix{}));
    d.prefix(term.destination_prefix.value_or(Prefix{}));
    d.flag(term.translated_ports.has_value());
    if (term.translated_ports) d.ports({*term.translated_ports});
    d.flag(term.address_pooling_paired);
    d.flag(term.endpoint_independent_mapping);
    d.flag(term.endpoint_independent_filtering);
    d.number(term.filtering_prefixes.size());
    for (const auto& prefix : term.filtering_prefixes) d.prefix(prefix);
    d.number(term.eif_flow_limit);
  }
}

void add(Digester& d, const NatPool& pool) {
  d.text(pool.name);
  d.ranges(pool.addresses);
  d.number(pool.port_low);
  d.number(pool.port_high);
  d.number(static_cast<std::uint64_t>(pool.assignment));
  d.flag(pool.preserve_parity);
  d.flag(pool.preserve_range);
  d.flag(pool.round_robin);
  d.flag(pool.blocks.has_value());
  const auto blocks = pool.blocks.value_or(NatPool::BlockAllocation{});
  d.number(blocks.block_size);
  d.number(blocks.max_blocks_per_address);
  d.number(blocks.active_block_timeout_s);
  d.flag(pool.deterministic.has_value());
  const auto deterministic = pool.deterministic.value_or(NatPool::Deterministic{});
  d.number(deterministic.block_size);
  d.flag(deterministic.include_boundary_addresses);
  d.number(pool.mapping_timeout_s);
  d.maybe(pool.reuse_hold_s);
  d.number(pool.limit_ports_per_host);
}

void add(Digester& d, const Application& application) {
  d.text(application.name);
  d.maybe(application.protocol);
  for (const auto& ports : {application.source_port, application.destination_port}) {
    d.byte(ports ? 1 : 0);
    d.number(ports ? ports->low : 0);
    d.number(ports ? ports->high : 0);
  }
  d.maybe(application.icmp_type);
  d.maybe(application.icmp_code);
  d.maybe(application.inactivity_timeout_s);
  d.number(application.application_protocol);
}

void add(Digester& d, const Screen& screen) {
  d.text(screen.name);
  d.number(screen.sessions_per_source);
  d.number(screen.sessions_per_destination);
  d.flag(screen.syn_flood.has_value());
  const auto syn = screen.syn_flood.value_or(Screen::SynFlood{});
  for (const auto value : {syn.attack_threshold, syn.source_threshold, syn.destination_threshold, syn.timeout_s,
                           screen.icmp_flood_threshold, screen.udp_flood_threshold}) {
    d.number(value);
  }
  for (const bool value :
       {screen.tcp_land, screen.tcp_winnuke, screen.tcp_syn_frag, screen.tcp_syn_fin, screen.tcp_no_flag,
        screen.tcp_fin_no_ack, screen.icmp_fragment, screen.icmp_large, screen.icmp_ping_death, screen.ip_bad_option,
        screen.ip_source_route_option, screen.ip_block_frag, screen.ip_tear_drop, screen.ip_unknown_protocol}) {
    d.flag(value);
  }
}

template <class T>
void add_all(Digester& d, const std::vector<T>& things) {
  d.number(things.size());
  for (const auto& thing : things) add(d, thing);
}

}  // namespace

std::uint64_t digest_of(const Cluster& cluster) {
  Digester d;
  d.text(cluster.name);
  add_all(d, cluster.chassis);
  add_all(d, cluster.redundancy_sets);
  add_all(d, cluster.service_sets);
  add_all(d, cluster.firewall_rules);
  add_all(d, cluster.nat_rules);
  add_all(d, cluster.nat_pools);
  add_all(d, cluster.applications);
  add_all(d, cluster.screens);
  return d.value();
}

}  // namespace icr::cluster_draft
