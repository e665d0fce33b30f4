// The NAT of the model: who owns which external port, block and address, and which choices that leaves. RFC 4787, 5382,
// 5508, 6146, 6888, 7422.
#pragma once

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "tests/nat_model/rules.h"

namespace icr::node::test::nat_model {

/// A translated port: no two owners, ever. ICMP: the identifier; protocols by their IPv4 number.
struct OwnedPort {
  IpAddress address;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  friend auto operator<=>(const OwnedPort&, const OwnedPort&) = default;
};

/// Endpoint-independent mapping (RFC 4787 section 4.1): the host's endpoint is one external port for everybody.
struct Mapping {
  std::uint16_t pool = 0, service_set = 0;
  IpAddress host;
  std::uint16_t host_port = 0;
  std::uint8_t protocol = 0;  ///< as the host's family names it
  OwnedPort external;
  unsigned sessions = 0, inbound = 0;
  Ticks last_used = 0;  ///< when the last session ended
  bool over = true;     ///< all its sessions were TCP connections that both ends had closed
};

/// A port, a block (its first port) or an address (protocol 0) that nobody else may have yet (RFC 6888 REQ-8).
struct HeldBack {
  std::uint16_t pool = 0;
  OwnedPort what;
  IpAddress host;  ///< who had it; of ports it does not matter
  Ticks since = 0, until = 0;
  std::optional<Ticks> told;  ///< when the twin heard of it: its time begins then
  bool sure = true;           ///< false: a takeover lies in between, and the twin knew it otherwise, or not at all
};

/// A block of ports that one host owns (RFC 7422 calls it a port range).
struct Block {
  std::uint16_t pool = 0;
  IpAddress host, address;
  std::uint16_t first = 0, last = 0;
  unsigned ports = 0;  ///< of it that are owned
  bool active = true;
  Ticks created = 0, active_since = 0, last_used = 0;
};

/// The address that all ports (or, exclusive, all sessions) of a host come from.
struct Pairing {
  std::uint16_t pool = 0;
  IpAddress host, address;
  bool exclusive = false;
  unsigned sessions = 0;  ///< exclusive only
  Ticks last_used = 0;
};

/// What NAT made of a session.
struct Translation {
  NatType type = NatType::none;
  std::optional<std::uint16_t> pool;  ///< whose words the session has
  bool hairpin = false;
  std::optional<OwnedPort> port;  ///< owned by the session itself
  Mapping* source = nullptr;      ///< the mapping that its initiator uses
  Mapping* target = nullptr;      ///< the mapping that it was begun towards
  bool inbound = false;           ///< from outside
  Pairing* exclusive = nullptr;
};

/// Why NAT refuses a first packet.
enum class NatWhy : std::uint8_t {
  no_binding,
  filtered,
  flow_limit,
  out_of_ports,
  out_of_addresses,
  parity,
  range,
  paired_out_of_ports,
  port_limit,
  out_of_blocks,
  block_limit,
  no_memory,
  untranslatable,
};

/// One way in which the source may be translated.
struct Choice {
  std::uint16_t pool = 0;
  IpAddress address;
  std::optional<std::uint16_t> port;  ///< none: the host's own
  NatType type = NatType::none;
  Mapping* known = nullptr;  ///< this is what the host's endpoint is mapped to already
};

/// What may become of a first packet.
struct NatPlan {
  std::vector<NatWhy> refused;     ///< it must be refused, for one of these; empty: it must not be
  std::vector<NatWhy> may_refuse;  ///< it may be refused for one of these, although there is another pool
  bool nowhere = false;            ///< and that for its destination
  FlowKey to;                      ///< as it leaves, but for what is chosen
  NatType type = NatType::none;
  std::optional<std::uint16_t> pool;
  bool hairpin = false;
  Mapping* target = nullptr;
  bool chosen = false;  ///< the source is one of the choices
  std::vector<Choice> choices;
  std::vector<FlowKey> taken;   ///< ways whose answers another session gets
  std::optional<Prefix> embed;  ///< the chosen address is embedded in this (RFC 6146 section 3.8)
};

class Nat {
 public:
  explicit Nat(const Cluster& cluster) : cluster_(cluster) {}

  /// What `term` (null: none) does with the first packet of a flow.
  [[nodiscard]] NatPlan plan(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside,
                             Ticks now);
  /// The packet left with `egress`. Takes what was chosen; returns what is illegal about it, or nothing.
  /// All ways in which the packet may leave.
  /// True if a session may leave with another source port than it came with, because nobody owns either.
  [[nodiscard]] static bool may_change_source_port(const NatPlan& plan, const FlowKey& key);
  [[nodiscard]] static std::vector<FlowKey> ways(const NatPlan& plan, const FlowKey& key);
  [[nodiscard]] std::string take(const NatPlan& plan, std::uint16_t service_set, const FlowKey& key, bool inside,
                                 const FlowKey& left, Ticks now, Translation& out);
  /// `ended`: a TCP connection that both ends have closed.
  void release(const Translation& translation, bool ended, Ticks now);
  /// A twin knows when a block was given to its host, not when it became the active one again.
  void take_over(Ticks now);
  /// Tells the model that the twin has received all changes.
  void replicated(Ticks now);
  /// Mappings, pairings and blocks that nobody has used for long enough end.
  void expire(Ticks now);

  /// Owned ports, whoever owns them.
  [[nodiscard]] std::size_t ports() const { return ports_.size(); }
  [[nodiscard]] const std::list<Mapping>& mappings() const { return mappings_; }
  [[nodiscard]] const std::list<Block>& blocks() const { return blocks_; }
  [[nodiscard]] const std::list<Pairing>& pairings() const { return pairings_; }
  [[nodiscard]] std::size_t bindings() const { return mappings_.size() + blocks_.size() + pairings_.size(); }

  /// Empty, or how the record of a binding is wrong.
  [[nodiscard]] std::string compare(const SessionRecord& record, Ticks now) const;

 private:
  struct Owner {
    std::uint16_t pool;
    IpAddress host;
  };
  struct Flags {  ///< what the terms that use a pool say
    bool mapped = false, paired = false, filter_open = false;
    std::vector<Prefix> let_in;
    std::uint32_t flow_limit = 0;
    std::optional<Prefix> nat64_prefix;
    bool addresses = false;  ///< whole addresses are given
    const NatTerm* deterministic = nullptr;
    bool ports = false;
  };

  void plan_destination(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside, NatPlan& plan);
  void plan_external(std::uint16_t service_set, const FlowKey& key, bool inside, NatPlan& plan);
  void plan_source(std::uint16_t service_set, const NatTerm& term, const FlowKey& key, NatPlan& plan, Ticks now);
  /// False: no source out of a pool makes sense.
  [[nodiscard]] bool has_way_back(std::uint16_t service_set, const NatTerm& term, const FlowKey& key,
                                  const FlowKey& to) const;
  /// Choices of one pool; or why there are none.
  [[nodiscard]] std::vector<NatWhy> choices_in(std::uint16_t pool, std::uint16_t service_set, const FlowKey& key,
                                               bool owns_port, Ticks now, std::vector<Choice>& out);
  [[nodiscard]] std::vector<NatWhy> port_choices(std::uint16_t pool, const FlowKey& key, Ticks now,
                                                 std::vector<Choice>& out);
  [[nodiscard]] std::vector<NatWhy> block_choices(std::uint16_t pool, const FlowKey& key,
                                                  const std::vector<IpAddress>& addresses, Ticks now,
                                                  std::vector<Choice>& out);
  /// Adds the free ports of a range of an address that preserve what is to be preserved.
  void add_free(std::uint16_t pool, const FlowKey& key, const IpAddress& address, std::uint32_t first,
                std::uint32_t last, std::vector<Choice>& out, bool& any_free,
                std::vector<const HeldBack*>* held = nullptr) const;

  /// A rule answers the endpoint (port nullopt: one of the address'), so that no host may have it.
  [[nodiscard]] bool reserved(std::uint16_t pool, const IpAddress& address, std::uint8_t protocol,
                              std::optional<std::uint16_t> port) const;
  /// Every address of the pool is answered for the protocol, whatever the port.
  [[nodiscard]] bool all_answered(std::uint16_t pool, std::uint8_t protocol) const;
  [[nodiscard]] Flags flags_of(std::uint16_t service_set, std::uint16_t pool) const;
  /// The pool of the service set that gives this address to hosts.
  [[nodiscard]] std::optional<std::uint16_t> pool_of(std::uint16_t service_set, const IpAddress& external) const;
  [[nodiscard]] Mapping* mapping_of(std::uint16_t pool, std::uint16_t service_set, const FlowKey& key);
  [[nodiscard]] Mapping* mapping_at(const OwnedPort& external);
  [[nodiscard]] Pairing* pairing_of(std::uint16_t pool, const IpAddress& host);
  [[nodiscard]] Block* block_at(std::uint16_t pool, const IpAddress& address, std::uint16_t port);
  [[nodiscard]] std::size_t ports_of(std::uint16_t pool, const IpAddress& host) const;

  [[nodiscard]] std::string take_port(std::uint16_t pool, const IpAddress& host, const OwnedPort& port, Ticks now);
  void release_port(const OwnedPort& port, bool ended, Ticks now);
  void release_mapping(Mapping& mapping, bool inbound, bool ended, Ticks now);
  /// Returns for how long no other host gets what was given back to the pool.
  [[nodiscard]] Ticks hold_of(std::uint16_t pool) const;
  /// Returns what of these words is held now, or null.
  [[nodiscard]] const HeldBack* held_at(std::uint16_t pool, const OwnedPort& what) const;
  void hold_back(std::uint16_t pool, const OwnedPort& what, const IpAddress& host, Ticks now);
  /// `held`: what of it would do. `choices`: what is free, which comes first; `of(h)` is what having `h` allows.
  template <class Of>
  void add_held(const IpAddress& host, const std::vector<const HeldBack*>& held, std::vector<Choice>& choices, Of of) {
    const bool unsure = std::any_of(held.begin(), held.end(), [](const HeldBack* h) { return !h->sure; });
    if (!choices.empty() && !unsure) return;
    const bool none_free = choices.empty();
    const bool own = std::any_of(held.begin(), held.end(), [&](const HeldBack* h) { return h->host == host; });
    Ticks oldest = ~Ticks{0};
    for (const HeldBack* h : held) {
      if (!own || h->host == host) oldest = std::min(oldest, h->since);
    }
    for (const HeldBack* h : held) {
      const bool first = none_free && (!own || h->host == host) && h->since == oldest;
      if (unsure ? (none_free || !h->sure) : first) of(*h);
    }
  }

  const Cluster& cluster_;
  std::map<OwnedPort, Owner> ports_;
  mutable std::map<std::pair<std::uint16_t, std::uint8_t>, bool> all_answered_;
  mutable std::map<std::pair<OwnedPort, bool>, Answered> answered_;
  std::list<Mapping> mappings_;
  std::list<HeldBack> held_;  ///< and what the twin may still hold
  Ticks now_ = 0;             ///< of the last expire()
  std::list<Block> blocks_;
  std::list<Pairing> pairings_;
};

}  // namespace icr::node::test::nat_model
