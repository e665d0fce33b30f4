#include "node/redundancy/identity.h"

#include <algorithm>
#include <iterator>

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
  header.cluster_digest = cluster.digest_for_peers(set);
  header.boot = boot;
  header.cluster = cluster.stable_id;
  header.set = cluster.redundancy_sets[set].stable_id;
  header.sender = cluster.chassis[chassis].stable_id;
  header.member = role_config(cluster.redundancy_sets[set], chassis).index;
  return header;
}

replication::Header header_of_peer(const Cluster& cluster, std::uint16_t set, const replication::Header& own) {
  replication::Header header = own;
  header.member = own.member == 0 ? 1 : 0;
  const auto& members = cluster.redundancy_sets[set].members;
  if (header.member < members.size()) header.sender = cluster.chassis[members[header.member].chassis].stable_id;
  return header;
}

DetectorConfig detector_config(const Cluster& cluster, std::uint16_t set, std::uint64_t boot) {
  const RedundancySet& config = cluster.redundancy_sets[set];
  return {config.heartbeat_interval, config.heartbeat_count, config.longest_silence(), boot + set};
}

DetectorConfig more_patient(const DetectorConfig& a, const DetectorConfig& b) {
  DetectorConfig out = b;
  out.interval = std::max(a.interval, b.interval);
  const Duration floor = std::max(a.interval * a.count, b.interval * b.count);
  out.count = static_cast<std::uint32_t>((floor + out.interval - Duration(1)) / out.interval);
  out.limit = std::max(a.limit, b.limit);
  return out;
}

/// Where the peer's machine answers in any case; not to be asked in a set that has no peer.
IpAddress address_of_peer(const Cluster& cluster, const RedundancySet& set, std::uint16_t chassis) {
  for (const auto& member : set.members) {
    if (member.chassis != chassis) return cluster.chassis[member.chassis].inter_chassis_address;
  }
  return {};
}

std::vector<IpAddress> addresses_to_ask(const std::vector<IpAddress>& told, const std::vector<IpAddress>& own) {
  const auto belongs_to_one_peer = [&own](const IpAddress& address) {
    if (std::find(own.begin(), own.end(), address) != own.end()) return false;
    if (address.is_v4()) {
      const std::uint32_t first = address.to_v4() >> 24;
      return first != 0 && first != 127 && first < 224;  // RFC 6890: this network, loopback; multicast, broadcast
    }
    const bool link_local = address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    const bool multicast = address.bytes[0] == 0xff;
    // ::, ::1 and addresses that carry IPv4 in other ways
    const bool reserved = std::all_of(address.bytes.begin(), address.bytes.begin() + 10, [](auto b) { return b == 0; });
    return !link_local && !multicast && !reserved;
  };
  std::vector<IpAddress> out;
  std::copy_if(told.begin(), told.end(), std::back_inserter(out), belongs_to_one_peer);
  return out;
}

}  // namespace icr::node
