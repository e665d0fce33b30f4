#include "tests/nat_model/arithmetic.h"

#include <algorithm>
#include <array>

#include "tests/nat_model/rules.h"

namespace icr::node::test::nat_model {
namespace {

bool bit(const IpAddress& a, unsigned n) { return (a.bytes[n / 8] >> (7 - n % 8) & 1U) != 0; }
void set_bit(IpAddress& a, unsigned n, bool value) {
  const auto mask = static_cast<std::uint8_t>(0x80U >> n % 8);
  a.bytes[n / 8] = static_cast<std::uint8_t>(value ? a.bytes[n / 8] | mask : a.bytes[n / 8] & ~mask);
}
/// Bits of the 16 octets that the prefix fixes.
unsigned fixed_bits(const Prefix& p) { return p.length + (p.base.is_v4() ? 96U : 0U); }

std::uint16_t word(const IpAddress& a, unsigned n) {
  return static_cast<std::uint16_t>(a.bytes[2 * n] << 8 | a.bytes[2 * n + 1]);
}
/// One's complement sum of all words.
std::uint32_t sum(const IpAddress& a) {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < 8; ++i) out += word(a, i);
  while (out > 0xffff) out = (out & 0xffff) + (out >> 16);
  return out;
}

/// Octets of an IPv6 address that hold the IPv4 one (RFC 6052 section 2.2): octet 8 is never used.
std::array<unsigned, 4> octets_behind(const Prefix& prefix) {
  std::array<unsigned, 4> out{};
  unsigned at = prefix.length / 8U;
  for (unsigned& each : out) {
    if (at == 8 && prefix.length != 96) ++at;
    each = at++;
  }
  return out;
}

}  // namespace

bool in_prefix(const Prefix& prefix, const IpAddress& address) {
  if (prefix.base.is_v4() != address.is_v4()) return false;
  for (unsigned i = 0; i < fixed_bits(prefix); ++i) {
    if (bit(prefix.base, i) != bit(address, i)) return false;
  }
  return true;
}

IpAddress same_host(const IpAddress& address, const Prefix& to) {
  IpAddress out = to.base;
  for (unsigned i = fixed_bits(to); i < 128; ++i) set_bit(out, i, bit(address, i));
  return out;
}

std::optional<IpAddress> nptv6(const IpAddress& address, const Prefix& from, const Prefix& to) {
  unsigned adjusted = 3;
  if (from.length > 48) {
    // Section 3.5: the first word of the interface identifier that is not all ones; the anycast address is not touched.
    const bool anycast = std::all_of(address.bytes.begin() + 8, address.bytes.end(), [](auto b) { return b == 0; });
    if (anycast) return std::nullopt;
    adjusted = 4;
    while (adjusted < 8 && word(address, adjusted) == 0xffff) ++adjusted;
    if (adjusted == 8) return std::nullopt;
  } else if (word(address, adjusted) == 0xffff) {
    return std::nullopt;
  }
  IpAddress out = same_host(address, to);
  // Whatever makes the sum what it was, modulo 65535; 0xffff is never made.
  out.bytes[adjusted * 2] = out.bytes[adjusted * 2 + 1] = 0;
  const std::uint32_t value = (sum(address) + 0xffff - sum(out) % 0xffff) % 0xffff;
  out.bytes[adjusted * 2] = static_cast<std::uint8_t>(value >> 8);
  out.bytes[adjusted * 2 + 1] = static_cast<std::uint8_t>(value);
  return out;
}

IpAddress embedded(const Prefix& prefix, const IpAddress& v4) {
  IpAddress out = prefix.base;
  const auto at = octets_behind(prefix);
  for (unsigned i = 0; i < 4; ++i) out.bytes[at[i]] = v4.bytes[12 + i];
  return out;
}

std::optional<IpAddress> embedded_in(const Prefix& prefix, const IpAddress& v6) {
  if (!in_prefix(prefix, v6) || v6.bytes[8] != 0) return std::nullopt;
  IpAddress out = IpAddress::v4(0);
  const auto at = octets_behind(prefix);
  for (unsigned i = 0; i < 4; ++i) out.bytes[12 + i] = v6.bytes[at[i]];
  return out;
}

std::optional<PortShare> share_of(const NatPool& pool, const NatTerm& term, const IpAddress& host) {
  std::vector<IpAddress> hosts;
  for (const AddressRange& range : term.from.source_addresses) {
    auto these = addresses_of({range});
    if (!pool.deterministic->include_boundary_addresses && these.size() >= 4) {
      these.erase(these.begin());
      these.pop_back();
    }
    hosts.insert(hosts.end(), these.begin(), these.end());
  }
  const auto found = std::find(hosts.begin(), hosts.end(), host);
  if (found == hosts.end()) return std::nullopt;
  const auto n = static_cast<std::uint32_t>(found - hosts.begin());
  const std::uint32_t size = pool.deterministic->block_size;
  const std::uint32_t per_address = (std::uint32_t{pool.port_high} - pool.port_low + 1) / size;
  const auto addresses = addresses_of(pool.addresses);
  if (per_address == 0 || n / per_address >= addresses.size()) return std::nullopt;
  const std::uint32_t first = pool.port_low + n % per_address * size;
  return PortShare{addresses[n / per_address], static_cast<std::uint16_t>(first),
                   static_cast<std::uint16_t>(first + size - 1)};
}

}  // namespace icr::node::test::nat_model
