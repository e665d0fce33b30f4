// Rows of bits, one for each thing that can be owned: ports of an address, blocks of an address, addresses of a pool.
// Allocated at construction. One thread.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace icr::node {

class BitRows {
 public:
  /// Which bits take() may choose.
  enum class Parity : std::uint8_t { any, even, odd };

  BitRows(std::size_t rows, std::uint32_t bits) : bits_(bits), words_((bits + 63) / 64), free_(rows, bits) {
    data_.resize(rows * words_, 0);
    // Bits beyond the last are taken for ever.
    if (bits % 64 == 0) return;
    for (std::size_t row = 0; row < rows; ++row) data_[row * words_ + words_ - 1] = ~std::uint64_t{0} << (bits % 64);
  }

  [[nodiscard]] std::uint32_t bits() const { return bits_; }
  [[nodiscard]] std::size_t rows() const { return free_.size(); }
  /// Bits of the row that are not taken.
  [[nodiscard]] std::uint32_t free(std::size_t row) const { return free_[row]; }
  [[nodiscard]] bool taken(std::size_t row, std::uint32_t bit) const {
    return (data_[row * words_ + bit / 64] >> (bit % 64) & 1U) != 0;
  }

  /// Takes a free bit of [first, last]: the next one from `start`, which lies in it, round and round.
  [[nodiscard]] std::optional<std::uint32_t> take(std::size_t row, std::uint32_t start, std::uint32_t first,
                                                  std::uint32_t last, Parity parity = Parity::any) {
    if (free_[row] == 0) return std::nullopt;
    auto bit = find(row, start, last, parity);
    if (!bit && start != first) bit = find(row, first, start - 1, parity);
    if (bit) (void)set(row, *bit);
    return bit;
  }
  /// False: it is taken already.
  bool set(std::size_t row, std::uint32_t bit) {
    std::uint64_t& word = data_[row * words_ + bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if ((word & mask) != 0) return false;
    word |= mask;
    --free_[row];
    return true;
  }
  /// False: it was free.
  bool clear(std::size_t row, std::uint32_t bit) {
    std::uint64_t& word = data_[row * words_ + bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if ((word & mask) == 0) return false;
    word &= ~mask;
    ++free_[row];
    return true;
  }

 private:
  [[nodiscard]] std::optional<std::uint32_t> find(std::size_t row, std::uint32_t from, std::uint32_t to,
                                                  Parity parity) const {
    if (from > to) return std::nullopt;
    const std::uint64_t* const words = &data_[row * words_];
    const std::uint64_t pattern = parity == Parity::any    ? ~std::uint64_t{0}
                                  : parity == Parity::even ? 0x5555555555555555ULL
                                                           : 0xaaaaaaaaaaaaaaaaULL;
    std::uint64_t candidates = ~words[from / 64] & pattern & (~std::uint64_t{0} << (from % 64));
    for (std::uint32_t word = from / 64;;) {
      if (candidates != 0) {
        const std::uint32_t bit = word * 64 + static_cast<std::uint32_t>(std::countr_zero(candidates));
        if (bit > to) return std::nullopt;
        return bit;
      }
      if (++word > to / 64) return std::nullopt;
      candidates = ~words[word] & pattern;
    }
  }

  std::uint32_t bits_;
  std::size_t words_;  ///< per row
  std::vector<std::uint64_t> data_;
  std::vector<std::uint32_t> free_;
};

}  // namespace icr::node
