#include "node/services/port_pool.h"

#include <algorithm>
#include <bit>

namespace icr::node {
namespace {
constexpr std::uint32_t kProtocols = 3;
}

PortPool::PortPool(const NatPool& pool, std::uint64_t seed) : low_(pool.port_low), high_(pool.port_high), seed_(seed) {
  for (const AddressRange& range : pool.addresses) {
    const auto count = static_cast<std::uint32_t>(range.count());
    ranges_.push_back({range.low.to_v4(), count, addresses_});
    addresses_ += count;
  }
  const std::uint32_t ports = high_ - low_ + 1;
  words_ = (ports + 63) / 64;
  const std::size_t rows = std::size_t{addresses_} * kProtocols;
  bits_.resize(rows * words_, 0);
  free_.resize(rows, ports);
  // Bits beyond the range in the last word are taken for ever.
  if (ports % 64 != 0) {
    for (std::size_t row = 0; row < rows; ++row) bits_[row * words_ + words_ - 1] = ~std::uint64_t{0} << (ports % 64);
  }
}

bool PortPool::translates_port(std::uint8_t protocol) {
  return protocol == ip_protocol::tcp || protocol == ip_protocol::udp || protocol == ip_protocol::icmp;
}

std::uint32_t PortPool::protocol_index(std::uint8_t protocol) {
  return protocol == ip_protocol::tcp ? 0 : protocol == ip_protocol::udp ? 1 : 2;
}

std::optional<std::uint32_t> PortPool::index_of(const IpAddress& address) const {
  if (!address.is_v4()) return std::nullopt;
  const std::uint32_t v4 = address.to_v4();
  for (const Range& range : ranges_) {
    if (v4 - range.base < range.count) return range.first + (v4 - range.base);
  }
  return std::nullopt;
}

IpAddress PortPool::address_at(std::uint32_t index) const {
  for (const Range& range : ranges_) {
    if (index - range.first < range.count) return IpAddress::v4(range.base + (index - range.first));
  }
  return {};
}

IpAddress PortPool::paired_address(const IpAddress& internal) const {
  const std::uint64_t h = detail::mix(internal.to_v4() ^ seed_, 0x9e3779b97f4a7c15ULL);
  return address_at(static_cast<std::uint32_t>(h % addresses_));
}

std::optional<std::uint16_t> PortPool::take_free(std::uint32_t row, std::uint32_t start) {
  std::uint64_t* const words = &bits_[std::size_t{row} * words_];
  std::uint32_t word = start / 64;
  std::uint64_t candidates = ~words[word] & (~std::uint64_t{0} << (start % 64));
  // One word more than there are: the start word is looked at again, whole.
  for (std::uint32_t looked = 0; looked <= words_; ++looked) {
    if (candidates != 0) {
      const auto bit = static_cast<std::uint32_t>(std::countr_zero(candidates));
      words[word] |= std::uint64_t{1} << bit;
      return static_cast<std::uint16_t>(low_ + word * 64 + bit);
    }
    word = word + 1 == words_ ? 0 : word + 1;
    candidates = ~words[word];
  }
  return std::nullopt;
}

std::optional<PortPool::Binding> PortPool::allocate(const IpAddress& internal, std::uint8_t protocol) {
  const std::uint64_t h = detail::mix(internal.to_v4() ^ seed_, 0x9e3779b97f4a7c15ULL);
  const std::uint64_t draw = detail::mix(++draws_ ^ seed_, internal.to_v4() ^ 0xbf58476d1ce4e5b9ULL);
  const auto paired = static_cast<std::uint32_t>(h % addresses_);
  const auto start = static_cast<std::uint32_t>(draw % (high_ - low_ + 1));
  for (std::uint32_t i = 0; i < addresses_; ++i) {
    const std::uint32_t index = paired + i < addresses_ ? paired + i : paired + i - addresses_;
    const std::uint32_t row = index * kProtocols + protocol_index(protocol);
    if (free_[row] == 0) continue;
    const auto port = take_free(row, start);
    if (!port) continue;
    --free_[row];
    ++in_use_;
    ++in_use_by_[protocol_index(protocol)];
    return Binding{address_at(index), *port};
  }
  return std::nullopt;
}

bool PortPool::claim(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) {
  const auto index = index_of(address);
  if (!index || !in_range(port)) return false;
  const std::uint32_t row = *index * kProtocols + protocol_index(protocol);
  const std::uint32_t offset = port - low_;
  std::uint64_t& word = bits_[std::size_t{row} * words_ + offset / 64];
  const std::uint64_t bit = std::uint64_t{1} << (offset % 64);
  if ((word & bit) != 0) {
    ++contested_[std::uint64_t{row} << 16 | port];
    return false;
  }
  word |= bit;
  --free_[row];
  ++in_use_;
  ++in_use_by_[protocol_index(protocol)];
  return true;
}

void PortPool::release(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) {
  const auto index = index_of(address);
  if (!index || !in_range(port)) return;
  const std::uint32_t row = *index * kProtocols + protocol_index(protocol);
  if (!contested_.empty()) {
    const auto found = contested_.find(std::uint64_t{row} << 16 | port);
    if (found != contested_.end()) {
      if (--found->second == 0) contested_.erase(found);
      return;
    }
  }
  const std::uint32_t offset = port - low_;
  std::uint64_t& word = bits_[std::size_t{row} * words_ + offset / 64];
  const std::uint64_t bit = std::uint64_t{1} << (offset % 64);
  if ((word & bit) == 0) return;
  word &= ~bit;
  ++free_[row];
  --in_use_;
  --in_use_by_[protocol_index(protocol)];
}

}  // namespace icr::node
