// A whole cluster file around pools and NAT terms.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "model/config/cluster_file.h"

namespace icr {

inline std::string text_of(std::string_view pools, std::string_view terms, std::string_view service_options = "",
                           std::string_view top = "") {
  return fmt::format(R"(cluster: lab
chassis:
  - name: left
    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}
    query: {{ address: 127.0.0.1, port: 7300 }}
    cards:
      - name: ms-0/0/0
        workers: 4
        ports:
          - {{ unit: 1, type: tun, device: a1 }}
          - {{ unit: 2, type: tun, device: a2 }}
service-sets:
  - name: cgn
    interface: {{ chassis: left, card: ms-0/0/0 }}
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: all
    nat-rules: nat
{}
stateful-firewall:
  rules: [{{ name: all, match-direction: input-output, terms: [{{ name: all, then: accept }}] }}]
nat:
  pools:
{}
  rules:
    - name: nat
      match-direction: input
      terms:
{}
{}
)",
                     service_options, pools, terms, top);
}

/// The test fails when the file is refused.
inline Cluster parsed(const std::string& text) {
  auto cluster = parse_cluster(text, "f");
  EXPECT_TRUE(cluster.has_value()) << (cluster ? "" : cluster.error().message);
  return cluster ? *std::move(cluster) : Cluster{};
}

}  // namespace icr
