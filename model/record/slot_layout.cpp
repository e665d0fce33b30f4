#include "model/record/slot_layout.h"

#include <algorithm>
#include <map>

#include "model/record/session.h"

namespace icr {
namespace {

bool sound(const SlotRange& r) {
  if (std::uint64_t{r.first} + r.count > kMaxRecordSlots) return false;
  if (r.use != SlotRange::Use::owned) return true;
  if (r.per_address == 0 || r.count % r.per_address != 0) return false;
  return std::uint64_t{r.external} + r.count / r.per_address <= std::uint64_t{1} << 32U;
}

bool same_shape(const SlotRange& a, const SlotRange& b) {
  return a.per_address == b.per_address && a.port_low == b.port_low && a.block_size == b.block_size;
}

}  // namespace

flatbuffers::Offset<flatbuffers::Vector<const fbs::SlotRange*>> encode_layout(const SlotLayout& layout,
                                                                              flatbuffers::FlatBufferBuilder& builder) {
  if (layout.empty()) return 0;
  std::vector<fbs::SlotRange> rows;
  for (std::size_t i = 0; i < layout.size() && i < kMaxSlotRanges; ++i) {
    const SlotRange& r = layout[i];
    rows.emplace_back(r.first, r.count, r.pool, r.external, r.per_address, r.port_low, r.block_size,
                      static_cast<std::uint8_t>(r.use), std::uint8_t{0}, std::uint16_t{0});
  }
  return builder.CreateVectorOfStructs(rows);
}

Result<SlotLayout> decode_layout(const flatbuffers::Vector<const fbs::SlotRange*>* rows) {
  SlotLayout out;
  if (rows == nullptr) return out;
  if (rows->size() > kMaxSlotRanges) return fail("{} ranges of slots", rows->size());
  // The verifier checks where a vector lies, not how its elements are aligned.
  if (rows->size() != 0 && reinterpret_cast<std::uintptr_t>(rows->Data()) % 4 != 0) {
    return fail("misaligned ranges of slots");
  }
  for (unsigned i = 0; i < rows->size(); ++i) {
    const fbs::SlotRange& row = *rows->Get(i);
    // Slots of a use that only a later release knows mean nothing here.
    if (row.use() >= kSlotUseCount) continue;
    const SlotRange range{static_cast<SlotRange::Use>(row.use()),
                          row.first(),
                          row.count(),
                          row.pool(),
                          row.external(),
                          row.per_address(),
                          row.port_low(),
                          row.block_size()};
    if (!sound(range)) return fail("range of {} slots from {} on", range.count, range.first);
    out.push_back(range);
  }
  return out;
}

SlotMap::SlotMap(const SlotLayout& theirs, const SlotLayout& ours)
    : identity_(theirs.empty() || ours.empty() || theirs == ours) {
  if (identity_) return;
  std::multimap<StableId, const SlotRange*> owned;
  for (const SlotRange& range : ours) {
    if (range.use == SlotRange::Use::owned) owned.emplace(range.pool, &range);
  }
  for (const SlotRange& range : theirs) {
    if (range.use == SlotRange::Use::owned) {
      const auto [first, last] = owned.equal_range(range.pool);
      for (auto each = first; each != last; ++each) add_owned(range, *each->second);
      continue;
    }
    const auto own = std::find_if(ours.begin(), ours.end(), [&](const SlotRange& r) { return r.use == range.use; });
    const std::uint32_t count = own == ours.end() ? 0 : std::min(range.count, own->count);
    if (count != 0) pieces_.push_back({range.first, count, own->first});
  }
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return a.theirs < b.theirs; });
}

void SlotMap::add_owned(const SlotRange& theirs, const SlotRange& ours) {
  if (!same_shape(theirs, ours)) return;
  const std::uint64_t low = std::max(theirs.external, ours.external);
  const std::uint64_t end = std::min(std::uint64_t{theirs.external} + theirs.count / theirs.per_address,
                                     std::uint64_t{ours.external} + ours.count / ours.per_address);
  if (low >= end) return;
  const auto at = [&](const SlotRange& range) {
    return range.first + static_cast<std::uint32_t>(low - range.external) * range.per_address;
  };
  pieces_.push_back({at(theirs), static_cast<std::uint32_t>(end - low) * theirs.per_address, at(ours)});
}

std::optional<std::uint32_t> SlotMap::own(std::uint32_t slot) const {
  if (identity_) return slot;
  const auto in = [slot](const Piece& piece) { return slot - piece.theirs < piece.count; };
  if (last_ < pieces_.size() && in(pieces_[last_])) return pieces_[last_].ours + (slot - pieces_[last_].theirs);
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), slot,
                                      [](std::uint32_t s, const Piece& piece) { return s < piece.theirs; });
  if (after == pieces_.begin() || !in(*std::prev(after))) return std::nullopt;
  last_ = static_cast<std::size_t>(std::prev(after) - pieces_.begin());
  return pieces_[last_].ours + (slot - pieces_[last_].theirs);
}

}  // namespace icr
