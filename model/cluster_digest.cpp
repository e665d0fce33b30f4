// Cluster::digest. The order of the values below is part of what two programs compare: a change of it makes a program
// of the previous release refuse to speak with this one, so append.
#include "model/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// FNV-1a, 64 bits, over values in a form that does not depend on the machine.
class Digester {
 public:
  void byte(std::uint8_t value) { state_ = (state_ ^ value) * 0x100000001b3ULL; }
  void number(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
  }
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
  void prefixes(const std::vector<Prefix>& values) {
    number(values.size());
    for (const auto& value : values) {
      address(value.base);
      number(value.length);
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
  d.number(chassis.cards.size());
  for (const auto& card : chassis.cards) {
    d.text(card.name);
    d.number(static_cast<std::uint64_t>(card.family));
    d.number(card.ports.size());
    for (const auto& port : card.ports) {
      d.number(port.unit);
      d.number(static_cast<std::uint64_t>(port.kind));
      d.text(port.device);
      d.number(port.steer_from.size());
      for (const auto& interface : port.steer_from) d.text(interface);
      d.text(port.read_file);
      d.text(port.write_file);
    }
  }
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
  d.number(static_cast<std::uint64_t>(set.hold_time.count()));
  d.number(set.preempt ? 1 : 0);
  d.number(set.max_sessions);
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
  d.prefixes(from.source_addresses);
  d.prefixes(from.destination_addresses);
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
    d.maybe(term.source_pool);
  }
}

void add(Digester& d, const NatPool& pool) {
  d.text(pool.name);
  d.prefixes(pool.addresses);
  d.number(pool.port_low);
  d.number(pool.port_high);
}

void add(Digester& d, const Application& application) {
  d.text(application.name);
  d.maybe(application.protocol);
  for (const auto& ports : {application.source_port, application.destination_port}) {
    d.byte(ports ? 1 : 0);
    d.number(ports ? ports->low : 0);
    d.number(ports ? ports->high : 0);
  }
  d.maybe(application.inactivity_timeout_s);
  d.number(application.application_protocol);
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
  return d.value();
}

}  // namespace icr::cluster_draft
