#include "node/packet/self_test_packet.h"

namespace icr::node::self_test_packet {
namespace {

constexpr std::uint32_t kIpBytes = 20;
constexpr std::uint32_t kEntryAddresses = 64;

}  // namespace

std::array<std::uint8_t, kBytes> make(const Content& content) {
  std::array<std::uint8_t, kBytes> out{};
  std::uint8_t* const p = out.data();
  p[0] = 0x45;
  store16(p + 2, kBytes);
  store16(p + 6, 0x4000);  // never fragmented
  p[8] = 1;
  p[9] = kProtocol;
  store32(p + 12, kSource);
  store32(p + 16, kEntry + content.number % kEntryAddresses);
  store16(p + 10, checksum_finish(checksum_add(p, kIpBytes)));
  store32(p + kSecretOffset, static_cast<std::uint32_t>(content.secret >> 32));
  store32(p + kSecretOffset + 4, static_cast<std::uint32_t>(content.secret));
  store32(p + kSecretOffset + 8, content.unit);
  store32(p + kSecretOffset + 12, content.number);
  return out;
}

std::optional<Content> read(std::span<const std::uint8_t> packet) {
  if (packet.size() != kBytes || packet[0] != 0x45 || packet[9] != kProtocol) return std::nullopt;
  const std::uint8_t* const p = packet.data() + kSecretOffset;
  return Content{std::uint64_t{load32(p)} << 32 | load32(p + 4), load32(p + 8), load32(p + 12)};
}

}  // namespace icr::node::self_test_packet
