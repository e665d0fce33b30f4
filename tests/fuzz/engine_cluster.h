// The cluster of the engine's fuzzer: every kind of NAT, each for its own hosts.
#pragma once

#include <string_view>

#include "tests/fuzz/fuzz_cluster.h"

namespace icr::fuzz {

inline constexpr std::string_view kEngineClusterTail = R"(    service-sets: [cgn, six]
    max-sessions: 1024
service-sets:
  - { name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [rule], nat-rules: [out, in], session-limit: 200, tcp-mss: 1300, tcp-non-syn: drop-flow-send-rst, screen: edge }
  - { name: six, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: [rule], nat-rules: [six], tcp-mss: 1400, nat-options: { stateful-nat64: { ipv6-mtu: 1300, clear-dont-fragment-bit: yes } } }
stateful-firewall:
  rules:
    - name: rule
      match-direction: input-output
      terms:
        - { name: no, from: { destination-address: [198.19.0.4/32, "2001:db8:19::4/128"] }, then: reject }
        - { name: all, then: accept }
nat:
  pools:
    - { name: ports, address: 203.0.113.0/31, port: { range: { low: 2000, high: 2100 } } }
    - { name: eim, address: 203.0.113.2/31, port: { range: { low: 2000, high: 2100 } } }
    - { name: blocks, address: 203.0.113.4/31, port: { range: { low: 2000, high: 2127 }, secured-port-block-allocation: { block-size: 16, max-blocks-per-address: 2 } } }
    - { name: addresses, address: 203.0.113.8/31 }
    - { name: overload, address: 203.0.113.10/32, port: { range: { low: 2000, high: 2100 } } }
    - { name: fixed, address: 203.0.113.12/31, port: { range: { low: 2000, high: 2063 }, deterministic-port-block-allocation: { block-size: 16, include-boundary-addresses: yes } } }
    - { name: sixfour, address: 203.0.113.14/31, port: { range: { low: 2000, high: 2100 } } }
    - { name: servers, address: 198.18.0.1/32 }
    - { name: faraway, address: 198.19.0.1/32 }
  rules:
    - name: out
      match-direction: input
      terms:
        - { name: one, from: { source-address: 198.18.0.1/32 }, then: { translated: { source-pool: ports, translation-type: napt-44 } } }
        - { name: two, from: { source-address: 198.18.0.2/31 }, then: { translated: { source-pool: eim, translation-type: napt-44, address-pooling: paired, mapping-type: endpoint-independent, filtering-type: endpoint-independent } } }
        - { name: three, from: { source-address: 198.18.0.4/31 }, then: { translated: { source-pool: blocks, translation-type: napt-44 } } }
        - { name: four, from: { source-address: 198.18.0.6/31 }, then: { translated: { source-pool: addresses, overload-pool: overload, translation-type: dynamic-nat44 } } }
        - { name: five, from: { source-address: 198.18.0.8/31 }, then: { translated: { source-prefix: 203.0.113.16/31, translation-type: basic-nat44 } } }
        - { name: six, from: { source-address: 198.18.0.10/31 }, then: { translated: { source-pool: fixed, translation-type: deterministic-napt44 } } }
        - { name: seven, from: { source-address: 198.18.0.12/32, destination-address: 203.0.113.80/32 }, then: { translated: { source-pool: ports, destination-pool: faraway, translation-type: twice-napt-44 } } }
    - name: in
      match-direction: output
      terms:
        - { name: servers, from: { destination-address: 203.0.113.81/32 }, then: { translated: { destination-pool: servers, translation-type: dnat-44 } } }
    - name: six
      match-direction: input
      terms:
        - { name: nat64, from: { destination-address: "2001:db8:64::/96" }, then: { translated: { source-pool: sixfour, destination-prefix: "2001:db8:64::/96", translation-type: stateful-nat64 } } }
        - { name: npt, from: { source-address: "2001:db8:18::/48" }, then: { translated: { source-prefix: "2001:db8:99::/48", translation-type: nptv6 } } }
screens:
  - { name: edge, tcp: { winnuke: yes, land: yes, syn-frag: yes }, icmp: { large: yes }, ip: { bad-option: yes, source-route-option: yes, tear-drop: yes } }
timeouts: { inactivity-timeout: 30, fragment-limit: 8, reassembly-timeout: 2 }
)";

inline const Cluster& engine_cluster() {
  static const Cluster value = cluster_with(kEngineClusterTail);
  return value;
}

}  // namespace icr::fuzz
