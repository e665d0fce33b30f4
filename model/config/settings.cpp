#include "model/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "model/record/protocol.h"

namespace icr {
namespace {

/// FNV-1a, 64 bits, with its bits mixed at the end, because digests are added up.
class Digester {
 public:
  void text(std::string_view value) {
    for (const char c : value) byte(static_cast<std::uint8_t>(c));
    byte(0);  // neither paths nor values hold a zero byte
  }
  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t x = state_;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
  }

 private:
  void byte(std::uint8_t value) { state_ = (state_ ^ value) * 0x100000001b3ULL; }

  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

std::string spelled(bool value) { return value ? "yes" : "no"; }
std::string spelled(std::uint64_t value) { return std::to_string(value); }
std::string spelled(const IpAddress& value) { return value.to_string(); }
std::string spelled(const Prefix& value) { return value.to_string(); }
std::string spelled(const PortRange& value) { return fmt::format("{}-{}", value.low, value.high); }
std::string spelled(const AddressRange& value) {
  return fmt::format("{}-{}", value.low.to_string(), value.high.to_string());
}
std::string spelled(const std::string& value) { return value; }

template <class T>
std::string spelled(const std::vector<T>& values) {
  std::string out;
  for (const auto& value : values) {
    if (!out.empty()) out += ' ';
    out += spelled(value);
  }
  return out;
}

/// Seconds with as many decimals as are needed: "2", "0.5".
std::string in_seconds(Duration duration) {
  const auto ms = duration / 1ms;
  auto text = std::to_string(ms / 1000);
  if (ms % 1000 == 0) return text;
  auto decimals = fmt::format("{:03}", ms % 1000);
  decimals.erase(decimals.find_last_not_of('0') + 1);
  return text + "." + decimals;
}

/// Writes settings of one place in the file.
class Place {
 public:
  Place(ConfigPart& part, std::string path) : part_(&part), path_(std::move(path)) {}

  [[nodiscard]] Place below(std::string_view name) const { return {*part_, fmt::format("{}.{}", path_, name)}; }
  [[nodiscard]] Place item(std::string_view list, std::string_view name) const {
    return {*part_, fmt::format("{}.{}[{}]", path_, list, name)};
  }
  /// Says that the thing is there.
  void exists(Scope scope, Applies applies = Applies::restart) const {
    part_->settings.push_back({path_, "there", scope, applies});
  }
  /// Says that a thing is there that `key` lists.
  void exists(const Key& key) const { exists(Scope::cluster, key.applies); }
  void put(const Key& key, std::string value) const {
    if (value == key.usual) return;
    part_->settings.push_back({fmt::format("{}.{}", path_, key.name), std::move(value), key.scope, key.applies});
  }
  template <class T>
  void value(const Key& key, const T& value) const {
    put(key, spelled(value));
  }
  template <class T>
  void value(const Key& key, const std::optional<T>& value) const {
    if (value) put(key, spelled(*value));
  }
  /// `none` means that the key is absent.
  template <class T>
  void unless(const Key& key, const T& value, const T& none) const {
    if (value != none) put(key, spelled(value));
  }

 private:
  ConfigPart* part_;
  std::string path_;
};

template <class T>
std::string item_name(std::string_view list, const T& thing) {
  return fmt::format("{}[{}]", list, thing.name);
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& things, const std::vector<std::uint16_t>& indices) {
  std::vector<std::string> out;
  for (const auto index : indices) out.push_back(things[index].name);
  return out;
}

void add_port(const Place& at, const PacketPort& port) {
  switch (port.kind) {
    case PacketPort::Kind::tun: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (tun)";
      at.put(key(kSection, "type"), "tun");
      at.value(key(kSection, "device"), port.device);
      at.unless(key(kSection, "steer-from"), port.steer_from, {});
      at.value(key(kSection, "queues"), std::uint64_t{port.queues});
      return;
    }
    case PacketPort::Kind::af_packet: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (af-packet)";
      at.put(key(kSection, "type"), "af-packet");
      at.value(key(kSection, "interface"), port.device);
      return;
    }
    case PacketPort::Kind::pcap: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (pcap)";
      at.put(key(kSection, "type"), "pcap");
      at.unless(key(kSection, "read"), port.read_file, {});
      at.unless(key(kSection, "write"), port.write_file, {});
      return;
    }
  }
}

void add(const Place& at, const ChassisConfig& chassis) {
  constexpr std::array<std::string_view, 3> kPolicies = {"real-time", "nice", "default"};
  const Place peers = at.below("inter-chassis");
  peers.value(key("chassis[].inter-chassis", "address"), chassis.inter_chassis_address);
  peers.value(key("chassis[].inter-chassis", "port"), std::uint64_t{chassis.inter_chassis_port});
  const Place query = at.below("query");
  query.value(key("chassis[].query", "address"), chassis.query.address);
  query.value(key("chassis[].query", "port"), std::uint64_t{chassis.query.port});
  at.unless(key("chassis[]", "data-folder"), chassis.data_folder, {});
  const Place scheduling = at.below("scheduling");
  scheduling.put(key("chassis[].scheduling", "policy"),
                 std::string(kPolicies[static_cast<std::size_t>(chassis.scheduling.policy)]));
  scheduling.value(key("chassis[].scheduling", "priority"), std::uint64_t{chassis.scheduling.priority});
  at.value(key("chassis[]", "kernel-guard"), chassis.kernel_guard);
  for (const CardConfig& card : chassis.cards) {
    const Place on_card = at.item("cards", card.name);
    on_card.exists(Scope::cluster);
    on_card.value(key("chassis[].cards[]", "workers"), std::uint64_t{card.workers});
    for (const auto& port : card.ports) add_port(on_card.item("ports", std::to_string(port.unit)), port);
  }
}

void add(const Place& at, const RedundancySet& set, const Cluster& cluster) {
  constexpr std::string_view kSection = "redundancy-sets[]";
  at.value(key(kSection, "id"), std::uint64_t{set.id});
  for (const auto& member : set.members) {
    const Place on_member = at.item("members", cluster.chassis[member.chassis].name);
    on_member.exists(Scope::cluster);
    on_member.value(key("redundancy-sets[].members[]", "card"), member.card);
    on_member.value(key("redundancy-sets[].members[]", "priority"), std::uint64_t{member.priority});
  }
  auto service_sets = names_of(cluster.service_sets, set.service_sets);
  std::sort(service_sets.begin(), service_sets.end());
  at.value(key(kSection, "service-sets"), service_sets);
  std::vector<std::string> addresses;
  for (const auto& each : set.virtual_addresses) {
    addresses.push_back(fmt::format("{} {}/{}", each.interface, each.address.to_string(), each.prefix_length));
  }
  at.unless(key(kSection, "virtual-addresses"), addresses, {});
  at.value(key(kSection, "heartbeat-interval"), static_cast<std::uint64_t>(set.heartbeat_interval / 1ms));
  at.value(key(kSection, "heartbeat-count"), std::uint64_t{set.heartbeat_count});
  // The limit that is in force by default depends on the floor; written out, it means the same.
  RedundancySet usual = set;
  usual.silence_limit.reset();
  at.unless(key(kSection, "silence-limit"), static_cast<std::uint64_t>(set.longest_silence() / 1ms),
            static_cast<std::uint64_t>(usual.longest_silence() / 1ms));
  at.put(key(kSection, "hold-time"), in_seconds(set.hold_time));
  at.value(key(kSection, "preempt"), set.preempt);
  at.value(key(kSection, "claim-limit"), static_cast<std::uint64_t>(set.claim_limit / 1ms));
  at.value(key(kSection, "max-sessions"), std::uint64_t{set.max_sessions});
  const Place health = at.below("health");
  health.value(key("redundancy-sets[].health", "interface"), std::uint64_t{set.health.interface});
  health.value(key("redundancy-sets[].health", "kernel"), std::uint64_t{set.health.kernel});
  health.value(key("redundancy-sets[].health", "store"), std::uint64_t{set.health.store});
  health.value(key("redundancy-sets[].health", "self-test"), std::uint64_t{set.health.self_test});
}

void add(const Place& at, const Timeouts& t) {
  const auto seconds = [&at](const Key& key, std::uint32_t value) { at.value(key, std::uint64_t{value}); };
  const auto maybe = [&at](const Key& key, std::optional<std::uint32_t> value) {
    if (value) at.value(key, std::uint64_t{*value});
  };
  seconds(key("timeouts", "inactivity-timeout"), t.inactivity_s);
  maybe(key("timeouts", "inactivity-tcp-timeout"), t.inactivity_tcp_s);
  maybe(key("timeouts", "inactivity-non-tcp-timeout"), t.inactivity_non_tcp_s);
  seconds(key("timeouts", "open-timeout"), t.open_s);
  seconds(key("timeouts", "close-timeout"), t.close_s);
  at.unless(key("timeouts", "session-timeout"), std::uint64_t{t.session_s}, std::uint64_t{0});
  seconds(key("timeouts", "reassembly-timeout"), t.reassembly_s);
  seconds(key("timeouts", "fragment-limit"), t.fragment_limit);
}

void add(const Place& at, const ServiceSet& set, const Cluster& cluster) {
  constexpr std::array<std::string_view, 3> kNonSyn = {"drop-flow", "drop-flow-send-rst", "allow"};
  constexpr std::array<std::string_view, 3> kRefusals = {"silent", "icmp", "reset"};
  constexpr std::string_view kSection = "service-sets[]";
  constexpr std::uint64_t kNone = 0;
  at.value(key(kSection, "inside-unit"), std::uint64_t{set.inside_unit});
  at.value(key(kSection, "outside-unit"), std::uint64_t{set.outside_unit});
  at.unless(key(kSection, "stateful-firewall-rules"), names_of(cluster.firewall_rules, set.firewall_rules), {});
  at.unless(key(kSection, "nat-rules"), names_of(cluster.nat_rules, set.nat_rules), {});
  at.value(key(kSection, "policy-rematch"), set.policy_rematch);
  at.unless(key(kSection, "session-limit"), std::uint64_t{set.max_sessions.value_or(0)}, kNone);
  at.unless(key(kSection, "max-flows"), std::uint64_t{set.max_flows}, kNone);
  at.unless(key(kSection, "max-session-setup-rate"), std::uint64_t{set.max_session_setup_rate.value_or(0)}, kNone);
  at.put(key(kSection, "tcp-non-syn"), std::string(kNonSyn[static_cast<std::size_t>(set.tcp_non_syn)]));
  at.put(key(kSection, "session-refusal"), std::string(kRefusals[static_cast<std::size_t>(set.session_refusal)]));
  at.unless(key(kSection, "tcp-mss"), std::uint64_t{set.tcp_mss}, kNone);
  if (set.screen) at.value(key(kSection, "screen"), cluster.screens[*set.screen].name);
  const Place options = at.below("nat-options");
  options.unless(key("service-sets[].nat-options", "max-sessions-per-subscriber"),
                 std::uint64_t{set.max_sessions_per_subscriber}, kNone);
  const Place nat64 = options.below("stateful-nat64");
  constexpr std::string_view kNat64 = "service-sets[].nat-options.stateful-nat64";
  nat64.value(key(kNat64, "ipv6-mtu"), std::uint64_t{set.nat64.ipv6_mtu});
  nat64.value(key(kNat64, "clear-dont-fragment-bit"), set.nat64.clear_dont_fragment);
  add(at.below("timeouts"), set.timeouts);
}

/// Where a stand-alone service set runs.
void add_interface(const Place& at, const RedundancySet& set, const Cluster& cluster) {
  at.value(key("service-sets[].interface", "chassis"), cluster.chassis[set.members[0].chassis].name);
  at.value(key("service-sets[].interface", "card"), set.members[0].card);
  at.value(key("service-sets[].interface", "max-sessions"), std::uint64_t{set.max_sessions});
}

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

std::string_view word_of(MatchDirection direction) {
  constexpr std::array<std::string_view, 3> kWords = {"input", "output", "input-output"};
  return kWords[static_cast<std::size_t>(direction)];
}

/// The names of terms in their order, which decides which of them matches first.
template <class Term>
std::string order_of(const std::vector<Term>& terms) {
  std::vector<std::string> names;
  for (const auto& term : terms) names.push_back(term.name);
  return spelled(names);
}

void add(const Place& at, const FirewallRule& rule, const Cluster& cluster) {
  constexpr std::array<std::string_view, 3> kActions = {"accept", "discard", "reject"};
  at.put(key("rules[]", "match-direction"), std::string(word_of(rule.direction)));
  at.put(key("rules[]", "terms"), order_of(rule.terms));
  for (const auto& term : rule.terms) {
    const Place on_term = at.item("terms", term.name);
    on_term.exists(key("rules[]", "terms"));
    add(on_term.below("from"), term.from, cluster);
    on_term.put(key("rules[].terms[]", "then"), std::string(kActions[static_cast<std::size_t>(term.then)]));
  }
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
  if (term.address_pooling_paired) at.put(key(kSection, "address-pooling"), "paired");
  if (term.endpoint_independent_mapping) at.put(key(kSection, "mapping-type"), "endpoint-independent");
  if (term.endpoint_independent_filtering) {
    at.put(key(kSection, "filtering-type"),
           term.filtering_prefixes.empty() ? "endpoint-independent" : spelled(term.filtering_prefixes));
  }
  at.below("secure-nat-mapping")
      .unless(key("translated.secure-nat-mapping", "eif-flow-limit"), std::uint64_t{term.eif_flow_limit},
              std::uint64_t{0});
}

void add(const Place& at, const NatRule& rule, const Cluster& cluster) {
  at.put(key("rules[]", "match-direction"), std::string(word_of(rule.direction)));
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
  port.put(key("nat.pools[].port", "automatic"),
           pool.assignment == NatPool::Assignment::random ? "random-allocation" : "sequential");
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
  if (pool.round_robin) at.put(key(kSection, "address-allocation"), "round-robin");
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

constexpr std::string_view kFirewallRules = "stateful-firewall.rules";
constexpr std::string_view kNatRules = "nat.rules";
constexpr std::string_view kPools = "nat.pools";

void sort_once(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace

std::uint64_t digest_of(const Setting& setting) {
  Digester digester;
  digester.text(setting.path);
  digester.text(setting.value);
  return digester.value();
}

std::uint64_t ConfigPart::sum(Scope scope) const {
  std::uint64_t out = 0;
  for (const auto& setting : settings) {
    if (setting.scope == scope) out += digest_of(setting);
  }
  return out;
}

std::vector<ConfigPart> parts_of(const Cluster& cluster) {
  std::vector<ConfigPart> out;
  out.push_back({"cluster", {{"cluster", cluster.name, Scope::cluster}}});
  if (cluster.unauthenticated_commit) {
    const Key& commit = key("", "unauthenticated-commit");
    out.back().settings.push_back({"unauthenticated-commit", "yes", commit.scope, commit.applies});
  }
  const auto add_all = [&](std::string_view list, const Key& listed, const auto& things, const auto& add_one) {
    for (const auto& thing : things) {
      ConfigPart& part = out.emplace_back();
      if (thing.name.empty()) continue;  // a place that model/config/arrangement.h keeps
      part.name = item_name(list, thing);
      const Place at(part, part.name);
      at.exists(listed);
      add_one(at, thing);
    }
  };
  add_all("chassis", key("", "chassis"), cluster.chassis, [](const Place& at, const ChassisConfig& c) { add(at, c); });
  for (const auto& set : cluster.redundancy_sets) {
    if (set.stand_alone() || set.name.empty()) continue;
    ConfigPart part{item_name("redundancy-sets", set), {}};
    const Place at(part, part.name);
    at.exists(Scope::cluster);
    add(at, set, cluster);
    out.push_back(std::move(part));
  }
  const std::size_t service_sets = out.size();
  add_all("service-sets", key("", "service-sets"), cluster.service_sets,
          [&](const Place& at, const ServiceSet& s) { add(at, s, cluster); });
  for (const auto& set : cluster.redundancy_sets) {
    if (!set.stand_alone() || set.service_sets.empty()) continue;
    ConfigPart& part = out[service_sets + set.service_sets[0]];
    add_interface(Place(part, part.name).below("interface"), set, cluster);
  }
  add_all(kFirewallRules, key("stateful-firewall", "rules"), cluster.firewall_rules,
          [&](const Place& at, const FirewallRule& r) { add(at, r, cluster); });
  add_all(kNatRules, key("nat", "rules"), cluster.nat_rules,
          [&](const Place& at, const NatRule& r) { add(at, r, cluster); });
  add_all(kPools, key("nat", "pools"), cluster.nat_pools, [](const Place& at, const NatPool& p) { add(at, p); });
  add_all("applications", key("", "applications"), cluster.applications,
          [](const Place& at, const Application& a) { add(at, a); });
  add_all("screens", key("", "screens"), cluster.screens, [](const Place& at, const Screen& s) { add(at, s); });
  out.erase(std::remove_if(out.begin(), out.end(), [](const ConfigPart& part) { return part.name.empty(); }),
            out.end());
  return out;
}

std::vector<std::string> parts_used_by(const Cluster& cluster, std::uint16_t service_set) {
  const ServiceSet& set = cluster.service_sets[service_set];
  std::vector<std::string> out = {item_name("service-sets", set)};
  const auto use_applications = [&](const MatchConditions& from) {
    for (const auto index : from.applications) out.push_back(item_name("applications", cluster.applications[index]));
  };
  const auto use_pool = [&](std::uint16_t index) { out.push_back(item_name(kPools, cluster.nat_pools[index])); };
  if (set.screen) out.push_back(item_name("screens", cluster.screens[*set.screen]));
  for (const auto index : set.firewall_rules) {
    const auto& rule = cluster.firewall_rules[index];
    out.push_back(item_name(kFirewallRules, rule));
    for (const auto& term : rule.terms) use_applications(term.from);
  }
  for (const auto index : set.nat_rules) {
    const auto& rule = cluster.nat_rules[index];
    out.push_back(item_name(kNatRules, rule));
    for (const auto& term : rule.terms) {
      use_applications(term.from);
      for (const auto pool : term.source_pools) use_pool(pool);
      if (term.overload_pool) use_pool(*term.overload_pool);
      if (term.destination_pool) use_pool(*term.destination_pool);
    }
  }
  sort_once(out);
  return out;
}

std::vector<std::string> parts_used_by_set(const Cluster& cluster, std::uint16_t set) {
  const RedundancySet& own = cluster.redundancy_sets[set];
  std::vector<std::string> out;
  if (!own.stand_alone()) out.push_back(item_name("redundancy-sets", own));
  for (const auto service_set : own.service_sets) {
    const auto used = parts_used_by(cluster, service_set);
    out.insert(out.end(), used.begin(), used.end());
  }
  sort_once(out);
  return out;
}

void compute_digests(Cluster& cluster) {
  std::map<std::string, std::uint64_t, std::less<>> peer_sums;
  cluster.digest = 0;
  for (const auto& part : parts_of(cluster)) {
    cluster.digest += part.sum(Scope::cluster);
    peer_sums.emplace(part.name, part.sum(Scope::peer));
  }
  for (std::uint16_t i = 0; i < cluster.redundancy_sets.size(); ++i) {
    auto& parity = cluster.redundancy_sets[i].parity;
    parity = 0;
    for (const auto& name : parts_used_by_set(cluster, i)) parity += peer_sums[name];
  }
}

}  // namespace icr
