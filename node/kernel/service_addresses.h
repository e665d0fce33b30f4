// Finds the addresses at which the kernel of this machine answers on the networks that its cards serve.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config/cluster.h"
#include "model/record/address.h"

namespace icr::node {

/// Returns the addresses of this machine on the service networks of a set: those of interfaces that are steered into
/// its ports, that its ports read, or that carry its virtual addresses. Link-local addresses and virtual addresses of
/// the cluster are left out. IPv4 comes before IPv6. The call lists all addresses of the machine, which takes
/// milliseconds where there are many, so a thread that forwards packets must not make it.
[[nodiscard]] std::vector<IpAddress> service_addresses(const Cluster& cluster, std::uint16_t set,
                                                       std::uint16_t chassis);

}  // namespace icr::node
