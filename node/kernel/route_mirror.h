// A mirror of what the kernel knows about one Ethernet interface: the routes that lead out of it, its neighbours, and
// the addresses of the machine. It follows the kernel's notifications in a thread of its own, because reading and
// asking may have to wait for the kernel's configuration lock (RTNL), and a worker must not wait.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/record/address.h"
#include "node/kernel/netlink.h"

struct nl_cache_mngr;

namespace icr::node {

using EthernetAddress = std::array<std::uint8_t, 6>;

/// The state of one interface at one moment.
struct InterfacePicture {
  enum class RouteKind : std::uint8_t { unicast, blackhole, unreachable, prohibited };
  struct Route {
    Prefix prefix;
    std::uint32_t priority = 0;
    std::optional<IpAddress> gateway;
    RouteKind kind = RouteKind::unicast;
  };
  struct Neighbour {
    IpAddress address;
    EthernetAddress mac{};
    bool stale = false;  ///< the kernel has not confirmed it lately
  };
  std::vector<Route> routes;                    ///< of the main table; longest prefix first, then the lowest priority
  std::vector<Neighbour> neighbours;            ///< those that can be sent to
  std::vector<IpAddress> local;                 ///< all addresses of the machine, and their broadcast addresses
  std::vector<IpAddress> broadcasts;            ///< broadcast addresses only
  std::array<std::optional<IpAddress>, 2> own;  ///< an IPv4 and an IPv6 address of the interface, not link-local
};

/// Thread: one (the worker), except where a function says otherwise. Only open() and the destructor wait for the
/// kernel.
class RouteMirror {
 public:
  /// Requests for neighbours that wait for the kernel; further ones are dropped.
  static constexpr std::size_t kMaxRequests = 4096;

  /// Reads everything once and starts the thread, in which `schedule` runs first.
  [[nodiscard]] static Result<std::unique_ptr<RouteMirror>> open(int interface_index, std::function<void()> schedule);
  ~RouteMirror();
  RouteMirror(const RouteMirror&) = delete;
  RouteMirror& operator=(const RouteMirror&) = delete;

  /// Returns the newest picture, or null if there is none that was not returned before.
  [[nodiscard]] std::unique_ptr<InterfacePicture> take();
  /// Returns a descriptor that polls readable when there is something to take.
  [[nodiscard]] int descriptor() const { return news_; }
  /// Has the kernel resolve a neighbour, or confirm it.
  void ask(const IpAddress& address);
  /// Returns how often notifications were lost, after which everything was read again. Thread: any.
  [[nodiscard]] std::uint64_t resyncs() const { return resyncs_; }

 private:
  explicit RouteMirror(int interface_index) : interface_index_(interface_index) {
    requests_.reserve(kMaxRequests);
    passed_on_.reserve(kMaxRequests);
  }
  Result<void> subscribe();
  void run();
  void read_news();
  void read_everything_again();
  void publish();
  void read_routes(InterfacePicture& out) const;
  void read_neighbours(InterfacePicture& out) const;
  void read_addresses(InterfacePicture& out) const;
  void pass_requests_on();
  void request(const IpAddress& address) const;

  const int interface_index_;
  int news_ = -1;    ///< eventfd: there is a picture to take
  int wakeup_ = -1;  ///< eventfd: there are requests, or the thread is to end
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> resyncs_{0};

  std::atomic<bool> is_new_{false};  ///< picture_ was not taken yet
  InheritingMutex mutex_;            ///< held for a push or a swap
  std::unique_ptr<InterfacePicture> picture_ ICR_GUARDED_BY(mutex_);
  std::vector<IpAddress> requests_ ICR_GUARDED_BY(mutex_);

  // Used by the thread only, once it runs.
  netlink::RouteSocket socket_;
  nl_cache_mngr* manager_ = nullptr;
  nl_cache* route_cache_ = nullptr;  ///< the manager's, as the following
  nl_cache* neighbour_cache_ = nullptr;
  nl_cache* address_cache_ = nullptr;
  nl_cache* link_cache_ = nullptr;
  bool changed_ = false;
  bool link_changed_ = false;
  std::vector<IpAddress> passed_on_;

  std::thread thread_;
};

}  // namespace icr::node
