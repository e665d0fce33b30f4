// The part of a sender that copies only what differs (comparison.h).
#include <algorithm>
#include <limits>

#include "replication/sender.h"

namespace icr::replication {
namespace {

/// Counters of a session may be so much older at a receiver than it knows: a busy session tells its peer and its disk
/// after 30 s at the latest (node/flow/session.h), and the disk takes 5 s more (storage/checkpointer.h).
constexpr Duration kRefreshMargin = 40s;

}  // namespace

void Sender::on_compared(const Compared& answer) {
  const Position& p = answer.position;
  const bool open = epoch_ != 0 && p.epoch == epoch_ && p.base == base_ && !unacknowledged_.empty() &&
                    p.sequence >= unacknowledged_.front().sequence && p.sequence <= unacknowledged_.back().sequence;
  // Numbers of messages that are not acknowledged follow each other.
  Sent* const sent = open ? &unacknowledged_[p.sequence - unacknowledged_.front().sequence] : nullptr;
  if (sent == nullptr || sent->kind != Kind::digests || answer.equal.size() != (sent->piece.ranges + 7) / 8) {
    ++counters_.answers_ignored;
    return;
  }
  sent->equal = answer.equal;
}

/// Takes the answer to digests that are acknowledged.
void Sender::take_answer(const Sent& sent) {
  if (!comparison_) return;
  comparison_->answered(sent.piece, sent.equal);
  compared_.compared += sent.piece.ranges;
  counters_.ranges.compared += sent.piece.ranges;
  if (sent.equal.empty()) {
    counters_.not_compared += sent.piece.ranges;
    return;
  }
  // Equal sessions may differ in counters and idle times, which no digest covers. Those that were used since the
  // receiver's were right are sent as if they had just been used.
  const Ticks span = age_ ? static_cast<Ticks>((*age_ + (now_ - started_at_) + kRefreshMargin) / kTick)
                          : std::numeric_limits<Ticks>::max();
  for (std::uint32_t range = 0; range < sent.piece.ranges; ++range) {
    std::uint32_t slot = sent.piece.first + range * comparison_->range_slots();
    if (comparison_->differs(slot)) continue;
    ++compared_.equal;
    ++counters_.ranges.equal;
    const std::uint32_t end = std::min(slot + comparison_->range_slots(), source_.capacity());
    for (; slot < end; ++slot) {
      if (source_.is_withheld(slot) || !source_.used_within(slot, now_, span)) continue;
      (void)refresh_.mark(slot);
      ++counters_.refreshed;
    }
  }
}

Sender::Kind Sender::next_of_copy() const {
  // Digests first: the sooner they are sent, the sooner it is known what has to be copied.
  if (comparison_ && !comparison_->all_sent()) return Kind::digests;
  if (cursor_ < walk_end()) return Kind::bulk;
  return walked() ? Kind::bulk_end : Kind::nothing;
}

MessageWriter::Bytes Sender::write_digests(Sent& sent, const Header& header, const Position& position) {
  changes_in_a_row_ = 0;
  const auto ranges = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(batch_limit_ / sizeof(std::uint64_t), 1, limits_.message_ranges));
  sent.piece = comparison_->next(source_, limits_.scan_slots, ranges, digests_.digests);
  if (sent.piece.ranges == 0) return {};
  digests_.position = position;
  digests_.first = sent.piece.first;
  digests_.range_slots = comparison_->range_slots();
  return writer_.write(header, digests_);
}

}  // namespace icr::replication
