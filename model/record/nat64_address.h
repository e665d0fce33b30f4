// IPv4 addresses inside IPv6 addresses, as translators write them (RFC 6052 section 2.2).
#pragma once

#include <cstdint>
#include <optional>

#include "model/record/address.h"

namespace icr {

/// Prefix lengths that RFC 6052 section 2.2 allows: 32, 40, 48, 56, 64 and 96.
[[nodiscard]] bool is_nat64_prefix_length(std::uint8_t length);

/// The IPv4-embedded IPv6 address of `v4` (host order). `prefix` is an IPv6 prefix of an allowed length.
[[nodiscard]] IpAddress embed_v4(const Prefix& prefix, std::uint32_t v4);

/// The IPv4 address (host order) inside `address`; nullopt where it is not below the prefix, or where octet 8, which is
/// always zero, is not. The suffix is not looked at (it "SHOULD be zero, and is ignored").
[[nodiscard]] std::optional<std::uint32_t> extract_v4(const Prefix& prefix, const IpAddress& address);

}  // namespace icr
