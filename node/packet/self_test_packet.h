// The packet by which a chassis tests its own data path (node/card/self_test.h).
//
// It is IPv4 of protocol 253 (RFC 3692: for experiments) from 192.0.0.8 (RFC 7600: the dummy address), with a TTL of 1,
// and carries a secret that is never on a wire. It enters a device addressed to 192.0.0.0/24 (RFC 6890: never
// forwarded). The engine sends it on to 224.0.0.254 (RFC 4727: for experiments), a link-local group that no router
// forwards (RFC 5771 section 4).
//
// It comes out of the other device under a link-layer protocol of its own, for which the machine has no handler but the
// socket that waits for it. A packet socket for IPv4 would cost each IPv4 packet that comes out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "node/packet/checksum.h"
#include "node/packet/packet.h"

namespace icr::node::self_test_packet {

inline constexpr std::uint8_t kProtocol = 253;
inline constexpr std::size_t kBytes = 36;
inline constexpr std::uint32_t kSource = 0xc0000008;    ///< 192.0.0.8
inline constexpr std::uint32_t kEntry = 0xc0000080;     ///< 192.0.0.128, the first of 64 addresses
inline constexpr std::uint32_t kExit = 0xe00000fe;      ///< 224.0.0.254
inline constexpr std::uint16_t kExitProtocol = 0x88b5;  ///< IEEE 802: local experimental EtherType 1
/// Offset of the secret, in network byte order.
inline constexpr std::uint32_t kSecretOffset = 20;

struct Content {
  std::uint64_t secret = 0;
  std::uint32_t unit = 0;  ///< by which it enters the card
  std::uint32_t number = 0;

  friend bool operator==(const Content&, const Content&) = default;
};

/// Returns the packet as it enters a device. Its destination varies with the number, so that each queue of the device
/// has its turn.
[[nodiscard]] std::array<std::uint8_t, kBytes> make(const Content& content);

/// Returns true for a test packet, with whatever secret, that the engine has sent on. REQUIRES: the packet is IPv4. No
/// other packet has this destination, because the engine forwards nothing to a group.
[[nodiscard]] inline bool has_passed(const Packet& packet) {
  return packet.length == kBytes && load32(packet.data + 16) == kExit;
}

/// Returns the content of a packet that has the form of a test packet, with whatever secret and destination.
[[nodiscard]] std::optional<Content> read(std::span<const std::uint8_t> packet);

}  // namespace icr::node::self_test_packet
