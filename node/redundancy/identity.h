// Derives from the cluster file what a member of a redundancy set is: its place in the set, its peer, and its timing.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config/cluster.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"
#include "replication/protocol.h"

namespace icr::node {

[[nodiscard]] RoleConfig role_config(const RedundancySet& set, std::uint16_t chassis);
/// Returns the detector's timing. `boot` makes the nonces of its probes differ from those of other processes; those of
/// other sets of the process differ as well, because they may have another peer.
/// Returns the timing of a detector that calls no peer dead that both `a` and `b` would tolerate.
[[nodiscard]] DetectorConfig more_patient(const DetectorConfig& a, const DetectorConfig& b);
[[nodiscard]] DetectorConfig detector_config(const Cluster& cluster, std::uint16_t set, std::uint64_t boot);
/// Returns the header of this member's messages.
[[nodiscard]] replication::Header header_of(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                            std::uint64_t boot);
/// Returns the header of the messages that the member accepts: those of its peer.
[[nodiscard]] replication::Header header_of_peer(const Cluster& cluster, std::uint16_t set,
                                                 const replication::Header& own);
/// Returns those of the addresses that the peer told at which only the peer's machine can answer a probe: no group, no
/// loopback or link-local address, and none of this machine's `own`.
[[nodiscard]] std::vector<IpAddress> addresses_to_ask(const std::vector<IpAddress>& told,
                                                      const std::vector<IpAddress>& own);
/// Returns the peer's address on the inter-chassis network, or all zeros in a set that has no peer.
[[nodiscard]] IpAddress address_of_peer(const Cluster& cluster, const RedundancySet& set, std::uint16_t chassis);

}  // namespace icr::node
