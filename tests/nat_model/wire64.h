// What a packet of one family is in the other (RFC 7915), field by field.
#pragma once

#include <optional>

#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {

/// The packet with the key `to`, of the other family. The identification of an IPv4 packet is not known.
[[nodiscard]] Wire across(const Wire& wire, const FlowKey& to, bool clear_dont_fragment);

/// The same for an ICMP error, about a packet that leaves as `quoted_to`. Nothing: the other family has no such error.
[[nodiscard]] std::optional<Wire> error_across(const Wire& wire, const FlowKey& to, const FlowKey& quoted_to,
                                               std::uint32_t ipv6_mtu);

}  // namespace icr::node::test::nat_model
