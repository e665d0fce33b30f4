// What concerns two parts of the file: endpoints, units, limits, addresses. NAT is in cluster_nat_checks.cpp.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// The value behind `key` of a map that was read before: only for its place.
YamlField part(const YamlField& field, std::string_view key) {
  for (const auto& entry : field.node().entries) {
    if (entry.key == key) return YamlField(entry.value, field.path() + "." + std::string(key), field.mistakes());
  }
  return field;
}

/// Service sets of a card must not share a unit: a packet belongs to one of them.
void check_units(Draft& draft) {
  std::map<std::tuple<std::uint16_t, std::string, std::uint32_t>, std::string> used;
  const auto& cluster = draft.cluster;
  for (std::size_t s = 0; s < cluster.redundancy_sets.size(); ++s) {
    const auto& set = cluster.redundancy_sets[s];
    for (std::size_t i = 0; i < set.service_sets.size(); ++i) {
      const auto& service = cluster.service_sets[set.service_sets[i]];
      const auto& place = draft.set_service_uses[s][i];
      bool reported = false;
      for (const auto& member : set.members) {
        const auto& chassis = cluster.chassis[member.chassis];
        const auto* card = chassis.card(member.card);
        if (card == nullptr) continue;
        for (const auto unit : {service.inside_unit, service.outside_unit}) {
          if (card->port(unit) == nullptr) {
            place.wrong(fmt::format("service set {} needs unit {}, which card {} of chassis {} does not have",
                                    service.name, unit, member.card, chassis.name),
                        "add a port with that unit to the card");
            continue;
          }
          const auto taken = used.emplace(std::make_tuple(member.chassis, member.card, unit), service.name);
          if (taken.second || reported || taken.first->second == service.name) continue;
          place.wrong(fmt::format("service set {} uses unit {} of card {} of chassis {}, and so does {}", service.name,
                                  unit, member.card, chassis.name, taken.first->second),
                      "give each service set units of its own");
          reported = true;
        }
      }
    }
  }
}

void check_limits(Draft& draft) {
  const auto& cluster = draft.cluster;
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto index : set.service_sets) {
      const auto& service = cluster.service_sets[index];
      if (!service.max_sessions || *service.max_sessions <= set.max_sessions) continue;
      draft.session_limit_fields[index]->wrong(fmt::format("session-limit {} is above max-sessions {} of {}",
                                                           *service.max_sessions, set.max_sessions, set.name),
                                               "write a lower limit or more max-sessions");
    }
  }
}

void check_virtual_addresses(Draft& draft) {
  const auto& cluster = draft.cluster;
  std::map<IpAddress, std::string> taken;
  for (const auto& chassis : cluster.chassis) {
    for (const IpAddress& address : chassis.inter_chassis_addresses()) {
      taken.emplace(address, "an inter-chassis address of chassis " + chassis.name);
    }
    taken.emplace(chassis.query.address, "the query address of chassis " + chassis.name);
  }
  for (std::size_t s = 0; s < draft.virtual_fields.size(); ++s) {
    const auto& set = cluster.redundancy_sets[s];
    for (std::size_t i = 0; i < draft.virtual_fields[s].size(); ++i) {
      const auto& address = set.virtual_addresses[i].address;
      const auto entry = taken.emplace(address, "a virtual address of redundancy set " + set.name);
      if (entry.second) continue;
      draft.virtual_fields[s][i].wrong(fmt::format("{} is also {}", address.to_string(), entry.first->second),
                                       "write an address that nothing else has");
    }
  }
}

/// Signal routes lead into a TUN device, with which they vanish when a process dies. No two sets may have the same one.
void check_signal_routes(Draft& draft) {
  const auto& cluster = draft.cluster;
  std::map<std::pair<std::uint32_t, std::string>, std::string> taken;
  for (std::size_t s = 0; s < draft.signal_fields.size(); ++s) {
    const auto& set = cluster.redundancy_sets[s];
    for (std::size_t i = 0; i < draft.signal_fields[s].size(); ++i) {
      const auto& route = set.signal_routes[i];
      const YamlField& field = draft.signal_fields[s][i];
      const auto entry = taken.emplace(std::pair(route.table, route.prefix.to_string()), set.name);
      if (!entry.second) {
        field.wrong(fmt::format("{} in table {} is also a signal route of redundancy set {}", route.prefix.to_string(),
                                route.table, entry.first->second),
                    "write another prefix or table");
      }
      for (const auto& member : set.members) {
        if (signal_device(cluster, static_cast<std::uint16_t>(s), member.chassis)) continue;
        field.wrong(fmt::format("no service set of {} has a tun port as its outside unit on chassis {}", set.name,
                                cluster.chassis[member.chassis].name),
                    "give one of them a tun port there: a signal route vanishes with its device when icrd dies");
      }
    }
  }
}

/// The members of a redundancy set reach each other by paths, each from an address of one to an address of the other.
/// A guarantee needs a peer that is told of each session at once.
void check_guarantees(Draft& draft) {
  const Cluster& cluster = draft.cluster;
  for (const auto& [rule, field] : draft.guarantee_fields) {
    for (const RedundancySet& set : cluster.redundancy_sets) {
      for (const std::uint16_t index : set.service_sets) {
        const ServiceSet& service = cluster.service_sets[index];
        const auto& rules = service.firewall_rules;
        if (std::find(rules.begin(), rules.end(), rule) == rules.end()) continue;
        if (set.stand_alone()) {
          field.wrong(fmt::format("the stand-alone service set {} uses this rule, and has no peer", service.name),
                      "write asynchronous, or give that service set another rule");
        } else if (service.replication_threshold_s != 0) {
          field.wrong(fmt::format("service set {} uses this rule, and its replication-threshold keeps young sessions "
                                  "from the peer",
                                  service.name),
                      "write asynchronous, or replication-threshold: 0");
        }
      }
    }
  }
}

void check_paths(Draft& draft) {
  const auto& all = draft.cluster.chassis;
  for (const auto& set : draft.cluster.redundancy_sets) {
    if (set.stand_alone()) continue;
    const auto& first = all[set.members[0].chassis];
    const auto& second = all[set.members[1].chassis];
    if (first.alternate_addresses.size() == second.alternate_addresses.size()) continue;
    part(draft.chassis_fields[set.members[1].chassis], "inter-chassis")
        .wrong(fmt::format("chassis {} has {} alternate-addresses, and its peer {} in redundancy set {} has {}",
                           second.name, second.alternate_addresses.size(), first.name, set.name,
                           first.alternate_addresses.size()),
               "write as many for each, in the same order: those at the same place are the two ends of a path");
  }
}

/// Application protocols that open further connections or carry addresses in their payload.
bool needs_payload(ApplicationProtocol value) {
  static const std::set<std::string_view> plain = {
      "none",  "dns",  "ftp-data", "http", "https", "icmp", "icmpv6", "ignore", "imap",  "imaps",     "ip",
      "login", "pop3", "pop3s",    "smtp", "smtps", "snmp", "ssh",    "telnet", "twamp", "traceroute"};
  return plain.count(application_protocol_keyword(value)) == 0;
}

}  // namespace

void check_endpoints(Draft& draft) {
  const auto& cluster = draft.cluster;
  constexpr std::uint64_t kMost = key("", "chassis").high;
  if (cluster.chassis.size() > kMost) {
    draft.chassis_fields[kMost].wrong(fmt::format("more than {} chassis", kMost), "write fewer");
    return;
  }
  std::map<std::pair<IpAddress, std::uint32_t>, std::string> taken;
  const auto take = [&](const IpAddress& address, std::uint32_t port, const std::string& what, const YamlField& field) {
    const auto [other, fresh] = taken.emplace(std::pair(address, port), what);
    if (fresh) return;
    field.wrong(
        fmt::format("port {} of {} is that of {}, and of {}", port, address.to_string(), what, other->second),
        "write another port: each redundancy set takes two, the port of its chassis + 2 x (id - 1) and the next");
  };
  // The first pair is reserved where no set has id 1, so that adding one moves nothing.
  std::vector<std::vector<std::uint16_t>> ids(cluster.chassis.size(), {1});
  for (const auto& set : cluster.redundancy_sets) {
    if (set.id <= 1) continue;
    for (const auto& member : set.members) ids[member.chassis].push_back(set.id);
  }
  for (std::size_t i = 0; i < cluster.chassis.size(); ++i) {
    const auto& chassis = cluster.chassis[i];
    const std::uint32_t base = chassis.inter_chassis_port;
    if (base != 0 && chassis.inter_chassis_address != IpAddress{}) {
      const auto field = part(draft.chassis_fields[i], "inter-chassis");
      for (const std::uint16_t id : ids[i]) {
        const std::uint32_t first = base + 2U * (id - 1U);
        if (first + 1 > 65535) {
          part(field, "port")
              .wrong(fmt::format("the ports of the redundancy set with id {} are {} and {}", id, first, first + 1),
                     fmt::format("write at most {}", 65534 - 2 * (id - 1)));
          break;
        }
        const std::string what = fmt::format("inter-chassis of {}", chassis.name);
        for (const IpAddress& address : chassis.inter_chassis_addresses()) {
          take(address, first, what, field);
          take(address, first + 1, what, field);
        }
      }
    }
    if (chassis.query.port != 0 && chassis.query.address != IpAddress{}) {
      take(chassis.query.address, chassis.query.port, fmt::format("query of {}", chassis.name),
           part(draft.chassis_fields[i], "query"));
    }
  }
}

void check_whole(Draft& draft) {
  check_virtual_addresses(draft);
  // The others would take what was dropped or defaulted because of a mistake for another mistake.
  if (!draft.mistakes.empty()) return;
  check_paths(draft);
  check_guarantees(draft);
  check_signal_routes(draft);
  check_units(draft);
  check_nat(draft);
  check_limits(draft);
}

namespace {

void add_pool_warnings(const NatPool& pool, std::vector<std::string>& out) {
  if (pool.blocks && pool.ports_per_address() % pool.blocks->block_size != 0) {
    out.push_back(fmt::format("NAT pool {}: {} ports of each address are left over by blocks of {}, and are not used.",
                              pool.name, pool.ports_per_address() % pool.blocks->block_size, pool.blocks->block_size));
  }
  if (pool.preserve_range && (pool.port_low >= 1024 || pool.port_high < 1024)) {
    out.push_back(
        fmt::format("NAT pool {} preserves ranges, but has no ports {} 1024: sessions with such a port are "
                    "not translated.",
                    pool.name, pool.port_low >= 1024 ? "below" : "from"));
  }
}

/// Mappings and paired addresses belong to a pool: one term that asks for them decides for all that use it.
class SharedPools {
 public:
  explicit SharedPools(const Cluster& cluster) : asked_(cluster.nat_pools.size()) {
    for (const auto& rule : cluster.nat_rules) {
      for (const auto& term : rule.terms) {
        const std::string name = fmt::format("{} of nat rule {}", term.name, rule.name);
        const bool mappings = term.endpoint_independent_mapping || term.type == NatType::stateful_nat64;
        for (const auto pool : source_pools_of(term)) {
          note(asked_[pool].mappings, mappings, name);
          note(asked_[pool].paired, term.address_pooling_paired, name);
        }
      }
    }
  }

  void add_warnings(std::uint16_t pool, const std::string& name, std::vector<std::string>& out) const {
    add(asked_[pool].mappings, "endpoint-independent mappings", name, out);
    add(asked_[pool].paired, "paired addresses", name, out);
  }

 private:
  /// The first term that asks, and the first one that does not.
  struct First {
    std::string with, without;
  };
  struct Asked {
    First mappings, paired;
  };

  static void note(First& first, bool asks, const std::string& term) {
    auto& name = asks ? first.with : first.without;
    if (name.empty()) name = term;
  }
  static void add(const First& first, const char* what, const std::string& pool, std::vector<std::string>& out) {
    if (first.with.empty() || first.without.empty()) return;
    out.push_back(
        fmt::format("NAT pool {}: term {} asks for {}, so hosts of term {} get them, too: give it a pool of its own.",
                    pool, first.with, what, first.without));
  }

  std::vector<Asked> asked_;  ///< by pool
};

void add_application_warnings(const Application& application, std::vector<std::string>& out) {
  FlowKey key;
  key.protocol = application.protocol.value_or(0);
  if ((application.icmp_type || application.icmp_code) && !application.matches(key, IcmpQuery::echo) &&
      !application.matches(key, IcmpQuery::timestamp)) {
    out.push_back(fmt::format("Application {} matches nothing: sessions begin with {} of code 0.", application.name,
                              key.protocol == ip_protocol::icmp6
                                  ? "an ICMPv6 echo request (type 128)"
                                  : "an ICMP echo request (type 8) or timestamp request (type 13)"));
  }
  if (!needs_payload(application.application_protocol)) return;
  out.push_back(
      fmt::format("Application {} has application-protocol {}, whose payload is not inspected yet: sessions carry "
                  "its name, but the connections that it opens need rules of their own.",
                  application.name, application_protocol_keyword(application.application_protocol)));
}

}  // namespace

void add_warnings(Draft& draft) {
  auto& cluster = draft.cluster;
  auto& out = cluster.warnings;
  std::set<std::uint16_t> pools;
  std::set<std::uint16_t> firewall_rules;
  std::set<std::uint16_t> nat_rules;
  for (const auto& service : cluster.service_sets) {
    firewall_rules.insert(service.firewall_rules.begin(), service.firewall_rules.end());
    nat_rules.insert(service.nat_rules.begin(), service.nat_rules.end());
    if (service.firewall_rules.empty()) {
      out.push_back(fmt::format("Service set {} has no stateful-firewall rules: every packet may begin a session.",
                                service.name));
    }
  }
  for (std::uint16_t i = 0; i < cluster.nat_rules.size(); ++i) {
    if (nat_rules.count(i) == 0) {
      out.push_back(fmt::format("The nat rule {} is used by no service set.", cluster.nat_rules[i].name));
    }
    for (const auto& term : cluster.nat_rules[i].terms) {
      for (const auto pool : source_pools_of(term)) pools.insert(pool);
      if (term.destination_pool) pools.insert(*term.destination_pool);
    }
  }
  for (std::uint16_t i = 0; i < cluster.firewall_rules.size(); ++i) {
    if (firewall_rules.count(i) != 0) continue;
    out.push_back(
        fmt::format("The stateful-firewall rule {} is used by no service set.", cluster.firewall_rules[i].name));
  }
  for (std::uint16_t i = 0; i < cluster.nat_pools.size(); ++i) {
    if (pools.count(i) == 0)
      out.push_back(fmt::format("The nat pool {} is used by no nat rule.", cluster.nat_pools[i].name));
  }
  const SharedPools shared(cluster);
  for (std::uint16_t i = 0; i < cluster.nat_pools.size(); ++i) {
    add_pool_warnings(cluster.nat_pools[i], out);
    shared.add_warnings(i, cluster.nat_pools[i].name, out);
  }
  add_nat_warnings(cluster);
  for (const auto& application : cluster.applications) add_application_warnings(application, out);
  for (const auto& set : cluster.redundancy_sets) {
    if (set.stand_alone()) continue;
    const auto family = [&](const RedundancyMember& member) {
      return cluster.chassis[member.chassis].card(member.card)->family;
    };
    if (family(set.members[0]) != family(set.members[1])) {
      out.push_back(
          fmt::format("Redundancy set {} joins an ms- and a vms- card: after a switchover its sessions are shown in "
                      "the other family's layout.",
                      set.name));
    }
  }
  std::map<std::pair<std::uint16_t, std::string>, std::uint32_t> sets_on;  // by chassis and card
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto& member : set.members) ++sets_on[{member.chassis, member.card}];
  }
  for (std::uint16_t chassis = 0; chassis < cluster.chassis.size(); ++chassis) {
    for (const auto& card : cluster.chassis[chassis].cards) {
      const std::uint32_t sets = sets_on[{chassis, card.name}];
      if (card.workers <= std::max(sets, 1U)) continue;
      out.push_back(
          fmt::format("Card {} of chassis {} has {} workers for {} redundancy sets and stand-alone service "
                      "sets: a set is one worker's, {} start.",
                      card.name, cluster.chassis[chassis].name, card.workers, sets, std::max(sets, 1U)));
    }
  }
}

}  // namespace icr::cluster_draft
