#include "replication/comparison.h"

#include <algorithm>

namespace icr::replication {
namespace {

/// So many empty ranges in a row end a message: they would take more room than another message.
constexpr std::uint32_t kLongestGap = 32;

std::uint32_t ranges_of(std::uint32_t slots, std::uint32_t range_slots) {
  return slots / range_slots + (slots % range_slots == 0 ? 0U : 1U);
}

}  // namespace

Comparison::Comparison(std::uint32_t slots, std::uint32_t range_slots)
    : end_(ranges_of(slots, range_slots) * range_slots), range_slots_(range_slots), differs_(end_ / range_slots) {}

Comparison::Piece Comparison::next(const SessionSource& source, std::uint32_t slots, std::uint32_t ranges,
                                   std::vector<std::uint64_t>& digests) {
  const std::uint32_t left = (end_ - next_) / range_slots_;
  digests.resize(std::min({left, ranges, std::max(slots / range_slots_, 1U)}));
  source.digests(next_, range_slots_, digests);
  Piece piece{next_, next_, 0};
  // Only ranges at the beginning are left out, and the message ends with the last one that is not empty.
  const auto full = [](std::uint64_t digest) { return digest != 0; };
  const auto begin = std::find_if(digests.begin(), digests.end(), full);
  auto end = begin;
  auto walked = begin;
  for (; walked != digests.end() && static_cast<std::uint32_t>(walked - end) < kLongestGap; ++walked) {
    if (full(*walked)) end = walked + 1;
  }
  piece.first += static_cast<std::uint32_t>(begin - digests.begin()) * range_slots_;
  piece.ranges = static_cast<std::uint32_t>(end - begin);
  next_ += static_cast<std::uint32_t>(walked - digests.begin()) * range_slots_;
  digests.erase(end, digests.end());
  digests.erase(digests.begin(), begin);
  if (piece.ranges == 0) return piece;
  if (on_their_way_++ == 0) known_to_ = piece.from;
  return piece;
}

void Comparison::answered(const Piece& piece, const std::vector<std::uint8_t>& equal) {
  const std::uint32_t base = piece.first / range_slots_;
  for (std::uint32_t i = 0; i < piece.ranges; ++i) {
    const bool same = !equal.empty() && (equal[i / 8] >> (i % 8) & 1U) != 0;
    if (same) {
      (void)differs_.unmark(base + i);
    } else {
      (void)differs_.mark(base + i);
    }
  }
  known_to_ = piece.first + piece.ranges * range_slots_;
  --on_their_way_;
}

void Comparison::lost(const Piece& piece) {
  next_ = std::min(next_, piece.from);
  on_their_way_ = 0;
}

}  // namespace icr::replication
