// Fills the table of a shard with translated sessions, for benchmarks of questions.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>

#include "model/config/cluster.h"
#include "node/flow/shard.h"

namespace icr::bench {

/// Puts `sessions` sessions of a service set into the table, with sizes in no order. If there is a pool of the same
/// number, which is 203.0.113.0/26 or one of the next blocks of that size, the service set translates by it. Returns
/// false, and says why, if a session is refused.
inline bool fill(node::Shard& shard, const Cluster& cluster, std::uint16_t service_set, std::uint32_t sessions,
                 TimePoint now) {
  SessionRecord r;
  r.version = 1;
  const bool translated = service_set < cluster.nat_pools.size();
  if (translated) r.nat_type = NatType::napt44;
  r.service_set = cluster.service_sets[service_set].stable_id;
  if (translated) r.nat_pool = cluster.nat_pools[service_set].stable_id;
  r.timeout_s = 30;
  r.has_counters = true;
  const FlowKey key{{}, IpAddress::v4(0xc6130001), 0, 53, ip_protocol::udp};
  r.flow = {key, key};
  for (std::uint32_t i = 0; i < sessions; ++i) {
    r.ref = {i, 1};
    // Ten sessions a host of a million, one pool address for 60,000 of them.
    r.flow[0].source = IpAddress::v4(0xc6120000U + i % 100'000);
    r.flow[0].source_port = static_cast<std::uint16_t>(1024 + i / 100'000);
    r.flow[1] = r.flow[0].mirrored();
    if (translated) {
      r.flow[1].destination = IpAddress::v4(0xcb007100U + 64U * service_set + i / 60'000);
      r.flow[1].destination_port = static_cast<std::uint16_t>(1024 + i % 60'000);
    }
    r.counters[0].bytes = (i * 2'654'435'761ULL) % 4'294'967'291ULL;
    if (shard.apply(r, now) != Applied::created) {
      fmt::print(stderr, "session {} was refused\n", i);
      return false;
    }
  }
  return true;
}

}  // namespace icr::bench
