#include "node/packet/cut_ipv4.h"

#include <cstring>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

constexpr std::uint32_t kPlainHeader = 20;
constexpr std::uint8_t kEndOfOptions = 0, kNoOperation = 1;
/// The flag of an option that every fragment carries (RFC 791 section 3.1).
constexpr std::uint8_t kCopied = 0x80;
constexpr std::uint16_t kMoreFragments = 0x2000, kOffsetMask = 0x1fff;

std::uint32_t header_length(const std::uint8_t* packet) { return (packet[0] & 0x0fU) * 4U; }

/// Copies the options that every fragment carries to `out`, if it is not null; returns how many octets they have,
/// padded to whole words.
std::uint32_t copy_options(const std::uint8_t* packet, std::uint8_t* out) {
  const std::uint8_t* const end = packet + header_length(packet);
  std::uint32_t copied = 0;
  for (const std::uint8_t* at = packet + kPlainHeader; at < end && *at != kEndOfOptions;) {
    const std::uint32_t length = *at == kNoOperation ? 1 : at + 1 < end ? at[1] : 0;
    // Unreadable options are not copied, because the receiver could not read them either.
    if (length == 0 || length > static_cast<std::uint32_t>(end - at)) break;
    if ((*at & kCopied) != 0) {
      if (out != nullptr) std::memcpy(out + copied, at, length);
      copied += length;
    }
    at += length;
  }
  const std::uint32_t padded = (copied + 3) & ~3U;
  if (out != nullptr) std::memset(out + copied, kEndOfOptions, padded - copied);
  return padded;
}

}  // namespace

std::uint32_t later_header_length(const std::uint8_t* packet) { return kPlainHeader + copy_options(packet, nullptr); }

std::uint32_t write_ipv4_fragment(const std::uint8_t* packet, std::uint32_t from, std::uint32_t size,
                                  std::uint8_t* out) {
  const std::uint32_t whole = header_length(packet);
  const std::uint32_t payload = load16(packet + 2) - whole;
  std::uint32_t header = whole;
  if (from == 0) {
    std::memcpy(out, packet, whole);
  } else {
    std::memcpy(out, packet, kPlainHeader);
    header = kPlainHeader + copy_options(packet, out + kPlainHeader);
    out[0] = static_cast<std::uint8_t>(0x40 | header / 4);
  }
  const std::uint16_t before = load16(packet + 6);
  const bool more = (before & kMoreFragments) != 0 || from + size < payload;
  const auto offset = static_cast<std::uint16_t>((before & kOffsetMask) + from / 8);
  store16(out + 2, static_cast<std::uint16_t>(header + size));
  store16(out + 6, static_cast<std::uint16_t>((more ? kMoreFragments : 0U) | offset));
  store16(out + 10, 0);
  store16(out + 10, checksum_finish(checksum_add(out, header)));
  std::memcpy(out + header, packet + whole + from, size);
  return header + size;
}

}  // namespace icr::node
