// The IPv4 addresses of a list of ranges, numbered from 0 in the order of the list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "model/record/address.h"

namespace icr::node {

class AddressList {
 public:
  AddressList() = default;
  /// Ranges that are not IPv4 are left out.
  explicit AddressList(const std::vector<AddressRange>& ranges) {
    for (const AddressRange& range : ranges) {
      if (!range.is_v4()) continue;
      const std::uint32_t low = range.low.to_v4();
      const std::uint32_t count = range.high.to_v4() - low + 1;
      ranges_.push_back({low, count, size_});
      size_ += count;
    }
    // A linear search is faster for a few ranges. Where ranges overlap (those of rules do, those of pools do not), the
    // order decides.
    if (ranges_.size() < kFew) return;
    by_base_ = ranges_;
    std::sort(by_base_.begin(), by_base_.end(), [](const Range& a, const Range& b) { return a.base < b.base; });
    for (std::size_t i = 1; i < by_base_.size(); ++i) {
      if (by_base_[i].base - by_base_[i - 1].base >= by_base_[i - 1].count) continue;
      by_base_.clear();
      return;
    }
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// For an address in several ranges, returns the number in the first of them.
  [[nodiscard]] std::optional<std::uint32_t> index_of(std::uint32_t v4) const {
    if (by_base_.empty()) {
      for (const Range& range : ranges_) {
        if (v4 - range.base < range.count) return range.first + (v4 - range.base);
      }
      return std::nullopt;
    }
    const auto after = std::upper_bound(by_base_.begin(), by_base_.end(), v4,
                                        [](std::uint32_t a, const Range& r) { return a < r.base; });
    if (after == by_base_.begin()) return std::nullopt;
    const Range& range = *std::prev(after);
    return v4 - range.base < range.count ? std::optional(range.first + (v4 - range.base)) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::uint32_t> index_of(const IpAddress& address) const {
    return address.is_v4() ? index_of(address.to_v4()) : std::nullopt;
  }
  /// `index` is below size().
  [[nodiscard]] std::uint32_t at(std::uint32_t index) const {
    if (ranges_.size() == 1) return ranges_[0].base + index;
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), index,
                                        [](std::uint32_t i, const Range& r) { return i < r.first; });
    return after == ranges_.begin() ? 0 : std::prev(after)->base + (index - std::prev(after)->first);
  }

 private:
  struct Range {
    std::uint32_t base;  ///< first address, host order
    std::uint32_t count;
    std::uint32_t first;  ///< index of the first address
  };
  static constexpr std::size_t kFew = 8;

  std::vector<Range> ranges_;   ///< in the order of the list: `first` ascends
  std::vector<Range> by_base_;  ///< the same in the order of addresses; empty if they are few, or overlap
  std::uint32_t size_ = 0;
};

}  // namespace icr::node
