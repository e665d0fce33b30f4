// What a member of a redundancy set is by the cluster file: its place in the set, its peer, and its timing.
#pragma once

#include "model/cluster.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"
#include "replication/protocol.h"

namespace icr::node {

[[nodiscard]] RoleConfig role_config(const RedundancySet& set, std::uint16_t chassis);
/// `seed` makes the numbers of probes unlike those of other processes.
[[nodiscard]] DetectorConfig detector_config(const RedundancySet& set, std::uint64_t seed);
/// Who sends the messages of this member, and whose messages it accepts.
[[nodiscard]] replication::Header header_of(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                            std::uint64_t boot);
[[nodiscard]] replication::Header header_of_peer(const replication::Header& own);
/// On the inter-chassis network; all zeros in a set that has no peer.
[[nodiscard]] IpAddress address_of_peer(const Cluster& cluster, const RedundancySet& set, std::uint16_t chassis);

}  // namespace icr::node
