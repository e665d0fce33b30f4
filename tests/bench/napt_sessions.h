// A redundancy set with one pool, and NAPT44 sessions of it, for benchmarks of replication and storage.
#pragma once

#include "model/config/cluster.h"
#include "model/record/session.h"

namespace icr::bench {

/// Returns a cluster with service set `s`, pool `p` and redundancy set `rs`, which has no members yet.
inline Cluster napt_cluster() {
  Cluster out;
  out.name = "bench";
  out.digest = 1;
  NatPool pool;
  pool.name = "p";
  pool.addresses = {AddressRange::of(Prefix::of(IpAddress::v4(0xcb007100), 24))};
  out.nat_pools.push_back(pool);
  NatRule rule;
  rule.name = "r";
  NatTerm term;
  term.type = NatType::napt44;
  term.source_pools = {0};
  rule.terms.push_back(term);
  out.nat_rules.push_back(rule);
  ServiceSet service;
  service.name = "s";
  service.nat_rules = {0};
  out.service_sets.push_back(service);
  RedundancySet set;
  set.name = "rs";
  set.id = 1;
  set.service_sets = {0};
  set.max_sessions = 1U << 20U;
  out.redundancy_sets.push_back(set);
  return out;
}

/// Returns session `i` of the pool, which is less than 1,000,000. It has no counters.
inline SessionRecord napt_session(std::uint32_t i, bool tcp) {
  SessionRecord r;
  r.ref = {i, 1};
  r.version = 1;
  FlowKey& out = r.flow[0];
  out.source = IpAddress::v4(0xc6120000U + i / 16);
  out.destination = IpAddress::v4(0xc0000200U + i % 250);
  out.source_port = static_cast<std::uint16_t>(1024 + i % 50000);
  out.destination_port = tcp ? 443 : 53;
  out.protocol = tcp ? ip_protocol::tcp : ip_protocol::udp;
  r.flow[1] = out.mirrored();
  r.flow[1].destination = IpAddress::v4(0xcb007100U + i / 60000);
  r.flow[1].destination_port = static_cast<std::uint16_t>(2000 + i % 60000);
  r.nat_type = NatType::napt44;
  r.service_set = stable_id(Named::service_set, "s");
  r.nat_pool = stable_id(Named::nat_pool, "p");
  r.timeout_s = 3600;
  r.has_tcp = tcp;
  if (tcp) {
    r.tcp_state = TcpState::established;
    r.tcp[0] = r.tcp[1] = TcpWindow{i, i + 65535, 65535, 7, kTcpWindowKnown};
  }
  return r;
}

}  // namespace icr::bench
