// IP addresses and prefixes as plain values.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace icr {

static_assert(std::endian::native == std::endian::little);

/// An IPv4 or IPv6 address in 16 bytes, network order; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] static IpAddress v4(std::uint32_t host_order) {
    // One store of 16 octets: of several, the processor cannot forward to a load of the whole, and keys are copied a
    // lot.
    using Whole [[gnu::vector_size(16)]] = std::uint64_t;
    const Whole whole = {0, std::uint64_t{__builtin_bswap32(host_order)} << 32 | 0xffff0000U};
    IpAddress out;
    std::memcpy(out.bytes.data(), &whole, sizeof whole);
    return out;
  }
  [[nodiscard]] static IpAddress v6(const std::uint8_t* network_order_16);
  /// Dotted quad or RFC 4291 text; no zone, no prefix length.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const {
    std::uint64_t high;
    std::uint32_t middle;
    std::memcpy(&high, bytes.data(), 8);
    std::memcpy(&middle, bytes.data() + 8, 4);
    return high == 0 && middle == 0xffff0000U;
  }
  /// Host order. Only when is_v4().
  [[nodiscard]] std::uint32_t to_v4() const {
    std::uint32_t network_order;
    std::memcpy(&network_order, bytes.data() + 12, 4);
    return __builtin_bswap32(network_order);
  }
  /// Canonical text (RFC 5952 for IPv6).
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// Returns true if the address is of the machine itself: 127.0.0.0/8, ::1.
[[nodiscard]] bool is_loopback(const IpAddress& address);

/// An address block. `length` counts in the address' own family (0..32 or 0..128); host bits are zero.
struct Prefix {
  IpAddress base;
  std::uint8_t length = 0;

  /// "192.0.2.0/24", "2001:db8::/32", or an address alone (a host). Host bits that are set are cleared.
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
  /// The prefix of `length` bits that holds `address`. `length` must be in range for its family.
  [[nodiscard]] static Prefix of(IpAddress address, std::uint8_t length);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const { return contains(other.base) || other.contains(base); }
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

/// All addresses from `low` to `high`, both included; of one family, `low` not above `high`.
struct AddressRange {
  IpAddress low;
  IpAddress high;

  [[nodiscard]] static AddressRange of(const Prefix& prefix);
  /// IPv4 addresses are in no IPv6 range, also not in ::/0, whatever their 16 bytes say.
  [[nodiscard]] bool contains(const IpAddress& address) const {
    return low <= address && address <= high && address.is_v4() == low.is_v4();
  }
  [[nodiscard]] bool contains(const AddressRange& other) const { return contains(other.low) && contains(other.high); }
  [[nodiscard]] bool overlaps(const AddressRange& other) const {
    return low <= other.high && other.low <= high && low.is_v4() == other.low.is_v4();
  }
  [[nodiscard]] bool is_v4() const { return low.is_v4(); }
  /// Number of addresses; 2^64 - 1 where there are more.
  [[nodiscard]] std::uint64_t count() const;
  /// The range as one prefix, if it is one.
  [[nodiscard]] std::optional<Prefix> as_prefix() const;
  /// "192.0.2.0/24" where it is one prefix, else "192.0.2.1-192.0.2.9".
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const AddressRange&, const AddressRange&) = default;
};

}  // namespace icr
