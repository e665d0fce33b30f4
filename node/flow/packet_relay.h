// Where packets go that came to a chassis whose shard does not act, so that the master handles them.
#pragma once

#include <cstdint>

#include "node/packet/packet.h"

namespace icr::node {

/// Thread: the one that owns the shard.
class PacketRelay {
 public:
  enum class Outcome : std::uint8_t {
    off,         ///< the configuration says that such packets are dropped
    relayed,     ///< it is on its way to the master, or will be lost on that way
    no_master,   ///< the peer is not the master that this standby follows, or takes no packets
    queue_full,  ///< packets come faster than the inter-chassis link takes them
  };
  virtual ~PacketRelay() = default;
  /// Relays a packet that came in by the inside (or outside) unit of a service set, an index into
  /// Cluster::service_sets. Does not keep the packet.
  [[nodiscard]] virtual Outcome relay(std::uint16_t service_set, bool inside, const Packet& packet) = 0;
};

}  // namespace icr::node
