#include "cli/render/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace icr::cli {
namespace {

Stanza statement(std::string words) { return {std::move(words), {}, true}; }

/// Builds the children of a stanza.
class Block {
 public:
  explicit Block(std::string words) { stanza_.words = std::move(words); }

  template <class... Args>
  Block& say(fmt::format_string<Args...> format, Args&&... args) {
    stanza_.children.push_back(statement(fmt::format(format, std::forward<Args>(args)...)));
    return *this;
  }
  /// Adds a stanza, unless it is empty.
  Block& add(Block child) {
    if (!child.stanza_.children.empty()) stanza_.children.push_back(std::move(child.stanza_));
    return *this;
  }
  [[nodiscard]] bool is_empty() const { return stanza_.children.empty(); }
  [[nodiscard]] Stanza done() { return std::move(stanza_); }

 private:
  Stanza stanza_;
};

std::string text_of(const PortRange& range) {
  return range.low == range.high ? std::to_string(range.low) : fmt::format("{}-{}", range.low, range.high);
}

std::string_view text_of(MatchDirection direction) {
  switch (direction) {
    case MatchDirection::input:
      return "input";
    case MatchDirection::output:
      return "output";
    case MatchDirection::input_output:
      break;
  }
  return "input-output";
}

void add_addresses(Block& from, std::string_view side, const std::vector<AddressRange>& ranges,
                   const std::vector<AddressRange>& excepted) {
  Block addresses(fmt::format("{}-address", side));
  Block pairs(fmt::format("{}-address-range", side));
  const auto add = [&](const AddressRange& range, std::string_view suffix) {
    if (const auto prefix = range.as_prefix()) {
      addresses.say("{}{}", prefix->to_string(), suffix);
    } else {
      pairs.say("low {} high {}{}", range.low.to_string(), range.high.to_string(), suffix);
    }
  };
  for (const auto& range : ranges) add(range, "");
  for (const auto& range : excepted) add(range, " except");
  from.add(std::move(addresses)).add(std::move(pairs));
}

Block from_of(const Cluster& cluster, const MatchConditions& conditions) {
  Block from("from");
  add_addresses(from, "source", conditions.source_addresses, conditions.source_except);
  add_addresses(from, "destination", conditions.destination_addresses, conditions.destination_except);
  for (const auto& range : conditions.source_ports) from.say("source-port range low {} high {}", range.low, range.high);
  for (const auto& range : conditions.destination_ports) {
    from.say("destination-port range low {} high {}", range.low, range.high);
  }
  for (const auto application : conditions.applications)
    from.say("applications {}", cluster.applications[application].name);
  return from;
}

Block firewall_rule(const Cluster& cluster, const FirewallRule& rule) {
  static constexpr std::string_view kActions[] = {"accept", "discard", "reject"};
  Block out("rule " + rule.name);
  out.say("match-direction {}", text_of(rule.direction));
  for (const auto& term : rule.terms) {
    Block block("term " + term.name);
    block.add(from_of(cluster, term.from));
    Block then("then");
    then.say("{}", kActions[static_cast<std::size_t>(term.then)]);
    out.add(std::move(block.add(std::move(then))));
  }
  return out;
}

Block pool_stanza(const NatPool& pool) {
  static const NatPool usual;
  Block out("pool " + pool.name);
  for (const auto& range : pool.addresses) {
    if (const auto prefix = range.as_prefix()) {
      out.say("address {}", prefix->to_string());
    } else {
      out.say("address-range low {} high {}", range.low.to_string(), range.high.to_string());
    }
  }
  Block port("port");
  if (pool.port_low != usual.port_low || pool.port_high != usual.port_high) {
    port.say("range low {} high {}", pool.port_low, pool.port_high);
  }
  if (pool.assignment != usual.assignment) {
    port.say("automatic {}", pool.assignment == NatPool::Assignment::random ? "random-allocation" : "sequential");
  }
  if (pool.preserve_parity) port.say("preserve-parity");
  if (pool.preserve_range) port.say("preserve-range");
  if (pool.blocks) {
    Block blocks("secured-port-block-allocation");
    blocks.say("block-size {}", pool.blocks->block_size);
    blocks.say("max-blocks-per-address {}", pool.blocks->max_blocks_per_address);
    if (pool.blocks->active_block_timeout_s != 0)
      blocks.say("active-block-timeout {}", pool.blocks->active_block_timeout_s);
    port.add(std::move(blocks));
  }
  if (pool.deterministic) {
    Block blocks("deterministic-port-block-allocation");
    blocks.say("block-size {}", pool.deterministic->block_size);
    if (pool.deterministic->include_boundary_addresses) blocks.say("include-boundary-addresses");
    port.add(std::move(blocks));
  }
  out.add(std::move(port));
  if (pool.round_robin) out.say("address-allocation round-robin");
  if (pool.mapping_timeout_s != usual.mapping_timeout_s) out.say("mapping-timeout {}", pool.mapping_timeout_s);
  if (pool.limit_ports_per_host != 0) out.say("limit-ports-per-address {}", pool.limit_ports_per_host);
  return out;
}

Block translated_of(const Cluster& cluster, const NatTerm& term) {
  Block out("translated");
  for (const auto pool : term.source_pools) out.say("source-pool {}", cluster.nat_pools[pool].name);
  if (term.source_pools.empty() && term.source_prefix) out.say("source-prefix {}", term.source_prefix->to_string());
  if (term.overload_pool) out.say("overload-pool {}", cluster.nat_pools[*term.overload_pool].name);
  if (term.destination_pool) {
    out.say("destination-pool {}", cluster.nat_pools[*term.destination_pool].name);
  } else if (term.destination_prefix) {
    out.say("destination-prefix {}", term.destination_prefix->to_string());
  }
  if (term.translated_ports) out.say("translated-port {}", text_of(*term.translated_ports));
  Block type("translation-type");
  type.say("{}", translation_type_keyword(term.type));
  out.add(std::move(type));
  if (term.address_pooling_paired) out.say("address-pooling paired");
  if (term.endpoint_independent_mapping) out.say("mapping-type endpoint-independent");
  if (term.endpoint_independent_filtering) {
    Block filtering("filtering-type");
    if (term.filtering_prefixes.empty()) filtering.say("endpoint-independent");
    Block prefixes("endpoint-independent");
    for (const auto& prefix : term.filtering_prefixes) prefixes.say("prefix {}", prefix.to_string());
    out.add(std::move(filtering.add(std::move(prefixes))));
  }
  if (term.eif_flow_limit != 0)
    out.add(std::move(Block("secure-nat-mapping").say("eif-flow-limit {}", term.eif_flow_limit)));
  return out;
}

Block nat_rule(const Cluster& cluster, const NatRule& rule) {
  Block out("rule " + rule.name);
  out.say("match-direction {}", text_of(rule.direction));
  for (const auto& term : rule.terms) {
    Block block("term " + term.name);
    block.add(from_of(cluster, term.from));
    Block then("then");
    if (term.type == NatType::none) {
      then.say("no-translation");
    } else {
      then.add(translated_of(cluster, term));
    }
    out.add(std::move(block.add(std::move(then))));
  }
  return out;
}

/// Returns the cards on which a service set lives.
std::set<std::string> cards_of(const Cluster& cluster, std::uint16_t service_set, std::optional<std::uint16_t> only) {
  std::set<std::string> out;
  for (const auto& set : cluster.redundancy_sets) {
    if (std::find(set.service_sets.begin(), set.service_sets.end(), service_set) == set.service_sets.end()) continue;
    for (const auto& member : set.members) {
      if (only.value_or(member.chassis) == member.chassis) out.insert(member.card);
    }
  }
  return out;
}

Block options_of(const ServiceSet& set) {
  static const Timeouts usual;
  const Timeouts& timeouts = set.timeouts;
  Block out("service-set-options");
  Block limit("session-limit");
  if (set.max_sessions) limit.say("maximum {}", *set.max_sessions);
  if (set.max_session_setup_rate) limit.say("rate {}", *set.max_session_setup_rate);
  out.add(std::move(limit));
  if (timeouts.session_s != 0) out.say("session-timeout {}", timeouts.session_s);
  if (timeouts.inactivity_s != usual.inactivity_s) out.say("inactivity-timeout {}", timeouts.inactivity_s);
  if (timeouts.inactivity_non_tcp_s) out.say("inactivity-non-tcp-timeout {}", *timeouts.inactivity_non_tcp_s);
  Block tcp("tcp-session");
  if (timeouts.open_s != usual.open_s) tcp.say("open-timeout {}", timeouts.open_s);
  if (timeouts.close_s != usual.close_s) tcp.say("close-timeout {}", timeouts.close_s);
  if (timeouts.inactivity_tcp_s) tcp.say("inactivity-tcp-timeout {}", *timeouts.inactivity_tcp_s);
  out.add(std::move(tcp));
  return out;
}

Block next_hop(const ServiceSet& set, std::string_view card) {
  Block out("next-hop-service");
  out.say("inside-service-interface {}.{}", card, set.inside_unit);
  out.say("outside-service-interface {}.{}", card, set.outside_unit);
  return out;
}

Block service_set(const Cluster& cluster, std::uint16_t index, std::optional<std::uint16_t> only) {
  const ServiceSet& set = cluster.service_sets[index];
  Block out("service-set " + set.name);
  if (set.max_flows != 0) out.say("max-flows {}", set.max_flows);
  if (set.tcp_mss != 0) out.say("tcp-mss {}", set.tcp_mss);
  out.add(options_of(set));
  const bool replicated =
      std::any_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(), [&](const auto& each) {
        return !each.stand_alone() &&
               std::find(each.service_sets.begin(), each.service_sets.end(), index) != each.service_sets.end();
      });
  if (replicated) {
    Block replicate("replicate-services");
    if (set.replication_threshold_s != 0) replicate.say("replication-threshold {}", set.replication_threshold_s);
    if (!set.firewall_rules.empty()) replicate.say("stateful-firewall");
    if (!set.nat_rules.empty()) replicate.say("nat");
    out.add(std::move(replicate));
  }
  for (const auto rule : set.firewall_rules) out.say("stateful-firewall-rules {}", cluster.firewall_rules[rule].name);
  for (const auto rule : set.nat_rules) out.say("nat-rules {}", cluster.nat_rules[rule].name);
  // Each of the two statements has one value. Cards of different names are in groups.
  if (const auto cards = cards_of(cluster, index, only); cards.size() == 1) out.add(next_hop(set, *cards.begin()));
  return out;
}

/// Returns the interfaces of the cards. Chassis may have cards of the same name, which have the units of all of them.
Block interfaces_of(const Cluster& cluster, std::optional<std::uint16_t> only) {
  struct Units {
    std::set<std::uint32_t> all, inside, outside;
  };
  std::map<std::string, Units> cards;
  std::vector<std::string> in_order;
  for (std::uint16_t i = 0; i < cluster.chassis.size(); ++i) {
    if (only.value_or(i) != i) continue;
    for (const auto& card : cluster.chassis[i].cards) {
      const auto [at, is_new] = cards.try_emplace(card.name);
      if (is_new) in_order.push_back(card.name);
      for (const auto& port : card.ports) at->second.all.insert(port.unit);
    }
  }
  for (const auto& set : cluster.redundancy_sets) {
    for (const auto& member : set.members) {
      if (only.value_or(member.chassis) != member.chassis) continue;
      for (const auto index : set.service_sets) {
        cards[member.card].inside.insert(cluster.service_sets[index].inside_unit);
        cards[member.card].outside.insert(cluster.service_sets[index].outside_unit);
      }
    }
  }
  Block out("interfaces");
  for (const auto& name : in_order) {
    const Units& units = cards[name];
    Block block(name);
    for (const auto number : units.all) {
      Block unit(fmt::format("unit {}", number));
      unit.say("family inet");
      unit.say("family inet6");
      if (units.inside.count(number) != 0) {
        unit.say("service-domain inside");
      } else if (units.outside.count(number) != 0) {
        unit.say("service-domain outside");
      }
      block.add(std::move(unit));
    }
    out.add(std::move(block));
  }
  return out;
}

/// Returns what each chassis has for itself: the interfaces of service sets that live on cards of different names.
Block groups_of(const Cluster& cluster, std::optional<std::uint16_t> only) {
  std::vector<Block> services(cluster.chassis.size(), Block("services"));
  for (std::uint16_t i = 0; i < cluster.service_sets.size(); ++i) {
    if (cards_of(cluster, i, only).size() < 2) continue;
    const ServiceSet& set = cluster.service_sets[i];
    for (const auto& each : cluster.redundancy_sets) {
      if (std::find(each.service_sets.begin(), each.service_sets.end(), i) == each.service_sets.end()) continue;
      for (const auto& member : each.members) {
        if (only.value_or(member.chassis) != member.chassis) continue;
        services[member.chassis].add(std::move(Block("service-set " + set.name).add(next_hop(set, member.card))));
      }
    }
  }
  Block out("groups");
  for (std::size_t i = 0; i < services.size(); ++i) {
    out.add(std::move(Block(cluster.chassis[i].name).add(std::move(services[i]))));
  }
  return out;
}

Block applications_of(const Cluster& cluster) {
  Block out("applications");
  for (const auto& each : cluster.applications) {
    Block block("application " + each.name);
    if (each.application_protocol != kNoApplicationProtocol) {
      block.say("application-protocol {}", application_protocol_keyword(each.application_protocol));
    }
    if (each.protocol) block.say("protocol {}", protocol_keyword(*each.protocol));
    if (each.source_port) block.say("source-port {}", text_of(*each.source_port));
    if (each.destination_port) block.say("destination-port {}", text_of(*each.destination_port));
    if (each.icmp_type) block.say("icmp-type {}", *each.icmp_type);
    if (each.icmp_code) block.say("icmp-code {}", *each.icmp_code);
    if (each.inactivity_timeout_s) {
      block.say("inactivity-timeout {}", *each.inactivity_timeout_s == kNeverSeconds
                                             ? std::string("never")
                                             : std::to_string(*each.inactivity_timeout_s));
    }
    out.add(std::move(block));
  }
  return out;
}

/// Returns the value of a statement that may stand several times, and then as one list in brackets.
std::optional<std::string> listed_value(const Stanza& stanza) {
  constexpr std::string_view kList = "applications ";
  if (!stanza.statement || stanza.words.substr(0, kList.size()) != kList) return std::nullopt;
  return stanza.words.substr(kList.size());
}

void append_braces(const std::vector<const Stanza*>& stanzas, std::size_t depth, std::string& out) {
  const std::string indent(4 * depth, ' ');
  for (std::size_t i = 0; i < stanzas.size(); ++i) {
    const Stanza& stanza = *stanzas[i];
    if (auto values = listed_value(stanza)) {
      bool several = false;
      for (; i + 1 < stanzas.size() && listed_value(*stanzas[i + 1]); ++i) {
        several = true;
        *values += " " + *listed_value(*stanzas[i + 1]);
      }
      out += indent +
             (several ? fmt::format("applications [ {} ];\n", *values) : fmt::format("applications {};\n", *values));
    } else if (stanza.statement) {
      out += fmt::format("{}{};\n", indent, stanza.words);
    } else {
      std::vector<const Stanza*> children;
      for (const auto& child : stanza.children) children.push_back(&child);
      out += fmt::format("{}{} {{\n", indent, stanza.words);
      append_braces(children, depth + 1, out);
      out += indent + "}\n";
    }
  }
}

void append_set(const Stanza& stanza, const std::string& before, std::string& out) {
  const std::string words = before + " " + stanza.words;
  if (stanza.statement) out += words + "\n";
  for (const auto& child : stanza.children) append_set(child, words, out);
}

}  // namespace

Stanza configuration_of(const Cluster& cluster, std::optional<std::uint16_t> only_chassis) {
  Block services("services");
  for (std::uint16_t i = 0; i < cluster.service_sets.size(); ++i) {
    if (!only_chassis || !cards_of(cluster, i, only_chassis).empty())
      services.add(service_set(cluster, i, only_chassis));
  }
  Block firewall("stateful-firewall");
  for (const auto& rule : cluster.firewall_rules) firewall.add(firewall_rule(cluster, rule));
  Block nat("nat");
  for (const auto& pool : cluster.nat_pools) {
    if (!pool.drained_only) nat.add(pool_stanza(pool));
  }
  for (const auto& rule : cluster.nat_rules) nat.add(nat_rule(cluster, rule));
  services.add(std::move(firewall)).add(std::move(nat));
  Block root("");
  Block groups = groups_of(cluster, only_chassis);
  const bool has_groups = !groups.is_empty();
  root.add(std::move(groups));
  if (has_groups) root.say("apply-groups \"${{node}}\"");
  root.add(interfaces_of(cluster, only_chassis)).add(std::move(services)).add(applications_of(cluster));
  return root.done();
}

std::string render_configuration(const Stanza& root, const std::vector<std::string>& path, bool as_set) {
  const Stanza* at = &root;
  std::string before = "set";
  std::vector<const Stanza*> shown;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto named = [&](const std::string& words) {
      return std::find_if(at->children.begin(), at->children.end(),
                          [&](const Stanza& each) { return each.words == words; });
    };
    auto found = named(path[i]);
    if (found == at->children.end() && i + 1 < path.size()) found = named(path[i] + " " + path[i + 1]);
    if (found == at->children.end()) {
      // "pool" without a name is every pool.
      if (i + 1 == path.size()) {
        for (const auto& each : at->children) {
          if (each.words.substr(0, path[i].size() + 1) == path[i] + " ") shown.push_back(&each);
        }
      }
      at = nullptr;
      break;
    }
    if (found->words != path[i]) ++i;
    at = &*found;
    before += " " + at->words;
  }
  if (at != nullptr) {
    for (const auto& child : at->children) shown.push_back(&child);
  }
  std::string out;
  if (!as_set) {
    append_braces(shown, 0, out);
    return out;
  }
  for (const auto* each : shown) append_set(*each, before, out);
  return out;
}

std::string with_braces(const Stanza& stanza) {
  std::string out;
  append_braces({&stanza}, 0, out);
  return out;
}

}  // namespace icr::cli
