// The frames that tell neighbours where an address lives now.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/record/address.h"

namespace icr::node {

using EthernetAddress = std::array<std::uint8_t, 6>;

/// Returns a whole Ethernet frame. For IPv4 it is a gratuitous ARP in request form (RFC 5227 section 3), for IPv6 an
/// unsolicited neighbour advertisement to all nodes with the override and router flags (RFC 4861 section 7.2.6).
[[nodiscard]] std::vector<std::uint8_t> announcement(const IpAddress& address, const EthernetAddress& owner);

}  // namespace icr::node
