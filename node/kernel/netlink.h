// rtnetlink through libnl-route-3: owning handles and the few requests that ports and steering share.
//
// Thread: one for each RouteSocket. Requests wait for the kernel's answer, which the kernel gives within
// the send call itself; they take microseconds unless somebody holds the kernel's configuration lock (RTNL). That lock
// is one for all network namespaces, so no worker makes a request while it forwards.
#pragma once

#include <netlink/netlink.h>

#include <cstdint>
#include <memory>
#include <string>

#include "model/base/result.h"
#include "model/record/address.h"

struct nl_addr;
struct nl_cache;
struct nl_sock;
struct rtnl_addr;
struct rtnl_link;
struct rtnl_qdisc;
struct rtnl_route;
struct rtnl_rule;

namespace icr::node::netlink {

struct Deleter {
  void operator()(nl_sock* socket) const;
  void operator()(nl_addr* address) const;
  void operator()(nl_cache* cache) const;
  void operator()(rtnl_addr* address) const;
  void operator()(rtnl_link* link) const;
  void operator()(rtnl_route* route) const;
  void operator()(rtnl_qdisc* discipline) const;
  void operator()(rtnl_rule* rule) const;
};
template <class T>
using Handle = std::unique_ptr<T, Deleter>;
using RouteSocket = Handle<nl_sock>;

/// Returns a connected NETLINK_ROUTE socket.
[[nodiscard]] Result<RouteSocket> open_route_socket();

/// Returns a (negative) error code of libnl in words.
[[nodiscard]] std::string describe(int code);

/// Returns the error of a refused request, which names the missing capability if that is the reason.
[[nodiscard]] tl::unexpected<Error> refused(std::string_view what, int code);

/// Returns an address with a prefix length for requests; null only if there is no memory.
[[nodiscard]] Handle<nl_addr> to_netlink(const IpAddress& address, std::uint8_t prefix_length);

/// Changes of one interface; what is not set stays as it is.
struct LinkChange {
  bool up = false;
  std::uint32_t tx_queue_length = 0;          ///< 0: unchanged
  std::uint32_t mtu = 0;                      ///< 0: unchanged
  bool accept_any_source = false;             ///< IPv4: rp_filter off, and the machine's own addresses, too
  bool loose_source_check = false;            ///< sets rp_filter to loose, because that of the machine is strict
  bool forward_ipv4 = false;                  ///< IPv4: forwarding of what comes in here
  bool promote_secondaries = false;           ///< IPv4: other addresses outlive the removal of the first one
  bool without_link_local_addresses = false;  ///< IPv6: no address generated, so no neighbour discovery of its own
};
[[nodiscard]] Result<void> change_link(nl_sock* socket, int interface_index, const LinkChange& change);

/// Gives the interface the queueing discipline "noqueue": what is sent goes to its driver at once.
/// REQUIRES: the interface is down; otherwise the kernel has attached its default discipline already.
[[nodiscard]] Result<void> set_noqueue(nl_sock* socket, int interface_index);

}  // namespace icr::node::netlink
