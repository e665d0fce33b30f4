// Sessions made from a number, for tests: UDP through NAPT44, every key different for every number.
#pragma once

#include <cstdint>

#include "model/record/protocol.h"
#include "model/record/session.h"

namespace icr::test {

inline SessionRecord udp_session(std::uint32_t number) {
  SessionRecord r;
  const auto inside = IpAddress::v4(0xc6120000U + (number >> 14U & 0xffffU));  // 198.18.0.0/16
  const auto server = IpAddress::v4(0xc6130000U + (number & 0xffU));           // 198.19.0.0/24
  const auto pool = IpAddress::v4(0xcb007100U + (number >> 15U & 0xffU));      // 203.0.113.0/24
  const auto inside_port = static_cast<std::uint16_t>(1024U + (number & 0x3fffU));
  const auto pool_port = static_cast<std::uint16_t>(1024U + (number & 0x7fffU));
  r.flow[0] = FlowKey{inside, server, inside_port, 7, ip_protocol::udp};
  r.flow[1] = FlowKey{server, pool, 7, pool_port, ip_protocol::udp};
  r.nat_type = NatType::napt44;
  r.nat_pool = 1;
  r.policy = 1;
  r.timeout_s = 30;
  r.version = 1;
  return r;
}

}  // namespace icr::test
