// How the slots of a table are divided: into ranges of slots of one use. See model/record/slot_layout.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/base/enum_end.h"
#include "model/record/stable_id.h"

namespace icr {

/// Consecutive slots of one use.
struct SlotRange {
  enum class Use : std::uint8_t {
    sessions = 0,
    pairings,
    mappings,
    owned,  ///< blocks of ports, or whole addresses, of a pool
  };
  Use use = Use::sessions;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  // Of owned slots: those of consecutive addresses, so many each.
  StableId pool = 0;
  std::uint32_t external = 0;  ///< the first address: IPv4, host order
  std::uint32_t per_address = 0;
  std::uint16_t port_low = 0;    ///< of the first block of an address; 0 for whole addresses
  std::uint16_t block_size = 0;  ///< 0: whole addresses
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};
inline constexpr std::uint8_t kSlotUseCount = enum_end<SlotRange::Use>();

/// The ranges of a table, in order. Empty for a table that has slots of sessions only.
using SlotLayout = std::vector<SlotRange>;
/// A layout that is sent or stored has at most so many ranges. The slots of further ones cannot be mapped, so what is
/// in them is refused by a table with another layout.
inline constexpr std::size_t kMaxSlotRanges = 8192;

}  // namespace icr
