// The 5-tuple that names one direction of a conversation, and the keyed hash over it.
#pragma once

#include <cstdint>
#include <cstring>

#include "model/record/address.h"

namespace icr {

/// One direction as it is seen on the wire on that side. Ports are host order. Protocols without ports have 0 in both;
/// an ICMP echo carries its identifier (RFC 792) in both, so that the reply is the mirrored key.
struct FlowKey {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;

  /// True if both addresses are IPv4.
  [[nodiscard]] bool is_v4() const { return source.is_v4() && destination.is_v4(); }
  [[nodiscard]] FlowKey mirrored() const {
    return FlowKey{destination, source, destination_port, source_port, protocol};
  }
  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    return a.source_port == b.source_port && a.destination_port == b.destination_port && a.protocol == b.protocol &&
           std::memcmp(a.source.bytes.data(), b.source.bytes.data(), 16) == 0 &&
           std::memcmp(a.destination.bytes.data(), b.destination.bytes.data(), 16) == 0;
  }
};

namespace detail {
/// 64x64 -> 128 multiply folded to 64 bits: the mixing step of wyhash-like hashes.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
inline std::uint64_t load64(const std::uint8_t* bytes) {
  std::uint64_t out;
  std::memcpy(&out, bytes, 8);
  return out;
}
}  // namespace detail

/// Hash of an address under a secret `seed`. Both factors are keyed: if one were not, all addresses that make it zero
/// would have the same hash under every seed.
inline std::uint64_t hash_of(const IpAddress& address, std::uint64_t seed) {
  return detail::mix(detail::load64(address.bytes.data()) ^ seed,
                     detail::load64(address.bytes.data() + 8) ^ ~seed ^ 0xa0761d6478bd642fULL);
}

/// hash_of() of a key of IPv4, from its parts: addresses in host order, `ports` as ports_word() makes it.
inline std::uint64_t hash_of_v4(std::uint32_t source, std::uint32_t destination, std::uint64_t ports,
                                std::uint64_t seed) {
  using detail::mix;
  const std::uint64_t inner =
      mix((std::uint64_t{source} << 32 | destination) ^ seed, ports ^ ~seed ^ 0xa0761d6478bd642fULL);
  return mix(inner ^ 0x8ebc6af09c88c6e3ULL, seed ^ 0x589965cc75374cc3ULL);
}
inline std::uint64_t ports_word(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t protocol) {
  return std::uint64_t{source_port} << 32 | std::uint64_t{destination_port} << 8 | protocol;
}

/// Hash of a key under a secret `seed` (hash flooding: an attacker must not be able to choose buckets).
inline std::uint64_t hash_of(const FlowKey& key, std::uint64_t seed) {
  using detail::mix;
  const std::uint64_t ports = ports_word(key.source_port, key.destination_port, key.protocol);
  if (key.is_v4()) return hash_of_v4(key.source.to_v4(), key.destination.to_v4(), ports, seed);
  const std::uint64_t a = hash_of(key.source, seed);
  const std::uint64_t b = hash_of(key.destination, seed ^ 0xe7037ed1a0b428dbULL);
  return mix(a ^ ports ^ 0x8ebc6af09c88c6e3ULL, b ^ seed ^ 0x589965cc75374cc3ULL);
}

}  // namespace icr
