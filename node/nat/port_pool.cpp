#include "node/nat/port_pool.h"

#include <algorithm>

namespace icr::node {
namespace {

static_assert(static_cast<int>(EndpointProtocol::tcp) == 0 && static_cast<int>(EndpointProtocol::icmp) == 2,
              "rows of an address are numbered as protocols of endpoints are");

std::size_t rows_of(const AddressList& addresses) { return std::size_t{addresses.size()} * 3; }

/// Number of a pool's ports that are below 1024.
std::uint32_t low_ports(const NatPool& pool) {
  return pool.port_low < PortPool::kFirstHighPort ? std::uint32_t{PortPool::kFirstHighPort} - pool.port_low : 0;
}

}  // namespace

PortPool::PortPool(const NatPool& pool, std::uint64_t seed)
    : addresses_(pool.addresses),
      low_(pool.port_low),
      high_(pool.port_high),
      preserve_parity_(pool.preserve_parity),
      preserve_range_(pool.preserve_range),
      round_robin_(pool.round_robin),
      bits_(rows_of(addresses_), high_ - low_ + 1, kProtocols, low_ports(pool), low_ports(pool)),
      owned_on_(addresses_.size()),
      next_(pool.assignment == NatPool::Assignment::sequential ? rows_of(addresses_) : 0),
      seed_(seed) {}

std::uint64_t PortPool::hash(const IpAddress& internal) const {
  if (internal.is_v4()) return detail::mix(internal.to_v4() ^ seed_, 0x9e3779b97f4a7c15ULL);
  return hash_of(internal, seed_);
}

std::uint32_t PortPool::first_index(const IpAddress& internal) {
  if (!round_robin_) return hashed_index(internal);
  const std::uint32_t index = next_address_;
  next_address_ = index + 1 == addresses_.size() ? 0 : index + 1;
  return index;
}

std::optional<IpAddress> PortPool::hashed_address(const IpAddress& internal) const {
  std::uint32_t index = hashed_index(internal);
  if (reserved_portless_.empty()) return IpAddress::v4(addresses_.at(index));
  for (std::uint32_t i = 0; i < addresses_.size(); ++i, index = index + 1 == addresses_.size() ? 0 : index + 1) {
    if (reserved_portless_[index] == 0) return IpAddress::v4(addresses_.at(index));
  }
  return std::nullopt;
}

void PortPool::reserve(const std::vector<ReservedEndpoints>& endpoints) {
  for (const ReservedEndpoints& each : endpoints) {
    const PortRange ports = each.ports.value_or(PortRange{0, 65535});
    const std::uint32_t first = std::max<std::uint32_t>(ports.low, low_);
    const std::uint32_t last = std::min<std::uint32_t>(ports.high, high_);
    for (std::uint64_t v4 = each.low; v4 <= each.high; ++v4) {
      const auto index = addresses_.index_of(static_cast<std::uint32_t>(v4));
      if (!index) continue;
      if (each.protocol == EndpointProtocol::other) {
        reserved_portless_.resize(addresses_.size());
        reserved_portless_[*index] = 1;
      } else if (first <= last) {
        reserve_ports(*index * kProtocols + static_cast<std::uint32_t>(each.protocol), first - low_, last - low_);
      }
    }
  }
  std::sort(reserved_ports_.begin(), reserved_ports_.end(),
            [](const Reserved& a, const Reserved& b) { return a.before(b); });
}

void PortPool::reserve_ports(std::uint32_t row, std::uint32_t first, std::uint32_t last) {
  // Two rules may answer the same port, which counts once.
  for (std::uint32_t bit = first; bit <= last; ++bit) {
    if (!bits_.set(row, bit)) continue;
    ++reserved_;
    ++reserved_by_[row % kProtocols];
    if (!reserved_ports_.empty() && reserved_ports_.back().row == row && reserved_ports_.back().last + 1 == bit) {
      reserved_ports_.back().last = bit;
    } else {
      reserved_ports_.push_back({row, bit, bit});
    }
  }
}

bool PortPool::is_reserved(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const {
  if (reserved_ports_.empty() && reserved_portless_.empty()) return false;
  const auto index = addresses_.index_of(address);
  if (!index) return false;
  if (!translates_port(protocol)) return !reserved_portless_.empty() && reserved_portless_[*index] != 0;
  if (!in_range(port)) return false;
  const Reserved wanted{*index * kProtocols + protocol_index(protocol), port - low_, port - low_};
  const auto after = std::upper_bound(reserved_ports_.begin(), reserved_ports_.end(), wanted,
                                      [](const Reserved& a, const Reserved& b) { return a.before(b); });
  return after != reserved_ports_.begin() && std::prev(after)->row == wanted.row &&
         wanted.first <= std::prev(after)->last;
}

void PortPool::hold_released(Ticks duration, std::uint32_t most) {
  const std::uint64_t numbers = std::uint64_t{addresses_.size()} * kProtocols * bits_.bits();
  hold_.emplace(numbers, static_cast<std::uint32_t>(std::min<std::uint64_t>(most, numbers)), duration);
  held_on_.resize(addresses_.size());
}

void PortPool::advance(Ticks now) {
  if (!hold_) return;
  while (const auto number = hold_->due(now)) {
    const auto row = static_cast<std::uint32_t>(*number / bits_.bits());
    (void)bits_.clear(row, static_cast<std::uint32_t>(*number % bits_.bits()));
    --held_on_[row / kProtocols];
  }
}

std::optional<PortPool::ExternalEndpoint> PortPool::take_held(std::optional<std::uint32_t> row, std::uint8_t protocol,
                                                              const BitRows::Wanted& choice) {
  if (!hold_ || hold_->size() == 0) return std::nullopt;
  const auto number = hold_->take_oldest([&](std::uint64_t n) {
    const auto of_row = static_cast<std::uint32_t>(n / bits_.bits());
    const auto bit = static_cast<std::uint32_t>(n % bits_.bits());
    const bool right_parity =
        choice.parity == BitRows::Parity::any || (bit % 2 == 0) == (choice.parity == BitRows::Parity::even);
    return (row ? of_row == *row : of_row % kProtocols == protocol_index(protocol)) && choice.first <= bit &&
           bit <= choice.last && right_parity;
  });
  if (!number) return std::nullopt;
  const auto of_row = static_cast<std::uint32_t>(*number / bits_.bits());
  --held_on_[of_row / kProtocols];
  ++reused_early_;
  taken(of_row);
  return ExternalEndpoint{IpAddress::v4(addresses_.at(of_row / kProtocols)),
                          static_cast<std::uint16_t>(low_ + *number % bits_.bits())};
}

std::uint32_t PortPool::draw(std::uint32_t row, std::uint32_t count, std::uint64_t nonce) const {
  if (!next_.empty()) return next_[row] % count;
  return static_cast<std::uint32_t>(
      (detail::mix(nonce ^ seed_, row ^ 0xbf58476d1ce4e5b9ULL ^ seed_ << 32) >> 32) * count >> 32);
}

void PortPool::taken(std::uint32_t row) {
  ++in_use_by_[row % kProtocols];
  max_in_use_ = std::max(max_in_use_, ++in_use_);
  if (++owned_on_[row / kProtocols] == 1) ++addresses_in_use_;
}

std::optional<PortPool::Span> PortPool::preserving(Span span, std::uint8_t protocol, std::uint16_t original) const {
  // Parity and range are preserved for ports only, not for ICMP identifiers.
  if (!preserve_range_ || protocol == ip_protocol::icmp) return span;
  if (original < kFirstHighPort) {
    span.last = std::min<std::uint16_t>(span.last, kFirstHighPort - 1);
  } else {
    span.first = std::max(span.first, kFirstHighPort);
  }
  return span.first > span.last ? std::nullopt : std::optional(span);
}

BitRows::Parity PortPool::parity_for(std::uint8_t protocol, std::uint16_t original) const {
  if (!preserve_parity_ || protocol == ip_protocol::icmp) return BitRows::Parity::any;
  return (original - low_) % 2 == 0 ? BitRows::Parity::even : BitRows::Parity::odd;
}

bool PortPool::fits(Span span, std::uint8_t protocol, std::uint16_t original) const {
  const auto allowed = preserving(span, protocol, original);
  if (!allowed) return false;
  const BitRows::Parity parity = parity_for(protocol, original);
  return parity == BitRows::Parity::any || allowed->first != allowed->last ||
         ((allowed->first - low_) % 2 == 0) == (parity == BitRows::Parity::even);
}

std::optional<BitRows::Wanted> PortPool::wanted(Span span, std::uint8_t protocol, std::uint16_t original) const {
  const auto allowed = preserving(span, protocol, original);
  if (!allowed) return std::nullopt;
  return BitRows::Wanted{allowed->first - low_, allowed->last - low_, parity_for(protocol, original)};
}

PortPool::Refusal PortPool::blame(bool possible, std::uint8_t protocol, std::uint16_t original) const {
  if (possible && parity_for(protocol, original) != BitRows::Parity::any) return Refusal::parity;
  return preserve_range_ && protocol != ip_protocol::icmp ? Refusal::range : Refusal::out_of_ports;
}

std::optional<std::uint16_t> PortPool::allocate_on(std::uint32_t index, Span span, std::uint8_t protocol,
                                                   std::uint16_t original, std::uint64_t nonce, Refusal& why) {
  const std::uint32_t row = index * kProtocols + protocol_index(protocol);
  why = Refusal::out_of_ports;
  if (bits_.free(row) == 0 && !hold_) return std::nullopt;
  const auto choice = wanted(span, protocol, original);
  if (choice) {
    if (const auto port = take(row, *choice, nonce)) return port;
    if (const auto held = take_held(row, protocol, *choice)) return held->port;
  }
  if (bits_.free(row) != 0 || (hold_ && held_on_[index] != 0)) why = blame(choice.has_value(), protocol, original);
  return std::nullopt;
}

std::optional<std::uint16_t> PortPool::take(std::uint32_t row, const BitRows::Wanted& choice, std::uint64_t nonce) {
  if (!bits_.may_have(row, choice)) return std::nullopt;
  const std::uint32_t first = choice.first;
  const auto bit = bits_.take(row, first + draw(row, choice.last - first + 1, nonce), choice);
  if (!bit) return std::nullopt;
  if (!next_.empty()) next_[row] = static_cast<std::uint16_t>(*bit - first + 1);
  taken(row);
  return static_cast<std::uint16_t>(low_ + *bit);
}

std::optional<PortPool::ExternalEndpoint> PortPool::allocate(const IpAddress& internal, std::uint8_t protocol,
                                                             std::uint16_t original, std::uint64_t nonce,
                                                             Refusal& why) {
  const std::uint32_t first = first_index(internal);
  why = Refusal::out_of_ports;
  if (exhausted(protocol)) return std::nullopt;
  const auto choice = wanted(whole(), protocol, original);
  if (choice && bits_.group_may_have(protocol_index(protocol), *choice)) {
    for (std::uint32_t i = 0; i < addresses_.size(); ++i) {
      const std::uint32_t index = first + i < addresses_.size() ? first + i : first + i - addresses_.size();
      if (const auto port = take(index * kProtocols + protocol_index(protocol), *choice, nonce)) {
        return ExternalEndpoint{IpAddress::v4(addresses_.at(index)), *port};
      }
    }
  }
  if (choice) {
    if (auto held = take_held(std::nullopt, protocol, *choice)) return held;
  }
  // Prefer reporting a parity or range refusal over plain exhaustion, because it tells the operator more.
  why = blame(choice.has_value(), protocol, original);
  return std::nullopt;
}

std::optional<PortPool::PredictedPort> PortPool::look_ahead(const IpAddress& internal, std::uint8_t protocol,
                                                            std::uint16_t original, std::uint64_t nonce) const {
  if (round_robin_ || !next_.empty()) return std::nullopt;
  const auto choice = wanted(whole(), protocol, original);
  if (!choice) return std::nullopt;
  const std::uint32_t row = hashed_index(internal) * kProtocols + protocol_index(protocol);
  const std::uint32_t bit = choice->first + draw(row, choice->last - choice->first + 1, nonce);
  bits_.prefetch(row, bit);
  return PredictedPort{row, bit, choice->parity};
}

PortPool::ExternalEndpoint PortPool::likely(const PredictedPort& predicted) const {
  return {IpAddress::v4(addresses_.at(predicted.row / kProtocols)),
          static_cast<std::uint16_t>(low_ + bits_.likely(predicted.row, predicted.bit, predicted.parity))};
}

void PortPool::prefetch(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const {
  const auto index = addresses_.index_of(address);
  if (index && in_range(port)) bits_.prefetch(*index * kProtocols + protocol_index(protocol), port - low_);
}

bool PortPool::claim(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) {
  const auto index = addresses_.index_of(address);
  if (!index || !in_range(port) || is_reserved(address, protocol, port)) return false;
  const std::uint32_t row = *index * kProtocols + protocol_index(protocol);
  if (const std::uint64_t number = number_of(row, port - low_); hold_ && hold_->holds(number)) {
    hold_->forget(number);
    --held_on_[*index];
  } else if (!bits_.set(row, port - low_)) {
    ++contested_[std::uint64_t{row} << 16 | port];
    return false;
  }
  taken(row);
  return true;
}

bool PortPool::owned(const IpAddress& address, std::uint8_t protocol, std::uint16_t port) const {
  const auto index = addresses_.index_of(address);
  if (!index || !in_range(port) || is_reserved(address, protocol, port)) return true;
  const std::uint32_t row = *index * kProtocols + protocol_index(protocol);
  // claim() takes a port that is only held.
  return bits_.taken(row, port - low_) && !(hold_ && hold_->holds(number_of(row, port - low_)));
}

void PortPool::release(const IpAddress& address, std::uint8_t protocol, std::uint16_t port,
                       std::optional<Ticks> held_from) {
  const auto index = addresses_.index_of(address);
  if (!index || !in_range(port)) return;
  const std::uint32_t row = *index * kProtocols + protocol_index(protocol);
  if (!contested_.empty()) {
    const auto found = contested_.find(std::uint64_t{row} << 16 | port);
    if (found != contested_.end()) {
      if (--found->second == 0) contested_.erase(found);
      return;
    }
  }
  // The bits of reserved ports are set, and have no owner.
  if (!reserved_ports_.empty() && is_reserved(address, protocol, port)) return;
  if (hold_ && hold_->holds(number_of(row, port - low_))) return;
  if (!bits_.clear(row, port - low_)) return;
  --in_use_;
  --in_use_by_[protocol_index(protocol)];
  if (hold_ && held_from) {
    (void)bits_.set(row, port - low_);
    ++held_on_[*index];
    advance(*held_from);
    if (const auto oldest = hold_->add(number_of(row, port - low_), *held_from)) {
      const auto of_row = static_cast<std::uint32_t>(*oldest / bits_.bits());
      (void)bits_.clear(of_row, static_cast<std::uint32_t>(*oldest % bits_.bits()));
      --held_on_[of_row / kProtocols];
      ++reused_early_;
    }
  }
  if (--owned_on_[*index] == 0) --addresses_in_use_;
}

}  // namespace icr::node
