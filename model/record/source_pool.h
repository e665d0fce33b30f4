// Which pool the source of a session comes out of.
#pragma once

#include <cstdint>

#include "model/record/session.h"

namespace icr {

/// Returns SessionRecord::nat_pool if that pool gave the session its source. Returns 0 if the source is its own, and
/// the pool (if there is one) is that of the destination: a server's, a static address', a mapping's.
[[nodiscard]] inline StableId source_pool_of(const SessionRecord& record) {
  const IpAddress& before = record.flow[0].source;
  const IpAddress& after = record.flow[1].destination;
  // For NAT64 sessions started from IPv4, the responder sees the IPv4 address embedded in the prefix. That is the same
  // address, not a translation.
  const bool own = record.nat_type == NatType::stateful_nat64 ? before.is_v4() : before == after;
  return own ? 0 : record.nat_pool;
}

}  // namespace icr
