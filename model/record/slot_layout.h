// How the slots of a table are divided, so that two tables of different configurations can talk about slots.
//
// Slots are numbers of a chassis: first those of sessions, then those of bindings, of which blocks of ports and whole
// addresses have fixed ones, by pool and address. A further pool, or another maximum of sessions, moves them. So
// whoever writes records says how its slots are divided, and a SlotMap tells the reader which of its own slots are
// meant.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/base/result.h"
#include "model/record/session_generated.h"
#include "model/record/slot_range.h"

namespace icr {

/// Writes the layout as a column. Nothing is written of an empty one.
[[nodiscard]] flatbuffers::Offset<flatbuffers::Vector<const fbs::SlotRange*>> encode_layout(
    const SlotLayout& layout, flatbuffers::FlatBufferBuilder& builder);
/// Reads a column that the FlatBuffers verifier has passed; null is an empty layout. Refuses too many ranges, slots and
/// addresses out of range, and owned slots that are not so many for each address.
[[nodiscard]] Result<SlotLayout> decode_layout(const flatbuffers::Vector<const fbs::SlotRange*>* rows);

/// Finds, for a slot of another table, the slot of one's own that has the same use: the same number among sessions,
/// pairings and mappings, the same address and block of the same pool. Thread: one.
class SlotMap {
 public:
  /// Maps every slot to itself.
  SlotMap() = default;
  /// If one of the two layouts is empty, every slot is mapped to itself.
  SlotMap(const SlotLayout& theirs, const SlotLayout& ours);

  [[nodiscard]] bool is_identity() const { return identity_; }
  /// Returns one's own slot, or nullopt if there is none of that use.
  [[nodiscard]] std::optional<std::uint32_t> own(std::uint32_t slot) const;

 private:
  struct Piece {
    std::uint32_t theirs;
    std::uint32_t count;
    std::uint32_t ours;
  };
  void add_owned(const SlotRange& theirs, const SlotRange& ours);

  bool identity_ = true;
  std::vector<Piece> pieces_;     ///< sorted
  mutable std::size_t last_ = 0;  ///< the piece that was used last: slots come in order
};

}  // namespace icr
