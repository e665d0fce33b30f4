// The settings of chassis, redundancy sets and service sets (model/config/cluster.h).
#include <algorithm>

#include "model/config/settings_place.h"

namespace icr::settings {
namespace {

/// Seconds with as many decimals as are needed: "2", "0.5".
std::string in_seconds(Duration duration) {
  const auto ms = duration / 1ms;
  auto text = std::to_string(ms / 1000);
  if (ms % 1000 == 0) return text;
  auto decimals = fmt::format("{:03}", ms % 1000);
  decimals.erase(decimals.find_last_not_of('0') + 1);
  return text + "." + decimals;
}

void add_port(const Place& at, const PacketPort& port) {
  switch (port.kind) {
    case PacketPort::Kind::tun: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (tun)";
      at.word(key(kSection, "type"), port.kind);
      at.value(key(kSection, "device"), port.device);
      at.unless(key(kSection, "steer-from"), port.steer_from, {});
      at.value(key(kSection, "queues"), std::uint64_t{port.queues});
      return;
    }
    case PacketPort::Kind::af_packet: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (af-packet)";
      at.word(key(kSection, "type"), port.kind);
      at.value(key(kSection, "interface"), port.device);
      return;
    }
    case PacketPort::Kind::pcap: {
      constexpr std::string_view kSection = "chassis[].cards[].ports[] (pcap)";
      at.word(key(kSection, "type"), port.kind);
      at.unless(key(kSection, "read"), port.read_file, {});
      at.unless(key(kSection, "write"), port.write_file, {});
      return;
    }
  }
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

}  // namespace

void add(const Place& at, const ChassisConfig& chassis) {
  const Place peers = at.below("inter-chassis");
  peers.value(key("chassis[].inter-chassis", "address"), chassis.inter_chassis_address);
  peers.value(key("chassis[].inter-chassis", "port"), std::uint64_t{chassis.inter_chassis_port});
  std::vector<std::string> alternates;
  for (const IpAddress& address : chassis.alternate_addresses) alternates.push_back(address.to_string());
  peers.unless(key("chassis[].inter-chassis", "alternate-addresses"), alternates, {});
  const Place query = at.below("query");
  query.value(key("chassis[].query", "address"), chassis.query.address);
  query.value(key("chassis[].query", "port"), std::uint64_t{chassis.query.port});
  at.unless(key("chassis[]", "public-keys"), chassis.public_keys, {});
  at.unless(key("chassis[]", "data-folder"), chassis.data_folder, {});
  at.put(key("chassis[]", "history"), in_seconds(chassis.history));
  at.value(key("chassis[]", "history-megabytes"), std::uint64_t{chassis.history_megabytes});
  const Place scheduling = at.below("scheduling");
  scheduling.word(key("chassis[].scheduling", "policy"), chassis.scheduling.policy);
  scheduling.value(key("chassis[].scheduling", "priority"), std::uint64_t{chassis.scheduling.priority});
  at.value(key("chassis[]", "kernel-guard"), chassis.kernel_guard);
  for (const CardConfig& card : chassis.cards) {
    const Place on_card = at.item("cards", card.name);
    on_card.exists(Scope::cluster);
    on_card.value(key("chassis[].cards[]", "workers"), std::uint64_t{card.workers});
    for (const auto& port : card.ports) add_port(on_card.item("ports", std::to_string(port.unit)), port);
  }
}

void add(const Place& at, const ClientConfig& client) {
  at.exists(Scope::chassis, key("", "clients").applies);
  at.word(key("clients[]", "class"), client.permitted);
  at.value(key("clients[]", "public-keys"), client.public_keys);
}

void add(const Place& at, const WitnessConfig& witness) {
  at.exists(key("", "witness"));
  std::vector<std::string> endpoints;
  for (const Endpoint& each : witness.endpoints) {
    endpoints.push_back(fmt::format("{} {}", each.address.to_string(), each.port));
  }
  at.unless(key("witness", "endpoints"), endpoints, {});
  at.value(key("witness", "lease"), std::uint64_t{witness.lease_s});
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
  std::vector<std::string> signals;
  for (const auto& each : set.signal_routes)
    signals.push_back(fmt::format("{} {}", each.prefix.to_string(), each.table));
  at.unless(key(kSection, "signal-routes"), signals, {});
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
  at.word(key(kSection, "asymmetric-traffic"), set.asymmetric_traffic);
  at.value(key(kSection, "max-sessions"), std::uint64_t{set.max_sessions});
  at.value(key(kSection, "witness"), set.witness);
  const Place health = at.below("health");
  health.value(key("redundancy-sets[].health", "interface"), std::uint64_t{set.health.interface});
  health.value(key("redundancy-sets[].health", "kernel"), std::uint64_t{set.health.kernel});
  health.value(key("redundancy-sets[].health", "store"), std::uint64_t{set.health.store});
  health.value(key("redundancy-sets[].health", "self-test"), std::uint64_t{set.health.self_test});
  constexpr std::string_view kProbes = "redundancy-sets[].probes[]";
  for (const AddressProbe& each : set.probes) {
    const std::string address = each.address.to_string();
    const Place probe = at.item("probes", each.interface.empty() ? address : address + " " + each.interface);
    probe.exists(Scope::peer, Applies::live);
    probe.value(key(kProbes, "interval"), static_cast<std::uint64_t>(each.interval / 1ms));
    probe.value(key(kProbes, "count"), std::uint64_t{each.count});
    probe.value(key(kProbes, "weight"), std::uint64_t{each.weight});
  }
}

void add(const Place& at, const ServiceSet& set, const Cluster& cluster) {
  constexpr std::string_view kSection = "service-sets[]";
  constexpr std::uint64_t kNone = 0;
  at.value(key(kSection, "inside-unit"), std::uint64_t{set.inside_unit});
  at.value(key(kSection, "outside-unit"), std::uint64_t{set.outside_unit});
  at.unless(key(kSection, "stateful-firewall-rules"), names_of(cluster.firewall_rules, set.firewall_rules), {});
  at.unless(key(kSection, "nat-rules"), names_of(cluster.nat_rules, set.nat_rules), {});
  at.value(key(kSection, "policy-rematch"), set.policy_rematch);
  at.unless(key(kSection, "drain-time"), std::uint64_t{set.drain_time_s}, std::uint64_t{0});
  at.unless(key(kSection, "session-limit"), std::uint64_t{set.max_sessions.value_or(0)}, kNone);
  at.unless(key(kSection, "max-flows"), std::uint64_t{set.max_flows}, kNone);
  at.unless(key(kSection, "max-session-setup-rate"), std::uint64_t{set.max_session_setup_rate.value_or(0)}, kNone);
  at.word(key(kSection, "tcp-non-syn"), set.tcp_non_syn);
  at.word(key(kSection, "session-refusal"), set.session_refusal);
  at.word(key(kSection, "guarantee"), set.guarantee);
  at.value(key(kSection, "guarantee-limit"), std::uint64_t{set.guarantee_limit_ms});
  at.word(key(kSection, "without-peer"), set.without_peer);
  at.value(key(kSection, "replication-threshold"), std::uint64_t{set.replication_threshold_s});
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

void add_interface(const Place& at, const RedundancySet& set, const Cluster& cluster) {
  at.value(key("service-sets[].interface", "chassis"), cluster.chassis[set.members[0].chassis].name);
  at.value(key("service-sets[].interface", "card"), set.members[0].card);
  at.value(key("service-sets[].interface", "max-sessions"), std::uint64_t{set.max_sessions});
}

}  // namespace icr::settings
