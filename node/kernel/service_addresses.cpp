#include "node/kernel/service_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>
#include <string>

namespace icr::node {

std::vector<IpAddress> service_addresses(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis) {
  const RedundancySet& config = cluster.redundancy_sets[set];
  std::vector<std::string> interfaces;
  for (const VirtualAddress& each : config.virtual_addresses) interfaces.push_back(each.interface);
  for (const RedundancyMember& member : config.members) {
    if (member.chassis != chassis) continue;
    const CardConfig* card = cluster.chassis[chassis].card(member.card);
    if (card == nullptr) continue;
    for (const std::uint16_t index : config.service_sets) {
      const ServiceSet& services = cluster.service_sets[index];
      for (const std::uint32_t unit : {services.inside_unit, services.outside_unit}) {
        const PacketPort* port = card->port(unit);
        if (port == nullptr) continue;
        interfaces.insert(interfaces.end(), port->steer_from.begin(), port->steer_from.end());
        if (port->kind == PacketPort::Kind::af_packet) interfaces.push_back(port->device);
      }
    }
  }
  const auto is_virtual = [&](const IpAddress& address) {
    return std::any_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(), [&](const RedundancySet& each) {
      return std::any_of(each.virtual_addresses.begin(), each.virtual_addresses.end(),
                         [&](const VirtualAddress& v) { return v.address == address; });
    });
  };

  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<IpAddress> v4;
  std::vector<IpAddress> v6;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0U) continue;
    if (std::find(interfaces.begin(), interfaces.end(), each->ifa_name) == interfaces.end()) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
      v4.push_back(IpAddress::v4(ntohl(in->sin_addr.s_addr)));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
      if (!IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) v6.push_back(IpAddress::v6(in->sin6_addr.s6_addr));
    }
  }
  v4.insert(v4.end(), v6.begin(), v6.end());
  v4.erase(std::remove_if(v4.begin(), v4.end(), is_virtual), v4.end());
  return v4;
}

}  // namespace icr::node
