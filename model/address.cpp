#include "model/address.h"

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

}  // namespace icr
