// Types of the NAT of a shard (nat_state.h): the values that it takes and returns, and the interface that it needs.
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/counters.h"
#include "model/record/flow_key.h"
#include "model/record/session.h"

namespace icr::node {

/// The reason why a flow cannot be translated.
enum class NatRefusal : std::uint8_t {
  none,
  no_binding,  ///< sent to an external address without mapping or rule
  filtered,    ///< sent to a mapping that does not admit this sender (RFC 4787 section 5)
  flow_limit,  ///< eif-flow-limit of the mapping
  out_of_ports,
  out_of_blocks,  ///< in a pool with port blocks: no block is left, and the blocks of the host have no port
  out_of_addresses,
  parity,
  range,
  paired_out_of_ports,  ///< none on the address that the host is paired with
  port_limit,           ///< limit-ports-per-host
  block_limit,          ///< max-blocks-per-address: the host's blocks are full
  subscriber_limit,     ///< max-sessions-per-subscriber
  no_memory,            ///< no row for another binding
  untranslatable,       ///< the translation does not support this address or protocol
};

/// A session as NAT sees it: its keys determine what it holds.
struct NatSession {
  FlowKey initiator;
  FlowKey responder;
  NatType type = NatType::none;
  std::uint16_t pool = 0;  ///< index + 1
  std::uint16_t service_set = 0;
  bool initiated_outside = false;
  bool ended = false;  ///< a TCP connection that both ends know to be over (RFC 6888 REQ-8 A); asked at the end only
};

/// The result of translate() for a first packet.
struct NatResult {
  NatRefusal refused = NatRefusal::none;
  NatType type = NatType::none;
  std::uint16_t pool = 0;   ///< index + 1
  bool hairpin = false;     ///< the responder is on the initiator's side
  bool to_mapping = false;  ///< the packet was for the external endpoint of a mapping
  FlowKey responder;        ///< as its packets will arrive
};

/// A block of ports was allocated to a host, or released.
struct BlockEvent {
  bool allocated = false;
  std::uint16_t pool = 0;
  std::uint16_t service_set = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
  std::uint32_t external = 0;  ///< IPv4, host order
  IpAddress host;
};

/// The functions of the shard that NAT calls, in the middle of the processing of a packet.
class NatOutput {
 public:
  virtual ~NatOutput() = default;
  /// Marks the row as changed, for peer and disk.
  virtual void binding_changed(std::uint32_t row) = 0;
  /// Requests a call of due() for the row at `deadline`.
  virtual void arm_binding(std::uint32_t row, Ticks deadline) = 0;
};

/// Counts bindings that peers and checkpoints bring, and that activation finds.
struct NatCounters {
  std::uint64_t bindings_created = 0;  ///< created by a record of a peer or of a checkpoint
  std::uint64_t bindings_updated = 0;
  std::uint64_t bindings_deleted = 0;
  std::uint64_t bindings_refused = 0;      ///< contradict the configuration: pool, block boundaries, host or ports
  std::uint64_t bindings_conflicting = 0;  ///< refused because another host owns it by a record of a higher term
  std::uint64_t bindings_displaced = 0;    ///< another binding took its endpoint or its host
  std::uint64_t bindings_swept = 0;        ///< removed because a pass did not name them
  std::uint64_t adopted = 0;  ///< bindings that a session lacked at activation, and that were created again
  std::uint64_t hairpins = 0;
  std::uint64_t other_source_ports = 0;  ///< sessions that leave with another source port, so that answers find them
  void append_to(CounterList& out) const;
};

/// Selects deterministic blocks: the block of `host`, or the blocks on the address `translated` (only the one that
/// contains `port`, if that is set). With neither, the blocks of all hosts. The answer begins at block number `first`
/// of these.
struct DeterministicQuestion {
  std::optional<IpAddress> host;
  std::optional<IpAddress> translated;
  std::optional<std::uint16_t> port;
  std::uint32_t first = 0;
  std::uint32_t most = 1024;  ///< number of blocks that are examined at most
};

}  // namespace icr::node
