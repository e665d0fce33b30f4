// The settings of rules, NAT pools, applications and screens (model/config/rules.h).
#include "model/config/settings_place.h"
#include "model/record/protocol.h"

namespace icr::settings {
namespace {

std::string addresses(const std::vector<AddressRange>& in, const std::vector<AddressRange>& except) {
  std::string out = spelled(in);
  if (!except.empty()) out += " except " + spelled(except);
  return out;
}

void add(const Place& at, const MatchConditions& from, const Cluster& cluster) {
  const std::string none;
  at.unless(key("from", "source-address"), addresses(from.source_addresses, from.source_except), none);
  at.unless(key("from", "source-port"), spelled(from.source_ports), none);
  at.unless(key("from", "destination-address"), addresses(from.destination_addresses, from.destination_except), none);
  at.unless(key("from", "destination-port"), spelled(from.destination_ports), none);
  at.unless(key("from", "applications"), spelled(names_of(cluster.applications, from.applications)), none);
}

/// The names of terms in their order, which decides which of them matches first.
template <class Term>
std::string order_of(const std::vector<Term>& terms) {
  std::vector<std::string> names;
  for (const auto& term : terms) names.push_back(term.name);
  return spelled(names);
}

void add_translation(const Place& at, const NatTerm& term, const Cluster& cluster) {
  constexpr std::string_view kSection = "translated";
  const auto& pools = cluster.nat_pools;
  at.unless(key(kSection, "source-pool"), names_of(pools, term.source_pools), {});
  if (term.overload_pool) at.value(key(kSection, "overload-pool"), pools[*term.overload_pool].name);
  if (term.destination_pool) at.value(key(kSection, "destination-pool"), pools[*term.destination_pool].name);
  at.value(key(kSection, "source-prefix"), term.source_prefix);
  at.value(key(kSection, "destination-prefix"), term.destination_prefix);
  at.value(key(kSection, "translated-port"), term.translated_ports);
  at.put(key(kSection, "translation-type"), std::string(translation_type_keyword(term.type)));
  at.only_word(key(kSection, "address-pooling"), term.address_pooling_paired);
  at.only_word(key(kSection, "mapping-type"), term.endpoint_independent_mapping);
  if (term.filtering_prefixes.empty()) {
    at.only_word(key(kSection, "filtering-type"), term.endpoint_independent_filtering);
  } else {
    at.put(key(kSection, "filtering-type"), spelled(term.filtering_prefixes));
  }
  at.below("secure-nat-mapping")
      .unless(key("translated.secure-nat-mapping", "eif-flow-limit"), std::uint64_t{term.eif_flow_limit},
              std::uint64_t{0});
}

}  // namespace

void add(const Place& at, const FirewallRule& rule, const Cluster& cluster) {
  at.word(key("rules[]", "match-direction"), rule.direction);
  at.put(key("rules[]", "terms"), order_of(rule.terms));
  for (const auto& term : rule.terms) {
    const Place on_term = at.item("terms", term.name);
    on_term.exists(key("rules[]", "terms"));
    add(on_term.below("from"), term.from, cluster);
    on_term.word(key("stateful-firewall.rules[].terms[]", "then"), term.then);
    if (term.guarantee) on_term.word(key("stateful-firewall.rules[].terms[]", "guarantee"), *term.guarantee);
  }
}

void add(const Place& at, const NatRule& rule, const Cluster& cluster) {
  at.word(key("rules[]", "match-direction"), rule.direction);
  at.put(key("rules[]", "terms"), order_of(rule.terms));
  for (const auto& term : rule.terms) {
    const Place on_term = at.item("terms", term.name);
    on_term.exists(key("rules[]", "terms"));
    add(on_term.below("from"), term.from, cluster);
    add_translation(on_term.below("then.translated"), term, cluster);
  }
}

void add(const Place& at, const NatPool& pool) {
  constexpr std::string_view kSection = "nat.pools[]";
  constexpr std::uint64_t kNone = 0;
  at.value(key(kSection, "addresses"), pool.addresses);
  const Place port = at.below("port");
  port.word(key("nat.pools[].port", "automatic"), pool.assignment);
  port.below("range").value(key("nat.pools[].port.range", "low"), std::uint64_t{pool.port_low});
  port.below("range").value(key("nat.pools[].port.range", "high"), std::uint64_t{pool.port_high});
  port.value(key("nat.pools[].port", "preserve-parity"), pool.preserve_parity);
  port.value(key("nat.pools[].port", "preserve-range"), pool.preserve_range);
  if (pool.blocks) {
    constexpr std::string_view kBlocks = "secured-port-block-allocation";
    const Place blocks = port.below(kBlocks);
    blocks.exists(Scope::cluster);
    blocks.value(key(kBlocks, "block-size"), std::uint64_t{pool.blocks->block_size});
    blocks.value(key(kBlocks, "max-blocks-per-address"), std::uint64_t{pool.blocks->max_blocks_per_address});
    blocks.value(key(kBlocks, "active-block-timeout"), std::uint64_t{pool.blocks->active_block_timeout_s});
  }
  if (pool.deterministic) {
    constexpr std::string_view kBlocks = "deterministic-port-block-allocation";
    const Place blocks = port.below(kBlocks);
    blocks.exists(Scope::cluster);
    blocks.value(key(kBlocks, "block-size"), std::uint64_t{pool.deterministic->block_size});
    blocks.value(key(kBlocks, "include-boundary-addresses"), pool.deterministic->include_boundary_addresses);
  }
  at.only_word(key(kSection, "address-allocation"), pool.round_robin);
  at.value(key(kSection, "mapping-timeout"), std::uint64_t{pool.mapping_timeout_s});
  at.unless(key(kSection, "limit-ports-per-address"), std::uint64_t{pool.limit_ports_per_host}, kNone);
  if (pool.reuse_hold_s) at.value(key(kSection, "port-reuse-hold"), std::uint64_t{*pool.reuse_hold_s});
}

void add(const Place& at, const Application& application) {
  constexpr std::string_view kSection = "applications[]";
  const auto maybe = [&at](const Key& key, const auto& value) {
    if (value) at.value(key, std::uint64_t{*value});
  };
  maybe(key(kSection, "protocol"), application.protocol);
  at.value(key(kSection, "source-port"), application.source_port);
  at.value(key(kSection, "destination-port"), application.destination_port);
  maybe(key(kSection, "icmp-type"), application.icmp_type);
  maybe(key(kSection, "icmp-code"), application.icmp_code);
  maybe(key(kSection, "inactivity-timeout"), application.inactivity_timeout_s);
  at.put(key(kSection, "application-protocol"), std::string(application_protocols()[application.application_protocol]));
}

void add(const Place& at, const Screen& screen) {
  const Place limits = at.below("limit-session");
  const auto number = [](const Place& place, const Key& key, std::uint32_t value) {
    place.unless(key, std::uint64_t{value}, std::uint64_t{0});
  };
  number(limits, key("screens[].limit-session", "source-ip-based"), screen.sessions_per_source);
  number(limits, key("screens[].limit-session", "destination-ip-based"), screen.sessions_per_destination);
  const Place tcp = at.below("tcp");
  if (screen.syn_flood) {
    constexpr std::string_view kFlood = "screens[].tcp.syn-flood";
    const Place flood = tcp.below("syn-flood");
    flood.exists(Scope::peer, key("screens[].tcp", "syn-flood").applies);
    flood.value(key(kFlood, "attack-threshold"), std::uint64_t{screen.syn_flood->attack_threshold});
    flood.value(key(kFlood, "source-threshold"), std::uint64_t{screen.syn_flood->source_threshold});
    flood.value(key(kFlood, "destination-threshold"), std::uint64_t{screen.syn_flood->destination_threshold});
    flood.value(key(kFlood, "timeout"), std::uint64_t{screen.syn_flood->timeout_s});
  }
  tcp.value(key("screens[].tcp", "land"), screen.tcp_land);
  tcp.value(key("screens[].tcp", "winnuke"), screen.tcp_winnuke);
  tcp.value(key("screens[].tcp", "syn-frag"), screen.tcp_syn_frag);
  tcp.value(key("screens[].tcp", "syn-fin"), screen.tcp_syn_fin);
  tcp.value(key("screens[].tcp", "tcp-no-flag"), screen.tcp_no_flag);
  tcp.value(key("screens[].tcp", "fin-no-ack"), screen.tcp_fin_no_ack);
  const Place icmp = at.below("icmp");
  number(icmp.below("flood"), key("screens[].icmp.flood", "threshold"), screen.icmp_flood_threshold);
  icmp.value(key("screens[].icmp", "fragment"), screen.icmp_fragment);
  icmp.value(key("screens[].icmp", "large"), screen.icmp_large);
  icmp.value(key("screens[].icmp", "ping-death"), screen.icmp_ping_death);
  number(at.below("udp").below("flood"), key("screens[].udp.flood", "threshold"), screen.udp_flood_threshold);
  const Place ip = at.below("ip");
  ip.value(key("screens[].ip", "bad-option"), screen.ip_bad_option);
  ip.value(key("screens[].ip", "source-route-option"), screen.ip_source_route_option);
  ip.value(key("screens[].ip", "block-frag"), screen.ip_block_frag);
  ip.value(key("screens[].ip", "tear-drop"), screen.ip_tear_drop);
  ip.value(key("screens[].ip", "unknown-protocol"), screen.ip_unknown_protocol);
}

}  // namespace icr::settings
