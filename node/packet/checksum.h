// The Internet checksum (RFC 1071), its incremental update (RFC 1624, equation 3), and SCTP's (RFC 9260 appendix A).
#pragma once

#include <cstddef>
#include <cstdint>

namespace icr::node {

inline std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}
inline void store16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store32(std::uint8_t* p, std::uint32_t v) {
  store16(p, static_cast<std::uint16_t>(v >> 16));
  store16(p + 2, static_cast<std::uint16_t>(v));
}

/// Sum of 16-bit words, not folded. `size` may be odd: the last octet is padded with zero.
[[nodiscard]] std::uint64_t checksum_add(const std::uint8_t* data, std::size_t size, std::uint64_t sum = 0);
/// Folded and complemented: the value of a checksum field.
[[nodiscard]] inline std::uint16_t checksum_finish(std::uint64_t sum) {
  // This avoids a loop, because the number of turns would depend on the sum and could not be predicted.
  sum = (sum >> 32) + (sum & 0xffffffffU);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~sum);
}

/// CRC32c. An SCTP packet carries it with the low octet first; its field counts as zero.
[[nodiscard]] std::uint32_t crc32c(const std::uint8_t* data, std::size_t size);

/// Collects the replacement of words in checksummed data and applies it to checksum fields afterwards.
class ChecksumDelta {
 public:
  void replace16(std::uint16_t old_word, std::uint16_t new_word) {
    sum_ += static_cast<std::uint16_t>(~old_word);
    sum_ += new_word;
  }
  void replace32(std::uint32_t old_words, std::uint32_t new_words) {
    replace16(static_cast<std::uint16_t>(old_words >> 16), static_cast<std::uint16_t>(new_words >> 16));
    replace16(static_cast<std::uint16_t>(old_words), static_cast<std::uint16_t>(new_words));
  }
  /// A word that was covered and no longer is; one that was not and now is.
  void remove16(std::uint16_t word) { sum_ += static_cast<std::uint16_t>(~word); }
  void add16(std::uint16_t word) { sum_ += word; }
  void add(const ChecksumDelta& other) { sum_ += other.sum_; }

  /// The checksum field after the replacement: ~(~HC + ~m + m').
  [[nodiscard]] std::uint16_t apply(std::uint16_t field) const {
    std::uint64_t sum = sum_ + static_cast<std::uint16_t>(~field);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace icr::node
