#include "replication/receiver.h"

#include <algorithm>
#include <utility>

namespace icr::replication {
namespace {

/// Names of streams: the upper bits of the boot, counted up. Unique among boots for all practical purposes, and growing
/// within one, so that a late request for a former stream is recognised by the sender.
std::uint64_t first_name(std::uint64_t boot) { return boot & ~std::uint64_t{0xffffff}; }

}  // namespace

Receiver::Receiver(SessionSink& sink, const SessionSource& table, std::uint64_t boot, const ReceiverLimits& limits)
    : sink_(sink), table_(table), limits_(limits), last_name_(first_name(boot)) {}

void Receiver::follow(TimePoint now, std::uint64_t boot, std::uint64_t term) {
  if (sync_ != Sync::off && boot == master_boot_ && term == master_term_) return;
  master_boot_ = boot;
  master_term_ = term;
  request_new_stream(now);
}

void Receiver::stop() {
  sync_ = Sync::off;
  requested_ = false;
  epoch_ = 0;
  base_ = expected_ = 1;
  announced_ = announced_base_ = 0;
  gap_ = pass_open_ = ack_due_ = nack_due_ = capacity_differs_ = compared_ = false;
  unacknowledged_ = 0;
  refused_in_copy_ = 0;
  word_ = {};
  answers_.clear();
}

void Receiver::request_new_stream(TimePoint now) {
  stop();
  sync_ = Sync::cold;
  requested_ = true;
  skipped_.reset();
  lacking_.reset();
  epoch_ = ++last_name_;
  next_request_ = now;
  request_interval_ = limits_.request_interval;
  stall_after_ = limits_.stall_after;
  stalls_ = 0;
  progress_at_ = now;
  differs_since_ = TimePoint::max();
}

/// The sender vouches that what its former attempts carried and we did not get comes again in this one.
void Receiver::adopt_attempt(TimePoint now, std::uint64_t base) {
  base_ = base;
  expected_ = std::max(expected_, base_);
  gap_ = nack_due_ = false;
  answers_.clear();
  progress_at_ = now;
}

bool Receiver::admit(TimePoint now, const Position& p) {
  if (epoch_ == 0 || p.epoch != epoch_) {
    ++counters_.other_stream;
    return false;
  }
  if (p.base < base_) {
    ++counters_.former_attempt;
    return false;
  }
  if (p.base > base_) adopt_attempt(now, p.base);
  announced_ = std::max(announced_, p.sequence);
  if (p.sequence < expected_) {
    ++counters_.duplicates;
    ack_due_ = true;  // its acknowledgement was lost
    return false;
  }
  if (p.sequence > expected_) {
    ++counters_.gaps;
    if (!gap_) nack_due_ = true;
    gap_ = true;
    return false;
  }
  return true;
}

void Receiver::took_one(TimePoint now) {
  ++expected_;
  ++unacknowledged_;
  ack_due_ = true;
  gap_ = nack_due_ = false;
  progress_at_ = now;
  stall_after_ = limits_.stall_after;
  stalls_ = 0;
  if (sync_ == Sync::hot && now - hot_at_ >= limits_.settle_after) right_at_ = now;
}

void Receiver::took_word(TimePoint now, const Position& position, std::uint32_t waiting) {
  word_ = {position, now, waiting};
  took_one(now);
}

void Receiver::on_begin(TimePoint now, const StreamBegin& message) {
  if (!admit(now, message.position)) return;
  if (message.layout.empty() && message.capacity != table_.capacity()) {
    // Nothing says which slots are meant.
    capacity_differs_ = true;
    ++counters_.capacity_refused;
    return;
  }
  if (requested_) {
    requested_ = false;
    map_ = SlotMap(message.layout, table_.layout());
    their_slots_ = message.capacity;
    capacity_differs_ = false;
    pass_open_ = true;
    ++counters_.streams;
    sink_.begin_pass(now);
  }
  took_one(now);
}

void Receiver::on_batch(TimePoint now, const Batch& message) {
  if (!admit(now, message.position)) return;
  if (requested_) {
    ++counters_.before_begin;
    return;
  }
  const auto rows = BatchDecoder::check(message.sessions, kMaxBatchRows);
  if (!rows) {
    // It is not taken, so it will be asked for again, and for a new stream if that does not help.
    ++counters_.invalid_batches;
    return;
  }
  ++counters_.batches;
  rows->for_each_session([this, now](const SessionRecord& record) { take(record, now); });
  rows->for_each_tombstone([this, now](SessionRef dead) { bury(dead, now); });
  rows->for_each_unknown([this, now](SessionRef unknown) { skip(unknown, now); });
  counters_.unknown_records += rows->unknown().records;
  counters_.reduced_records += rows->unknown().reduced;
  if (!message.counters_only) changed_at_ = now;
  took_word(now, message.position, message.waiting);
}

void Receiver::take(const SessionRecord& record, TimePoint now) {
  is_known(record.ref.slot);
  Applied applied = Applied::refused;
  if (map_.is_identity()) {
    applied = sink_.apply(record, now);
  } else if (const auto slot = map_.own(record.ref.slot)) {
    SessionRecord own = record;
    own.ref.slot = *slot;
    applied = sink_.apply(own, now);
  } else {
    ++counters_.unmapped;
  }
  count(applied);
  if (applied != Applied::refused) return;
  mark_lacking(record.ref.slot);
  end_former(record.ref, now);
  if (refusals_expected_) mark_skipped(record.ref.slot);
}

void Receiver::bury(SessionRef dead, TimePoint now) {
  is_known(dead.slot);
  if (const auto slot = map_.own(dead.slot)) {
    count(sink_.erase({*slot, dead.generation}, now));
  } else {
    ++counters_.unmapped;
  }
}

void Receiver::mark_skipped(std::uint32_t slot) {
  if (slot >= their_slots_) return;
  if (!skipped_) skipped_.emplace(their_slots_);
  (void)skipped_->mark(slot);
}

void Receiver::mark_lacking(std::uint32_t slot) {
  if (slot >= their_slots_) return;
  if (!lacking_) lacking_.emplace(their_slots_);
  (void)lacking_->mark(slot);
}

void Receiver::skip(SessionRef unknown, TimePoint now) {
  mark_lacking(unknown.slot);
  mark_skipped(unknown.slot);
  end_former(unknown, now);
}

/// Ends what the slot held before a record that is not in the table: the slot holds something else at the master now.
void Receiver::end_former(SessionRef newer, TimePoint now) {
  const auto slot = map_.own(newer.slot);
  if (slot && *slot < table_.capacity() && newer.generation > 1) {
    (void)sink_.erase({*slot, newer.generation - 1}, now);
  }
}

RangeDigest Receiver::own_digest(const Audit& audit, TimePoint now) const {
  if (map_.is_identity()) return digest_range(table_, audit.first, audit.count, now);
  RangeDigest out;
  SessionRecord record;
  for (std::uint32_t theirs = audit.first; theirs < audit.first + audit.count; ++theirs) {
    const auto slot = map_.own(theirs);
    if (!slot || !table_.read(*slot, now, record)) continue;
    record.ref.slot = theirs;
    ++out.sessions;
    out.digest += digest_of(record);
  }
  return out;
}

void Receiver::is_known(std::uint32_t slot) {
  if (skipped_ && slot < skipped_->capacity()) (void)skipped_->unmark(slot);
  if (lacking_ && slot < lacking_->capacity()) (void)lacking_->unmark(slot);
}

bool Receiver::skipped_in(std::uint32_t first, std::uint32_t count) const {
  if (!skipped_ || skipped_->empty()) return false;
  const std::uint32_t end = std::min(skipped_->capacity(), first + count);
  for (std::uint32_t slot = first; slot < end; ++slot) {
    if (skipped_->contains(slot)) return true;
  }
  return false;
}

void Receiver::on_unknown(TimePoint now, const UnknownNumbered& message) {
  if (!admit(now, message.position)) return;
  if (requested_) {
    ++counters_.before_begin;
    return;
  }
  ++counters_.unknown_messages;
  took_one(now);
}

void Receiver::on_bulk_end(TimePoint now, const BulkEnd& message) {
  if (!admit(now, message.position)) return;
  if (requested_) {
    ++counters_.before_begin;
    return;
  }
  if (pass_open_) {
    pass_open_ = false;
    counters_.swept += sink_.end_pass(now);
    ++counters_.passes;
    sync_ = Sync::hot;
    hot_at_ = now;
    whole_copy_ = false;
  }
  took_word(now, message.position, message.waiting);
}

void Receiver::on_audit(TimePoint now, const Audit& message) {
  if (!admit(now, message.position)) return;
  took_word(now, message.position, message.waiting);
  if (sync_ != Sync::hot) return;
  if (skipped_in(message.first, message.count)) {
    ++counters_.audits_not_compared;
    return;
  }
  const RangeDigest own = own_digest(message, now);
  if (own == RangeDigest{message.sessions, message.digest}) {
    ++counters_.audits_passed;
    return;
  }
  ++counters_.audits_failed;
  if (now < no_audit_restart_before_) return;
  no_audit_restart_before_ = now + limits_.audit_restart_interval;
  ++counters_.restarts;
  // What was kept may be what is wrong; nobody compares twice in vain.
  whole_copy_ = compared_;
  request_new_stream(now);
}

void Receiver::on_digests(TimePoint now, const Digests& message) {
  if (!admit(now, message.position)) return;
  if (requested_) {
    ++counters_.before_begin;
    return;
  }
  const std::size_t ranges = message.digests.size();
  Compared answer{message.position, std::vector<std::uint8_t>((ranges + 7) / 8, 0)};
  ++counters_.digest_messages;
  counters_.ranges_compared += ranges;
  own_digests_.resize(ranges);
  table_.digests(message.first, message.range_slots, own_digests_);
  // Digests name slots, so where slots have other numbers here, nothing is equal.
  for (std::size_t i = 0; i < ranges && map_.is_identity();) {
    std::size_t same = i;
    for (; same < ranges && own_digests_[same] == message.digests[same]; ++same) {
      answer.equal[same / 8] = static_cast<std::uint8_t>(answer.equal[same / 8] | 1U << (same % 8));
    }
    if (const auto count = static_cast<std::uint32_t>(same - i); count != 0) {
      compared_ = true;
      counters_.ranges_kept += count;
      if (pass_open_) {
        sink_.keep(message.first + static_cast<std::uint32_t>(i) * message.range_slots, count * message.range_slots);
      }
    }
    i = same + 1;
  }
  if (answers_.size() < limits_.answers) {
    answers_.push_back(std::move(answer));
  } else {
    ++counters_.answers_dropped;
  }
  took_one(now);
}

void Receiver::count(Applied applied) {
  switch (applied) {
    case Applied::created:
      ++counters_.created;
      break;
    case Applied::updated:
      ++counters_.updated;
      break;
    case Applied::unchanged:
      ++counters_.unchanged;
      break;
    case Applied::deleted:
      ++counters_.deleted;
      break;
    case Applied::refused:
      ++counters_.refused;
      ++refused_in_copy_;
      break;
  }
}

void Receiver::on_master_position(TimePoint now, const Position& master) {
  if (epoch_ == 0) return;
  if (master.epoch != epoch_) {
    // While the request is on its way that is as it must be; afterwards the master has lost the stream. Its heartbeats
    // travel beside the stream and may be older than it, so it has to say so for a while.
    if (requested_) return;
    differs_since_ = std::min(differs_since_, now);
    if (now - differs_since_ < limits_.stall_after * 5) return;
    ++counters_.restarts;
    request_new_stream(now);
    return;
  }
  differs_since_ = TimePoint::max();
  if (!behind()) progress_at_ = now;
  announced_ = std::max(announced_, master.sequence);
  announced_base_ = std::max(announced_base_, master.base);
}

void Receiver::check_stall(TimePoint now) {
  if (!behind()) {
    progress_at_ = now;
    return;
  }
  if (now - progress_at_ < stall_after_) return;
  ++counters_.stalls;
  progress_at_ = now;
  stall_after_ = std::min(stall_after_ * 2, limits_.slowest);
  if (++stalls_ > limits_.stalls_before_restart) {
    ++counters_.restarts;
    request_new_stream(now);
    return;
  }
  // Only now: messages of the former attempt may still have been on their way, and good.
  if (announced_base_ > base_) adopt_attempt(now, announced_base_);
  nack_due_ = behind();
}

SyncRequest Receiver::request(TimePoint now) const {
  SyncRequest out{epoch_};
  out.compares = table_.high_water() != 0 && !whole_copy_;
  // Members with different cluster files may have given a session different timeouts.
  if (!right_at_ || refusals_expected_) return out;
  const auto age = std::max<Duration>(now - *right_at_, Duration(0)) / 1ms;
  out.age_ms = static_cast<std::uint32_t>(std::min<Duration::rep>(age, SyncRequest::kUnknownAge));
  return out;
}

bool Receiver::send_answers(const Header& header, MessageWriter& writer, Outlet& outlet) {
  while (!answers_.empty()) {
    if (!outlet.send(Channel::control, writer.write(header, answers_.front()))) return false;
    answers_.pop_front();
  }
  return true;
}

void Receiver::pump(TimePoint now, const Header& header, MessageWriter& writer, Outlet& outlet) {
  if (sync_ == Sync::off) return;
  check_stall(now);
  if (requested_ && now >= next_request_) {
    if (outlet.send(Channel::control, writer.write(header, request(now)))) {
      ++counters_.requests;
      next_request_ = now + request_interval_;
      request_interval_ = std::min(request_interval_ * 2, limits_.slowest);
    } else {
      next_request_ = now + limits_.request_interval;
    }
  }
  // An acknowledgement without the answer would say that nothing is equal.
  if (!send_answers(header, writer, outlet)) return;
  const bool lacks = refused_in_copy_ != 0;
  if (nack_due_ && outlet.send(Channel::control, writer.write(header, Nack{epoch_, base_, expected_, lacks}))) {
    nack_due_ = ack_due_ = false;
    unacknowledged_ = 0;
    ++counters_.nacks;
  }
  if (ack_due_ && outlet.send(Channel::control, writer.write(header, Ack{epoch_, base_, expected_ - 1, lacks}))) {
    ack_due_ = false;
    unacknowledged_ = 0;
    ++counters_.acks;
  }
}

TimePoint Receiver::next_deadline() const {
  if (sync_ == Sync::off) return TimePoint::max();
  TimePoint at = TimePoint::max();
  if (requested_) at = next_request_;
  if (behind()) at = std::min(at, progress_at_ + stall_after_);
  return at;
}

void Receiver::append_to(CounterList& out) const {
  const auto& c = counters_;
  out.push_back({"streams-requested", c.requests});
  out.push_back({"streams-received", c.streams});
  out.push_back({"copies-completed", c.passes});
  out.push_back({"batches-received", c.batches});
  out.push_back({"sessions-created", c.created});
  out.push_back({"sessions-updated", c.updated});
  out.push_back({"sessions-unchanged", c.unchanged});
  out.push_back({"sessions-deleted", c.deleted});
  out.push_back({"sessions-refused", c.refused});
  out.push_back({"sessions-swept", c.swept});
  out.push_back({"duplicate-messages", c.duplicates});
  out.push_back({"gaps", c.gaps});
  out.push_back({"stalls", c.stalls});
  out.push_back({"other-stream", c.other_stream});
  out.push_back({"former-attempt", c.former_attempt});
  out.push_back({"before-begin", c.before_begin});
  out.push_back({"invalid-batches", c.invalid_batches});
  out.push_back({"capacity-refused", c.capacity_refused});
  out.push_back({"acknowledgements-sent", c.acks});
  out.push_back({"negative-acknowledgements-sent", c.nacks});
  out.push_back({"streams-restarted", c.restarts});
  out.push_back({"audits-passed", c.audits_passed});
  out.push_back({"audits-failed", c.audits_failed});
  out.push_back({"records-unknown", c.unknown_records});
  out.push_back({"records-reduced", c.reduced_records});
  out.push_back({"messages-unknown", c.unknown_messages});
  out.push_back({"audits-not-compared", c.audits_not_compared});
  out.push_back({"slots-without-counterpart", c.unmapped});
  out.push_back({"digests-compared", c.ranges_compared});
  out.push_back({"digests-equal", c.ranges_kept});
  out.push_back({"answers-dropped", c.answers_dropped});
}

}  // namespace icr::replication
