// What packets are matched by and what is done with them: applications, firewall rules, NAT pools and rules, screens.
// Part of Cluster (model/config/cluster.h), and like it resolved and in range: the cluster file's names, prefix lists
// and application sets are indices and ranges here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/config/keys.h"
#include "model/record/address.h"
#include "model/record/flow_key.h"
#include "model/record/protocol.h"
#include "model/record/session.h"

namespace icr {

struct PortRange {
  std::uint16_t low = 0, high = 65535;
  [[nodiscard]] bool contains(std::uint16_t port) const { return low <= port && port <= high; }
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// `inactivity-timeout never`: longer than three years without a packet. A number, so that a session's timeout is one.
inline constexpr std::uint32_t kNeverSeconds = 100'000'000;

/// The queries that begin an ICMP session: RFC 792 types 8 and 13, RFC 4443 type 128, each of code 0.
enum class IcmpQuery : std::uint8_t { echo, timestamp };

/// `application NAME`: what a term matches and how long its sessions may idle.
struct Application {
  std::string name;
  std::optional<std::uint8_t> protocol;
  std::optional<PortRange> source_port;       ///< matches protocols with ports only
  std::optional<PortRange> destination_port;  ///< matches protocols with ports only
  /// Of ICMP or ICMPv6. Sessions begin with an IcmpQuery, so no other type or code ever matches.
  std::optional<std::uint8_t> icmp_type;
  std::optional<std::uint8_t> icmp_code;
  std::optional<std::uint32_t> inactivity_timeout_s;  ///< kNeverSeconds: never
  ApplicationProtocol application_protocol = kNoApplicationProtocol;
  /// `query`: what begins the session, if its protocol is ICMP or ICMPv6.
  [[nodiscard]] bool matches(const FlowKey& key, IcmpQuery query = IcmpQuery::echo) const;
};

/// input: packets that enter on the service set's inside port; output: on the outside port (next-hop style service
/// set).
enum class MatchDirection : std::uint8_t { input, output, input_output };

/// `from`, of the packet as it arrives: all vectors must match; an empty one matches everything; entries of one vector
/// are alternatives, but an address in an `except` never matches. Prefixes, ranges and prefix lists are flattened into
/// ranges, application sets into applications.
struct MatchConditions {
  std::vector<AddressRange> source_addresses;
  std::vector<AddressRange> source_except;
  std::vector<AddressRange> destination_addresses;
  std::vector<AddressRange> destination_except;
  std::vector<PortRange> source_ports;       ///< match protocols with ports only
  std::vector<PortRange> destination_ports;  ///< match protocols with ports only
  std::vector<std::uint16_t> applications;   ///< indices into Cluster::applications
  /// Everything but the applications.
  [[nodiscard]] bool matches_addresses_and_ports(const FlowKey& key) const;
};

/// `guarantee`: what the peer knows of a session before a packet leaves that changed the state of that session.
enum class Guarantee : std::uint8_t {
  asynchronous,      ///< nothing: the packet leaves at once
  semi_synchronous,  ///< the new state, unless the peer needs longer than `guarantee-limit` to acknowledge it
  output_commit,     ///< the new state: the packet waits as long as the peer is there
};

enum class FirewallAction : std::uint8_t { accept, discard, reject };

struct FirewallTerm {
  std::string name;
  MatchConditions from;
  FirewallAction then = FirewallAction::discard;
  std::optional<Guarantee> guarantee;  ///< of the sessions that the term admits; nullopt: that of their service set
  StableId stable_id = 0;              ///< of the rule's and the term's name
};

struct FirewallRule {
  std::string name;
  MatchDirection direction = MatchDirection::input;
  std::vector<FirewallTerm> terms;
};

/// Addresses, and ports where the translation type uses them. An address is in one pool only, but for pools that are
/// used as destination only.
struct NatPool {
  std::string name;
  /// Disjoint, in order of the file, at most 65,536 addresses. Of one family; IPv6 only for nptv6.
  std::vector<AddressRange> addresses;
  std::uint16_t port_low = usual_number("nat.pools[].port.range", "low");
  std::uint16_t port_high = usual_number("nat.pools[].port.range", "high");
  enum class Assignment : std::uint8_t { random, sequential };
  Assignment assignment = static_cast<Assignment>(usual_word("nat.pools[].port", "automatic"));
  /// Odd ports stay odd, and even ones even (RFC 4787 section 4.2.2).
  bool preserve_parity = usual_yes_no("nat.pools[].port", "preserve-parity");
  /// Ports 0-1023 stay in that range, and others above it (RFC 4787 section 4.2.1).
  bool preserve_range = usual_yes_no("nat.pools[].port", "preserve-range");
  bool round_robin = false;  ///< address-allocation round-robin

  /// port secured-port-block-allocation. A block does not cross an address, so ports above the last whole block of an
  /// address are not used.
  struct BlockAllocation {
    std::uint16_t block_size = usual_number("secured-port-block-allocation", "block-size");
    std::uint16_t max_blocks_per_address =
        usual_number("secured-port-block-allocation", "max-blocks-per-address");  ///< of one host
    /// 0: the active block of a host stays active until it is full.
    std::uint32_t active_block_timeout_s = usual_number("secured-port-block-allocation", "active-block-timeout");
  };
  std::optional<BlockAllocation> blocks;

  /// port deterministic-port-block-allocation: each host has its block from the start (RFC 7422). The hosts are
  /// deterministic_hosts() of the one term that uses the pool.
  struct Deterministic {
    std::uint16_t block_size = 0;  ///< above 0 in a Cluster: the reader computes what the file leaves out
    bool include_boundary_addresses = usual_yes_no("deterministic-port-block-allocation", "include-boundary-addresses");
  };
  std::optional<Deterministic> deterministic;

  /// Of endpoint-independent mappings and address pairings, after the last session.
  std::uint32_t mapping_timeout_s = usual_number("nat.pools[]", "mapping-timeout");
  std::uint32_t limit_ports_per_host = 0;  ///< 0: none
  /// port-reuse-hold: the time for which no other host gets a port, block or address that was freed (RFC 6888 REQ-8).
  /// nullopt: 120 s if endpoint-independent filtering admits anybody, otherwise 0.
  std::optional<std::uint32_t> reuse_hold_s;
  bool drained_only = false;  ///< no part of the file, only of Cluster::drained
  StableId stable_id = 0;

  [[nodiscard]] std::uint64_t address_count() const;
  [[nodiscard]] std::uint32_t ports_per_address() const { return std::uint32_t{port_high} - port_low + 1; }
  [[nodiscard]] bool contains(const IpAddress& address) const;
};

/// A term of a NAT rule. What is set depends on `type`; the reader checks it:
///
///     type                   source                        destination
///     napt44                 source_pools                  -
///     deterministic_napt44   source_pools (one)            -
///     basic_nat44            source_prefix                 -
///     dynamic_nat44          source_pools, overload_pool   -
///     dnat44                 -                             destination_pool or destination_prefix
///     twice_basic_nat44      source_prefix                 destination_pool or destination_prefix
///     twice_dynamic_nat44    source_pools, overload_pool   destination_pool or destination_prefix
///     twice_napt44           source_pools                  destination_pool or destination_prefix
///     stateful_nat64         source_pools                  destination_prefix: the NAT64 prefix (RFC 6052)
///     nptv6                  source_prefix                 -
///
/// A source_prefix maps from.source_addresses[0], the only entry, which is a prefix of the same length: host n of the
/// one is host n of the other. Where the file names a pool for it, the pool is that one prefix and source_pools has it.
/// A destination_prefix maps from.destination_addresses[0] in the same way. A destination_pool holds one address, or as
/// many as from.destination_addresses, which are then mapped in order. Only packets to the NAT64 prefix match a
/// stateful_nat64 term.
struct NatTerm {
  std::string name;
  MatchConditions from;
  NatType type = NatType::none;  ///< none: no-translation
  std::vector<std::uint16_t>
      source_pools;  ///< indices into Cluster::nat_pools; a later one when the earlier is exhausted
  std::optional<std::uint16_t> overload_pool;  ///< ports of it are used when source_pools has no address left
  std::optional<std::uint16_t> destination_pool;
  std::optional<Prefix> source_prefix;
  std::optional<Prefix> destination_prefix;
  /// translated-port, of TCP and UDP: one port for all, or as many as forwarded_ports(), mapped in order. nullopt:
  /// packets keep the port.
  std::optional<PortRange> translated_ports;
  bool address_pooling_paired = false;
  bool endpoint_independent_mapping = false;
  bool endpoint_independent_filtering = false;  ///< only with the mapping
  std::vector<Prefix> filtering_prefixes;       ///< who may come in through the filtering; empty: anyone
  std::uint32_t eif_flow_limit = 0;             ///< sessions that come in through one mapping; 0: no limit
};

struct NatRule {
  std::string name;
  MatchDirection direction = MatchDirection::input;
  std::vector<NatTerm> terms;
};

/// Returns the single range of destination ports that a term matches by its destination-port or applications, or
/// nullopt if there are several ranges or every port matches.
[[nodiscard]] std::optional<PortRange> forwarded_ports(const MatchConditions& from,
                                                       const std::vector<Application>& applications);

/// Hosts of a deterministic_napt44 term, in order: the n-th one owns the n-th block. The first and the last address of
/// each range of four or more are left out unless the pool includes boundary addresses.
[[nodiscard]] std::vector<AddressRange> deterministic_hosts(const NatTerm& term, const NatPool& pool);

/// `services screen ids-option NAME`: checks of single packets, rates and numbers of sessions. 0: no limit.
struct Screen {
  std::string name;
  std::uint32_t sessions_per_source = 0;       ///< limit-session source-ip-based
  std::uint32_t sessions_per_destination = 0;  ///< limit-session destination-ip-based

  /// SYNs per second, of connections that are not set up.
  struct SynFlood {
    /// To one destination address and port.
    std::uint32_t attack_threshold = usual_number("screens[].tcp.syn-flood", "attack-threshold");
    /// From one address.
    std::uint32_t source_threshold = usual_number("screens[].tcp.syn-flood", "source-threshold");
    /// To one address.
    std::uint32_t destination_threshold = usual_number("screens[].tcp.syn-flood", "destination-threshold");
    /// How long a handshake may take in service sets with this screen.
    std::uint32_t timeout_s = usual_number("screens[].tcp.syn-flood", "timeout");
  };
  std::optional<SynFlood> syn_flood;
  std::uint32_t icmp_flood_threshold = 0;  ///< echo requests that begin a session, per second to one address
  std::uint32_t udp_flood_threshold = 0;   ///< datagrams that begin a session, per second to one address

  bool tcp_land = usual_yes_no("screens[].tcp", "land");                ///< source is destination
  bool tcp_winnuke = usual_yes_no("screens[].tcp", "winnuke");          ///< urgent data to port 139
  bool tcp_syn_frag = usual_yes_no("screens[].tcp", "syn-frag");        ///< SYN in a fragment
  bool tcp_syn_fin = usual_yes_no("screens[].tcp", "syn-fin");          ///< SYN and FIN
  bool tcp_no_flag = usual_yes_no("screens[].tcp", "tcp-no-flag");      ///< no flag at all
  bool tcp_fin_no_ack = usual_yes_no("screens[].tcp", "fin-no-ack");    ///< FIN without ACK
  bool icmp_fragment = usual_yes_no("screens[].icmp", "fragment");      ///< ICMP in fragments
  bool icmp_large = usual_yes_no("screens[].icmp", "large");            ///< ICMP above 1024 bytes
  bool icmp_ping_death = usual_yes_no("screens[].icmp", "ping-death");  ///< fragments that go beyond 65535 bytes
  bool ip_bad_option = usual_yes_no("screens[].ip", "bad-option");      ///< malformed options
  bool ip_source_route_option = usual_yes_no(
      "screens[].ip",
      "source-route-option");  ///< loose or strict source route (RFC 791), type 0 routing header (RFC 5095)
  bool ip_block_frag = usual_yes_no("screens[].ip", "block-frag");  ///< any fragment
  bool ip_tear_drop = usual_yes_no("screens[].ip", "tear-drop");    ///< overlapping fragments
  bool ip_unknown_protocol =
      usual_yes_no("screens[].ip", "unknown-protocol");  ///< protocol numbers that IANA has not assigned
};

}  // namespace icr
