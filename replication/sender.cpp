#include "replication/sender.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace icr::replication {

Sender::Sender(const SessionSource& source, const SenderLimits& limits)
    : source_(source), limits_(limits), state_(source.capacity()), refresh_(source.capacity()) {
  limits_.audit_slots = std::min(limits_.audit_slots, kMaxAuditSlots);
  limits_.batch_rows = std::min(limits_.batch_rows, kMaxBatchRows);
  limits_.range_slots = std::clamp(limits_.range_slots, 1U, kMaxAuditSlots);
  limits_.message_ranges = std::min<std::uint32_t>(limits_.message_ranges, kMaxDigests);
}

void Sender::start(TimePoint now, const SyncRequest& request) {
  for (const Sent& lost : unacknowledged_) {
    for (const std::uint32_t slot : lost.slots) (void)refresh_.mark(slot);
  }
  reset();
  shared_ = false;  // the bulk copy brings everything
  state_.clear();
  ++counters_.streams;
  epoch_ = request.epoch;
  started_at_ = now_ = now;
  // Digests are of all records. A receiver that cannot read some of them would find differences that are none.
  if (request.compares && schema_ == kRecordSchemas.back() && source_.high_water() != 0) {
    comparison_.emplace(source_.high_water(), limits_.range_slots);
    age_.reset();
    if (request.age_ms != SyncRequest::kUnknownAge) age_ = std::chrono::milliseconds(request.age_ms);
  }
  // An equal session may still have to tell what its digest does not cover.
  if (!comparison_) refresh_.clear();
  next_audit_ = now + limits_.audit_interval;
}

void Sender::remember_slots(bool remember) {
  if (remember == !sent_in_.empty()) return;
  sent_in_.clear();
  sent_in_.shrink_to_fit();
  if (!remember) return;
  sent_in_.resize(source_.capacity());
  // Nobody has noted which message carried each slot until now. It was the last one so far, or one before it.
  const auto last = static_cast<std::uint32_t>(next_ - 1);
  std::fill(sent_in_.begin(), sent_in_.end(), last);
}

void Sender::stop() {
  // Nobody knows the sessions that were withheld either.
  std::uint32_t withheld = source_.withheld();
  for (std::uint32_t slot = 0; withheld != 0 && slot < source_.high_water(); ++slot) {
    if (!source_.is_withheld(slot)) continue;
    (void)state_.mark(slot);
    --withheld;
  }
  for (const Sent& lost : unacknowledged_) {
    for (const std::uint32_t slot : lost.slots) (void)state_.mark(slot);
  }
  reset();
  if (!shared_) nothing_is_shared();
}

void Sender::all_is_shared() {
  shared_ = true;
  state_.clear();
  refresh_.clear();
}

void Sender::nothing_is_shared() {
  shared_ = false;
  state_.clear();
  refresh_.clear();
}

std::optional<std::uint32_t> Sender::take_unshared() {
  const auto slot = state_.take();
  return slot ? slot : refresh_.take();
}

void Sender::reset() {
  epoch_ = 0;
  base_ = next_ = 1;
  acknowledged_ = 0;
  begin_due_ = true;
  bulk_ = Bulk::walking;
  comparison_.reset();
  compared_ = {};
  cursor_ = changes_since_walk_ = audit_cursor_ = 0;
  changes_in_a_row_ = 0;
  unacknowledged_.clear();
  unacknowledged_bytes_ = unacknowledged_records_ = unacknowledged_states_ = 0;
  blocked_ = {};
  state_since_ = refresh_since_ = kNever;
  covered_ = acknowledged_changes_;
  walk_covers_.reset();
  walked_to_ = 0;
  withheld_ = lacks_ = false;
  withheld_slots_.reset();
  ages_.clear();
  std::fill(sent_in_.begin(), sent_in_.end(), 0U);
}

void Sender::on_ack(const Ack& ack) {
  // An acknowledgement of a former attempt names messages whose content has been sent again since.
  if (epoch_ == 0 || ack.epoch != epoch_ || ack.base != base_ || ack.applied >= next_) {
    ++counters_.acks_ignored;
    return;
  }
  ++counters_.acks;
  note_lacks(ack.lacks, ack.applied);
  acknowledge(ack.applied);
  if (shared_) followed_at_ = now_;
}

void Sender::on_nack(const Nack& nack) {
  if (epoch_ == 0 || nack.epoch != epoch_ || nack.base != base_ || nack.expected < base_ || nack.expected > next_) {
    ++counters_.nacks_ignored;
    return;
  }
  ++counters_.nacks;
  note_lacks(nack.lacks, nack.expected - 1);
  acknowledge(nack.expected - 1);
  if (!unacknowledged_.empty()) rewind();
}

void Sender::note_lacks(bool lacks, std::uint64_t applied) {
  // A receiver of a former release that has applied nothing of this stream speaks of the records of the stream before,
  // under the name of this one. A receiver that lacks something repeats it with each acknowledgement.
  lacks_ |= lacks && applied >= base_;
}

void Sender::acknowledge(std::uint64_t applied) {
  while (!unacknowledged_.empty() && unacknowledged_.front().sequence <= applied) {
    Sent& done = unacknowledged_.front();
    if (done.kind == Kind::bulk_end) {
      ++counters_.bulks_completed;
      shared_ = true;
      complete_from_ = last_change_;
      comparison_.reset();
    }
    if (done.kind == Kind::digests) take_answer(done);
    if (done.kind != Kind::begin) ++counters_.acknowledged;
    acknowledged_changes_ = std::max(acknowledged_changes_, done.covers);
    unacknowledged_bytes_ -= done.bytes;
    unacknowledged_records_ -= done.records;
    unacknowledged_states_ -= done.states;
    done.slots.clear();
    if (done.slots.capacity() != 0 && spare_.size() < 64) spare_.push_back(std::move(done.slots));
    unacknowledged_.pop_front();
  }
  acknowledged_ = std::max(acknowledged_, applied);
  cover();
}

void Sender::cover() {
  if (!state_.empty() || bulk_ != Bulk::done) return;
  if (unacknowledged_.empty()) {
    acknowledged_changes_ = covered_ = last_change_;
  } else if (covered_ != last_change_) {
    unacknowledged_.back().covers = covered_ = last_change_;
  }
}

void Sender::rewind() {
  ++counters_.rewinds;
  covered_ = acknowledged_changes_;
  walk_covers_.reset();
  for (Sent& lost : unacknowledged_) {
    switch (lost.kind) {
      case Kind::begin:
        begin_due_ = true;
        break;
      case Kind::digests:
        comparison_->lost(lost.piece);
        break;
      case Kind::bulk:
        cursor_ = std::min(cursor_, lost.bulk_from);
        bulk_ = Bulk::walking;
        break;
      case Kind::bulk_end:
        bulk_ = Bulk::walking;
        break;
      case Kind::state:
      case Kind::refresh:
      case Kind::audit:
      case Kind::nothing:
        break;
    }
    counters_.rewound_slots += lost.slots.size();
    for (const std::uint32_t slot : lost.slots) (void)state_.mark(slot);
  }
  unacknowledged_.clear();
  unacknowledged_bytes_ = unacknowledged_records_ = unacknowledged_states_ = 0;
  blocked_ = {};
  changes_since_walk_ = 0;
  base_ = next_;
}

Sender::Kind Sender::next_kind(TimePoint now, bool state_urgent, bool urgent) {
  if (begin_due_) return Kind::begin;
  const bool walking = bulk_ == Bulk::walking;
  const Kind copy = walking ? next_of_copy() : Kind::nothing;
  if (!state_.empty()) {
    const bool due = state_urgent || walking || state_.size() >= limits_.flush_rows ||
                     (state_since_ != kNever && now - state_since_ >= limits_.flush_after);
    const bool copy_goes_on = copy == Kind::digests || copy == Kind::bulk;
    if (due && !(copy_goes_on && changes_in_a_row_ >= 3)) {
      // Whatever was marked when the cursor reached the end has gone out after one more round over the table.
      if (copy != Kind::bulk_end || changes_since_walk_ < source_.high_water()) return Kind::state;
    }
  }
  if (walking) return copy;
  if (!refresh_.empty() && (urgent || refresh_.size() >= limits_.batch_rows ||
                            (refresh_since_ != kNever && now - refresh_since_ >= limits_.refresh_after))) {
    return Kind::refresh;
  }
  if (now >= next_audit_ && source_.high_water() != 0) return Kind::audit;
  return Kind::nothing;
}

void Sender::pump(TimePoint now, const Header& header, Outlet& outlet, std::size_t budget_bytes, bool urgent) {
  if (epoch_ == 0) return;
  now_ = now;
  if (!state_.empty() && state_since_ == kNever) state_since_ = now;
  if (!refresh_.empty() && refresh_since_ == kNever) refresh_since_ = now;
  ages_.see(now, last_change_, acknowledged_changes_);
  std::size_t spent = 0;
  while (spent < budget_bytes) {
    if (blocked_.empty()) {
      if (unacknowledged_bytes_ >= limits_.window_bytes) {
        ++counters_.window_full;
        return;
      }
      const Kind kind = next_kind(now, urgent || awaited_ > covered_, urgent);
      if (kind == Kind::nothing) return;
      batch_limit_ = std::min(limits_.batch_bytes, budget_bytes - spent);
      spent += build(kind, now, header);
      cover();
      if (state_.empty()) state_since_ = kNever;
      if (refresh_.empty()) refresh_since_ = kNever;
      if (blocked_.empty()) continue;  // the slots held nothing to send
    }
    if (!outlet.send(Channel::data, blocked_)) {
      ++counters_.outlet_full;
      return;
    }
    ++counters_.messages;
    counters_.bytes += blocked_.size();
    spent += blocked_.size();
    blocked_ = {};
  }
}

TimePoint Sender::next_deadline() const {
  if (epoch_ == 0) return kNever;
  // A blocked outlet, a full window and a copy that waits for answers go on when the peer or the next tick says so.
  if (unacknowledged_bytes_ >= limits_.window_bytes || !blocked_.empty()) return kNever;
  TimePoint at = kNever;
  if (!state_.empty())
    at = state_since_ == kNever || awaited_ > covered_ ? TimePoint::min() : state_since_ + limits_.flush_after;
  if (begin_due_) return TimePoint::min();
  if (bulk_ == Bulk::walking) return next_of_copy() == Kind::nothing ? at : TimePoint::min();
  if (source_.high_water() != 0) at = std::min(at, next_audit_);
  if (!refresh_.empty() && refresh_since_ != kNever) at = std::min(at, refresh_since_ + limits_.refresh_after);
  return at;
}

Sender::Sent Sender::fresh_sent() {
  Sent sent;
  if (!spare_.empty()) {
    sent.slots = std::move(spare_.back());
    spare_.pop_back();
  }
  return sent;
}

/// Builds one message into blocked_ and accounts for it. Returns what it cost besides its bytes.
std::size_t Sender::build(Kind kind, TimePoint now, const Header& header) {
  Sent sent = fresh_sent();
  sent.kind = kind;
  const Position position{epoch_, base_, next_};
  std::size_t cost = 0;
  switch (kind) {
    case Kind::nothing:
      return 0;
    case Kind::begin:
      begin_due_ = false;
      blocked_ = writer_.write(header, StreamBegin{position, source_.capacity(), source_.layout()});
      break;
    case Kind::state:
    case Kind::refresh:
      collect_changes(sent, kind == Kind::state ? state_ : refresh_, kind == Kind::refresh, now);
      cost = 64 * sent.slots.size();
      break;
    case Kind::digests:
      blocked_ = write_digests(sent, header, position);
      cost = limits_.scan_slots;
      break;
    case Kind::bulk:
      sent.bulk_from = cursor_;
      collect_bulk(sent, now);
      cost = cursor_ - sent.bulk_from;
      break;
    case Kind::bulk_end:
      bulk_ = Bulk::done;
      blocked_ = writer_.write(header, BulkEnd{position, waiting()});
      break;
    case Kind::audit:
      blocked_ = write_audit(header, position, now);
      cost = 16 * std::size_t{limits_.audit_slots};
      break;
  }
  sent.records = rows_.size();
  if (!rows_.empty()) {
    blocked_ =
        writer_.write(header, Batch{position, nullptr, waiting(), kind == Kind::refresh && sent.states == 0}, rows_);
  }
  if (blocked_.empty()) return std::max<std::size_t>(cost, 1);
  sent.sequence = next_++;
  sent.bytes = blocked_.size();
  unacknowledged_bytes_ += sent.bytes;
  unacknowledged_records_ += sent.records;
  unacknowledged_states_ += sent.states;
  unacknowledged_.push_back(std::move(sent));
  return 0;
}

void Sender::collect_changes(Sent& sent, BitSet& from, bool counters, TimePoint now) {
  BitSet& other = &from == &state_ ? refresh_ : state_;
  const std::size_t rows_at_most = limits_.batch_rows;
  std::size_t taken = 0;
  while (taken < rows_at_most && !batch_full()) {
    const auto slot = from.take();
    if (!slot) break;
    ++taken;
    if (&from == &state_ && *slot <= std::exchange(walked_to_, *slot) && bulk_ == Bulk::done) {
      sent.covers = std::max(sent.covers, walk_covers_.value_or(0));
      walk_covers_ = last_change_;
    }
    if (!sent_in_.empty()) sent_in_[*slot] = static_cast<std::uint32_t>(next_);
    // The row carries the slot's newest state whatever it was marked for; counters only if they are due.
    const bool both = other.unmark(*slot);
    bool dead = false;
    if (!add_row(*slot, counters || both, true, now, dead)) continue;
    sent.slots.push_back(*slot);
    if (&from == &state_ || both) ++sent.states;
  }
  if (&from != &state_) return;
  ++changes_in_a_row_;
  if (walked()) changes_since_walk_ += static_cast<std::uint32_t>(taken);
}

void Sender::collect_bulk(Sent& sent, TimePoint now) {
  changes_in_a_row_ = 0;
  changes_since_walk_ = 0;
  const std::uint32_t end = walk_end();
  const auto steps = static_cast<std::uint32_t>(std::min<std::size_t>(limits_.scan_slots, batch_limit_));
  const std::uint32_t stop_at = end - cursor_ > steps ? cursor_ + steps : end;
  while (cursor_ < stop_at && !batch_full()) {
    const std::uint32_t slot = cursor_++;
    if (comparison_ && !comparison_->differs(slot)) continue;  // if it is marked, it is sent as a change
    // An empty slot needs no tombstone (what the pass does not name is removed at its end), unless the session was
    // already named in it and has died since.
    if (!sent_in_.empty()) sent_in_[slot] = static_cast<std::uint32_t>(next_);
    const bool marked = state_.unmark(slot);
    (void)refresh_.unmark(slot);
    bool dead = false;
    if (!add_row(slot, true, marked, now, dead)) continue;
    if (dead) sent.slots.push_back(slot);
    if (marked) ++sent.states;
  }
  counters_.bulk_sessions += rows_.size() - sent.slots.size();
}

bool Sender::add_row(std::uint32_t slot, bool counters, bool dead_too, TimePoint now, bool& dead) {
  const bool live = source_.read(slot, now, record_);
  const bool too_young = live && source_.is_withheld(slot);
  const bool readable = live && !too_young && schema_.admits(record_);
  if (withheld_slots_ && (readable || !live || too_young)) (void)withheld_slots_->unmark(slot);
  if (readable) {
    record_.has_counters = record_.has_counters && counters;
    rows_.add(record_);
    ++counters_.sessions;
    return true;
  }
  dead = true;
  if (live) {
    if (!too_young) {
      ++counters_.withheld;
      withheld_ = true;
      if (!withheld_slots_) withheld_slots_.emplace(source_.capacity());
      (void)withheld_slots_->mark(slot);
    }
    // Nothing of an older session may be left there, and this one may become readable: it is not dead itself.
    --record_.ref.generation;
  }
  if (!dead_too || record_.ref.generation == 0) return false;
  rows_.add_tombstone(record_.ref);
  ++counters_.tombstones;
  return true;
}

bool Sender::audit_range_clean() const {
  const std::uint32_t end = std::min(source_.capacity(), audit_cursor_ + limits_.audit_slots);
  for (std::uint32_t slot = audit_cursor_; slot < end; ++slot) {
    if (state_.contains(slot) || refresh_.contains(slot)) return false;
  }
  return true;
}

MessageWriter::Bytes Sender::write_audit(const Header& header, const Position& position, TimePoint now) {
  next_audit_ = now + limits_.audit_interval;
  if (audit_cursor_ >= source_.high_water()) audit_cursor_ = 0;
  const std::uint32_t first = audit_cursor_;
  // Where changes wait to be sent the twins differ and may; the range has its turn in the next round.
  const bool clean = audit_range_clean();
  audit_cursor_ += limits_.audit_slots;
  if (!clean) {
    ++counters_.audits_skipped;
    return {};
  }
  ++counters_.audits;
  const RangeDigest range = digest_range(source_, first, limits_.audit_slots, now, schema_);
  return writer_.write(header, Audit{position, first, limits_.audit_slots, range.sessions, range.digest, waiting()});
}

Lag Sender::lag(TimePoint now) const {
  Lag out;
  out.sessions = source_.live_sessions();
  out.copying = epoch_ == 0 || bulk_ != Bulk::done;
  out.waiting = waiting();
  out.unacknowledged = static_cast<std::uint32_t>(
      std::min<std::size_t>(unacknowledged_states_, std::numeric_limits<std::uint32_t>::max()));
  if (const auto since = ages_.oldest(acknowledged_changes_)) {
    const auto micros = std::clamp<Duration::rep>((now - *since) / 1us, 1, std::numeric_limits<std::uint32_t>::max());
    out.oldest_us = static_cast<std::uint32_t>(micros);
  }
  return out;
}

bool Sender::drained() const {
  if (epoch_ == 0 || bulk_ != Bulk::done || !state_.empty()) return false;
  // A message of counters brings the state of a slot that was marked for both.
  return std::none_of(unacknowledged_.begin(), unacknowledged_.end(), [](const Sent& s) {
    return s.states != 0 || (s.kind != Kind::refresh && s.kind != Kind::audit);
  });
}

bool Sender::refreshed() const {
  return refresh_.empty() && std::none_of(unacknowledged_.begin(), unacknowledged_.end(),
                                          [](const Sent& s) { return s.kind == Kind::refresh; });
}

void Sender::append_to(CounterList& out) const {
  out.push_back({"streams-started", counters_.streams});
  out.push_back({"messages-sent", counters_.messages});
  out.push_back({"bytes-sent", counters_.bytes});
  out.push_back({"sessions-sent", counters_.sessions});
  out.push_back({"tombstones-sent", counters_.tombstones});
  out.push_back({"bulk-sessions-sent", counters_.bulk_sessions});
  out.push_back({"bulk-copies-completed", counters_.bulks_completed});
  out.push_back({"attempts-after-loss", counters_.rewinds});
  out.push_back({"sessions-sent-again", counters_.rewound_slots});
  out.push_back({"messages-acknowledged", counters_.acknowledged});
  out.push_back({"acknowledgements-received", counters_.acks});
  out.push_back({"acknowledgements-ignored", counters_.acks_ignored});
  out.push_back({"negative-acknowledgements-received", counters_.nacks});
  out.push_back({"negative-acknowledgements-ignored", counters_.nacks_ignored});
  out.push_back({"window-full", counters_.window_full});
  out.push_back({"link-full", counters_.outlet_full});
  out.push_back({"audits-sent", counters_.audits});
  out.push_back({"audits-skipped", counters_.audits_skipped});
  out.push_back({"records-withheld", counters_.withheld});
  out.push_back({"ranges-compared", counters_.ranges.compared});
  out.push_back({"ranges-equal", counters_.ranges.equal});
  out.push_back({"ranges-not-answered", counters_.not_compared});
  out.push_back({"equal-sessions-refreshed", counters_.refreshed});
  out.push_back({"comparisons-ignored", counters_.answers_ignored});
}

}  // namespace icr::replication
