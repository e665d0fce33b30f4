#include "storage/checkpointer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/record.h"

namespace icr::storage {

namespace {

/// A base is written after this time at the latest, so that the log of a set without traffic does not grow for ever.
constexpr Duration kLongestBaseOfHistory = 1h;

}  // namespace

void CheckpointCounters::append_to(CounterList& out) const {
  out.push_back({"checkpoint-batches", batches});
  out.push_back({"checkpoint-sessions", sessions});
  out.push_back({"checkpoint-tombstones", tombstones});
  out.push_back({"checkpoint-bytes", bytes});
  out.push_back({"checkpoint-skipped", skipped});
  out.push_back({"checkpoint-losses", losses});
  out.push_back({"checkpoint-bases-started", bases_started});
  out.push_back({"checkpoint-bases-committed", bases_committed});
  out.push_back({"checkpoint-bases-abandoned", bases_abandoned});
}

Checkpointer::Checkpointer(std::string set, std::uint64_t cluster_digest, const SessionSource& source,
                           CheckpointOutput& output, const CheckpointOptions& options, std::uint64_t next_sequence,
                           std::uint64_t term)
    : set_(std::move(set)),
      cluster_digest_(cluster_digest),
      source_(source),
      output_(output),
      options_(options),
      state_(source.capacity()),
      refresh_(source.capacity()),
      next_sequence_(next_sequence),
      remembered_term_(term),
      seen_losses_(output.losses()),
      builder_(4096) {
  options_.rows_per_batch =
      std::clamp<std::uint32_t>(options_.rows_per_batch, 1, static_cast<std::uint32_t>(kMaxBatchRows));
}

void Checkpointer::changed(std::uint32_t slot, Change change) {
  if (change == Change::peer_refresh) return;
  (void)(change == Change::state ? state_ : refresh_).mark(slot);
}

bool Checkpointer::base_due(const Now& at) const {
  if (base_) return false;
  if (base_wanted_) return true;
  // Records of a history that has nothing to tell are removed with the next base, too.
  if (options_.mark_interval && base_at_ && at.now - *base_at_ >= kLongestBaseOfHistory) return true;
  if (rows_since_base_ > 2 * sessions_in_base_ + options_.base_minimum_rows) return true;
  return rows_since_base_ != 0 && base_at_ && at.now - *base_at_ >= options_.base_interval;
}

void Checkpointer::begin_base(const Now& at) {
  if (base_) ++counters_.bases_abandoned;
  base_ = Base{};
  base_->from_sequence = next_sequence_;
  base_at_ = at.now;
  base_wanted_ = false;
  rows_since_base_ = 0;
  ++counters_.bases_started;
}

void Checkpointer::watch_losses(const Now& at) {
  const std::uint64_t losses = output_.losses();
  if (losses == seen_losses_) return;
  // There is a hole in the log, and a restore does not replay what follows a hole. So nothing is written until a base
  // begins.
  seen_losses_ = losses;
  ++counters_.losses;
  pending_.reset();
  if (base_) ++counters_.bases_abandoned;
  base_.reset();
  base_wanted_ = true;
  flushing_ = false;
  paused_until_ = at.now + options_.retry_interval;
}

void Checkpointer::read_slot(std::uint32_t slot, const Now& at) {
  if (source_.read(slot, at.now, record_)) {
    encoder_.add(record_);
    ++counters_.sessions;
  } else if (record_.ref.generation != 0) {
    encoder_.add_tombstone(record_.ref);
    ++counters_.tombstones;
  }
}

void Checkpointer::encode(const Now& at) {
  if (!encoder_.empty()) seal(at);
}

void Checkpointer::seal(const Now& at) {
  encoded_at_ = at.now;
  BatchHeader header;
  header.set = set_;
  header.sequence = next_sequence_++;
  header.term = at.term;
  header.written_ms = at.wall;
  header.cluster_digest = cluster_digest_;
  header.layout = source_.layout();
  header.run = options_.run;
  header.settled_ms = settled_ms_;
  header.in_sync = said_in_sync_ = in_sync_;
  pending_ = encode_batch(builder_, header, encoder_);
}

void Checkpointer::mark(const Now& at) {
  if (!options_.mark_interval || pending_) return;
  const bool said = encoded_at_ && in_sync_ == said_in_sync_;
  if (said && at.now - *encoded_at_ < *options_.mark_interval) return;
  seal(at);
  (void)send_pending();
}

bool Checkpointer::send_pending() {
  if (!pending_) return true;
  const std::size_t size = pending_->size();
  if (!output_.offer(next_sequence_ - 1, std::move(*pending_))) {
    ++counters_.skipped;
    return false;
  }
  pending_.reset();
  ++counters_.batches;
  counters_.bytes += size;
  return true;
}

void Checkpointer::drain(BitSet& dirty, std::uint32_t& budget, const Now& at) {
  while (budget != 0 && !dirty.empty() && !pending_) {
    const std::uint32_t rows = std::min({budget, options_.rows_per_batch, dirty.size()});
    for (std::uint32_t i = 0; i < rows; ++i) {
      const std::uint32_t slot = *dirty.take();
      // The row has the newest state and the newest counters, so the slot is clean in both dirty sets.
      (void)state_.unmark(slot);
      (void)refresh_.unmark(slot);
      read_slot(slot, at);
    }
    budget -= rows;
    rows_since_base_ += encoder_.size();
    encode(at);
    (void)send_pending();
  }
}

void Checkpointer::scan(std::uint32_t& budget, const Now& at) {
  while (budget != 0 && !base_->scanned && !pending_) {
    const std::uint32_t end = source_.high_water();
    const std::uint64_t sessions_before = counters_.sessions;
    const std::uint64_t tombstones_before = counters_.tombstones;
    while (budget != 0 && base_->cursor < end && encoder_.size() < options_.rows_per_batch) {
      const std::uint32_t slot = base_->cursor++;
      (void)state_.unmark(slot);
      (void)refresh_.unmark(slot);
      read_slot(slot, at);
      --budget;
    }
    base_->sessions += counters_.sessions - sessions_before;
    base_->tombstones += counters_.tombstones - tombstones_before;
    if (base_->cursor >= end) base_->scanned = true;
    encode(at);
    (void)send_pending();
  }
}

void Checkpointer::finish_base(const Now& at) {
  Manifest manifest;
  manifest.from_sequence = base_->from_sequence;
  manifest.to_sequence = next_sequence_ - 1;
  manifest.term = at.term;
  manifest.written_ms = at.wall;
  manifest.cluster_digest = cluster_digest_;
  manifest.sessions = base_->sessions;
  manifest.tombstones = base_->tombstones;
  if (!output_.commit(manifest)) {
    ++counters_.skipped;
    return;
  }
  ++counters_.bases_committed;
  sessions_in_base_ = base_->sessions;
  base_.reset();
}

bool Checkpointer::tick(TimePoint now, WallMillis wall_now, std::uint64_t term, std::uint32_t budget) {
  const Now at{now, wall_now, term};
  budget = std::max<std::uint32_t>(budget, 1);
  watch_losses(at);
  if (paused_until_) {
    if (now < *paused_until_) return false;
    paused_until_.reset();
  }
  if (term > remembered_term_ && output_.remember_term(term)) remembered_term_ = term;
  if (!send_pending()) return false;
  if (base_due(at)) begin_base(at);

  if (state_.empty()) settled_ms_ = wall_now;
  if (!flushed_at_ || now - *flushed_at_ >= options_.flush_interval) {
    // While a base is written, deltas leave it half of the budget; otherwise the base would never end under load.
    std::uint32_t share = base_ ? budget - budget / 2 : budget;
    budget -= share;
    drain(state_, share, at);
    budget += share;
    if (state_.empty()) {
      flushed_at_ = now;
      settled_ms_ = wall_now;
    }
  }
  if (base_) {
    scan(budget, at);
    if (base_->scanned && !pending_) finish_base(at);
  } else if (draining_refresh_ || !refreshed_at_ || now - *refreshed_at_ >= options_.refresh_interval) {
    draining_refresh_ = true;
    drain(refresh_, budget, at);
    if (refresh_.empty()) {
      draining_refresh_ = false;
      refreshed_at_ = now;
    }
  }
  // A change that waits belongs to the time before the mark, so it is written first.
  if (state_.empty()) mark(at);
  if (pending_) return false;
  return base_.has_value() || draining_refresh_ ||
         (!state_.empty() && (!flushed_at_ || now - *flushed_at_ >= options_.flush_interval));
}

bool Checkpointer::flush_all(TimePoint now, WallMillis wall_now, std::uint64_t term) {
  const Now at{now, wall_now, term};
  watch_losses(at);
  if (term > remembered_term_ && output_.remember_term(term)) remembered_term_ = term;
  if (!send_pending()) return false;
  if (!flushing_) {
    begin_base(at);
    flushing_ = true;
  }
  std::uint32_t budget = std::numeric_limits<std::uint32_t>::max();
  scan(budget, at);
  if (!base_->scanned || pending_) return false;
  finish_base(at);
  if (base_) return false;
  flushing_ = false;
  return true;
}

}  // namespace icr::storage
