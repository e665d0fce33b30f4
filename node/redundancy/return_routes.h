// Routes that bring the kernel's own ICMP errors back into the card.
//
// A packet that has left the card may still die in the chassis' kernel: its hop limit is over, it is longer than the
// MTU of the interface it should leave by. The kernel then tells its source, which is a translated address. Those
// addresses are routed into the outside TUN device, so the error arrives in the card like one from a router further
// away, and is translated for the host inside. Only the master has these routes; with the device they vanish by
// themselves.
//
// One thread (the card's worker); a netlink request takes microseconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "model/counters.h"
#include "model/result.h"

struct nl_sock;

namespace icr::node {

/// The fewest prefixes that cover exactly the range.
[[nodiscard]] std::vector<Prefix> prefixes_of(const AddressRange& range);

class ReturnRoutes {
 public:
  /// For the set's addresses behind TUN devices of this chassis; there may be none. Nothing is added yet.
  [[nodiscard]] static Result<std::unique_ptr<ReturnRoutes>> open(const Cluster& cluster, std::uint16_t set,
                                                                  std::uint16_t chassis);
  ~ReturnRoutes();
  ReturnRoutes(const ReturnRoutes&) = delete;
  ReturnRoutes& operator=(const ReturnRoutes&) = delete;

  /// Adds them all; what the kernel refuses is counted, and the first reason is logged.
  void acquire();
  void release();
  void append_to(CounterList& out) const;

  struct Route {
    Prefix prefix;
    std::string device;
  };
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  struct CloseSocket {
    void operator()(nl_sock* socket) const;
  };
  ReturnRoutes() = default;
  int change(const Route& route, bool add);

  std::vector<Route> routes_;
  std::unique_ptr<nl_sock, CloseSocket> socket_;  ///< null: there are no routes
  bool acquired_ = false;
  bool refusal_logged_ = false;
  std::uint64_t added_ = 0, refused_ = 0;
};

}  // namespace icr::node
