// The flow engine of a services card: packets in, packets out.
//
// Sans-I/O: packets and the time are arguments, what leaves goes to a PacketSink. It owns nothing but the fragments in
// between and the packets that wait for the peer; sessions are in the shards, one for each redundancy set of the card.
// One thread. Nothing here allocates after construction.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/config/cluster.h"
#include "model/query/service_set_status.h"
#include "node/flow/counters.h"
#include "node/flow/fragments.h"
#include "node/flow/held_packets.h"
#include "node/flow/shard.h"
#include "node/packet/nat64.h"
#include "node/packet/packet.h"
#include "node/packet/plain.h"

namespace icr::node {

/// Takes packets that leave the engine. The packet is valid during the call only; `unit` says where it goes.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  virtual void send(const Packet& packet) = 0;
};

/// What an engine takes from another configuration. Engine::take() leaves the former parts in it.
struct EngineUpdate {
  struct Service {
    const ServiceSet* config = nullptr;
    const Screen* screen = nullptr;      ///< null: none
    std::vector<Prefix> nat64_prefixes;  ///< of its stateful-nat64 terms
    FragmentTable::Limits fragments;
    bool guarded = false;  ///< some session of it may have a guarantee
  };
  std::vector<Service> services;      ///< of the card, in the order of its sets
  std::unique_ptr<HeldPackets> held;  ///< null: no service set has a guarantee, or the engine has one already
};

class Engine {
 public:
  /// `shards`, which must outlive the engine, carry the service sets of one card. `cluster` must outlive it too.
  Engine(const Cluster& cluster, std::vector<Shard*> shards, std::uint64_t seed);

  /// Prepares what the engine takes from `cluster`. REQUIRES: `cluster` is arranged() for the one that the engine runs
  /// with, has the same service sets on this card, and outlives what takes it. Thread: any, while no take() runs.
  [[nodiscard]] EngineUpdate prepare(const Cluster& cluster) const;
  /// Runs with another configuration from now on. REQUIRES: the shards take it as well, before the next packet.
  void take(EngineUpdate& update);

  /// Handles a burst, in order. Buffers are rewritten in place and belong to the caller again afterwards.
  void process(std::span<Packet> burst, TimePoint now, PacketSink& out);

  /// Handles packets that came to the standby, which has relayed them to this chassis: as process() would if they had
  /// come in here by `unit`. Their sessions become asymmetric. What cannot be handled is dropped, and never relayed
  /// again.
  void process_relayed(std::span<Packet> packets, TimePoint now, PacketSink& out);

  /// Looks at the packets that wait until the peer knows what they changed. Sends each whose change the peer has
  /// acknowledged, or that need not wait for that any more. Drops those of a shard that may not act any more. Call it
  /// after each round of the sets.
  void release(TimePoint now, PacketSink& out);
  /// Returns true if packets wait for the peer.
  [[nodiscard]] bool holds_packets() const { return held_ && !held_->empty(); }
  /// Returns when release() is needed if nothing arrives.
  [[nodiscard]] TimePoint next_release() const { return holds_packets() ? held_->next_deadline() : TimePoint::max(); }

  /// Tells whether the worker is late with its packets. If so, existing sessions go on, and none is set up.
  void refuse_new_sessions(bool refuse) { overloaded_ = refuse; }

  /// Forwards test packets with this secret (node/packet/self_test_packet.h) to the other unit of their service set,
  /// whether the shard is active or not. No rule, session or counter of a service set has to do with them.
  void expect_self_tests(std::uint64_t secret) { self_test_secret_ = secret; }

  /// Ages fragments; call now and then (every 100 ms or so).
  void tick(TimePoint now);

  [[nodiscard]] const EngineCounters& counters() const { return counters_; }
  /// Since the start. Null if the service set is not on this card.
  [[nodiscard]] const ServiceSetCounters* counters_of(std::uint16_t service_set) const;
  /// Fills the groups in which the counters of a service set are shown, since they were cleared; nothing if it is not
  /// on this card. `out.groups` must be empty.
  void statistics(std::uint16_t service_set, ServiceSetStatus& out) const;
  /// One group, or all.
  void clear_statistics(std::uint16_t service_set, std::optional<StatisticsGroup> group);

 private:
  /// A service set of the card: what the engine has to know of it, and what it counts for it.
  struct Service : EngineUpdate::Service {
    std::uint16_t index = 0;  ///< in Cluster::service_sets
    ServiceSetCounters counters;
    ServiceSetStatus cleared;  ///< what the counters were when each group was cleared
  };
  /// What a unit of the card means: which service set, which side of it.
  struct UnitBinding {
    std::uint16_t shard = 0;
    std::uint16_t service_set = 0;
    bool inside = false;
    bool screened = false;  ///< packets pass screen() first
    bool guarded = false;   ///< some session of the service set may have a guarantee
    std::uint32_t other_unit = 0;
    Service* service = nullptr;
  };
  /// A packet of the burst between the stages.
  struct Staged {
    Headers headers;
    const UnitBinding* binding = nullptr;  ///< null: dropped already
    std::uint64_t hash = 0;
    /// For a later fragment, the identification that the first one got; empty if it keeps its own.
    std::optional<std::uint16_t> ip_id;
  };
  /// The result of the stages for each packet of the burst.
  struct Look {
    std::uint64_t hash = 0;
    const UnitBinding* binding = nullptr;  ///< null: dropped already
    Shard* shard = nullptr;
    std::uint32_t reference = SessionTable::kNoReference;  ///< the flow to which the packet may belong
    unsigned lines = 0;                                    ///< lines of the session that the packet will touch
    bool plain = false;                                    ///< `headers` describe it, otherwise Staged::headers
    PlainHeaders headers;
  };
  /// A unit, its binding, and its shard if that acts (Shard::acts()).
  struct Arrival {
    std::uint32_t unit;
    const UnitBinding* binding;
    Shard* shard;  ///< null: it does not act
  };
  /// Stands between the engine and the sink while a packet of a guarded service set is handled.
  struct Gate final : public PacketSink {
    explicit Gate(Engine& its_engine) : engine(its_engine) {}
    void send(const Packet& packet) override { engine.guard(packet); }
    Engine& engine;
    PacketSink* out = nullptr;
    const UnitBinding* binding = nullptr;
    TimePoint now;
    std::uint64_t change_before = 0;   ///< PeerCopy::last_change() when the packet came
    std::uint64_t created_before = 0;  ///< sessions that the engine had set up then
  };
  /// Packets of our own in the current second, so that nobody makes us a reflector.
  struct Budget {
    Ticks since = 0;
    std::uint32_t used = 0;
  };

  /// Returns what the engine needs to hold packets if it needs it and does not have it; otherwise null.
  [[nodiscard]] std::unique_ptr<HeldPackets> memory_for(bool guarded) const;
  [[nodiscard]] Service* service_of(std::uint16_t service_set);
  [[nodiscard]] const Service* service_of(std::uint16_t service_set) const;
  [[nodiscard]] const UnitBinding* binding_of(std::uint32_t unit) const;
  [[nodiscard]] Arrival arrival_of(std::uint32_t unit, TimePoint now) const;
  /// Stage 1: reads headers, hashes the key, and prefetches its bucket of the index.
  void read(std::span<Packet> burst, TimePoint now);
  /// Does the same for one packet with any headers. Returns false if it was dropped.
  [[nodiscard]] bool read_whole(Packet& packet, const Arrival& arrival, const SessionTable& table, Ticks now,
                                Look& look, Staged& staged);
  /// Does the same for a packet whose shard does not act.
  void read_passive(Packet& packet, const Arrival& arrival, TimePoint now, Look& look, Staged& staged);
  /// Stage 2: looks into the index, and prefetches sessions. The number of packets, noted in firsts_, that seem to have
  /// none.
  [[nodiscard]] std::size_t look_up(std::size_t count);
  /// For those: asks for what their set-up will need.
  void look_ahead(std::size_t firsts, Ticks now);
  /// Stage 3 for a plain packet: forwards it if it is an ordinary one of the session it seemed to be of. False: nothing
  /// was done.
  [[nodiscard]] bool forward_plain(Packet& packet, const Look& look, Ticks now, PacketSink& out);
  /// Relays a packet whose shard does not act to the master, or drops it. Returns false, and does neither, if it is to
  /// be handled here: it is of a session in the grace after this chassis ceased to be master, or a test packet.
  [[nodiscard]] bool relay_or_drop(const Packet& packet, const UnitBinding& binding, TimePoint now);
  /// Puts the headers of a plain packet where handle() looks for them.
  static void unfold(Packet& packet, const Look& look, Staged& staged);
  /// Stage 3 of a burst in which a service set is guarded.
  void process_guarded(std::span<Packet> part, TimePoint now, PacketSink& out);
  /// Sends a packet of a guarded service set, or has it wait for the peer.
  void guard(const Packet& packet);
  /// Returns why a packet of this length may not change the state of a session now; Drop::count: it may. REQUIRES: the
  /// shard is active.
  [[nodiscard]] Drop refuse_change(const UnitBinding& binding, Guarantee guarantee, std::uint32_t length) const;
  /// Stage 3 of one packet while its shard awaits the first packet of a former session.
  void handle_awaiting(Packet& packet, const Look& look, Staged& staged, Ticks now, PacketSink& out);
  /// Stage 3 of a burst while a shard awaits the first packet of a former session.
  void process_awaiting(std::span<Packet> part, Ticks now, PacketSink& out);
  /// Returns true if a packet with these headers belongs to a session for which Shard::is_former() holds.
  [[nodiscard]] static bool is_former(const Look& look, const Headers& headers);
  void handle(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  [[nodiscard]] bool is_self_test(const Packet& packet) const;
  void pass_self_test(Packet& packet, Staged& staged, PacketSink& out);
  void handle_later_fragment(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  /// No session: tries to set one up.
  void handle_first(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  void handle_icmp_error(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  /// Follows and forwards a packet of a live session, or drops it. False: its session is over, and the packet opens a
  /// new one.
  [[nodiscard]] bool forward(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out);
  /// Translates a packet and sends it; a first fragment takes those that waited for it along.
  void pass_on(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out);
  void resolve_fragments(const Headers& first, std::uint32_t ingress, const Staged& staged, FlowRef flow, Ticks now,
                         PacketSink& out);
  /// Gives a packet whose source becomes that of `to` a new identification, if it needs one.
  void renumber(Staged& staged, const FlowKey& to);
  void emit(Packet& packet, std::uint32_t unit, PacketSink& out);

  // -- Drops, screens and answers (engine_checks.cpp) --

  void drop(const UnitBinding& binding, Drop reason, std::uint64_t packets = 1);
  /// A packet that cannot be read.
  void drop(const UnitBinding& binding, HeaderError error);
  /// Drops a packet. If it is a first fragment, the others of its packet are dropped as well, whenever they come.
  void drop_packet(const Packet& packet, const Staged& staged, Drop reason, Ticks now);
  void drop_fragment(const Packet& packet, const Staged& staged, FragmentTable::Verdict verdict, Ticks now);
  /// Drops the other fragments of a packet that is refused.
  void refuse_fragments(const UnitBinding& binding, const Headers& headers, std::uint32_t unit, Ticks now);
  /// Returns the reason if the checksum of a packet that would change the state of a session is wrong, because its
  /// receiver drops it (RFC 9293 section 3.1, RFC 7857 section 2.2). Returns Drop::count if the checksum is right or
  /// cannot be verified: in fragments, and where a kernel has yet to complete it.
  [[nodiscard]] static Drop damage(const Packet& packet, const Headers& headers);
  /// What the service set's screen says of a packet that is readable; Drop::count: nothing.
  [[nodiscard]] static Drop screen(const Screen& screen, const Headers& headers);
  /// A TCP packet without session that is not a SYN.
  void count_first(const UnitBinding& binding, const Headers& headers);
  /// Tells the sender of a rejected packet (RST, or ICMP administratively prohibited), within a rate limit.
  void reject(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out);
  /// Answers a host inside whose session is refused (ServiceSet::session_refusal), if `reason` is that a resource is
  /// used up or a limit is reached (RFC 5508 REQ-8). These answers have a rate limit of their own.
  void refuse(const Packet& packet, const Staged& staged, Drop reason, Ticks now, PacketSink& out);
  /// Sends the answer of both functions above: a RST or an ICMP error.
  void answer(const Packet& packet, const Staged& staged, bool reset, PacketSink& out);
  [[nodiscard]] bool take(Budget& budget, std::uint32_t limit, Ticks now);
  /// Lowers the segment size that a SYN announces, if the service set or NAT64 requires it.
  void limit_segments(const UnitBinding& binding, const Headers& headers, const Session& session, Direction direction);

  // -- NAT64 and ICMP errors (engine_nat64.cpp) --

  [[nodiscard]] Nat64Options nat64_options(const UnitBinding& binding);
  /// Makes it a packet of the other family and sends it. False: it was dropped, and the sender told.
  [[nodiscard]] bool send_nat64(const Packet& packet, const Staged& staged, const FlowKey& to, std::uint32_t unit,
                                Ticks now, PacketSink& out);
  void tell_nat64_sender(const Packet& packet, const Staged& staged, Nat64 reason, Ticks now, PacketSink& out);
  /// Drops an IPv4 packet with a source route (RFC 7126 sections 4.3 and 4.4). Its sender is told only if the packet
  /// belongs to a session of NAT64 (RFC 7915 section 4.1).
  void refuse_source_route(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out);
  /// Who an ICMP error comes from, as its receiver shall see it.
  [[nodiscard]] static IpAddress error_source(const UnitBinding& binding, const Headers& headers,
                                              const Session& session, Direction direction);

  static constexpr std::size_t kStageSize = 64;
  static constexpr std::uint32_t kNoSlot = std::numeric_limits<std::uint32_t>::max();

  std::vector<Shard*> shards_;
  std::vector<Service> services_;
  std::vector<UnitBinding> bindings_;
  std::vector<std::uint16_t> binding_at_;  ///< by unit: index in bindings_ + 1; 0 for none
  FragmentTable fragments_;
  std::vector<Staged> staged_;
  std::array<Look, kStageSize> looks_;
  std::array<std::size_t, kStageSize> again_{};   ///< those of looks_ that have no candidate in the first bucket
  std::array<std::size_t, kStageSize> firsts_{};  ///< those that have none at all
  std::array<std::optional<Shard::PredictedSetUp>, kStageSize> predicted_{};
  std::vector<std::uint8_t> scratch_;  ///< packets of our own: RST, ICMP, IPv6 fragments
  EngineCounters counters_;
  Ticks last_expiry_ = 0;
  bool overloaded_ = false;
  bool handles_relayed_ = false;       ///< the present packet came to the standby
  bool awaiting_ = false;              ///< a shard of the present burst awaits the first packet of a former session
  bool guarded_ = false;               ///< a service set of the present burst is guarded, and its shard active
  std::unique_ptr<HeldPackets> held_;  ///< null: no service set has had a guarantee yet
  Gate gate_{*this};
  std::uint32_t leaving_ = kNoSlot;  ///< the session of the packet that is sent; none for an answer of the engine
  std::optional<std::uint64_t> self_test_secret_;
  Budget rejects_;
  Budget refusals_;
  Budget errors_;
  std::uint16_t ipv4_id_ = 0;  ///< of the next packet out of IPv6
};

}  // namespace icr::node
