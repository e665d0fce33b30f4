// Policy routing that brings an interface's traffic into a TUN device ("the router steers traffic into its services
// interface").
//
// Rules and blackhole routes are left behind on purpose when the process ends: without the device the blackhole drops
// what would otherwise be forwarded untranslated. docs/steering.md says how to remove them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/base/result.h"

struct nl_sock;

namespace icr::node {

/// Priority of the `ip rule`s: after the local table (0), before the main table (32766).
inline constexpr std::uint32_t kSteeringRulePriority = 7300;
/// Priority of the rules that route the kernel's own ICMP errors back into a device; they come before the steering
/// rules.
inline constexpr std::uint32_t kErrorRulePriority = 7299;
/// Marks our rules and routes (`ip rule`'s and `ip route`'s "proto"), so that they can be told from others.
inline constexpr std::uint8_t kSteeringProtocol = 73;

/// Returns true for numbers that routing_table_of() may return.
[[nodiscard]] bool is_steering_table(std::uint32_t table);

/// Returns the number of the routing table of a device, in 10000..59999. It is the same after every restart.
[[nodiscard]] std::uint32_t routing_table_of(std::string_view device);

/// Routes into `device` all IPv4 and IPv6 packets that arrive on `interfaces`, and those that this machine itself sends
/// with the packet mark of the device, which is the number of its routing table (node/kernel/forward_guard.h).
/// Idempotent. An interface that does not exist yet is steered when it appears. Fails when the table belongs to another
/// device. Where IPv6 is switched off, IPv4 alone is steered (and a warning logged).
[[nodiscard]] Result<void> steer_into(nl_sock* socket, const std::string& device, int device_index,
                                      std::span<const std::string> interfaces);

/// Restores what is missing of the state that steer_into() makes, for one family (AF_INET, AF_INET6). Returns how many
/// rules and routes were missing. Reads only the rules and this table, so it is cheap enough to be called often. With
/// `device_index` 0 there is no device, and the table drops packets.
[[nodiscard]] Result<int> ensure_steering(nl_sock* socket, int family, const std::string& device, int device_index,
                                          std::span<const std::string> interfaces);

/// Returns true if an interface cannot have IPv6 addresses or routes (disable_ipv6), or the machine has no IPv6.
[[nodiscard]] bool ipv6_is_off(const std::string& interface);

/// Makes the kernel drop packets that arrive on `interface` and are not for this machine itself, IPv4 and IPv6, because
/// a port receives them there on its own. Idempotent. The rules and routes stay behind when the process ends.
[[nodiscard]] Result<void> keep_from_forwarding(nl_sock* socket, const std::string& interface);

/// Returns why the kernel would not forward IPv6 packets that come out of `device`, and what to set; empty if it would.
/// (IPv4 forwarding and source checks have settings for each interface, which icrd makes right.)
[[nodiscard]] std::string ipv6_forwarding_trouble(std::string_view device);

}  // namespace icr::node
