// What the NAT of a shard (nat_state.h) takes, gives and tells: values, and what it needs of the shard.
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/counters.h"
#include "model/record/flow_key.h"
#include "model/record/session.h"

namespace icr::node {

/// Why a flow cannot be translated.
enum class NatRefusal : std::uint8_t {
  none,
  no_binding,  ///< to an external address, and nothing there waits for it
  filtered,    ///< to a mapping that does not let this sender in (RFC 4787 section 5)
  flow_limit,  ///< eif-flow-limit of the mapping
  out_of_ports,
  out_of_blocks,  ///< of a pool with port blocks: no block is left, and the host's own have no port
  out_of_addresses,
  parity,
  range,
  paired_out_of_ports,  ///< none on the address that the host is paired with
  port_limit,           ///< limit-ports-per-host
  block_limit,          ///< max-blocks-per-address: the host's blocks are full
  subscriber_limit,     ///< max-sessions-per-subscriber
  no_memory,            ///< no row for another binding
  untranslatable,       ///< no address or protocol that the translation knows
};

/// A session as NAT sees it: its keys say what it holds.
struct NatSession {
  FlowKey initiator;
  FlowKey responder;
  NatType type = NatType::none;
  std::uint16_t pool = 0;  ///< index + 1
  std::uint16_t service_set = 0;
  bool initiated_outside = false;
  bool ended = false;  ///< a TCP connection that both ends know to be over (RFC 6888 REQ-8 A); asked at the end only
};

/// What translate() made of a first packet.
struct NatResult {
  NatRefusal refused = NatRefusal::none;
  NatType type = NatType::none;
  std::uint16_t pool = 0;   ///< index + 1
  bool hairpin = false;     ///< the responder is on the initiator's side
  bool to_mapping = false;  ///< the packet was for the external endpoint of a mapping
  FlowKey responder;        ///< as its packets will arrive
};

/// A block of ports was given to a host, or came back.
struct BlockEvent {
  bool allocated = false;
  std::uint16_t pool = 0;
  std::uint16_t service_set = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
  std::uint32_t external = 0;  ///< IPv4, host order
  IpAddress host;
};

/// What NAT needs of the shard. Called in the middle of a packet.
class NatOutput {
 public:
  virtual ~NatOutput() = default;
  /// Peer and disk must learn of the row.
  virtual void binding_changed(std::uint32_t row) = 0;
  /// Call due() for the row at `deadline`.
  virtual void arm_binding(std::uint32_t row, Ticks deadline) = 0;
};

/// Bindings, as peers and checkpoints bring them and as activation finds them.
struct NatCounters {
  std::uint64_t bindings_created = 0;  ///< by a peer or a checkpoint
  std::uint64_t bindings_updated = 0;
  std::uint64_t bindings_deleted = 0;
  std::uint64_t bindings_refused = 0;      ///< not of this configuration: pool, block boundaries, host, ports
  std::uint64_t bindings_conflicting = 0;  ///< owned by another, by a fact of a higher term
  std::uint64_t bindings_displaced = 0;    ///< another binding took its endpoint or its host
  std::uint64_t bindings_swept = 0;        ///< not named in a pass
  std::uint64_t adopted = 0;               ///< at activation: a session's binding was missing, and was made again
  std::uint64_t hairpins = 0;
  std::uint64_t other_source_ports = 0;  ///< sessions that leave with another source port, so that answers find them
  void append_to(CounterList& out) const;
};

/// Whose block of ports is asked for: that of `host`; or those of `translated` (one with a `port`); neither: those of
/// all hosts. The answer begins at the `first`-th of them.
struct DeterministicQuestion {
  std::optional<IpAddress> host;
  std::optional<IpAddress> translated;
  std::optional<std::uint16_t> port;
  std::uint32_t first = 0;
  std::uint32_t most = 1024;  ///< blocks that are looked at
};

}  // namespace icr::node
