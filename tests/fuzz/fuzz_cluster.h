// The cluster that fuzz targets run in.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/config/cluster_file.h"

namespace icr::fuzz {

/// How the file of each of these clusters begins: two chassis, whose redundancy set has the service sets that come
/// next.
inline constexpr std::string_view kClusterHead = R"(cluster: fuzz
chassis:
  - name: left
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports: [ { unit: 1, type: tun, device: a }, { unit: 2, type: tun, device: b }, { unit: 3, type: tun, device: c }, { unit: 4, type: tun, device: d } ]
  - name: right
    inter-chassis: { address: 192.0.2.2, port: 7400 }
    query: { address: 192.0.2.2, port: 7300 }
    cards:
      - name: ms-1/0/0
        ports: [ { unit: 1, type: tun, device: a }, { unit: 2, type: tun, device: b }, { unit: 3, type: tun, device: c }, { unit: 4, type: tun, device: d } ]
redundancy-sets:
  - name: rs1
    id: 1
    members: [ { chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-1/0/0, priority: 100 } ]
)";

inline constexpr std::string_view kClusterTail = R"(    service-sets: [cgn, plain]
    max-sessions: 1024
service-sets:
  - { name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [rule], nat-rules: [nat], session-limit: 900 }
  - { name: plain, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: [rule], tcp-non-syn: allow }
stateful-firewall:
  rules:
    - name: rule
      match-direction: input-output
      terms:
        - { name: no, from: { destination-address: [198.19.0.66/32, "2001:db8:19::66/128"] }, then: reject }
        - { name: apps, from: { applications: [web] }, then: accept }
        - { name: all, then: accept }
nat:
  pools: [ { name: pool1, addresses: [203.0.113.0/31], port-range: { low: 2000, high: 2100 } } ]
  rules:
    - name: nat
      match-direction: input
      terms: [ { name: hosts, from: { source-address: [198.18.0.0/16] }, then: { translated: { source-pool: pool1, translation-type: napt-44 } } } ]
applications:
  - { name: web, protocol: tcp, destination-port: 80, inactivity-timeout: 100, application-protocol: http }
timeouts: { inactivity-timeout: 30, fragment-limit: 8, reassembly-timeout: 2 }
)";

/// Returns the cluster whose file begins with kClusterHead and ends with `tail`. What is wrong with it ends the
/// process.
inline Cluster cluster_with(std::string_view tail) {
  auto read = parse_cluster(std::string(kClusterHead).append(tail), "fuzz");
  if (!read) {
    std::fputs(read.error().message.c_str(), stderr);
    std::abort();
  }
  return *read;
}

inline const Cluster& cluster() {
  static const Cluster value = cluster_with(kClusterTail);
  return value;
}

/// An invariant that an input must not break: libFuzzer reports the abort with the input.
inline void require(bool holds, int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "broken in line %d\n", line);
  std::abort();
}

}  // namespace icr::fuzz
