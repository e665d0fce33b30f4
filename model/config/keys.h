// The keys of the cluster file, each described once: what its value is, the value that an absent key has, whom it
// concerns, and what a change of it can act on.
//
// Everybody else takes it from here: the reader of the file (model/config/reader/section.h) the names, ranges and
// words, and which keys must be there; the structs of model/config/cluster.h and rules.h the defaults; the digests
// (model/config/settings.h) defaults and scopes. The table in docs/cluster-file.md is this one. A key that two sections
// share, such as a timeout, is in a section of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/time.h"
#include "model/record/session.h"

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
  addresses,  ///< a list of `low` to `high` addresses
  prefix,
  prefixes,     ///< a list of prefixes, or one
  ranges,       ///< a list of { low, high }, or one
  ports,        ///< a port, a range of ports, or for conditions a list of these
  interface,    ///< the name of a network interface
  interfaces,   ///< a list of them, or one
  public_keys,  ///< a list of `low` to `high` public keys (model/record/key_text.h)
  map,          ///< keys of a section below
  list,         ///< maps of a section below
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
  /// The default, as settings.h writes values. Empty if there is no default: then either the file must have the key, or
  /// a file without it means something of its own (no limit, say).
  std::string_view usual{};
  /// The words that the value may be, with blanks between them, in the order of the enumeration that they stand for.
  /// Empty for a word of a vocabulary of model/record, such as a protocol.
  std::string_view words{};
  /// What to write where the key is missing. Empty if it may be absent.
  std::string_view missing{};
};

/// How many things of one kind a file may define. Their indices have 16 bits.
inline constexpr std::uint64_t kMaxThings = 10'000;

namespace keys_detail {

using enum KeyType;
using enum Scope;
using enum Applies;

inline constexpr std::uint64_t kMaxUnit = 16'384;
inline constexpr std::uint64_t kMostRate = 1'000'000;
inline constexpr std::uint64_t kMostPorts = 64'512;
inline constexpr std::uint64_t kDay = 86'400;
inline constexpr std::string_view kName = "1 to 63 characters";
inline constexpr std::uint64_t kMostAlternateAddresses = 3;
inline constexpr std::uint64_t kMostProbeCount = 20;
inline constexpr std::uint64_t kMostSignalTable = 9999;  ///< the tables above are for steering
inline constexpr std::uint64_t kMostPublicKeys = 2;      ///< a former one and a present one, while a key is exchanged
inline constexpr std::string_view kGuarantees = "asynchronous semi-synchronous output-commit";
inline constexpr std::string_view kClientClasses = "view clear operator super-user";

/// Marks a key that must be there wherever its section is.
consteval Key required(std::string_view what, Key key) {
  key.missing = what;
  return key;
}

// In the order in which mistakes name them.
inline constexpr auto kAll = std::to_array<Key>({
    required("the name of the cluster", {"", "cluster", name, cluster, restart}),
    required("a list of chassis", {"", "chassis", list, cluster, restart, 1, 1000}),
    {"", "redundancy-sets", list, cluster, restart},
    required("a list of service sets", {"", "service-sets", list, cluster, restart, 1, kMaxThings}),
    {"", "stateful-firewall", map, cluster, new_sessions},
    {"", "nat", map, cluster, new_sessions},
    {"", "applications", list, cluster, new_sessions},
    {"", "application-sets", list, cluster, new_sessions},
    {"", "prefix-lists", list, cluster, new_sessions},
    {"", "screens", list, peer, live},
    {"", "timeouts", map, peer, live},
    {"", "security", word, chassis, restart, 0, 0, "curve", "curve none"},
    {"", "clients", list, chassis, live},
    {"", "witness", map, cluster, restart},

    required("etcd", {"witness", "type", word, cluster, restart, 0, 0, "", "etcd"}),
    required("a list of http://ADDRESS:PORT", {"witness", "endpoints", names, cluster, restart, 1}),
    {"witness", "lease", number, cluster, restart, 2, 60, "5"},

    required(kName, {"chassis[]", "name", name, cluster, restart}),
    required("{ address, port } where peers reach this chassis", {"chassis[]", "inter-chassis", map, cluster, restart}),
    required("{ address, port } where icr asks", {"chassis[]", "query", map, cluster, restart}),
    {"chassis[]", "public-keys", public_keys, chassis, live, 1, kMostPublicKeys},
    {"chassis[]", "data-folder", text, chassis, restart, 1, 4096},
    {"chassis[]", "history", seconds, chassis, restart, 0, 34'560'000, "0"},
    {"chassis[]", "history-megabytes", number, chassis, restart, 1, 10'000'000, "1024"},
    {"chassis[]", "scheduling", map, chassis, restart},
    {"chassis[]", "kernel-guard", yes_no, chassis, restart, 0, 0, "yes"},
    required("a list of services cards", {"chassis[]", "cards", list, cluster, restart, 1}),
    required("an address of this chassis", {"chassis[].inter-chassis", "address", address, cluster, restart}),
    required("a TCP port", {"chassis[].inter-chassis", "port", number, cluster, restart, 1, 65'535}),
    {"chassis[].inter-chassis", "alternate-addresses", addresses, cluster, restart, 1, kMostAlternateAddresses},
    required("an address of this chassis", {"chassis[].query", "address", address, cluster, restart}),
    required("a TCP port", {"chassis[].query", "port", number, cluster, restart, 1, 65'535}),
    {"chassis[].scheduling", "policy", word, chassis, restart, 0, 0, "real-time", "real-time nice default"},
    {"chassis[].scheduling", "priority", number, chassis, restart, 1, 98, "20"},
    required(kName, {"chassis[].cards[]", "name", name, cluster, restart}),
    {"chassis[].cards[]", "workers", number, chassis, restart, 1, 16, "1"},
    required("a list of packet ports, one for each unit", {"chassis[].cards[]", "ports", list, chassis, restart, 1}),
    required("the number after the dot in the names of interfaces",
             {"chassis[].cards[].ports[] (tun)", "unit", number, chassis, restart, 0, kMaxUnit}),
    required("tun, af-packet or pcap",
             {"chassis[].cards[].ports[] (tun)", "type", word, chassis, restart, 0, 0, "", "tun pcap af-packet"}),
    required("the name of the TUN device", {"chassis[].cards[].ports[] (tun)", "device", interface, chassis, restart}),
    {"chassis[].cards[].ports[] (tun)", "steer-from", interfaces, chassis, restart},
    {"chassis[].cards[].ports[] (tun)", "queues", number, chassis, restart, 1, 16, "1"},
    required("the number after the dot in the names of interfaces",
             {"chassis[].cards[].ports[] (af-packet)", "unit", number, chassis, restart, 0, kMaxUnit}),
    required("tun, af-packet or pcap",
             {"chassis[].cards[].ports[] (af-packet)", "type", word, chassis, restart, 0, 0, "", "tun pcap af-packet"}),
    required("the kernel's name of an Ethernet interface",
             {"chassis[].cards[].ports[] (af-packet)", "interface", interface, chassis, restart}),
    required("the number after the dot in the names of interfaces",
             {"chassis[].cards[].ports[] (pcap)", "unit", number, chassis, restart, 0, kMaxUnit}),
    required("tun, af-packet or pcap",
             {"chassis[].cards[].ports[] (pcap)", "type", word, chassis, restart, 0, 0, "", "tun pcap af-packet"}),
    {"chassis[].cards[].ports[] (pcap)", "read", text, chassis, restart, 1, 4096},
    {"chassis[].cards[].ports[] (pcap)", "write", text, chassis, restart, 1, 4096},

    required(kName, {"clients[]", "name", name, chassis, live}),
    required("what the client may do", {"clients[]", "class", word, chassis, live, 0, 0, "", kClientClasses}),
    required("a list of public keys", {"clients[]", "public-keys", public_keys, chassis, live, 1, kMostPublicKeys}),

    required(kName, {"redundancy-sets[]", "name", name, cluster, restart}),
    required("the number of the redundancy set", {"redundancy-sets[]", "id", number, cluster, restart, 1, 10'000}),
    required("two of { chassis, card, priority }", {"redundancy-sets[]", "members", list, cluster, restart, 2, 2}),
    required("the names of the service sets that fail over together",
             {"redundancy-sets[]", "service-sets", names, cluster, restart, 1}),
    {"redundancy-sets[]", "virtual-addresses", list, cluster, restart},
    {"redundancy-sets[]", "signal-routes", list, cluster, restart},
    {"redundancy-sets[]", "heartbeat-interval", number, peer, live, 3, 10'000, "100"},
    {"redundancy-sets[]", "heartbeat-count", number, peer, live, 2, 100, "5"},
    {"redundancy-sets[]", "silence-limit", number, peer, live, 20, 60'000},
    {"redundancy-sets[]", "hold-time", seconds, peer, live, 0, 1800, "3"},
    {"redundancy-sets[]", "preempt", yes_no, peer, live, 0, 0, "no"},
    {"redundancy-sets[]", "claim-limit", number, peer, live, 0, 10'000, "50"},
    {"redundancy-sets[]", "asymmetric-traffic", word, peer, live, 0, 0, "drop", "drop relay"},
    {"redundancy-sets[]", "max-sessions", number, cluster, restart, 1024, kMaxSlots, "131072"},
    {"redundancy-sets[]", "health", map, peer, live},
    {"redundancy-sets[]", "probes", list, peer, live},
    {"redundancy-sets[]", "witness", yes_no, cluster, restart, 0, 0, "yes"},
    required("the name of a chassis", {"redundancy-sets[].members[]", "chassis", name, cluster, restart}),
    required("the name of a card of that chassis", {"redundancy-sets[].members[]", "card", name, cluster, restart}),
    {"redundancy-sets[].members[]", "priority", number, peer, live, 1, 255, "100"},
    required("a network interface of the chassis",
             {"redundancy-sets[].virtual-addresses[]", "interface", interface, cluster, restart}),
    required("ADDRESS/LENGTH", {"redundancy-sets[].virtual-addresses[]", "address", prefix, cluster, restart}),
    required("a prefix", {"redundancy-sets[].signal-routes[]", "prefix", prefix, cluster, restart}),
    {"redundancy-sets[].signal-routes[]", "table", number, cluster, restart, 1, kMostSignalTable, "254"},
    {"redundancy-sets[].health", "interface", number, peer, live, 0, 255, "255"},
    {"redundancy-sets[].health", "kernel", number, peer, live, 0, 255, "255"},
    {"redundancy-sets[].health", "store", number, peer, live, 0, 255, "100"},
    {"redundancy-sets[].health", "self-test", number, peer, live, 0, 255, "255"},
    required("the address that has to answer", {"redundancy-sets[].probes[]", "address", address, peer, live}),
    {"redundancy-sets[].probes[]", "interface", interface, peer, live},
    {"redundancy-sets[].probes[]", "interval", number, peer, live, 100, 60'000, "1000"},
    {"redundancy-sets[].probes[]", "count", number, peer, live, 1, kMostProbeCount, "3"},
    {"redundancy-sets[].probes[]", "weight", number, peer, live, 0, 255, "255"},

    required(kName, {"service-sets[]", "name", name, cluster, restart}),
    required("the unit that faces the inside network",
             {"service-sets[]", "inside-unit", number, cluster, restart, 0, kMaxUnit}),
    required("the unit that faces the outside network",
             {"service-sets[]", "outside-unit", number, cluster, restart, 0, kMaxUnit}),
    {"service-sets[]", "interface", map, cluster, restart},
    {"service-sets[]", "stateful-firewall-rules", names, cluster, new_sessions},
    {"service-sets[]", "nat-rules", names, cluster, new_sessions},
    {"service-sets[]", "policy-rematch", yes_no, peer, live, 0, 0, "no"},
    {"service-sets[]", "drain-time", number, peer, live, 1, kDay},
    {"service-sets[]", "session-limit", number, peer, live, 1, kMaxSlots},
    {"service-sets[]", "max-flows", thousands, peer, live, 1, 100'000'000},
    {"service-sets[]", "max-session-setup-rate", thousands, peer, live, 1, 100'000'000},
    {"service-sets[]", "tcp-non-syn", word, peer, live, 0, 0, "drop-flow", "drop-flow drop-flow-send-rst allow"},
    {"service-sets[]", "session-refusal", word, peer, live, 0, 0, "icmp", "silent icmp reset"},
    {"service-sets[]", "guarantee", word, peer, live, 0, 0, "asynchronous", kGuarantees},
    {"service-sets[]", "guarantee-limit", number, peer, live, 1, 1000, "5"},
    {"service-sets[]", "without-peer", word, peer, live, 0, 0, "go-alone", "go-alone stop"},
    {"service-sets[]", "replication-threshold", number, peer, live, 0, kDay, "0"},
    {"service-sets[]", "tcp-mss", number, peer, live, 536, 65'535},
    {"service-sets[]", "nat-options", map, peer, live},
    {"service-sets[]", "screen", name, peer, live},
    {"service-sets[]", "timeouts", map, peer, live},
    required("the name of a chassis", {"service-sets[].interface", "chassis", name, cluster, restart}),
    required("the name of a card of that chassis", {"service-sets[].interface", "card", name, cluster, restart}),
    {"service-sets[].interface", "max-sessions", number, cluster, restart, 1024, kMaxSlots, "131072"},
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
    required(kName, {"rules[]", "name", name, cluster, new_sessions}),
    required("input, output or input-output",
             {"rules[]", "match-direction", word, cluster, new_sessions, 0, 0, "", "input output input-output"}),
    required("a list of terms with name, from and then", {"rules[]", "terms", list, cluster, new_sessions, 1}),
    required(kName, {"stateful-firewall.rules[].terms[]", "name", name, cluster, new_sessions}),
    {"stateful-firewall.rules[].terms[]", "from", map, cluster, new_sessions},
    required("what is done with packets that match", {"stateful-firewall.rules[].terms[]", "then", word, cluster,
                                                      new_sessions, 0, 0, "", "accept discard reject"}),
    {"stateful-firewall.rules[].terms[]", "guarantee", word, cluster, live, 0, 0, "", kGuarantees},
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
    required(kName, {"nat.pools[]", "name", name, cluster, restart}),
    {"nat.pools[]", "addresses", prefixes, cluster, restart},
    {"nat.pools[]", "address", prefixes, cluster, restart},
    {"nat.pools[]", "address-range", ranges, cluster, restart},
    {"nat.pools[]", "port-range", map, cluster, restart},
    {"nat.pools[]", "port", map, cluster, restart},
    {"nat.pools[]", "address-allocation", word, cluster, new_sessions, 0, 0, "", "round-robin"},
    {"nat.pools[]", "mapping-timeout", number, peer, live, 4, kDay, "300"},
    {"nat.pools[]", "limit-ports-per-address", number, peer, live, 1, kMostPorts},
    {"nat.pools[]", "port-reuse-hold", number, peer, live, 0, kDay},
    {"nat.pools[].port", "automatic", word, cluster, restart, 0, 0, "random-allocation",
     "random-allocation sequential"},
    {"nat.pools[].port", "range", map, cluster, restart},
    {"nat.pools[].port", "preserve-parity", yes_no, cluster, new_sessions, 0, 0, "no"},
    {"nat.pools[].port", "preserve-range", yes_no, cluster, new_sessions, 0, 0, "no"},
    {"nat.pools[].port", "secured-port-block-allocation", map, cluster, restart},
    {"nat.pools[].port", "deterministic-port-block-allocation", map, cluster, restart},
    required("the first port", {"nat.pools[].port.range", "low", number, cluster, restart, 1, 65'535, "1024"}),
    required("the last port", {"nat.pools[].port.range", "high", number, cluster, restart, 1, 65'535, "65535"}),
    {"secured-port-block-allocation", "block-size", number, cluster, restart, 1, kMostPorts, "128"},
    {"secured-port-block-allocation", "max-blocks-per-address", number, peer, live, 1, 512, "8"},
    {"secured-port-block-allocation", "active-block-timeout", number, peer, live, 0, kDay, "0"},
    {"deterministic-port-block-allocation", "block-size", number, cluster, restart, 0, kMostPorts},
    {"deterministic-port-block-allocation", "include-boundary-addresses", yes_no, cluster, restart, 0, 0, "no"},
    required(kName, {"nat.rules[].terms[]", "name", name, cluster, new_sessions}),
    {"nat.rules[].terms[]", "from", map, cluster, new_sessions},
    required("what is done with packets that match", {"nat.rules[].terms[]", "then", map, cluster, new_sessions}),
    required("source-pool and translation-type",
             {"nat.rules[].terms[].then", "translated", map, cluster, new_sessions}),
    {"translated", "source-pool", names, cluster, new_sessions},
    {"translated", "overload-pool", name, cluster, new_sessions},
    {"translated", "destination-pool", name, cluster, new_sessions},
    {"translated", "source-prefix", prefix, cluster, new_sessions},
    {"translated", "destination-prefix", prefix, cluster, new_sessions},
    {"translated", "translated-port", ports, cluster, new_sessions, 1, 65'535},
    required("napt-44, stateful-nat64 ...", {"translated", "translation-type", word, cluster, new_sessions}),
    {"translated", "address-pooling", word, cluster, new_sessions, 0, 0, "", "paired"},
    {"translated", "mapping-type", word, cluster, new_sessions, 0, 0, "", "endpoint-independent"},
    {"translated", "filtering-type", word, cluster, new_sessions, 0, 0, "", "endpoint-independent"},
    {"translated", "secure-nat-mapping", map, cluster, new_sessions},
    required("{ prefix-list: NAME }",
             {"translated.filtering-type", "endpoint-independent", map, cluster, new_sessions}),
    required("the name of a prefix list",
             {"translated.filtering-type.endpoint-independent", "prefix-list", names, cluster, new_sessions}),
    required("a number of sessions",
             {"translated.secure-nat-mapping", "eif-flow-limit", number, cluster, new_sessions, 1, 65'534}),

    required(kName, {"applications[]", "name", name, cluster, new_sessions}),
    {"applications[]", "protocol", word, cluster, new_sessions, 0, 255},
    {"applications[]", "source-port", ports, cluster, new_sessions, 1, 65'535},
    {"applications[]", "destination-port", ports, cluster, new_sessions, 1, 65'535},
    {"applications[]", "icmp-type", word, cluster, new_sessions, 0, 255},
    {"applications[]", "icmp-code", number, cluster, new_sessions, 0, 255},
    {"applications[]", "inactivity-timeout", number, cluster, live, 4, kDay},
    {"applications[]", "application-protocol", word, cluster, new_sessions, 0, 0, "none"},
    required(kName, {"application-sets[]", "name", name, cluster, new_sessions}),
    {"application-sets[]", "applications", names, cluster, new_sessions},
    {"application-sets[]", "application-sets", names, cluster, new_sessions},
    required(kName, {"prefix-lists[]", "name", name, cluster, new_sessions}),
    required("a list of address prefixes", {"prefix-lists[]", "prefixes", prefixes, cluster, new_sessions}),

    required(kName, {"screens[]", "name", name, peer, live}),
    {"screens[]", "limit-session", map, peer, live},
    {"screens[]", "tcp", map, peer, live},
    {"screens[]", "icmp", map, peer, live},
    {"screens[]", "udp", map, peer, live},
    {"screens[]", "ip", map, peer, live},
    {"screens[].limit-session", "source-ip-based", number, peer, live, 1, kMaxSlots},
    {"screens[].limit-session", "destination-ip-based", number, peer, live, 1, kMaxSlots},
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
    required("packets per second to one address",
             {"screens[].icmp.flood", "threshold", number, peer, live, 1, kMostRate}),
    {"screens[].udp", "flood", map, peer, live},
    required("packets per second to one address",
             {"screens[].udp.flood", "threshold", number, peer, live, 1, kMostRate}),
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

/// Returns the words that the value of a key may be, in their order.
[[nodiscard]] inline std::vector<std::string_view> words_of(const Key& key) {
  std::vector<std::string_view> out;
  for (std::string_view rest = key.words; !rest.empty();) {
    const std::size_t blank = std::min(rest.find(' '), rest.size());
    out.push_back(rest.substr(0, blank));
    rest.remove_prefix(std::min(blank + 1, rest.size()));
  }
  return out;
}

// The default of a key. One that has no default of this type does not compile.
consteval std::uint32_t usual_number(std::string_view section, std::string_view name) {
  const std::string_view text = key(section, name).usual;
  if (text.empty()) throw "this key has no default";
  std::uint32_t out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') throw "the default of this key is no number";
    out = out * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return out;
}
consteval Duration usual_milliseconds(std::string_view section, std::string_view name) {
  return usual_number(section, name) * 1ms;
}
consteval Duration usual_seconds(std::string_view section, std::string_view name) {
  return usual_number(section, name) * 1s;
}
consteval bool usual_yes_no(std::string_view section, std::string_view name) {
  const std::string_view text = key(section, name).usual;
  if (text != "yes" && text != "no") throw "the default of this key is neither yes nor no";
  return text == "yes";
}
/// Returns the place of the default among the words of the key.
consteval std::size_t usual_word(std::string_view section, std::string_view name) {
  const Key& found = key(section, name);
  std::size_t place = 0;
  for (std::string_view rest = found.words; rest.substr(0, rest.find(' ')) != found.usual; ++place) {
    if (rest.find(' ') == std::string_view::npos) throw "the default of this key is not one of its words";
    rest.remove_prefix(rest.find(' ') + 1);
  }
  return place;
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
