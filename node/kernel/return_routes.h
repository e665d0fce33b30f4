// Routes that bring the kernel's own ICMP errors back into the card.
//
// A packet that has left the card may still die in the chassis' kernel: its hop limit is over, it is longer than the
// MTU of the interface it should leave by. The kernel then sends an ICMP error to its source, which is an address that
// only the card knows: a host inside as it is seen outside (translated source), a service inside by the address that
// callers from outside ask for (translated destination), a caller as it is seen inside (translated source of a rule of
// direction output). Those addresses are routed into the TUN device of the side where they mean something, so the error
// arrives in the card like one from a router further away, and is translated. Only the master has these routes; they
// vanish together with the device.
//
// Signal routes (docs/steering.md) are kept in the same way, although they lead a packet nowhere by themselves: a
// routing daemon that redistributes them announces the chassis of the master.
//
// Thread: one, which may wait for the kernel's configuration lock (steering_thread.h). Any thread may call append_to().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/config/cluster.h"

struct nl_sock;

namespace icr::node {

/// Returns the fewest prefixes that together cover exactly the range.
[[nodiscard]] std::vector<Prefix> prefixes_of(const AddressRange& range);

/// Returns ranges without the parts that others contain.
[[nodiscard]] std::vector<AddressRange> without(std::vector<AddressRange> ranges,
                                                std::span<const AddressRange> removed);

class ReturnRoutes {
 public:
  struct Route {
    Prefix prefix;
    std::string device;
    std::uint32_t table = kMainTable;
    /// The kernel removes the route when it removes this address; nullopt: it does not.
    std::optional<IpAddress> bound_to{};
  };
  static constexpr std::uint32_t kMainTable = 254;
  /// Prepares the routes to the addresses of the set behind TUN devices of this chassis, and its signal routes; there
  /// may be none. Adds nothing yet.
  [[nodiscard]] static Result<std::unique_ptr<ReturnRoutes>> open(const Cluster& cluster, std::uint16_t set,
                                                                  std::uint16_t chassis);
  ~ReturnRoutes();
  ReturnRoutes(const ReturnRoutes&) = delete;
  ReturnRoutes& operator=(const ReturnRoutes&) = delete;

  /// Adds the routes. What the kernel refuses is counted, and the first reason is logged.
  void acquire();
  void release();
  void append_to(CounterList& out) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  struct CloseSocket {
    void operator()(nl_sock* socket) const;
  };
  ReturnRoutes() = default;
  /// Plans routes for these ranges by the device of a port, unless the port is null or no TUN device.
  void add(const PacketPort* port, std::span<const AddressRange> ranges);
  /// Plans a route, unless there is one to this prefix in its table.
  void add(const Route& route);

  std::vector<Route> routes_;
  std::unique_ptr<nl_sock, CloseSocket> socket_;  ///< null: there are no routes
  bool acquired_ = false;
  bool refusal_logged_ = false;
  std::atomic<std::uint64_t> added_{0}, refused_{0};
};

/// Returns the routes that ReturnRoutes::open() would add.
[[nodiscard]] std::vector<ReturnRoutes::Route> return_routes_of(const Cluster& cluster, std::uint16_t set,
                                                                std::uint16_t chassis);

enum class RouteChange : std::uint8_t { add, add_if_missing, remove };
/// Adds or removes one route. Returns 0 or an error code of libnl: -NLE_EXIST if the route, or another one with the
/// same metric, exists already.
[[nodiscard]] int change_return_route(nl_sock* socket, const ReturnRoutes::Route& route, RouteChange change);

}  // namespace icr::node
