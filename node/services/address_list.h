// The IPv4 addresses of a list of ranges, numbered from 0 in the order of the list.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/address.h"

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
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::optional<std::uint32_t> index_of(std::uint32_t v4) const {
    for (const Range& range : ranges_) {
      if (v4 - range.base < range.count) return range.first + (v4 - range.base);
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<std::uint32_t> index_of(const IpAddress& address) const {
    return address.is_v4() ? index_of(address.to_v4()) : std::nullopt;
  }
  /// `index` is below size().
  [[nodiscard]] std::uint32_t at(std::uint32_t index) const {
    for (const Range& range : ranges_) {
      if (index - range.first < range.count) return range.base + (index - range.first);
    }
    return 0;
  }

 private:
  struct Range {
    std::uint32_t base;  ///< first address, host order
    std::uint32_t count;
    std::uint32_t first;  ///< index of the first address
  };
  std::vector<Range> ranges_;
  std::uint32_t size_ = 0;
};

}  // namespace icr::node
