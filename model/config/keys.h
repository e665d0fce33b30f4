// The keys of the cluster file, each described once: what its value is, the value that an absent key has, whom it
// concerns, and what a change of it can act on.
//
// The reader of the file takes the names, ranges and words of keys from here; the digests (model/config/settings.h)
// take defaults and scopes; the table in docs/cluster-file.md is this one. A key that two sections share, such as a
// timeout, is in a section of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace icr {

enum class KeyType : std::uint8_t {
  name,       ///< a name, or the name of something that another section defines
  names,      ///< a list of names, or one
  text,       ///< `high` is its greatest length
  number,     ///< from `low` to `high`
  thousands,  ///< a number, or a number of thousands with a k behind it
  seconds,    ///< a number of seconds with at most three decimals
  yes_no,
  word,  ///< one of a few words
  address,
  prefix,
  prefixes,    ///< a list of prefixes, or one
  ranges,      ///< a list of { low, high }, or one
  ports,       ///< a port, a range of ports, or for conditions a list of these
  interface,   ///< the name of a network interface
  interfaces,  ///< a list of them, or one
  map,         ///< keys of a section below
  list,        ///< maps of a section below
};

/// Whom the value of a key concerns.
enum class Scope : std::uint8_t {
  cluster,  ///< all: who is where, and what may become of a packet
  peer,     ///< the two members of a redundancy set
  chassis,  ///< one chassis alone
};

/// What a changed value acts on, once a chassis runs with it.
enum class Applies : std::uint8_t {
  live,          ///< everything, sessions that exist included
  new_sessions,  ///< sessions that begin afterwards
  restart,       ///< the chassis and its redundancy sets as a whole
};

struct Key {
  std::string_view section;  ///< where the key stands: "redundancy-sets[].members[]"; empty: top level
  std::string_view name;
  KeyType type;
  Scope scope;
  Applies applies;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  /// The default as settings spell it. Empty: the key must be there, or its absence is a value.
  std::string_view usual{};
};

namespace keys_detail {

using enum KeyType;
using enum Scope;
using enum Applies;

inline constexpr std::uint64_t kMaxUnit = 16'384;
inline constexpr std::uint64_t kMostSlots = std::uint64_t{1} << 26;
inline constexpr std::uint64_t kMostRate = 1'000'000;
inline constexpr std::uint64_t kMostPorts = 64'512;
inline constexpr std::uint64_t kDay = 86'400;

// In the order in which mistakes name them.
inline constexpr auto kAll = std::to_array<Key>({
    {"", "cluster", name, cluster, restart},
    {"", "chassis", list, cluster, restart, 1, 1000},
    {"", "redundancy-sets", list, cluster, restart},
    {"", "service-sets", list, cluster, restart, 1, 10'000},
    {"", "stateful-firewall", map, cluster, new_sessions},
    {"", "nat", map, cluster, new_sessions},
    {"", "applications", list, cluster, new_sessions},
    {"", "application-sets", list, cluster, new_sessions},
    {"", "prefix-lists", list, cluster, new_sessions},
    {"", "screens", list, peer, live},
    {"", "timeouts", map, peer, live},
    {"", "unauthenticated-commit", yes_no, chassis, live, 0, 0, "no"},

    {"chassis[]", "name", name, cluster, restart},
    {"chassis[]", "inter-chassis", map, cluster, restart},
    {"chassis[]", "query", map, cluster, restart},
    {"chassis[]", "data-folder", text, chassis, restart, 1, 4096},
    {"chassis[]", "scheduling", map, chassis, restart},
    {"chassis[]", "kernel-guard", yes_no, chassis, restart, 0, 0, "yes"},
    {"chassis[]", "cards", list, cluster, restart, 1},
    {"chassis[].inter-chassis", "address", address, cluster, restart},
    {"chassis[].inter-chassis", "port", number, cluster, restart, 1, 65'535},
    {"chassis[].query", "address", address, cluster, restart},
    {"chassis[].query", "port", number, cluster, restart, 1, 65'535},
    {"chassis[].scheduling", "policy", word, chassis, restart, 0, 0, "real-time"},
    {"chassis[].scheduling", "priority", number, chassis, restart, 1, 98, "20"},
    {"chassis[].cards[]", "name", name, cluster, restart},
    {"chassis[].cards[]", "workers", number, chassis, restart, 1, 16, "1"},
    {"chassis[].cards[]", "ports", list, chassis, restart, 1},
    {"chassis[].cards[].ports[] (tun)", "unit", number, chassis, restart, 0, kMaxUnit},
    {"chassis[].cards[].ports[] (tun)", "type", word, chassis, restart},
    {"chassis[].cards[].ports[] (tun)", "device", interface, chassis, restart},
    {"chassis[].cards[].ports[] (tun)", "steer-from", interfaces, chassis, restart},
    {"chassis[].cards[].ports[] (tun)", "queues", number, chassis, restart, 1, 16, "1"},
    {"chassis[].cards[].ports[] (af-packet)", "unit", number, chassis, restart, 0, kMaxUnit},
    {"chassis[].cards[].ports[] (af-packet)", "type", word, chassis, restart},
    {"chassis[].cards[].ports[] (af-packet)", "interface", interface, chassis, restart},
    {"chassis[].cards[].ports[] (pcap)", "unit", number, chassis, restart, 0, kMaxUnit},
    {"chassis[].cards[].ports[] (pcap)", "type", word, chassis, restart},
    {"chassis[].cards[].ports[] (pcap)", "read", text, chassis, restart, 1, 4096},
    {"chassis[].cards[].ports[] (pcap)", "write", text, chassis, restart, 1, 4096},

    {"redundancy-sets[]", "name", name, cluster, restart},
    {"redundancy-sets[]", "id", number, cluster, restart, 1, 10'000},
    {"redundancy-sets[]", "members", list, cluster, restart, 2, 2},
    {"redundancy-sets[]", "service-sets", names, cluster, restart},
    {"redundancy-sets[]", "virtual-addresses", list, cluster, restart},
    {"redundancy-sets[]", "heartbeat-interval", number, peer, live, 10, 10'000, "100"},
    {"redundancy-sets[]", "heartbeat-count", number, peer, live, 2, 100, "5"},
    {"redundancy-sets[]", "silence-limit", number, peer, live, 20, 60'000},
    {"redundancy-sets[]", "hold-time", seconds, peer, live, 0, 1800, "3"},
    {"redundancy-sets[]", "preempt", yes_no, peer, live, 0, 0, "no"},
    {"redundancy-sets[]", "claim-limit", number, peer, live, 0, 10'000, "50"},
    {"redundancy-sets[]", "max-sessions", number, cluster, restart, 1024, kMostSlots, "131072"},
    {"redundancy-sets[]", "health", map, peer, live},
    {"redundancy-sets[].members[]", "chassis", name, cluster, restart},
    {"redundancy-sets[].members[]", "card", name, cluster, restart},
    {"redundancy-sets[].members[]", "priority", number, peer, live, 1, 255, "100"},
    {"redundancy-sets[].virtual-addresses[]", "interface", interface, cluster, restart},
    {"redundancy-sets[].virtual-addresses[]", "address", prefix, cluster, restart},
    {"redundancy-sets[].health", "interface", number, peer, live, 0, 255, "255"},
    {"redundancy-sets[].health", "kernel", number, peer, live, 0, 255, "255"},
    {"redundancy-sets[].health", "store", number, peer, live, 0, 255, "100"},
    {"redundancy-sets[].health", "self-test", number, peer, live, 0, 255, "255"},

    {"service-sets[]", "name", name, cluster, restart},
    {"service-sets[]", "inside-unit", number, cluster, restart, 0, kMaxUnit},
    {"service-sets[]", "outside-unit", number, cluster, restart, 0, kMaxUnit},
    {"service-sets[]", "interface", map, cluster, restart},
    {"service-sets[]", "stateful-firewall-rules", names, cluster, new_sessions},
    {"service-sets[]", "nat-rules", names, cluster, new_sessions},
    {"service-sets[]", "policy-rematch", yes_no, peer, live, 0, 0, "no"},
    {"service-sets[]", "session-limit", number, peer, live, 1, kMostSlots},
    {"service-sets[]", "max-flows", thousands, peer, live, 1, 100'000'000},
    {"service-sets[]", "max-session-setup-rate", thousands, peer, live, 1, 100'000'000},
    {"service-sets[]", "tcp-non-syn", word, peer, live, 0, 0, "drop-flow"},
    {"service-sets[]", "session-refusal", word, peer, live, 0, 0, "icmp"},
    {"service-sets[]", "tcp-mss", number, peer, live, 536, 65'535},
    {"service-sets[]", "nat-options", map, peer, live},
    {"service-sets[]", "screen", name, peer, live},
    {"service-sets[]", "timeouts", map, peer, live},
    {"service-sets[].interface", "chassis", name, cluster, restart},
    {"service-sets[].interface", "card", name, cluster, restart},
    {"service-sets[].interface", "max-sessions", number, cluster, restart, 1024, kMostSlots, "131072"},
    {"service-sets[].nat-options", "max-sessions-per-subscriber", number, peer, live, 1, 32'000},
    {"service-sets[].nat-options", "stateful-nat64", map, peer, live},
    {"service-sets[].nat-options.stateful-nat64", "ipv6-mtu", number, peer, live, 1280, 9192, "1280"},
    {"service-sets[].nat-options.stateful-nat64", "clear-dont-fragment-bit", yes_no, peer, live, 0, 0, "no"},

    {"timeouts", "inactivity-timeout", number, peer, live, 4, kDay, "30"},
    {"timeouts", "inactivity-tcp-timeout", number, peer, live, 4, kDay},
    {"timeouts", "inactivity-non-tcp-timeout", number, peer, live, 4, kDay},
    {"timeouts", "open-timeout", number, peer, live, 4, 300, "5"},
    {"timeouts", "close-timeout", number, peer, live, 1, 300, "1"},
    {"timeouts", "session-timeout", number, peer, live, 4, kDay},
    {"timeouts", "reassembly-timeout", number, peer, live, 1, 60, "4"},
    {"timeouts", "fragment-limit", number, peer, live, 1, 250, "64"},

    {"stateful-firewall", "rules", list, cluster, new_sessions},
    {"rules[]", "name", name, cluster, new_sessions},
    {"rules[]", "match-direction", word, cluster, new_sessions},
    {"rules[]", "terms", list, cluster, new_sessions, 1},
    {"rules[].terms[]", "name", name, cluster, new_sessions},
    {"rules[].terms[]", "from", map, cluster, new_sessions},
    {"rules[].terms[]", "then", word, cluster, new_sessions},
    {"from", "source-address", prefixes, cluster, new_sessions},
    {"from", "source-address-range", ranges, cluster, new_sessions},
    {"from", "source-prefix-list", names, cluster, new_sessions},
    {"from", "source-port", ports, cluster, new_sessions, 1, 65'535},
    {"from", "destination-address", prefixes, cluster, new_sessions},
    {"from", "destination-address-range", ranges, cluster, new_sessions},
    {"from", "destination-prefix-list", names, cluster, new_sessions},
    {"from", "destination-port", ports, cluster, new_sessions, 1, 65'535},
    {"from", "applications", names, cluster, new_sessions},
    {"from", "application-sets", names, cluster, new_sessions},

    {"nat", "pools", list, cluster, new_sessions},
    {"nat", "rules", list, cluster, new_sessions},
    {"nat.pools[]", "name", name, cluster, restart},
    {"nat.pools[]", "addresses", prefixes, cluster, restart},
    {"nat.pools[]", "address", prefixes, cluster, restart},
    {"nat.pools[]", "address-range", ranges, cluster, restart},
    {"nat.pools[]", "port-range", map, cluster, restart},
    {"nat.pools[]", "port", map, cluster, restart},
    {"nat.pools[]", "address-allocation", word, cluster, new_sessions},
    {"nat.pools[]", "mapping-timeout", number, peer, live, 4, kDay, "300"},
    {"nat.pools[]", "limit-ports-per-address", number, peer, live, 1, kMostPorts},
    {"nat.pools[]", "port-reuse-hold", number, peer, live, 0, kDay},
    {"nat.pools[].port", "automatic", word, cluster, restart, 0, 0, "random-allocation"},
    {"nat.pools[].port", "range", map, cluster, restart},
    {"nat.pools[].port", "preserve-parity", yes_no, cluster, new_sessions, 0, 0, "no"},
    {"nat.pools[].port", "preserve-range", yes_no, cluster, new_sessions, 0, 0, "no"},
    {"nat.pools[].port", "secured-port-block-allocation", map, cluster, restart},
    {"nat.pools[].port", "deterministic-port-block-allocation", map, cluster, restart},
    {"nat.pools[].port.range", "low", number, cluster, restart, 1, 65'535, "1024"},
    {"nat.pools[].port.range", "high", number, cluster, restart, 1, 65'535, "65535"},
    {"secured-port-block-allocation", "block-size", number, cluster, restart, 1, kMostPorts, "128"},
    {"secured-port-block-allocation", "max-blocks-per-address", number, peer, live, 1, 512, "8"},
    {"secured-port-block-allocation", "active-block-timeout", number, peer, live, 0, kDay, "0"},
    {"deterministic-port-block-allocation", "block-size", number, cluster, restart, 0, kMostPorts},
    {"deterministic-port-block-allocation", "include-boundary-addresses", yes_no, cluster, restart, 0, 0, "no"},
    {"nat.rules[].terms[].then", "translated", map, cluster, new_sessions},
    {"translated", "source-pool", names, cluster, new_sessions},
    {"translated", "overload-pool", name, cluster, new_sessions},
    {"translated", "destination-pool", name, cluster, new_sessions},
    {"translated", "source-prefix", prefix, cluster, new_sessions},
    {"translated", "destination-prefix", prefix, cluster, new_sessions},
    {"translated", "translated-port", ports, cluster, new_sessions, 1, 65'535},
    {"translated", "translation-type", word, cluster, new_sessions},
    {"translated", "address-pooling", word, cluster, new_sessions},
    {"translated", "mapping-type", word, cluster, new_sessions},
    {"translated", "filtering-type", word, cluster, new_sessions},
    {"translated", "secure-nat-mapping", map, cluster, new_sessions},
    {"translated.filtering-type", "endpoint-independent", map, cluster, new_sessions},
    {"translated.filtering-type.endpoint-independent", "prefix-list", names, cluster, new_sessions},
    {"translated.secure-nat-mapping", "eif-flow-limit", number, cluster, new_sessions, 1, 65'534},

    {"applications[]", "name", name, cluster, new_sessions},
    {"applications[]", "protocol", word, cluster, new_sessions, 0, 255},
    {"applications[]", "source-port", ports, cluster, new_sessions, 1, 65'535},
    {"applications[]", "destination-port", ports, cluster, new_sessions, 1, 65'535},
    {"applications[]", "icmp-type", word, cluster, new_sessions, 0, 255},
    {"applications[]", "icmp-code", number, cluster, new_sessions, 0, 255},
    {"applications[]", "inactivity-timeout", number, cluster, live, 4, kDay},
    {"applications[]", "application-protocol", word, cluster, new_sessions, 0, 0, "none"},
    {"application-sets[]", "name", name, cluster, new_sessions},
    {"application-sets[]", "applications", names, cluster, new_sessions},
    {"application-sets[]", "application-sets", names, cluster, new_sessions},
    {"prefix-lists[]", "name", name, cluster, new_sessions},
    {"prefix-lists[]", "prefixes", prefixes, cluster, new_sessions},

    {"screens[]", "name", name, peer, live},
    {"screens[]", "limit-session", map, peer, live},
    {"screens[]", "tcp", map, peer, live},
    {"screens[]", "icmp", map, peer, live},
    {"screens[]", "udp", map, peer, live},
    {"screens[]", "ip", map, peer, live},
    {"screens[].limit-session", "source-ip-based", number, peer, live, 1, kMostSlots},
    {"screens[].limit-session", "destination-ip-based", number, peer, live, 1, kMostSlots},
    {"screens[].tcp", "syn-flood", map, peer, live},
    {"screens[].tcp", "land", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp", "winnuke", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp", "syn-frag", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp", "syn-fin", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp", "tcp-no-flag", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp", "fin-no-ack", yes_no, peer, live, 0, 0, "no"},
    {"screens[].tcp.syn-flood", "attack-threshold", number, peer, live, 1, kMostRate, "200"},
    {"screens[].tcp.syn-flood", "source-threshold", number, peer, live, 1, kMostRate, "4000"},
    {"screens[].tcp.syn-flood", "destination-threshold", number, peer, live, 1, kMostRate, "4000"},
    {"screens[].tcp.syn-flood", "timeout", number, peer, live, 1, 50, "20"},
    {"screens[].icmp", "flood", map, peer, live},
    {"screens[].icmp", "fragment", yes_no, peer, live, 0, 0, "no"},
    {"screens[].icmp", "large", yes_no, peer, live, 0, 0, "no"},
    {"screens[].icmp", "ping-death", yes_no, peer, live, 0, 0, "no"},
    {"screens[].icmp.flood", "threshold", number, peer, live, 1, kMostRate},
    {"screens[].udp", "flood", map, peer, live},
    {"screens[].udp.flood", "threshold", number, peer, live, 1, kMostRate},
    {"screens[].ip", "bad-option", yes_no, peer, live, 0, 0, "no"},
    {"screens[].ip", "source-route-option", yes_no, peer, live, 0, 0, "no"},
    {"screens[].ip", "block-frag", yes_no, peer, live, 0, 0, "no"},
    {"screens[].ip", "tear-drop", yes_no, peer, live, 0, 0, "no"},
    {"screens[].ip", "unknown-protocol", yes_no, peer, live, 0, 0, "no"},
});

}  // namespace keys_detail

/// Every key of the cluster file.
inline constexpr const auto& kKeys = keys_detail::kAll;

/// Returns the description of a key. A key that is not described does not compile.
consteval const Key& key(std::string_view section, std::string_view name) {
  for (const Key& each : kKeys) {
    if (each.section == section && each.name == name) return each;
  }
  throw "this key of the cluster file is not described in model/config/keys.h";
}

/// Returns the names of the keys that a section takes.
[[nodiscard]] inline std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> out;
  for (const Key& each : kKeys) {
    if (each.section == section) out.push_back(each.name);
  }
  return out;
}

}  // namespace icr
