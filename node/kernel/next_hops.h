// Finds the next hop of a packet that leaves by an Ethernet interface, among the kernel's routes and neighbours of that
// interface. RouteMirror tells them, so a look-up costs no system call. ARP and neighbour discovery stay with the
// kernel: it is asked to resolve a neighbour that is not known, and to confirm one that is used.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/address.h"
#include "model/record/flow_key.h"
#include "node/kernel/route_mirror.h"

namespace icr::node {

/// Thread: one. Only open() and the destructor wait for the kernel.
class NextHops {
 public:
  /// Mirrors the main routing table, as far as it leads out of the interface, its neighbours, and all addresses of the
  /// machine. `schedule` runs first in the thread that does so.
  [[nodiscard]] static Result<std::unique_ptr<NextHops>> open(int interface_index, std::function<void()> schedule);
  NextHops(const NextHops&) = delete;
  NextHops& operator=(const NextHops&) = delete;

  /// Returns a descriptor that polls readable when the kernel has news.
  [[nodiscard]] int descriptor() const { return mirror_->descriptor(); }
  /// Takes over what has changed, and returns true if something has. Call it when the descriptor is readable, and about
  /// every second.
  bool update(TimePoint now);

  enum class Outcome : std::uint8_t {
    known,
    pending,      ///< the kernel was asked for the next hop (at most once a second)
    silent,       ///< the next hop did not answer within the last second
    broadcast,    ///< the destination is a broadcast address, to which nothing is forwarded (RFC 2644)
    no_route,     ///< the main table has no route out of this interface
    blackhole,    ///< the main table has a route of type blackhole
    unreachable,  ///< the main table has a route of type unreachable
    prohibited,   ///< the main table has a route of type prohibit
  };
  /// Finds the next hop to a destination. With Outcome::known, writes its Ethernet address to `out`.
  [[nodiscard]] Outcome find(const IpAddress& destination, TimePoint now, EthernetAddress& out);
  /// Gives up the next hop to this destination, so that no packet waits for it any more.
  void give_up(const IpAddress& destination, TimePoint now);

  /// Returns true for an address of this machine and for a broadcast address. Packets for them are not forwarded.
  [[nodiscard]] bool is_local(const IpAddress& address) const { return local_.count(address) != 0; }

  /// Returns an address of the interface from which packets can be sent: the first one that is not link-local, or
  /// nullopt.
  [[nodiscard]] const std::optional<IpAddress>& own(bool v6) const { return own_[v6 ? 1 : 0]; }

  [[nodiscard]] std::uint64_t requests() const { return requests_; }          ///< resolutions asked of the kernel
  [[nodiscard]] std::uint64_t resyncs() const { return mirror_->resyncs(); }  ///< news were lost, all was read again

 private:
  using Route = InterfacePicture::Route;
  struct Hash {
    Hash();  ///< with a seed of its own: whoever is on the link chooses addresses
    std::size_t operator()(const IpAddress& address) const { return hash_of(address, seed); }
    std::uint64_t seed;
  };
  struct Neighbour {
    EthernetAddress mac{};
    bool resolved = false;
    bool stale = false;      ///< the kernel has not confirmed it lately
    bool used = false;       ///< used since the last check
    bool broadcast = false;  ///< the address is a group's
    std::optional<TimePoint> asked;
    std::optional<TimePoint> silent_since;
  };

  explicit NextHops(std::unique_ptr<RouteMirror> mirror) : mirror_(std::move(mirror)) {}
  bool take_picture();
  [[nodiscard]] const Route* route_to(const IpAddress& destination) const;
  void ask(const IpAddress& address, Neighbour& neighbour, TimePoint now);

  std::unique_ptr<RouteMirror> mirror_;
  TimePoint confirmed_{};
  std::vector<Route> routes_;  ///< longest prefix first, then the lowest priority
  std::unordered_map<IpAddress, Neighbour, Hash> neighbours_;
  std::unordered_set<IpAddress, Hash> local_, broadcasts_;
  std::array<std::optional<IpAddress>, 2> own_;
  std::uint64_t requests_ = 0;
};

}  // namespace icr::node
