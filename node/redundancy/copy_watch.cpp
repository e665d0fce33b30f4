#include "node/redundancy/copy_watch.h"

#include "model/base/log.h"
#include "model/base/progress.h"

namespace icr::node {
namespace {

/// Returns how much of a copy is spared, or nothing if nothing was compared.
std::string compared_text(const replication::ComparedRanges& ranges) {
  if (ranges.compared == 0) return {};
  return fmt::format(", {} of {} ranges are equal and not copied", ranges.equal, ranges.compared);
}

}  // namespace

void CopyWatch::tell_progress(TimePoint now, const replication::Sender& sender, std::uint32_t slots) {
  if (std::exchange(stream_, sender.position().epoch) != sender.position().epoch) {
    tell_at_ = now + kTellAfter;
    told_slots_ = 0;
    told_end_ = false;
  }
  const Duration elapsed = now - sender.started_at();
  if (sender.bulk_done()) {
    if (std::exchange(told_end_, true)) return;
    log::info("redundancy", "set={} the copy for the standby is sent: {} slots in {} ms{}", set_, slots, elapsed / 1ms,
              compared_text(sender.compared()));
  } else if (now >= tell_at_ && sender.slots_copied() != told_slots_) {
    tell_at_ = now + kTellAfter;
    told_slots_ = sender.slots_copied();
    log::info("redundancy", "set={} the copy for the standby: {}{}", set_,
              progress_text(told_slots_, slots, "slots", elapsed), compared_text(sender.compared()));
  }
}

void CopyWatch::look_at(TimePoint now, const replication::Sender* sender, std::uint32_t slots) {
  if (sender != nullptr && sender->active()) tell_progress(now, *sender, slots);
  const bool due = sender != nullptr && sender->waits_for_peer();
  if (sender != nullptr) sent_ = sender->progress();
  const StallWatch::Event event = sending_.look(now, due, sent_);
  if (event == StallWatch::Event::none) return;
  if (event == StallWatch::Event::resumed) {
    log::info("redundancy", "set={} the standby acknowledges again, after {} ms", set_, sending_.stood_for() / 1ms);
    return;
  }
  log::warn("redundancy",
            "set={} the standby has acknowledged nothing for {} ms: sent={} acknowledged={} bytes-unacknowledged={} "
            "changes-waiting={} slots-copied={} copy-complete={} link-full={}",
            set_, sending_.stood_for() / 1ms, sender->position().sequence, sender->acknowledged(),
            sender->unacknowledged_bytes(), sender->pending_state(), sender->slots_copied(), sender->bulk_done(),
            sender->blocked());
}

void CopyWatch::look_at(TimePoint now, const replication::Receiver* receiver) {
  const bool due = receiver != nullptr && receiver->sync() == Sync::cold;
  if (receiver != nullptr)
    received_ = receiver->counters().batches + receiver->counters().digest_messages + receiver->counters().passes;
  const StallWatch::Event event = receiving_.look(now, due, received_);
  if (event == StallWatch::Event::none) return;
  if (event == StallWatch::Event::resumed) {
    log::info("redundancy", "set={} the copy goes on, after {} ms", set_, receiving_.stood_for() / 1ms);
    return;
  }
  const auto& c = receiver->counters();
  log::warn("redundancy",
            "set={} the copy has made no progress for {} ms: {} applied={} batches={} gaps={} restarts={}", set_,
            receiving_.stood_for() / 1ms,
            receiver->requested() ? "the master does not begin it" : "the rest does not come",
            receiver->position().sequence, c.batches, c.gaps, c.restarts);
}

}  // namespace icr::node
