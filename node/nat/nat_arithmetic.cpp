#include "node/nat/nat_arithmetic.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace icr::node {
namespace {

using Words = std::array<std::uint16_t, 8>;

Words words_of(const IpAddress& address) {
  Words out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint16_t>(address.bytes[i * 2] << 8U | address.bytes[i * 2 + 1]);
  }
  return out;
}

std::uint16_t fold(std::uint32_t sum) {
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

/// One's complement sum of a prefix.
std::uint16_t sum_of(const Prefix& prefix) {
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words_of(prefix.base)) sum += word;
  return fold(sum);
}

bool all_zero(const IpAddress& address, std::size_t from) {
  return std::all_of(address.bytes.begin() + static_cast<std::ptrdiff_t>(from), address.bytes.end(),
                     [](std::uint8_t b) { return b == 0; });
}

}  // namespace

IpAddress map_prefix(const IpAddress& address, const Prefix& from, const Prefix& to) {
  // Lengths count in the address' own family; the octets of IPv4 are the last four.
  const unsigned length = from.length + (from.base.is_v4() ? 96U : 0U);
  IpAddress out = to.base;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned bits = std::clamp<unsigned>(length > i * 8 ? length - i * 8 : 0, 0, 8);
    const auto host = static_cast<std::uint8_t>(0xffU >> bits);
    out.bytes[i] = static_cast<std::uint8_t>((to.base.bytes[i] & ~host) | (address.bytes[i] & host));
  }
  return out;
}

std::optional<IpAddress> map_nptv6(const IpAddress& address, const Prefix& from, const Prefix& to) {
  constexpr std::uint16_t kAllOnes = 0xffff;
  const Words before = words_of(address);
  // Section 3.4: up to /48 the subnet takes the correction; beyond, the first word of the interface identifier that
  // can.
  std::size_t word = 3;
  if (from.length > 48) {
    if (all_zero(address, 8)) return std::nullopt;
    word = 4;
    while (word < 8 && before[word] == kAllOnes) ++word;
    if (word == 8) return std::nullopt;
  } else if (before[word] == kAllOnes) {
    return std::nullopt;
  }
  IpAddress out = map_prefix(address, from, to);
  const std::uint32_t adjustment = std::uint32_t{sum_of(from)} + static_cast<std::uint16_t>(~sum_of(to));
  std::uint16_t value = fold(std::uint32_t{before[word]} + fold(adjustment));
  if (value == kAllOnes) value = 0;
  out.bytes[word * 2] = static_cast<std::uint8_t>(value >> 8U);
  out.bytes[word * 2 + 1] = static_cast<std::uint8_t>(value);
  return out;
}

std::optional<Prefix> static_source(const NatTerm& term) {
  if (term.from.source_addresses.size() != 1) return std::nullopt;
  return term.from.source_addresses[0].as_prefix();
}

std::optional<IpAddress> static_external(const NatTerm& term, const IpAddress& internal) {
  const auto inside = static_source(term);
  if (!inside || !term.source_prefix || !inside->contains(internal)) return std::nullopt;
  if (term.type == NatType::nptv6) return map_nptv6(internal, *inside, *term.source_prefix);
  return map_prefix(internal, *inside, *term.source_prefix);
}

std::optional<IpAddress> static_internal(const NatTerm& term, const IpAddress& external) {
  const auto inside = static_source(term);
  if (!inside || !term.source_prefix || !term.source_prefix->contains(external)) return std::nullopt;
  const auto out = term.type == NatType::nptv6 ? map_nptv6(external, *term.source_prefix, *inside)
                                               : map_prefix(external, *term.source_prefix, *inside);
  if (!out) return std::nullopt;
  const auto& except = term.from.source_except;
  if (std::any_of(except.begin(), except.end(), [&](const AddressRange& r) { return r.contains(*out); })) {
    return std::nullopt;
  }
  return out;
}

bool nat64_may_embed(const Prefix& prefix, std::uint32_t v4) {
  // This network, loopback; multicast, reserved, broadcast.
  if (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 0xe) return false;
  static const Prefix kWellKnown = *Prefix::parse("64:ff9b::/96");
  if (!(prefix == kWellKnown)) return true;
  // What has a meaning behind the translator and another one, or none, to those who write 64:ff9b::. The ranges for
  // documentation and benchmarks (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 198.18.0.0/15) are not global either,
  // but nobody lives there: they are what the Internet is made of in manuals and laboratories.
  struct Range {
    std::uint32_t base;
    unsigned length;
  };
  static constexpr Range kPrivate[] = {
      {0x0a000000, 8},   // RFC 1918
      {0xac100000, 12},  // RFC 1918
      {0xc0a80000, 16},  // RFC 1918
      {0x64400000, 10},  // shared by carriers and their customers (RFC 6598)
      {0xa9fe0000, 16},  // link-local (RFC 3927)
      {0xc0000000, 24},  // protocol assignments (RFC 6890)
  };
  return std::none_of(std::begin(kPrivate), std::end(kPrivate),
                      [&](const Range& r) { return (v4 ^ r.base) >> (32 - r.length) == 0; });
}

DestinationMap::DestinationMap(const Cluster& cluster, const NatTerm& term)
    : to_ports_(term.translated_ports), to_prefix_(term.destination_prefix), from_(term.from.destination_addresses) {
  if (to_ports_ && to_ports_->low != to_ports_->high) from_ports_ = forwarded_ports(term.from, cluster.applications);
  if (term.from.destination_addresses.size() == 1) from_prefix_ = term.from.destination_addresses[0].as_prefix();
  if (term.destination_pool) to_ = AddressList(cluster.nat_pools[*term.destination_pool].addresses);
}

std::optional<DestinationMap::Target> DestinationMap::operator()(const FlowKey& key) const {
  const auto address = address_for(key.destination);
  if (!address) return std::nullopt;
  if (!to_ports_) return Target{*address, key.destination_port};
  if (key.protocol != ip_protocol::tcp && key.protocol != ip_protocol::udp) return std::nullopt;
  if (!from_ports_) return Target{*address, to_ports_->low};
  if (!from_ports_->contains(key.destination_port)) return std::nullopt;
  return Target{*address, static_cast<std::uint16_t>(to_ports_->low + (key.destination_port - from_ports_->low))};
}

std::optional<IpAddress> DestinationMap::address_for(const IpAddress& destination) const {
  if (to_prefix_) {
    if (!from_prefix_ || !from_prefix_->contains(destination)) return std::nullopt;
    return map_prefix(destination, *from_prefix_, *to_prefix_);
  }
  if (to_.size() == 1) return IpAddress::v4(to_.at(0));
  const auto index = from_.index_of(destination);
  if (!index || *index >= to_.size()) return std::nullopt;
  return IpAddress::v4(to_.at(*index));
}

DeterministicBlocks::DeterministicBlocks(const NatPool& pool, const NatTerm& term)
    : hosts_(deterministic_hosts(term, pool)),
      addresses_(pool.addresses),
      low_(pool.port_low),
      block_size_(pool.deterministic ? pool.deterministic->block_size : 0),
      per_address_(block_size_ == 0 ? 0 : (std::uint32_t{pool.port_high} - pool.port_low + 1) / block_size_) {}

std::optional<DeterministicBlocks::Block> DeterministicBlocks::of_host(const IpAddress& internal) const {
  const auto host = hosts_.index_of(internal);
  if (!host || per_address_ == 0 || *host / per_address_ >= addresses_.size()) return std::nullopt;
  const std::uint32_t first = low_ + *host % per_address_ * block_size_;
  return Block{addresses_.at(*host / per_address_), static_cast<std::uint16_t>(first),
               static_cast<std::uint16_t>(first + block_size_ - 1), *host};
}

std::optional<std::uint32_t> DeterministicBlocks::host_of(const IpAddress& external, std::uint16_t port) const {
  const auto address = addresses_.index_of(external);
  if (!address || port < low_ || per_address_ == 0) return std::nullopt;
  const std::uint32_t block = (port - low_) / block_size_;
  const std::uint32_t host = *address * per_address_ + block;
  if (block >= per_address_ || host >= hosts_.size()) return std::nullopt;
  return hosts_.at(host);
}

}  // namespace icr::node
