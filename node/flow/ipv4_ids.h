// Identifications of IPv4 packets whose source NAT has changed (RFC 6864 sections 4.3 and 5.3.1, RFC 4787 REQ-14).
//
// Hosts that share an external address choose theirs without knowing of each other; at a server, fragments of two
// packets with one identification would be put together. So whatever may be, or become, fragments gets a number out of
// a counter: unique for a pair of addresses and a protocol until 65,536 packets of the pair have passed. Pairs share
// counters by a keyed hash, which costs nothing but that numbers return sooner. The first values are random: a chassis
// that takes over begins elsewhere than the other one was.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace icr::node {

class Ipv4Ids {
 public:
  explicit Ipv4Ids(std::uint64_t seed) : key_(seed | 1U) {
    for (std::uint16_t& counter : counters_) {
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
      counter = static_cast<std::uint16_t>(seed >> 48);
    }
  }

  /// The next one for packets of this protocol between these addresses (host order).
  [[nodiscard]] std::uint16_t next(std::uint32_t source, std::uint32_t destination, std::uint8_t protocol) {
    const std::uint64_t pair = (std::uint64_t{source} << 32 | destination) + protocol;
    const std::uint64_t hash = (pair ^ pair >> 29) * key_;
    return counters_[hash >> (64 - kBits)]++;
  }

 private:
  static constexpr unsigned kBits = 11;
  std::uint64_t key_;
  std::array<std::uint16_t, std::size_t{1} << kBits> counters_;
};

}  // namespace icr::node
