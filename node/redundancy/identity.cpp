#include "node/redundancy/identity.h"

namespace icr::node {

RoleConfig role_config(const RedundancySet& set, std::uint16_t chassis) {
  RoleConfig config;
  config.stand_alone = set.stand_alone();
  config.preempt = set.preempt;
  config.hold_time = set.hold_time;
  for (std::size_t i = 0; i < set.members.size(); ++i) {
    if (set.members[i].chassis != chassis) continue;
    config.index = static_cast<std::uint8_t>(i);
    config.priority = set.members[i].priority;
  }
  return config;
}

replication::Header header_of(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis, std::uint64_t boot) {
  replication::Header header;
  header.cluster_digest = cluster.digest;
  header.boot = boot;
  header.set = set;
  header.member = role_config(cluster.redundancy_sets[set], chassis).index;
  return header;
}

replication::Header header_of_peer(const replication::Header& own) {
  replication::Header header = own;
  header.member = own.member == 0 ? 1 : 0;
  return header;
}

DetectorConfig detector_config(const RedundancySet& set, std::uint64_t seed) {
  return {set.heartbeat_interval, set.heartbeat_count, set.longest_silence(), seed};
}

/// Where the peer's machine answers in any case; not to be asked in a set that has no peer.
IpAddress address_of_peer(const Cluster& cluster, const RedundancySet& set, std::uint16_t chassis) {
  for (const auto& member : set.members) {
    if (member.chassis != chassis) return cluster.chassis[member.chassis].inter_chassis_address;
  }
  return {};
}

}  // namespace icr::node
