// Rows of bits, one for each thing that can be owned: ports of an address, blocks of an address, addresses of a pool.
// Allocated at construction. One thread.
//
// What is free is counted by class: even and odd bits, below the first border, between both, and from the second on.
// So it costs nothing to find out that a row, or all rows of a group, have none of the bits that somebody may have.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/base/huge_array.h"
#include "model/base/prefetch.h"

namespace icr::node {

class BitRows {
 public:
  enum class Parity : std::uint8_t { any, even, odd };
  /// Which bits may be chosen: of `parity`, from `first` to `last`, which is not below it.
  struct Wanted {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    Parity parity = Parity::any;
  };

  /// `bits` is at most 65,536. Rows whose numbers have the same remainder by `groups` are a group. The borders are
  /// where spans that are often asked for begin or end; `near` is not above `far`.
  BitRows(std::size_t rows, std::uint32_t bits, std::uint32_t groups = 1, std::uint32_t near = 0, std::uint32_t far = 0)
      : bits_(bits),
        words_((bits + 63) / 64),
        groups_(groups),
        near_(std::min(near, bits)),
        far_(std::min(far, bits)),
        data_(rows * words_),
        free_(rows),
        group_free_(groups) {
    Free all{bits, {}};
    const auto count = [&](std::uint32_t segment, std::uint32_t from, std::uint32_t to) {
      all.by_class[segment * 2] = static_cast<std::uint16_t>((to + 1) / 2 - (from + 1) / 2);
      all.by_class[segment * 2 + 1] = static_cast<std::uint16_t>(to / 2 - from / 2);
    };
    count(0, 0, near_);
    count(1, near_, far_);
    count(2, far_, bits_);
    std::fill(free_.begin(), free_.end(), all);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t c = 0; c < kClasses; ++c) group_free_[row % groups_][c] += all.by_class[c];
    }
    // Bits beyond the last are taken for ever.
    if (bits % 64 == 0) return;
    for (std::size_t row = 0; row < rows; ++row) data_[row * words_ + words_ - 1] = ~std::uint64_t{0} << (bits % 64);
  }

  [[nodiscard]] std::uint32_t bits() const { return bits_; }
  [[nodiscard]] std::size_t rows() const { return free_.size(); }
  /// Bits of the row that are not taken.
  [[nodiscard]] std::uint32_t free(std::size_t row) const { return free_[row].all; }
  [[nodiscard]] bool taken(std::size_t row, std::uint32_t bit) const {
    return (data_[row * words_ + bit / 64] >> (bit % 64) & 1U) != 0;
  }
  /// False: the row has no such bit that is free. True says that it has, if the span begins and ends at borders or ends
  /// of the row; otherwise only take() knows.
  [[nodiscard]] bool may_have(std::size_t row, const Wanted& wanted) const { return any(free_[row].by_class, wanted); }
  /// The same for all rows of a group together.
  [[nodiscard]] bool group_may_have(std::uint32_t group, const Wanted& wanted) const {
    return any(group_free_[group], wanted);
  }

  /// Takes a free bit that is wanted: the next one from `start`, which lies in the span, round and round.
  [[nodiscard]] std::optional<std::uint32_t> take(std::size_t row, std::uint32_t start, const Wanted& wanted) {
    if (!may_have(row, wanted)) return std::nullopt;
    auto bit = find(row, start, wanted.last, wanted.parity);
    if (!bit && start != wanted.first) bit = find(row, wanted.first, start - 1, wanted.parity);
    if (bit) (void)set(row, *bit);
    return bit;
  }
  /// Asks for what take() from `start` will read first.
  void prefetch(std::size_t row, std::uint32_t start) const {
    prefetch_line(&free_[row]);
    prefetch_line(&data_[row * words_ + start / 64]);
  }
  /// What take() will most likely find from `start`: no more is looked at than prefetch() asked for.
  [[nodiscard]] std::uint32_t likely(std::size_t row, std::uint32_t start, Parity parity) const {
    const std::uint64_t candidates =
        ~data_[row * words_ + start / 64] & pattern_of(parity) & (~std::uint64_t{0} << (start % 64));
    if (candidates != 0) return start / 64 * 64 + static_cast<std::uint32_t>(std::countr_zero(candidates));
    return (start / 64 + 1) * 64 + (parity == Parity::odd ? 1U : 0U);
  }
  /// False: it is taken already.
  bool set(std::size_t row, std::uint32_t bit) {
    std::uint64_t& word = data_[row * words_ + bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if ((word & mask) != 0) return false;
    word |= mask;
    --free_[row].all;
    --free_[row].by_class[class_of(bit)];
    --group_free_[row % groups_][class_of(bit)];
    return true;
  }
  /// False: it was free.
  bool clear(std::size_t row, std::uint32_t bit) {
    std::uint64_t& word = data_[row * words_ + bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if ((word & mask) == 0) return false;
    word &= ~mask;
    ++free_[row].all;
    ++free_[row].by_class[class_of(bit)];
    ++group_free_[row % groups_][class_of(bit)];
    return true;
  }

 private:
  static constexpr std::size_t kClasses = 6;  ///< segment between borders, times 2, plus 1 for odd bits
  struct Free {
    std::uint32_t all = 0;
    std::array<std::uint16_t, kClasses> by_class{};
  };

  [[nodiscard]] std::uint32_t segment_of(std::uint32_t bit) const {
    return (bit >= near_ ? 1U : 0U) + (bit >= far_ ? 1U : 0U);
  }
  [[nodiscard]] std::uint32_t class_of(std::uint32_t bit) const { return segment_of(bit) * 2 + bit % 2; }

  [[nodiscard]] static std::uint64_t pattern_of(Parity parity) {
    return parity == Parity::any    ? ~std::uint64_t{0}
           : parity == Parity::even ? 0x5555555555555555ULL
                                    : 0xaaaaaaaaaaaaaaaaULL;
  }

  template <class Count>
  [[nodiscard]] bool any(const std::array<Count, kClasses>& free, const Wanted& wanted) const {
    for (std::uint32_t segment = segment_of(wanted.first); segment <= segment_of(wanted.last); ++segment) {
      if (wanted.parity != Parity::odd && free[segment * 2] != 0) return true;
      if (wanted.parity != Parity::even && free[segment * 2 + 1] != 0) return true;
    }
    return false;
  }

  [[nodiscard]] std::optional<std::uint32_t> find(std::size_t row, std::uint32_t from, std::uint32_t to,
                                                  Parity parity) const {
    if (from > to) return std::nullopt;
    const std::uint64_t* const words = &data_[row * words_];
    const std::uint64_t pattern = pattern_of(parity);
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
  std::uint32_t groups_;
  std::uint32_t near_, far_;
  HugeArray<std::uint64_t> data_;
  std::vector<Free> free_;                                       ///< by row
  std::vector<std::array<std::uint64_t, kClasses>> group_free_;  ///< by group
};

}  // namespace icr::node
