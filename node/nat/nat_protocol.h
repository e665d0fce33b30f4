// What a protocol number means to NAT. That depends on the family: 1 is ICMP in IPv4 and 58 is ICMPv6 in IPv6; each of
// them in the other family is a protocol without ports like any other. Whoever asks for ports or identifiers asks here.
#pragma once

#include <cstdint>

#include "model/record/flow_key.h"
#include "model/record/session.h"

namespace icr::node {

/// The protocol that a host of this address family writes, as IPv4 names it; of IPv6's protocol 1, which IPv4 has no
/// name for, that is 58, which has no ports there either.
[[nodiscard]] inline std::uint8_t protocol_in_v4(const IpAddress& host, std::uint8_t protocol) {
  return host.is_v4() ? protocol : protocol_across_families(protocol);
}
[[nodiscard]] inline std::uint8_t protocol_in_v4(const FlowKey& key) {
  return protocol_in_v4(key.source, key.protocol);
}

}  // namespace icr::node
