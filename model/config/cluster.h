// The cluster as it was configured: an immutable value that icrd and icr read from the same file
// (model/config/cluster_file.h).
//
// Everything is resolved and in range: indices point into the vectors of Cluster, names are kept for people. An index
// means something in this cluster only. Whatever leaves the process names things by their `stable_id`, so that programs
// with different files can talk about what both of them know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/config/identities.h"
#include "model/config/keys.h"
#include "model/config/rules.h"
#include "model/record/address.h"
#include "model/record/endpoint.h"
#include "model/record/session.h"

namespace icr {

enum class CardFamily : std::uint8_t { ms, vms };  ///< ms-: JSF layouts (MS-MPC); vms-: USF layouts (MX-SPC3)

/// How packets of one unit of a card come and go.
struct PacketPort {
  enum class Kind : std::uint8_t { tun, pcap, af_packet };
  std::uint32_t unit = 0;  ///< logical unit of the card's interface: ms-0/0/0.UNIT
  Kind kind = Kind::tun;
  // tun
  std::string device;  ///< name of the TUN device, at most 15 characters; af_packet: of the kernel's interface
  std::vector<std::string>
      steer_from;  ///< kernel interfaces whose incoming traffic is routed into this port (inside ports)
  std::uint32_t queues = usual_number("chassis[].cards[].ports[] (tun)", "queues");  ///< of the TUN device
  // pcap
  std::string read_file;   ///< capture to read; empty: none
  std::string write_file;  ///< capture to write
};

struct CardConfig {
  std::string name;  ///< "ms-0/0/0", "vms-1/0/0"
  CardFamily family = CardFamily::ms;
  std::vector<PacketPort> ports;
  std::uint32_t workers = usual_number("chassis[].cards[]", "workers");  ///< threads that forward
  StableId stable_id = 0;                                                ///< unique within the chassis
  /// The port of that unit, or null.
  [[nodiscard]] const PacketPort* port(std::uint32_t unit) const;
};

/// The scheduling that the threads that carry traffic ask for.
struct Scheduling {
  enum class Policy : std::uint8_t {
    real_time,  ///< before every ordinary thread (SCHED_RR) if the process has the right; otherwise as `nice`
    nice,       ///< ordinary, with the lowest nice value to which the process has a right
    ordinary,   ///< as the process was started ("default")
  };
  Policy policy = static_cast<Policy>(usual_word("chassis[].scheduling", "policy"));
  std::uint32_t priority = usual_number("chassis[].scheduling", "priority");  ///< of real_time
};

/// How the sockets of the cluster are protected.
enum class Security : std::uint8_t {
  curve,  ///< encrypted and authenticated; without keys only where nobody else can reach them
  none,   ///< neither
};

/// What a client may ask of a chassis. Each class may do what the ones before it may.
enum class ClientClass : std::uint8_t {
  view,        ///< questions
  clear,       ///< and delete sessions, mappings and statistics
  operate,     ///< and requests, such as a switchover ("operator")
  super_user,  ///< and commits
};

/// A person or program that asks chassis with a key of its own.
struct ClientConfig {
  std::string name;
  ClientClass permitted = ClientClass::view;
  std::vector<std::string> public_keys;  ///< one or two
};

struct ChassisConfig {
  std::string name;
  /// One or two. The chassis uses the first; peers and clients know it by each. Empty: it has none.
  std::vector<std::string> public_keys;
  IpAddress inter_chassis_address;  ///< where peers reach this chassis
  /// Where they reach it by other paths: the path of each has its place in this list as its number, from 1 on.
  std::vector<IpAddress> alternate_addresses;
  std::uint16_t inter_chassis_port = 0;  ///< control port of the set with id 1; see Cluster::control_endpoint()
  Endpoint query;                        ///< where `icr` asks
  std::string data_folder;               ///< checkpoints; empty: none are kept
  /// For this long, `show services sessions as-of` knows the sessions of the past. 0: it does not.
  Duration history = usual_seconds("chassis[]", "history");
  /// The log of a redundancy set takes so much of the disk at most, beside what a restart needs.
  std::uint32_t history_megabytes = usual_number("chassis[]", "history-megabytes");
  /// True if nftables rules keep packets from bypassing the cards (node/kernel/forward_guard.h); if false, only routing
  /// does.
  bool kernel_guard = usual_yes_no("chassis[]", "kernel-guard");
  std::vector<CardConfig> cards;
  Scheduling scheduling;
  StableId stable_id = 0;
  [[nodiscard]] const CardConfig* card(std::string_view card_name) const;
  /// Returns the addresses where peers reach this chassis, by the number of the path: inter_chassis_address is first.
  [[nodiscard]] std::vector<IpAddress> inter_chassis_addresses() const;
};

/// `tcp-non-syn`: what a TCP packet that belongs to no session and carries no SYN does.
enum class TcpNonSyn : std::uint8_t {
  drop_flow,           ///< it is dropped and counted
  drop_flow_send_rst,  ///< and its sender gets a RST
  allow,               ///< it creates a session, where no address has to be translated
};

/// `session-refusal`: what a host inside is sent when its session is refused for lack of resources or because of a
/// limit.
enum class SessionRefusal : std::uint8_t {
  silent,
  icmp,   ///< destination unreachable, administratively prohibited (RFC 5508 REQ-8)
  reset,  ///< a RST for TCP, and as `icmp` for everything else
};

/// `without-peer`: what an output-commit service set does while no peer has a complete copy.
enum class WithoutPeer : std::uint8_t {
  go_alone,  ///< packets leave at once, and are counted
  stop,      ///< packets that would change a session's state are dropped
};

/// Idle timeouts, [edit interfaces IF services-options]. Seconds.
struct Timeouts {
  std::uint32_t inactivity_s = usual_number("timeouts", "inactivity-timeout");
  std::optional<std::uint32_t> inactivity_tcp_s;
  std::optional<std::uint32_t> inactivity_non_tcp_s;
  std::uint32_t open_s = usual_number("timeouts", "open-timeout");              ///< TCP handshake
  std::uint32_t close_s = usual_number("timeouts", "close-timeout");            ///< after RST or both FINs acknowledged
  std::uint32_t session_s = 0;                                                  ///< absolute session-timeout; 0: none
  std::uint32_t reassembly_s = usual_number("timeouts", "reassembly-timeout");  ///< fragments of one packet
  std::uint32_t fragment_limit = usual_number("timeouts", "fragment-limit");    ///< fragments of one packet
};

struct ServiceSet {
  std::string name;
  std::uint32_t inside_unit = 0;              ///< inside-service-interface: unit of the card
  std::uint32_t outside_unit = 0;             ///< outside-service-interface
  std::vector<std::uint16_t> firewall_rules;  ///< indices into Cluster::firewall_rules, in order
  std::vector<std::uint16_t> nat_rules;       ///< indices into Cluster::nat_rules, in order
  /// True if sessions that the firewall does not admit any more are ended; they live on otherwise.
  bool policy_rematch = usual_yes_no("service-sets[]", "policy-rematch");
  /// How long sessions live on whose NAT pool a commit takes away from the service set; 0: they end at once.
  std::uint32_t drain_time_s = 0;
  std::optional<std::uint32_t> max_sessions;            ///< session-limit maximum
  std::optional<std::uint32_t> max_session_setup_rate;  ///< per second
  TcpNonSyn tcp_non_syn = static_cast<TcpNonSyn>(usual_word("service-sets[]", "tcp-non-syn"));
  SessionRefusal session_refusal = static_cast<SessionRefusal>(usual_word("service-sets[]", "session-refusal"));
  /// Of the sessions whose firewall term does not have another one.
  Guarantee guarantee = static_cast<Guarantee>(usual_word("service-sets[]", "guarantee"));
  std::uint32_t guarantee_limit_ms = usual_number("service-sets[]", "guarantee-limit");
  WithoutPeer without_peer = static_cast<WithoutPeer>(usual_word("service-sets[]", "without-peer"));
  /// The peer is told of a session when it has lived for so long.
  std::uint32_t replication_threshold_s = usual_number("service-sets[]", "replication-threshold");
  std::uint16_t tcp_mss = 0;                      ///< SYNs with a higher MSS option are rewritten; 0: none is
  std::uint32_t max_flows = 0;                    ///< a session is two flows; 0: no limit
  std::uint32_t max_sessions_per_subscriber = 0;  ///< of one inside address; 0: no limit
  struct Nat64 {
    /// What is sent to the IPv6 side is fragmented to fit (RFC 7915 section 4).
    std::uint32_t ipv6_mtu = usual_number("service-sets[].nat-options.stateful-nat64", "ipv6-mtu");
    /// IPv4 packets that come out of IPv6 ones carry no DF.
    bool clear_dont_fragment = usual_yes_no("service-sets[].nat-options.stateful-nat64", "clear-dont-fragment-bit");
  };
  Nat64 nat64;
  std::optional<std::uint16_t> screen;  ///< index into Cluster::screens
  Timeouts timeouts;                    ///< the cluster's, overridden by the service set's own
  StableId stable_id = 0;
};

struct VirtualAddress {
  std::string interface;  ///< kernel interface on either member
  IpAddress address;
  std::uint8_t prefix_length = 0;
};

struct RedundancyMember {
  std::uint16_t chassis = 0;  ///< index into Cluster::chassis
  std::string card;
  std::uint32_t priority = usual_number("redundancy-sets[].members[]", "priority");  ///< higher is preferred
};

/// The weights of things that are wrong in the health of a member, which is ill at a sum of 255
/// (node/redundancy/health.h).
struct HealthWeights {
  /// Each interface that does not exist, is down or has no carrier.
  std::uint32_t interface = usual_number("redundancy-sets[].health", "interface");
  /// Each piece of kernel state that is missing and cannot be restored.
  std::uint32_t kernel = usual_number("redundancy-sets[].health", "kernel");
  /// Checkpoints cannot be written.
  std::uint32_t store = usual_number("redundancy-sets[].health", "store");
  /// Each direction in which test packets do not come out of the card.
  std::uint32_t self_test = usual_number("redundancy-sets[].health", "self-test");
};

/// An address that both members ask whether it answers (docs/steering.md). One that does not has a weight in the health
/// of the member.
struct AddressProbe {
  IpAddress address;
  std::string interface;  ///< by which requests leave; empty: the routes decide
  Duration interval = usual_milliseconds("redundancy-sets[].probes[]", "interval");
  std::uint32_t count = usual_number("redundancy-sets[].probes[]", "count");  ///< missed answers in a row
  std::uint32_t weight = usual_number("redundancy-sets[].probes[]", "weight");
  friend bool operator==(const AddressProbe&, const AddressProbe&) = default;
};
/// So many addresses a redundancy set probes at most.
inline constexpr std::size_t kMostProbes = 16;
/// AddressProbe::count is at most this.
inline constexpr std::size_t kMostProbeCount = keys_detail::kMostProbeCount;

/// A route that exists on the chassis of the master only, so that a routing daemon which redistributes it announces
/// that chassis (docs/steering.md).
struct SignalRoute {
  Prefix prefix;
  std::uint32_t table = usual_number("redundancy-sets[].signal-routes[]", "table");  ///< number of the routing table
  friend bool operator==(const SignalRoute&, const SignalRoute&) = default;
};

/// `asymmetric-traffic`: what a standby does with packets that come to it.
enum class AsymmetricTraffic : std::uint8_t {
  drop,
  relay,  ///< it sends them to the master over the inter-chassis link
};

/// The unit of failover. A set with one member only does not exist in a file; a *stand-alone* set is made for the
/// service sets of a card that are in no redundancy set.
struct RedundancySet {
  std::string name;
  std::uint16_t id = 0;  ///< RS-ID and RG-ID, from 1; it decides the ports of the set. 0 in a stand-alone set
  std::vector<RedundancyMember> members;    ///< two, in the order of their chassis' names; one in a stand-alone set
  std::vector<std::uint16_t> service_sets;  ///< indices into Cluster::service_sets
  std::vector<VirtualAddress> virtual_addresses;
  std::vector<SignalRoute> signal_routes;
  Duration heartbeat_interval = usual_milliseconds("redundancy-sets[]", "heartbeat-interval");
  std::uint32_t heartbeat_count = usual_number("redundancy-sets[]", "heartbeat-count");
  /// How long a starting member waits for its peer, and how long a preferred one must be hot to preempt.
  Duration hold_time = usual_seconds("redundancy-sets[]", "hold-time");
  bool preempt = usual_yes_no("redundancy-sets[]", "preempt");
  /// How long a takeover waits for the disk to keep the new term.
  Duration claim_limit = usual_milliseconds("redundancy-sets[]", "claim-limit");
  AsymmetricTraffic asymmetric_traffic =
      static_cast<AsymmetricTraffic>(usual_word("redundancy-sets[]", "asymmetric-traffic"));
  HealthWeights health;
  std::vector<AddressProbe> probes;
  /// The set uses the witness of the cluster, if that has one.
  bool witness = usual_yes_no("redundancy-sets[]", "witness");
  std::optional<Duration> silence_limit;  ///< as written in the file; nullopt if the key is missing
  /// The floor of the detector: a shorter silence is always tolerated.
  [[nodiscard]] Duration detection_floor() const { return heartbeat_interval * heartbeat_count; }
  /// The longest silence that is tolerated for any reason: by default a second, or three times the floor if that is
  /// more.
  [[nodiscard]] Duration longest_silence() const {
    return silence_limit.value_or(std::max<Duration>(1s, 3 * detection_floor()));
  }
  /// Slots. Both members have the same number, because it counts for the whole cluster.
  std::uint32_t max_sessions = usual_number("redundancy-sets[]", "max-sessions");
  /// Sum of the digests of what only the two members must have alike (Scope::peer): timing, timeouts, limits, screens.
  std::uint64_t parity = 0;
  StableId stable_id = 0;
  [[nodiscard]] bool stand_alone() const { return members.size() == 1; }
  /// The number that session ids carry, from 1: `id`. A stand-alone set has none, so its number follows from its name;
  /// it is above every id.
  [[nodiscard]] std::uint32_t number() const { return id != 0 ? id : 0x10000U | (stable_id & 0xffffU); }
};

/// Returns true if some session of the service set may have a guarantee other than `asynchronous`.
[[nodiscard]] bool may_guarantee(const Cluster& cluster, const ServiceSet& set);

/// The use of a NAT pool by a service set that a commit has ended, and whose sessions go on (model/config/drain.h).
struct DrainedUse {
  std::uint16_t service_set = 0;  ///< index into Cluster::service_sets
  NatTerm term;                   ///< of the former file, with this pool as its only one, and without applications
  MatchDirection direction = MatchDirection::input;  ///< of its rule
  WallMillis until = 0;                              ///< then the sessions end
};

/// The witness that decides which member of a redundancy set may act when they do not hear each other
/// (docs/witness.md): etcd, reached at one of its endpoints by HTTP.
struct WitnessConfig {
  std::vector<Endpoint> endpoints;  ///< at least one
  std::uint32_t lease_s = usual_number("witness", "lease");
};

struct Cluster {
  std::string name;
  std::optional<WitnessConfig> witness;  ///< nullopt if the cluster file names no witness
  std::vector<ChassisConfig> chassis;
  std::vector<RedundancySet> redundancy_sets;
  std::vector<ServiceSet> service_sets;
  std::vector<FirewallRule> firewall_rules;
  std::vector<NatRule> nat_rules;
  std::vector<NatPool> nat_pools;
  std::vector<Application> applications;
  std::vector<Screen> screens;
  std::vector<DrainedUse> drained;  ///< no part of the file
  StableId stable_id = 0;
  IdIndex set_ids;          ///< of redundancy_sets
  IdIndex service_set_ids;  ///< of service_sets
  IdIndex pool_ids;         ///< of nat_pools
  /// Of what all chassis and `icr` should have alike (Scope::cluster): names, rules, pools. Of meaning, not of spelling
  /// and not of order where order means nothing; a key that has its default adds nothing (model/config/settings.h).
  std::uint64_t digest = 0;
  Security security = static_cast<Security>(usual_word("", "security"));
  std::vector<ClientConfig> clients;
  std::vector<std::string> warnings;  ///< what is legal but surprising, in full sentences

  [[nodiscard]] std::optional<std::uint16_t> find_chassis(std::string_view chassis_name) const;
  /// Returns true if every socket is encrypted: unless `security: none` says otherwise, if the chassis have keys. They
  /// all have, or none has.
  [[nodiscard]] bool encrypted() const;
  /// Returns an error unless the sockets may be opened: encrypted, or at loopback addresses only, or without protection
  /// because the file says so.
  [[nodiscard]] Result<void> check_protected() const;
  [[nodiscard]] std::optional<std::uint16_t> find_set(std::string_view set_name) const;
  /// Names of service sets and pools that are not in this file, as chassis with another file told them.
  std::map<StableId, std::string> other_names;

  // Names of what a record or an answer belongs to; of something whose name is not known, its identity as text.
  [[nodiscard]] std::string name_of_service_set(StableId id) const;
  [[nodiscard]] std::string name_of_pool(StableId id) const;
  /// Control endpoint of the member of `set` on `chassis`, which follows from the id of the set: two ports for each
  /// number. The data endpoint is one port higher. REQUIRES: the set is not stand-alone; the chassis has an address for
  /// this path.
  [[nodiscard]] Endpoint control_endpoint(std::uint16_t set, std::uint16_t chassis_index, std::size_t path = 0) const;
  /// Returns how many paths the members of `set` have to each other. REQUIRES: the set is not stand-alone.
  [[nodiscard]] std::size_t inter_chassis_paths(std::uint16_t set) const;
  /// Digest that the two members of a redundancy set compare: of all that they must have alike.
  [[nodiscard]] std::uint64_t digest_for_peers(std::uint16_t set) const { return digest + redundancy_sets[set].parity; }
  /// Index of the member of `set` that lives on `chassis`, if any.
  [[nodiscard]] std::optional<std::uint16_t> member_on(std::uint16_t set, std::uint16_t chassis_index) const;
};

/// Returns the TUN device into which the signal routes of `set` lead on `chassis`: that of the outside unit of the
/// first of its service sets that has one there; nullopt if none has. REQUIRES: the chassis is a member of the set.
[[nodiscard]] std::optional<std::string> signal_device(const Cluster& cluster, std::uint16_t set,
                                                       std::uint16_t chassis);

}  // namespace icr
