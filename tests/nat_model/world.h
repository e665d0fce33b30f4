// A random configuration, as a cluster file, and who lives in it. Small on purpose: few hosts, few ports, few sessions,
// so that everything runs out and collides all the time.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model/config/cluster.h"

namespace icr::node::test::nat_model {

/// The one source of randomness of a run; the same on every machine (no std:: distributions).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  /// 0..bound-1
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }
  /// True in `percent` of the cases.
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(static_cast<std::uint32_t>(from.size()))];
  }

 private:
  std::mt19937_64 random_;
};

struct World {
  std::string text;  ///< the cluster file
  Cluster cluster;
  std::vector<IpAddress> hosts, servers;    ///< IPv4, inside and outside
  std::vector<IpAddress> hosts6, servers6;  ///< IPv6
  std::vector<std::uint16_t> client_ports, server_ports;
  struct Side {
    std::vector<IpAddress> external;   ///< addresses that hosts have outside: IPv4 and IPv6
    std::vector<IpAddress> internal;   ///< addresses that servers have inside
    std::vector<IpAddress> internal6;  ///< IPv4 servers as hosts with IPv6 know them
  };
  std::vector<Side> sides;  ///< by service set
};

/// Fails the test, and returns no service sets, when the cluster file is refused.
[[nodiscard]] World make_world(Dice& dice);
/// Returns the world of the same hosts and servers whose cluster file is `text`, or nullopt if the file is refused.
[[nodiscard]] std::optional<World> with_file(const World& like, std::string text, std::uint32_t max_sessions);

/// Units of a service set.
[[nodiscard]] constexpr std::uint32_t inside_unit(std::uint16_t service_set) { return service_set * 2U + 1; }
[[nodiscard]] constexpr std::uint32_t outside_unit(std::uint16_t service_set) { return service_set * 2U + 2; }
[[nodiscard]] constexpr bool is_inside(std::uint32_t unit) { return unit % 2 == 1; }
[[nodiscard]] constexpr std::uint16_t service_set_of(std::uint32_t unit) {
  return static_cast<std::uint16_t>((unit - 1) / 2);
}

}  // namespace icr::node::test::nat_model
