#include "node/kernel/netlink.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <netlink/route/tc.h>
#include <netlink/socket.h>

namespace icr::node::netlink {

void Deleter::operator()(nl_sock* socket) const { nl_socket_free(socket); }
void Deleter::operator()(nl_addr* address) const { nl_addr_put(address); }
void Deleter::operator()(nl_cache* cache) const { nl_cache_free(cache); }
void Deleter::operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
void Deleter::operator()(rtnl_link* link) const { rtnl_link_put(link); }
void Deleter::operator()(rtnl_route* route) const { rtnl_route_put(route); }
void Deleter::operator()(rtnl_qdisc* discipline) const { rtnl_qdisc_put(discipline); }
void Deleter::operator()(rtnl_rule* rule) const { rtnl_rule_put(rule); }

Result<RouteSocket> open_route_socket() {
  RouteSocket socket(nl_socket_alloc());
  if (!socket) return fail("cannot allocate a netlink socket");
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0) {
    return fail("cannot open a NETLINK_ROUTE socket: {}", describe(code));
  }
  return socket;
}

std::string describe(int code) { return nl_geterror(code); }

tl::unexpected<Error> refused(std::string_view what, int code) {
  if (code == -NLE_PERM || code == -NLE_NOACCESS) {
    return fail("{}: {} (CAP_NET_ADMIN is needed: run as root, or give the container NET_ADMIN)", what, describe(code));
  }
  return fail("{}: {}", what, describe(code));
}

Handle<nl_addr> to_netlink(const IpAddress& address, std::uint8_t prefix_length) {
  const std::uint8_t* bytes = address.bytes.data() + (address.is_v4() ? 12 : 0);
  Handle<nl_addr> out(nl_addr_build(address.is_v4() ? AF_INET : AF_INET6, bytes, address.is_v4() ? 4 : 16));
  if (out) nl_addr_set_prefixlen(out.get(), prefix_length);
  return out;
}

Result<void> change_link(nl_sock* socket, int interface_index, const LinkChange& change) {
  Handle<rtnl_link> now, wanted(rtnl_link_alloc());
  rtnl_link* found = nullptr;
  if (const int code = rtnl_link_get_kernel(socket, interface_index, nullptr, &found); code < 0) {
    return fail("cannot read the interface: {}", describe(code));
  }
  now.reset(found);
  if (!wanted) return fail("out of memory");
  if (change.up) rtnl_link_set_flags(wanted.get(), IFF_UP);
  if (change.tx_queue_length != 0) rtnl_link_set_txqlen(wanted.get(), change.tx_queue_length);
  if (change.mtu != 0) rtnl_link_set_mtu(wanted.get(), change.mtu);
  const auto set_ipv4 = [&wanted](unsigned which, unsigned value) {
    return rtnl_link_inet_set_conf(wanted.get(), which, value);
  };
  int code = 0;
  if (change.accept_any_source) code = set_ipv4(IPV4_DEVCONF_RP_FILTER, change.loose_source_check ? 2 : 0);
  if (code == 0 && change.accept_any_source) code = set_ipv4(IPV4_DEVCONF_ACCEPT_LOCAL, 1);
  if (code == 0 && change.forward_ipv4) code = set_ipv4(IPV4_DEVCONF_FORWARDING, 1);
  if (code == 0 && change.promote_secondaries) code = set_ipv4(IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
  if (code == 0 && change.without_link_local_addresses) {
    code = rtnl_link_inet6_set_addr_gen_mode(wanted.get(), IN6_ADDR_GEN_MODE_NONE);
  }
  if (code < 0) return fail("cannot describe the change of the interface: {}", describe(code));
  code = rtnl_link_change(socket, now.get(), wanted.get(), 0);
  if (code < 0) return refused("the kernel refuses to change the interface", code);
  return {};
}

Result<void> set_noqueue(nl_sock* socket, int interface_index) {
  const Handle<rtnl_qdisc> discipline(rtnl_qdisc_alloc());
  if (!discipline) return fail("out of memory");
  rtnl_tc* const object = TC_CAST(discipline.get());
  rtnl_tc_set_ifindex(object, interface_index);
  rtnl_tc_set_parent(object, TC_H_ROOT);
  if (const int code = rtnl_tc_set_kind(object, "noqueue"); code < 0) {
    return fail("cannot describe the queueing discipline: {}", describe(code));
  }
  const int code = rtnl_qdisc_add(socket, discipline.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (code < 0) return refused("the kernel refuses the queueing discipline noqueue", code);
  return {};
}

}  // namespace icr::node::netlink
