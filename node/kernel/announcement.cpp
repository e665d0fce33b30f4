#include "node/kernel/announcement.h"

#include <initializer_list>
#include <span>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::array<std::uint8_t, 16> kAllNodes = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint8_t kRouterAndOverride = 0xa0;

void append(Bytes& out, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) out.push_back(byte);
}

void append(Bytes& out, std::initializer_list<std::uint8_t> bytes) {
  append(out, std::span<const std::uint8_t>(bytes.begin(), bytes.size()));
}

Bytes gratuitous_arp(std::span<const std::uint8_t> address, const EthernetAddress& owner) {
  Bytes out;
  append(out, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  append(out, owner);
  append(out, {0x08, 0x06});           // ARP
  append(out, {0, 1, 0x08, 0, 6, 4});  // Ethernet, IPv4
  append(out, {0, 1});                 // request
  append(out, owner);
  append(out, address);
  append(out, {0, 0, 0, 0, 0, 0});
  append(out, address);
  return out;
}

Bytes neighbour_advertisement(std::span<const std::uint8_t> address, const EthernetAddress& owner) {
  Bytes message;
  append(message, {136, 0, 0, 0, kRouterAndOverride, 0, 0, 0});
  append(message, address);
  append(message, {2, 1});  // option: target link-layer address
  append(message, owner);

  const auto length = static_cast<std::uint8_t>(message.size());
  Bytes summed;
  append(summed, address);
  append(summed, kAllNodes);
  append(summed, {0, 0, 0, length, 0, 0, 0, 58});
  append(summed, message);
  store16(message.data() + 2, checksum_finish(checksum_add(summed.data(), summed.size())));

  Bytes out;
  append(out, {0x33, 0x33, 0, 0, 0, 1});
  append(out, owner);
  append(out, {0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255});
  append(out, address);
  append(out, kAllNodes);
  append(out, message);
  return out;
}

}  // namespace

std::vector<std::uint8_t> announcement(const IpAddress& address, const EthernetAddress& owner) {
  const std::span<const std::uint8_t> bytes(address.bytes);
  if (address.is_v4()) return gratuitous_arp(bytes.subspan(12), owner);
  return neighbour_advertisement(bytes, owner);
}

}  // namespace icr::node
