// Derives from the cluster file what a member of a redundancy set is: its place in the set, its peer, and its timing.
#pragma once

#include "model/cluster.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"
#include "replication/protocol.h"

namespace icr::node {

[[nodiscard]] RoleConfig role_config(const RedundancySet& set, std::uint16_t chassis);
/// Returns the detector's timing. `seed` makes the nonces of probes differ from those of other processes.
[[nodiscard]] DetectorConfig detector_config(const RedundancySet& set, std::uint64_t seed);
/// Returns the header of this member's messages, and below that of the messages that it accepts.
[[nodiscard]] replication::Header header_of(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                            std::uint64_t boot);
[[nodiscard]] replication::Header header_of_peer(const replication::Header& own);
/// Returns the peer's address on the inter-chassis network, or all zeros in a set that has no peer.
[[nodiscard]] IpAddress address_of_peer(const Cluster& cluster, const RedundancySet& set, std::uint16_t chassis);

}  // namespace icr::node
