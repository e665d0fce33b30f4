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

/// Reads a word in the order of octets of this machine.
template <class Word>
Word native(const std::uint8_t* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
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
  // afterwards (RFC 1071 section 2). Four at a time: two sums of the lower halves of 64 bits, and two of the upper
  // ones.
  using Pair [[gnu::vector_size(16)]] = std::uint64_t;
  Pair lower{};
  Pair upper{};
  for (; size >= 16; data += 16, size -= 16) {
    const auto pair = native<Pair>(data);
    lower += pair & 0xffffffffU;
    upper += pair >> 32;
  }
  lower += upper;
  std::uint64_t words = lower[0] + lower[1];
  if ((size & 8U) != 0) {
    words += std::uint64_t{native<std::uint32_t>(data)} + native<std::uint32_t>(data + 4);
    data += 8;
  }
  if ((size & 4U) != 0) {
    words += native<std::uint32_t>(data);
    data += 4;
  }
  if ((size & 2U) != 0) {
    words += native<std::uint16_t>(data);
    data += 2;
  }
  if ((size & 1U) != 0) {
    const std::array<std::uint8_t, 2> padded{*data, 0};
    words += native<std::uint16_t>(padded.data());
  }
  const auto folded = static_cast<std::uint16_t>(~checksum_finish(words));
  std::array<std::uint8_t, 2> octets{};
  std::memcpy(octets.data(), &folded, 2);
  return sum + load16(octets.data());
}

}  // namespace icr::node
