#include "node/kernel/tun_routing.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "model/base/log.h"
#include "node/kernel/netlink.h"

namespace icr::node {
namespace {

using netlink::Handle;

constexpr std::uint32_t kFirstTable = 10000;
constexpr std::uint32_t kTables = 50000;

const char* name_of(int family) { return family == AF_INET ? "IPv4" : "IPv6"; }

Handle<rtnl_route> default_route(int family, std::uint32_t table) {
  Handle<rtnl_route> route(rtnl_route_alloc());
  Handle<nl_addr> everything(nl_addr_build(family, nullptr, 0));
  if (!route || !everything) return nullptr;
  nl_addr_set_prefixlen(everything.get(), 0);
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family));
  rtnl_route_set_table(route.get(), table);
  rtnl_route_set_protocol(route.get(), kSteeringProtocol);
  if (rtnl_route_set_dst(route.get(), everything.get()) < 0) return nullptr;
  return route;
}

int add_blackhole(nl_sock* socket, int family, std::uint32_t table) {
  const auto route = default_route(family, table);
  if (!route) return -NLE_NOMEM;
  rtnl_route_set_type(route.get(), RTN_BLACKHOLE);
  rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
  rtnl_route_set_priority(route.get(), std::numeric_limits<std::uint32_t>::max());
  return rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE);
}

int add_default_route(nl_sock* socket, int family, std::uint32_t table, int device_index) {
  const auto route = default_route(family, table);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (!route || hop == nullptr) return -NLE_NOMEM;
  rtnl_route_nh_set_ifindex(hop, device_index);
  rtnl_route_add_nexthop(route.get(), hop);  // the route owns it now
  rtnl_route_set_type(route.get(), RTN_UNICAST);
  rtnl_route_set_scope(route.get(), family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  rtnl_route_set_priority(route.get(), 1);
  return rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE);
}

/// The contents of a routing table that matter here.
struct TableContent {
  bool blackhole = false;
  std::vector<int> devices;  ///< of its routes to somewhere
};

int read_route(nl_msg* message, void* out) {
  auto& content = *static_cast<TableContent*>(out);
  nlmsghdr* const header = nlmsg_hdr(message);
  nlattr* attributes[RTA_MAX + 1] = {};
  if (header->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(header, sizeof(rtmsg), attributes, RTA_MAX, nullptr) < 0) {
    return NL_OK;
  }
  const auto& route = *static_cast<const rtmsg*>(nlmsg_data(header));
  const auto number = [&attributes](int type) {
    return attributes[type] == nullptr ? 0U : nla_get_u32(attributes[type]);
  };
  if (route.rtm_type == RTN_BLACKHOLE && route.rtm_dst_len == 0) content.blackhole = true;
  if (route.rtm_type == RTN_UNICAST) content.devices.push_back(static_cast<int>(number(RTA_OIF)));
  return NL_OK;
}

/// The kernel searches this table only, however many routes the others have.
Result<TableContent> read_table(nl_sock* socket, int family, std::uint32_t table) {
  TableContent out;
  struct FreeMessage {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  const std::unique_ptr<nl_msg, FreeMessage> request(nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP));
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family);
  if (!request || nlmsg_append(request.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
      nla_put_u32(request.get(), RTA_TABLE, table) < 0) {
    return fail("out of memory");
  }
  // The kernel uses the attribute only with strict checks; without them (before Linux 4.20) it sends all routes.
  const auto be_strict = [socket](int on) {
    return setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  };
  if (be_strict(1) != 0) return fail("this kernel cannot list one routing table alone (Linux 4.20 is needed)");
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, read_route, &out);
  int code = nl_send_auto(socket, request.get());
  if (code >= 0) code = nl_recvmsgs_default(socket);
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
  (void)be_strict(0);
  // A table that has no routes does not exist.
  if (code < 0 && code != -NLE_OBJ_NOTFOUND) {
    return fail("cannot list the {} routes of table {}: {}", name_of(family), table, netlink::describe(code));
  }
  return out;
}

/// Selects packets that arrive on `interface`, with `mark` if that is not 0.
struct Selector {
  std::uint32_t priority = kSteeringRulePriority;
  std::string interface;
  std::uint32_t mark = 0;
};

/// Makes `lookup table` the only rule of icrd for this selector; stale ones (of a device that was renamed
/// in the configuration) would catch its packets first. Returns how many were added or removed.
Result<int> set_rule(nl_sock* socket, int family, const Selector& selector, std::uint32_t table) {
  const std::string& interface = selector.interface;
  nl_cache* raw = nullptr;
  if (const int code = rtnl_rule_alloc_cache(socket, family, &raw); code < 0) {
    return fail("cannot list the {} routing rules: {}", name_of(family), netlink::describe(code));
  }
  const Handle<nl_cache> rules(raw);
  bool exists = false;
  int changed = 0;
  for (nl_object* object = nl_cache_get_first(rules.get()); object != nullptr; object = nl_cache_get_next(object)) {
    auto* rule = reinterpret_cast<rtnl_rule*>(object);
    if (rtnl_rule_get_family(rule) != family) continue;  // the cache holds all families whatever was asked for
    const char* iif = rtnl_rule_get_iif(rule);
    if (rtnl_rule_get_prio(rule) != selector.priority || iif == nullptr || interface != iif) continue;
    if (rtnl_rule_get_mark(rule) != selector.mark) continue;
    if (rtnl_rule_get_table(rule) == table && !exists) {
      exists = true;
    } else if (const int code = rtnl_rule_delete(socket, rule, 0); code < 0) {
      return netlink::refused(fmt::format("cannot remove a stale {} rule of {}", name_of(family), interface), code);
    } else {
      ++changed;
    }
  }
  if (exists) return changed;
  const Handle<rtnl_rule> rule(rtnl_rule_alloc());
  if (!rule) return fail("out of memory");
  rtnl_rule_set_family(rule.get(), family);
  rtnl_rule_set_prio(rule.get(), selector.priority);
  if (selector.mark != 0) rtnl_rule_set_mark(rule.get(), selector.mark);
  rtnl_rule_set_table(rule.get(), table);
  rtnl_rule_set_action(rule.get(), FR_ACT_TO_TBL);
  rtnl_rule_set_protocol(rule.get(), kSteeringProtocol);
  if (const int code = rtnl_rule_set_iif(rule.get(), interface.c_str()); code < 0) {
    return fail("interface name {} is not usable in a rule: {}", interface, netlink::describe(code));
  }
  const int code = rtnl_rule_add(socket, rule.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (code < 0 && code != -NLE_EXIST) {
    return netlink::refused(
        fmt::format("the kernel refuses the {} rule 'iif {} lookup {}'", name_of(family), interface, table), code);
  }
  return changed + 1;
}

std::optional<long> read_setting(const std::string& path) {
  std::ifstream file("/proc/sys/" + path);
  long value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

}  // namespace

std::uint32_t routing_table_of(std::string_view device) {
  std::uint32_t hash = 2166136261U;  // FNV-1a: the number must never depend on the platform's std::hash
  for (const char c : device) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
  return kFirstTable + hash % kTables;
}

bool is_steering_table(std::uint32_t table) { return table >= kFirstTable && table < kFirstTable + kTables; }

bool ipv6_is_off(const std::string& interface) {
  return read_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", interface)).value_or(1) != 0;
}

Result<int> ensure_steering(nl_sock* socket, int family, const std::string& device, int device_index,
                            std::span<const std::string> interfaces) {
  const std::uint32_t table = routing_table_of(device);
  const auto content = read_table(socket, family, table);
  if (!content) return tl::unexpected(content.error());
  bool open = device_index == 0;
  for (const int used : content->devices) {
    open = open || used == device_index;
    if (used == device_index) continue;
    char name[IF_NAMESIZE] = "";
    const bool named = if_indextoname(static_cast<unsigned>(used), name) != nullptr;
    return fail("routing table {} already routes into {}; rename device {} in the cluster file, or remove that route",
                table, named ? std::string(name) : fmt::format("interface {}", used), device);
  }
  int changed = 0;
  // The blackhole comes first, so from the first moment a packet goes into the device or nowhere.
  if (!content->blackhole) {
    if (const int code = add_blackhole(socket, family, table); code < 0) {
      return netlink::refused(fmt::format("cannot add the {} blackhole route to table {}", name_of(family), table),
                              code);
    }
    ++changed;
  }
  for (const auto& interface : interfaces) {
    auto rules = set_rule(socket, family, {kSteeringRulePriority, interface, 0}, table);
    if (!rules) return rules;
    changed += *rules;
  }
  if (device_index != 0) {
    auto rules = set_rule(socket, family, {kErrorRulePriority, "lo", table}, table);
    if (!rules) return rules;
    changed += *rules;
  }
  if (open) return changed;
  if (const int code = add_default_route(socket, family, table, device_index); code < 0) {
    return netlink::refused(fmt::format("cannot add the {} route into {} to table {}", name_of(family), device, table),
                            code);
  }
  return changed + 1;
}

Result<void> steer_into(nl_sock* socket, const std::string& device, int device_index,
                        std::span<const std::string> interfaces) {
  if (interfaces.empty()) return {};
  for (const auto& interface : interfaces) {
    if (if_nametoindex(interface.c_str()) != 0) continue;
    log::warn("port", "device={} steer-from: waiting for interface {}, which does not exist yet", device, interface);
  }
  if (auto done = ensure_steering(socket, AF_INET, device, device_index, interfaces); !done) {
    return tl::unexpected(done.error());
  }
  auto done = ensure_steering(socket, AF_INET6, device, device_index, interfaces);
  if (!done && ipv6_is_off(device)) {
    log::warn("port", "device={} only IPv4 is steered, IPv6 is off (net/ipv6/conf/{}/disable_ipv6)", device, device);
    return {};
  }
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<void> keep_from_forwarding(nl_sock* socket, const std::string& interface) {
  const std::span<const std::string> interfaces(&interface, 1);
  if (auto done = ensure_steering(socket, AF_INET, interface, 0, interfaces); !done) {
    return tl::unexpected(done.error());
  }
  auto done = ensure_steering(socket, AF_INET6, interface, 0, interfaces);
  if (!done && ipv6_is_off(interface)) {
    log::warn("port", "interface={} only IPv4 is kept from forwarding, because IPv6 is off: {}", interface,
              done.error().message);
    return {};
  }
  if (!done) return tl::unexpected(done.error());
  return {};
}

std::string ipv6_forwarding_trouble(std::string_view device) {
  if (read_setting("net/ipv6/conf/all/forwarding").value_or(1) != 0) return {};
  // Since Linux 6.17 each interface has a setting of its own, which the kernel guard switches on.
  if (read_setting(fmt::format("net/ipv6/conf/{}/force_forwarding", device))) return {};
  return "IPv6 forwarding is off, so the kernel drops IPv6 packets of this card; set: sysctl -w "
         "net.ipv6.conf.all.forwarding=1";
}

}  // namespace icr::node
