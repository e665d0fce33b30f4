// Packets as the model sees them: fields that are built into octets from scratch, so that what the engine changed in
// place is compared with what should have been written at once. Shares no code with the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/record/flow_key.h"
#include "tests/support/packets.h"

namespace icr::node::test::nat_model {

inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kGre = 47, kIcmp6 = 58;

/// The protocol of a host of that family as IPv4 has it. In the other family, each of the two numbers of ICMP is a
/// protocol without ports like any other.
[[nodiscard]] constexpr std::uint8_t in_v4(bool host_v6, std::uint8_t protocol) {
  if (!host_v6) return protocol;
  return protocol == kIcmp6 ? kIcmp : protocol == kIcmp ? kIcmp6 : protocol;
}
[[nodiscard]] inline std::uint8_t in_v4(const FlowKey& key) { return in_v4(!key.source.is_v4(), key.protocol); }
/// True if NAT gives packets of this key a port, or an identifier.
[[nodiscard]] inline bool translated_by_port(const FlowKey& key) {
  const std::uint8_t protocol = in_v4(key);
  return protocol == kTcp || protocol == kUdp || protocol == kIcmp;
}

/// One packet. Fields that its family or protocol does not have are ignored.
struct Wire {
  FlowKey key;  ///< as on the wire; an ICMP echo has its identifier in both ports
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 64;
  std::uint16_t ip_id = 0;  ///< IPv4
  bool dont_fragment = false;
  std::uint32_t flow_label = 0;  ///< IPv6
  Bytes payload;                 ///< of the transport

  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 65535;
  int scale = -1;  ///< options of a SYN; -1: not there
  int mss = -1;

  bool udp_without_checksum = false;

  std::uint8_t icmp_type = 8, icmp_code = 0;
  std::uint16_t icmp_sequence = 1;
  std::uint32_t icmp_rest = 0;        ///< of an error: octets 4 to 7
  std::shared_ptr<const Wire> about;  ///< the packet that an ICMP error quotes
  Bytes about_octets;                 ///< or this, as it is
  std::size_t quoted = 0;             ///< octets of it

  [[nodiscard]] bool v6() const { return !key.source.is_v4(); }
  [[nodiscard]] bool icmp() const { return key.protocol == (v6() ? kIcmp6 : kIcmp); }
  [[nodiscard]] bool error() const { return about != nullptr || !about_octets.empty(); }
};

[[nodiscard]] Bytes build(const Wire& wire);

/// The key that a packet carries; ports 0 where it has none.
[[nodiscard]] FlowKey key_of(const Bytes& packet);

/// For failure messages.
[[nodiscard]] std::string describe(const FlowKey& key);
[[nodiscard]] std::string describe(const Wire& wire);
[[nodiscard]] std::string hex(const Bytes& packet);

}  // namespace icr::node::test::nat_model
