// Rewriting addresses and ports in place, with incremental checksums.
#pragma once

#include "node/packet/headers.h"

namespace icr::node {

/// Makes the packet carry `to` instead of `headers.key` (same address family and protocol): addresses, ports or ICMP
/// identifier, the IPv4 header checksum, and the transport checksum where the packet has one. A UDP checksum of 0 (RFC
/// 768: none) stays 0. In a later fragment only the addresses exist; the transport checksum, in the first fragment, was
/// adjusted when that passed.
void rewrite(Headers& headers, const FlowKey& to);

/// Returns true for an IPv4 packet that is a fragment or may be fragmented (RFC 6864 section 4: it is not atomic). Its
/// identification must be unique; that of an atomic packet has no meaning.
[[nodiscard]] bool needs_ip_id(const Headers& headers);

/// Gives an IPv4 packet another identification.
void set_ip_id(const Headers& headers, std::uint16_t id);

/// The same as rewrite() for the packet quoted in an ICMP error, where transport fields may be cut off; then repairs
/// the error's own checksum. `error` holds the headers of the ICMP error (not a fragment), `quoted` those read by
/// read_quoted_headers().
void rewrite_icmp_error(Headers& error, const FlowKey& outer_to, Headers& quoted, const FlowKey& quoted_to);

/// Lowers the maximum segment size that a SYN announces (RFC 9293 section 3.7.1) to `limit`. True if it was higher. A
/// SYN without the option stays as it is: its receiver then sends no more than 536 or 1220 octets.
bool clamp_mss(const Headers& headers, std::uint16_t limit);

}  // namespace icr::node
