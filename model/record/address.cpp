#include "model/record/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace icr {
namespace {

/// Bits of the 16-byte form that a prefix of `length` bits fixes.
unsigned fixed_bits(const IpAddress& base, std::uint8_t length) { return base.is_v4() ? 96U + length : length; }

bool same_leading_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
  const unsigned whole = bits / 8;
  if (std::memcmp(a.bytes.data(), b.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
  return ((a.bytes[whole] ^ b.bytes[whole]) & mask) == 0;
}

std::uint64_t low_half(const IpAddress& address) {
  std::uint64_t out = 0;
  for (std::size_t i = 8; i < 16; ++i) out = out << 8 | address.bytes[i];
  return out;
}

}  // namespace

IpAddress IpAddress::v6(const std::uint8_t* network_order_16) {
  IpAddress out;
  std::memcpy(out.bytes.data(), network_order_16, 16);
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton stops at a zero byte; an address with one in it is none.
  if (text.size() > 45 || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string owned(text);
  in_addr four{};
  if (inet_pton(AF_INET, owned.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
  IpAddress out;
  if (inet_pton(AF_INET6, owned.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

bool is_loopback(const IpAddress& address) {
  static const IpAddress kLoopbackV6 = *IpAddress::parse("::1");
  return address.is_v4() ? address.to_v4() >> 24U == 127 : address == kLoopbackV6;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  if (is_v4()) return inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned widest = address->is_v4() ? 32 : 128;
  unsigned length = widest;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > widest) return std::nullopt;
  }
  return of(*address, static_cast<std::uint8_t>(length));
}

Prefix Prefix::of(IpAddress address, std::uint8_t length) {
  for (unsigned bit = fixed_bits(address, length); bit < 128; ++bit) {
    address.bytes[bit / 8] = static_cast<std::uint8_t>(address.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return Prefix{address, length};
}

bool Prefix::contains(const IpAddress& address) const {
  return base.is_v4() == address.is_v4() && same_leading_bits(base, address, fixed_bits(base, length));
}

std::string Prefix::to_string() const { return base.to_string() + "/" + std::to_string(length); }

AddressRange AddressRange::of(const Prefix& prefix) {
  AddressRange out{prefix.base, prefix.base};
  for (unsigned bit = fixed_bits(prefix.base, prefix.length); bit < 128; ++bit) {
    out.high.bytes[bit / 8] = static_cast<std::uint8_t>(out.high.bytes[bit / 8] | 0x80U >> (bit % 8));
  }
  return out;
}

std::uint64_t AddressRange::count() const {
  if (std::memcmp(low.bytes.data(), high.bytes.data(), 8) != 0) return ~std::uint64_t{0};
  const std::uint64_t distance = low_half(high) - low_half(low);
  return distance == ~std::uint64_t{0} ? distance : distance + 1;
}

std::optional<Prefix> AddressRange::as_prefix() const {
  // The bits in which the two ends differ must be all of the last ones: 0 in `low`, 1 in `high`.
  unsigned same = 0;
  while (same < 128 && ((low.bytes[same / 8] ^ high.bytes[same / 8]) & (0x80U >> (same % 8))) == 0) ++same;
  if (low.is_v4() && same < 96) return std::nullopt;
  const auto prefix = Prefix::of(low, static_cast<std::uint8_t>(low.is_v4() ? same - 96 : same));
  if (AddressRange::of(prefix) != *this) return std::nullopt;
  return prefix;
}

std::string AddressRange::to_string() const {
  const auto prefix = as_prefix();
  return prefix ? prefix->to_string() : low.to_string() + "-" + high.to_string();
}

}  // namespace icr
