// The flow engine of a services card: packets in, packets out.
//
// Sans-I/O: packets and the time are arguments, what leaves goes to a PacketSink. It owns nothing but the fragments in
// between; sessions are in the shards, one for each redundancy set of the card. One thread. Nothing here allocates
// after construction.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "model/cluster.h"
#include "node/flow/counters.h"
#include "node/flow/fragments.h"
#include "node/flow/shard.h"
#include "node/packet/packet.h"
#include "node/packet/plain.h"

namespace icr::node {

/// Takes packets that leave the engine. The packet is valid during the call only; `unit` says where it goes.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  virtual void send(const Packet& packet) = 0;
};

class Engine {
 public:
  /// `shards`, which must outlive the engine, carry the service sets of one card. `limits` are the card's fragment
  /// limits.
  Engine(const Cluster& cluster, std::vector<Shard*> shards, const Timeouts& limits, std::uint64_t seed);

  /// Handles a burst, in order. Buffers are rewritten in place and belong to the caller again afterwards.
  void process(std::span<Packet> burst, TimePoint now, PacketSink& out);

  /// Ages fragments; call now and then (every 100 ms or so).
  void tick(TimePoint now);

  [[nodiscard]] const EngineCounters& counters() const { return counters_; }

 private:
  /// What a unit of the card means: which service set, which side of it.
  struct Binding {
    std::uint16_t shard = 0;
    std::uint16_t service_set = 0;
    bool inside = false;
    std::uint32_t other_unit = 0;
  };
  /// A packet of the burst between the stages.
  struct Staged {
    Headers headers;
    const Binding* binding = nullptr;  ///< null: dropped already
    std::uint64_t hash = 0;
  };

  /// What the stages hand on of each packet.
  struct Look {
    std::uint64_t hash = 0;
    const Binding* binding = nullptr;  ///< null: dropped already
    Shard* shard = nullptr;
    std::uint32_t reference = SessionTable::kNoReference;  ///< the flow that it may be of
    unsigned lines = 0;                                    ///< of the session, that it will touch
    bool plain = false;                                    ///< `headers` describe it, otherwise Staged::headers
    PlainHeaders headers;
  };
  /// A unit and what it means now.
  struct Arrival {
    std::uint32_t unit;
    const Binding* binding;
    Shard* shard;  ///< null: not active
  };

  [[nodiscard]] const Binding* binding_of(std::uint32_t unit) const;
  [[nodiscard]] Arrival arrival_of(std::uint32_t unit) const;
  /// Stage 1: reads headers, hashes, and asks for the index.
  void read(std::span<Packet> burst);
  /// Stage 2: looks into the index, and asks for sessions.
  void look_up(std::size_t count);
  /// Stage 3 for a plain packet: forwards it if it is an ordinary one of the session it seemed to be of. False: nothing
  /// was done.
  [[nodiscard]] bool forward_plain(Packet& packet, const Look& look, Ticks now, PacketSink& out);
  void handle(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  void handle_later_fragment(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  void handle_icmp_error(Packet& packet, Staged& staged, Ticks now, PacketSink& out);
  /// Follows and forwards a packet of a live session, or drops it. False: its session is over, and the packet opens a
  /// new one.
  [[nodiscard]] bool forward(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out);
  /// Translates a packet and sends it; a first fragment takes those that waited for it along.
  void pass_on(Packet& packet, Staged& staged, FlowRef flow, Ticks now, PacketSink& out);
  void emit(Packet& packet, std::uint32_t unit, PacketSink& out);
  void drop_packet(const Packet& packet, const Staged& staged, Drop reason);
  /// Tells the sender of a rejected packet (RST, or ICMP administratively prohibited), within a rate limit.
  void reject(const Packet& packet, const Staged& staged, Ticks now, PacketSink& out);

  static constexpr std::size_t kStageSize = 64;

  std::vector<Shard*> shards_;
  std::vector<Binding> bindings_;
  std::vector<std::uint32_t> binding_units_;
  FragmentTable fragments_;
  std::vector<Staged> staged_;
  std::array<Look, kStageSize> looks_;
  std::array<std::size_t, kStageSize> again_{};  ///< those of looks_ that have no candidate in the first bucket
  std::vector<std::uint8_t> scratch_;            ///< packets of our own: RST, ICMP
  EngineCounters counters_;
  Ticks last_expiry_ = 0;
  Ticks reject_tick_ = 0;
  std::uint32_t rejects_this_second_ = 0;
};

}  // namespace icr::node
