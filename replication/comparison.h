// The sender's half of copying only what differs: a receiver that has sessions already is told digests of small ranges
// of slots in the stream, and answers which of them are equal. Those are not copied.
//
// A digest belongs to its place in the stream. When the receiver has applied everything before it, and its own digest
// of the range is the same, then both tables held the same in these slots at that moment, whatever the receiver's came
// from. Whatever changes later is sent as every change is. So nothing has to stand still, and an answer that is missing
// only means that more is copied.
//
// Ranges in which the sender has nothing are not told: what the receiver has there is not named in its pass, and is
// removed at its end.
// Thread: the one of the sender.
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/bit_set.h"
#include "model/record/session.h"

namespace icr::replication {

class Comparison {
 public:
  /// Slots 0..`slots`-1 will be compared, in ranges of `range_slots` each.
  Comparison(std::uint32_t slots, std::uint32_t range_slots);

  /// Consecutive ranges of slots whose digests go into one message, and the slots below them that are empty.
  struct Piece {
    std::uint32_t from = 0;    ///< the first slot that no message before has covered
    std::uint32_t first = 0;   ///< the first slot of the first range
    std::uint32_t ranges = 0;  ///< 0: all slots are empty, and no message is needed
  };
  /// Walks on over at most `slots` slots, and computes the digests of at most `ranges` ranges.
  [[nodiscard]] Piece next(const SessionSource& source, std::uint32_t slots, std::uint32_t ranges,
                           std::vector<std::uint64_t>& digests);
  /// Takes the answer for the oldest piece that has none. `equal` is a bit for each range, in octets; empty: there was
  /// no answer, and all ranges count as different.
  void answered(const Piece& piece, const std::vector<std::uint8_t>& equal);
  /// Tells that the message of this piece and all later ones are lost, so that these ranges are compared again.
  void lost(const Piece& piece);

  /// Returns false if there are more ranges to compare.
  [[nodiscard]] bool all_sent() const { return next_ >= end_; }
  /// Returns true if it is known of all ranges whether they differ.
  [[nodiscard]] bool done() const { return all_sent() && on_their_way_ == 0; }
  /// Returns the slot up to which it is known.
  [[nodiscard]] std::uint32_t known_to() const { return on_their_way_ == 0 ? next_ : known_to_; }
  /// Returns true if the slot has to be copied. REQUIRES: it is below known_to(), or done().
  [[nodiscard]] bool differs(std::uint32_t slot) const {
    return slot >= end_ || differs_.contains(slot / range_slots_);
  }
  [[nodiscard]] std::uint32_t range_slots() const { return range_slots_; }

 private:
  std::uint32_t end_;  ///< slots from it on were empty when the copy began
  std::uint32_t range_slots_;
  std::uint32_t next_ = 0;          ///< the next slot to compare
  std::uint32_t known_to_ = 0;      ///< while messages are on their way
  std::uint32_t on_their_way_ = 0;  ///< messages without an answer
  BitSet differs_;                  ///< by range
};

}  // namespace icr::replication
