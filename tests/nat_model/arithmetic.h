// Translations that are nothing but arithmetic: RFC 6296 (NPTv6), RFC 6052 (IPv4 inside IPv6), RFC 7422 (deterministic
// ports), and prefixes mapped host by host.
#pragma once

#include <optional>

#include "model/config/cluster.h"

namespace icr::node::test::nat_model {

[[nodiscard]] bool in_prefix(const Prefix& prefix, const IpAddress& address);
/// The host bits of `address` behind another prefix.
[[nodiscard]] IpAddress same_host(const IpAddress& address, const Prefix& to);
/// Nothing: RFC 6296 has the packet dropped.
[[nodiscard]] std::optional<IpAddress> nptv6(const IpAddress& address, const Prefix& from, const Prefix& to);

[[nodiscard]] IpAddress embedded(const Prefix& prefix, const IpAddress& v4);
/// Nothing: outside the prefix, or octet 8 is not 0.
[[nodiscard]] std::optional<IpAddress> embedded_in(const Prefix& prefix, const IpAddress& v6);

struct PortShare {
  IpAddress address;
  std::uint16_t first = 0, last = 0;
};
/// The ports of a host by a deterministic term.
[[nodiscard]] std::optional<PortShare> share_of(const NatPool& pool, const NatTerm& term, const IpAddress& host);

}  // namespace icr::node::test::nat_model
