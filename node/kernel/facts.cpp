#include "node/kernel/facts.h"

#include <linux/ip.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "model/base/log.h"
#include "node/kernel/netlink.h"
#include "node/kernel/return_routes.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

using Sets = std::vector<std::uint16_t>;

int index_of(const std::string& interface) { return static_cast<int>(if_nametoindex(interface.c_str())); }

long setting(const std::string& path, long otherwise) {
  std::ifstream file("/proc/sys/net/" + path);
  long value = 0;
  return file >> value ? value : otherwise;
}

netlink::Handle<rtnl_link> read_link(nl_sock* socket, int index) {
  rtnl_link* found = nullptr;
  if (index == 0 || rtnl_link_get_kernel(socket, index, nullptr, &found) < 0) return nullptr;
  return netlink::Handle<rtnl_link>(found);
}

std::uint32_t ipv4_setting(rtnl_link* link, unsigned which) {
  std::uint32_t out = 0;
  (void)rtnl_link_inet_get_conf(link, which, &out);
  return out;
}

/// The nftables rules (node/kernel/forward_guard.h).
class ForwardGuardFact final : public Fact {
 public:
  ForwardGuardFact(ForwardGuard& guard, Sets sets)
      : Fact("nftables table " + guard.table(), kKernelFilters | kKernelLinks, std::move(sets)), guard_(guard) {}
  Outcome ensure(nl_sock* /*socket*/) override {
    const auto restored = guard_.restore();
    if (!restored) return {0, restored.error().message};
    return {*restored ? 1 : 0, {}};
  }

 private:
  ForwardGuard& guard_;
};

/// Rules and routes that bring packets of interfaces into a device, or away from the kernel's forwarding.
class SteeringFact final : public Fact {
 public:
  /// `port` of type tun or af-packet.
  SteeringFact(const PacketPort& port, bool ipv6, Sets sets)
      : Fact(fmt::format("{} rules and routes of {}", ipv6 ? "IPv6" : "IPv4", port.device),
             kKernelRules | kKernelRoutes | kKernelLinks, std::move(sets)),
        device_(port.device),
        tun_(port.kind == PacketPort::Kind::tun),
        ipv6_(ipv6),
        interfaces_(tun_ ? port.steer_from : std::vector<std::string>{port.device}) {}

  Outcome ensure(nl_sock* socket) override {
    closed_.clear();
    if (ipv6_ && std::all_of(interfaces_.begin(), interfaces_.end(), ipv6_is_off)) return {};
    const int index = tun_ ? index_of(device_) : 0;
    int restored = 0;
    if (tun_ && ipv6_ && index != 0 && ipv6_is_off(device_)) {
      // Only icrd uses this device, which inherited the setting when it was created.
      std::ofstream(fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", device_)) << 0 << std::flush;
      if (ipv6_is_off(device_)) {
        closed_ = fmt::format("IPv6 is off on {}: set net/ipv6/conf/{}/disable_ipv6 to 0", device_, device_);
        return {0, closed_};
      }
      ++restored;
    }
    const auto done = ensure_steering(socket, ipv6_ ? AF_INET6 : AF_INET, device_, index, interfaces_);
    if (!done) {
      closed_ = done.error().message;
      return {restored, closed_};
    }
    // Without the device the table drops packets. The fact of the device reports that it is gone.
    return {restored + *done, {}};
  }

  void report(KernelReport& out) const override {
    if (!ipv6_) return;
    for (const auto& interface : interfaces_) {
      if (!closed_.empty()) out.closed_ipv6[interface] = closed_;
    }
  }

 private:
  const std::string device_;
  const bool tun_;
  const bool ipv6_;
  const std::vector<std::string> interfaces_;
  std::string closed_;
};

/// A TUN device that exists, is up, and has the settings that it needs.
class DeviceFact final : public Fact {
 public:
  DeviceFact(std::string device, Sets sets)
      : Fact("device " + device, kKernelLinks | kKernelSettings, std::move(sets)), device_(std::move(device)) {}

  Outcome ensure(nl_sock* socket) override {
    const int index = index_of(device_);
    const auto link = read_link(socket, index);
    if (!link) return {0, fmt::format("device {} is gone; a restart of icrd makes it again", device_)};
    netlink::LinkChange change;
    int missing = 0;
    if ((rtnl_link_get_flags(link.get()) & IFF_UP) == 0) {
      change.up = true;
      ++missing;
    }
    if (ipv4_setting(link.get(), IPV4_DEVCONF_FORWARDING) == 0) {
      change.forward_ipv4 = true;
      ++missing;
    }
    // The kernel uses the greater of this value and the machine's: only loose (2) overrides strict (1).
    const bool strict = setting("ipv4/conf/all/rp_filter", 0) == 1;
    const std::uint32_t filter = ipv4_setting(link.get(), IPV4_DEVCONF_RP_FILTER);
    if (filter == 1 || (strict && filter == 0) || ipv4_setting(link.get(), IPV4_DEVCONF_ACCEPT_LOCAL) == 0) {
      change.accept_any_source = true;
      change.loose_source_check = strict;
      ++missing;
    }
    if (missing == 0) return {};
    if (auto done = netlink::change_link(socket, index, change); !done) {
      return {0, fmt::format("device {}: {}", device_, done.error().message)};
    }
    return {missing, {}};
  }

 private:
  const std::string device_;
};

/// IPv4 forwarding of packets that arrive on a steered interface, whatever the machine's ip_forward is.
class ForwardingFact final : public Fact {
 public:
  ForwardingFact(std::string interface, Sets sets)
      : Fact("IPv4 forwarding of " + interface, kKernelLinks | kKernelSettings, std::move(sets)),
        interface_(std::move(interface)) {}

  Outcome ensure(nl_sock* socket) override {
    const int index = index_of(interface_);
    const auto link = read_link(socket, index);
    if (!link || ipv4_setting(link.get(), IPV4_DEVCONF_FORWARDING) != 0) return {};
    netlink::LinkChange change;
    change.forward_ipv4 = true;
    if (auto done = netlink::change_link(socket, index, change); !done) {
      return {0, fmt::format("IPv4 forwarding of {} is off: {}; set net.ipv4.ip_forward to 1", interface_,
                             done.error().message)};
    }
    return {1, {}};
  }

 private:
  const std::string interface_;
};

/// IPv6 forwarding, which the kernel switches for the whole machine, and since Linux 6.17 for each interface.
class Ipv6ForwardingFact final : public Fact {
 public:
  /// If `needed`, forwarding must be on from the start; otherwise only after it was seen on.
  Ipv6ForwardingFact(std::vector<std::string> interfaces, bool needed, Sets sets)
      : Fact("IPv6 forwarding", kKernelSettings | kKernelLinks, std::move(sets)),
        interfaces_(std::move(interfaces)),
        needed_(needed) {}

  Outcome ensure(nl_sock* /*socket*/) override {
    const bool on = setting("ipv6/conf/all/forwarding", 0) != 0;
    needed_ = needed_ || on;
    if (on || !needed_) return {};
    int restored = 0;
    for (const auto& interface : interfaces_) {
      if (index_of(interface) == 0) continue;
      const std::string path = fmt::format("ipv6/conf/{}/force_forwarding", interface);
      if (setting(path, 0) != 0) continue;
      std::ofstream("/proc/sys/net/" + path) << 1 << std::flush;
      if (setting(path, 0) == 0) {
        return {restored, "IPv6 forwarding is off: set net.ipv6.conf.all.forwarding to 1"};
      }
      ++restored;
    }
    return {restored, {}};
  }

 private:
  const std::vector<std::string> interfaces_;
  bool needed_;
};

/// The kernel's ICMP errors have the mark of the packet that they are about (node/kernel/forward_guard.h).
class ErrorMarkFact final : public Fact {
 public:
  explicit ErrorMarkFact(Sets sets) : Fact("marks of ICMP errors", kKernelSettings, std::move(sets)) {}

  Outcome ensure(nl_sock* /*socket*/) override {
    int restored = 0;
    for (const char* family : {"ipv4", "ipv6"}) {
      const std::string path = fmt::format("{}/fwmark_reflect", family);
      if (setting(path, 1) != 0) continue;
      std::ofstream("/proc/sys/net/" + path) << 1 << std::flush;
      if (setting(path, 0) != 0) {
        ++restored;
      } else if (!told_) {
        told_ = true;
        // No member is ill for this, because the guard's nftables rules drop such errors.
        log::warn(
            "kernel",
            "net.{0}.fwmark_reflect is 0 and cannot be set: ICMP errors of this machine about packets of the cards "
            "are dropped; set: sysctl -w net.{0}.fwmark_reflect=1",
            family);
      }
    }
    return {restored, {}};
  }

 private:
  bool told_ = false;
};

/// The return routes of a set (node/kernel/return_routes.h), while it is master.
class ReturnRoutesFact final : public Fact {
 public:
  ReturnRoutesFact(std::vector<ReturnRoutes::Route> routes, const KernelWatch& watch, std::uint16_t set)
      : Fact("return routes", kKernelRoutes | kKernelLinks, {set}), routes_(std::move(routes)), watch_(watch) {}

  Outcome ensure(nl_sock* socket) override {
    int restored = 0;
    for (const auto& route : routes_) {
      if (!watch_.wants_return_routes()) break;
      // Without the device there is no target for the routes, and where IPv6 is off no answers come.
      if (index_of(route.device) == 0) continue;
      if (!route.prefix.base.is_v4() && ipv6_is_off(route.device)) continue;
      const int code = change_return_route(socket, route, RouteChange::add_if_missing);
      if (code == 0) {
        ++restored;
        // The worker may have stopped wanting the routes in between.
        if (!watch_.wants_return_routes()) (void)change_return_route(socket, route, RouteChange::remove);
      } else if (code != -NLE_EXIST) {
        return {restored, fmt::format("the route to {} in table {} into {} cannot be added: {}",
                                      route.prefix.to_string(), route.table, route.device, netlink::describe(code))};
      }
    }
    return {restored, {}};
  }

 private:
  const std::vector<ReturnRoutes::Route> routes_;
  const KernelWatch& watch_;
};

void add_once(std::vector<WatchedInterface>& out, const std::string& name, std::uint16_t set) {
  auto known = std::find_if(out.begin(), out.end(), [&](const WatchedInterface& one) { return one.name == name; });
  if (known == out.end()) known = out.insert(out.end(), WatchedInterface{name, {}});
  if (std::find(known->sets.begin(), known->sets.end(), set) == known->sets.end()) known->sets.push_back(set);
}

}  // namespace

KernelNeeds kernel_needs(const Cluster& cluster, std::uint16_t chassis, ForwardGuard* forward_guard,
                         const std::vector<std::unique_ptr<KernelWatch>>& watches) {
  KernelNeeds out;
  Sets all;
  std::map<std::pair<std::string, std::uint32_t>, Sets> sets_of_unit;  // by card and unit
  bool ipv6_addresses = false;
  for (std::uint16_t set = 0; set < cluster.redundancy_sets.size(); ++set) {
    const auto member = cluster.member_on(set, chassis);
    if (!member) continue;
    const RedundancySet& config = cluster.redundancy_sets[set];
    all.push_back(set);
    for (const std::uint16_t index : config.service_sets) {
      for (const auto unit : {cluster.service_sets[index].inside_unit, cluster.service_sets[index].outside_unit}) {
        Sets& sets = sets_of_unit[{config.members[*member].card, unit}];
        if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
      }
    }
    for (const auto& address : config.virtual_addresses) {
      ipv6_addresses = ipv6_addresses || !address.address.is_v4();
      add_once(out.interfaces, address.interface, set);
    }
  }
  if (forward_guard != nullptr) {
    out.facts.push_back(std::make_unique<ForwardGuardFact>(*forward_guard, all));
    if (forward_guard->marks_errors()) out.facts.push_back(std::make_unique<ErrorMarkFact>(all));
  }
  std::vector<std::string> forwarding;  // interfaces and devices through which IPv6 packets arrive
  for (const auto& card : cluster.chassis[chassis].cards) {
    for (const auto& port : card.ports) {
      const Sets& sets = sets_of_unit[{card.name, port.unit}];
      if (port.kind == PacketPort::Kind::pcap) continue;
      const bool tun = port.kind == PacketPort::Kind::tun;
      // The device comes first, because routes into it need it up.
      if (tun) out.facts.push_back(std::make_unique<DeviceFact>(port.device, sets));
      if (tun) forwarding.push_back(port.device);
      for (const auto& interface : port.steer_from) {
        out.facts.push_back(std::make_unique<ForwardingFact>(interface, sets));
        forwarding.push_back(interface);
        for (const std::uint16_t set : sets) add_once(out.interfaces, interface, set);
      }
      if (!tun) {
        for (const std::uint16_t set : sets) add_once(out.interfaces, port.device, set);
      }
      if (tun && port.steer_from.empty()) continue;
      for (const bool ipv6 : {false, true}) out.facts.push_back(std::make_unique<SteeringFact>(port, ipv6, sets));
    }
  }
  if (!forwarding.empty()) {
    out.facts.push_back(std::make_unique<Ipv6ForwardingFact>(std::move(forwarding), ipv6_addresses, all));
  }
  for (const std::uint16_t set : all) {
    auto routes = return_routes_of(cluster, set, chassis);
    if (routes.empty()) continue;
    out.facts.push_back(std::make_unique<ReturnRoutesFact>(std::move(routes), *watches[set], set));
  }
  return out;
}

}  // namespace icr::node
