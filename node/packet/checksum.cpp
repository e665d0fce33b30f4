#include "node/packet/checksum.h"

#include <array>
#include <cstring>

namespace icr::node {
namespace {

constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(const std::uint8_t* data, std::size_t size) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc32c_table();
  std::uint32_t crc = ~std::uint32_t{0};
  for (std::size_t i = 0; i < size; ++i) crc = crc >> 8 ^ kTable[(crc ^ data[i]) & 0xffU];
  return ~crc;
}

std::uint64_t checksum_add(const std::uint8_t* data, std::size_t size, std::uint64_t sum) {
  // Words of 32 bits give the same sum, because 2^16 is 1 modulo 2^16 - 1; and the order of octets may be turned
  // afterwards (RFC 1071 section 2).
  std::uint64_t native = 0;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t words = 0;
    std::memcpy(&words, data, 8);
    native += (words & 0xffffffffU) + (words >> 32);
  }
  const auto folded = static_cast<std::uint16_t>(~checksum_finish(native));
  std::array<std::uint8_t, 2> octets{};
  std::memcpy(octets.data(), &folded, 2);
  sum += load16(octets.data());
  for (; size >= 2; data += 2, size -= 2) sum += load16(data);
  if (size != 0) sum += std::uint64_t{*data} << 8;
  return sum;
}

std::uint16_t checksum_finish(std::uint64_t sum) {
  // This avoids a loop, because the number of turns would depend on the sum and could not be predicted.
  sum = (sum >> 32) + (sum & 0xffffffffU);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace icr::node
