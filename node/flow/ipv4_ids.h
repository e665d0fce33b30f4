// Chooses identifications for IPv4 packets whose source NAT has changed (RFC 6864 sections 4.3 and 5.3.1, RFC 4787
// REQ-14).
//
// Hosts that share an external address choose identifications independently of each other, and a server would
// reassemble fragments of two packets that have the same one. So each packet that is a fragment, or may be fragmented,
// gets a number from a counter: it is unique for a pair of addresses and a protocol until 65,536 packets have used the
// counter. A keyed hash assigns pairs to counters; pairs that share one only see numbers return sooner. The counters
// start at random values, so a chassis that takes over continues elsewhere than the other one was.
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

  /// Returns the next identification for packets of this protocol between these addresses (host order).
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
