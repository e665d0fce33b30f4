#include "replication/merge.h"

#include <algorithm>

namespace icr::replication {
namespace {

constexpr std::array<std::string_view, kAdoptedCount> kNames = {"created",
                                                                "updated",
                                                                "known",
                                                                "refused-invalid",
                                                                "refused-flow-taken",
                                                                "refused-port-taken",
                                                                "refused-binding-taken",
                                                                "refused-limit",
                                                                "refused-table-full"};

void append_counts(CounterList& out, std::string_view prefix, const AdoptedCounts& counts) {
  for (std::size_t i = 0; i < kAdoptedCount; ++i) {
    out.push_back({std::string(prefix) + std::string(kNames[i]), counts[i]});
  }
}

void add(AdoptedCounts& sum, const AdoptedCounts& more) {
  for (std::size_t i = 0; i < kAdoptedCount; ++i) sum[i] += more[i];
}

std::string endpoint(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

std::string describe(const SessionRecord& r) {
  if (r.kind == RecordKind::session) {
    const FlowKey& in = r.flow[0];
    const FlowKey& back = r.flow[1];
    return fmt::format("session of protocol {} {} -> {} as {}", in.protocol, endpoint(in.source, in.source_port),
                       endpoint(in.destination, in.destination_port),
                       endpoint(back.destination, back.destination_port));
  }
  const BindingRecord& b = r.binding;
  switch (r.kind) {
    case RecordKind::port_block:
      return fmt::format("ports {}-{} of {} for {}", b.external_port, b.last_port, b.external.to_string(),
                         b.internal.to_string());
    case RecordKind::mapping:
      return fmt::format("mapping {} as {}", endpoint(b.internal, b.internal_port),
                         endpoint(b.external, b.external_port));
    default:
      return fmt::format("address {} for {}", b.external.to_string(), b.internal.to_string());
  }
}

}  // namespace

// -- The member that yielded --

MergeSender::MergeSender(const SessionSource& table, Sender& unshared, const MergeLimits& limits)
    : table_(table), unshared_(unshared), limits_(limits) {}

void MergeSender::start(std::uint64_t former_term) {
  stop();
  whole_ = !unshared_.shared();
  if (whole_ ? table_.high_water() == 0 : unshared_.unshared() == 0) return;
  active_ = true;
  gathered_ = false;
  former_term_ = former_term;
  next_ = 1;
  cursor_ = 0;
  begun_ = false;
  outcome_ = {};
  ++merges_;
}

void MergeSender::begin(TimePoint now) {
  begun_ = true;
  started_ = progress_ = blocked_until_ = now;
  repeat_at_ = now + limits_.repeat_after;
}

void MergeSender::stop() {
  active_ = false;
  outstanding_.clear();
  sent_ = 0;
}

void MergeSender::on_ack(TimePoint now, const AdoptAck& ack) {
  if (!active_ || ack.former_term != former_term_ || ack.number >= next_) return;
  bool done = false;
  while (!outstanding_.empty() && outstanding_.front().number <= ack.number) {
    done = outstanding_.front().last;
    outstanding_.pop_front();
    if (sent_ != 0) --sent_;
    progress_ = now;
    repeat_at_ = now + limits_.repeat_after;
    outcome_.counts = ack.counts;
  }
  if (done) finish();
}

bool MergeSender::gather(TimePoint now) {
  if (gathered_) return false;
  Sent next;
  next.number = next_;
  std::uint32_t walked = 0;
  while (next.slots.size() < limits_.batch_rows && walked < limits_.scan_slots) {
    std::optional<std::uint32_t> slot;
    if (!whole_) {
      slot = unshared_.take_unshared();
    } else if (cursor_ < table_.high_water()) {
      slot = cursor_++;
    }
    if (!slot) {
      gathered_ = next.last = true;
      break;
    }
    ++walked;
    // One that has ended is no loss: it lives on in the other table, if it does, until it idles there.
    if (table_.read(*slot, now, record_)) next.slots.push_back(*slot);
  }
  ++next_;
  outstanding_.push_back(std::move(next));
  return true;
}

bool MergeSender::transmit(TimePoint now, const Sent& sent, const Header& header, MessageWriter& writer, Outlet& outlet,
                           std::size_t& spent) {
  rows_.clear();
  for (const std::uint32_t slot : sent.slots) {
    if (table_.read(slot, now, record_)) rows_.add(record_);
  }
  const auto bytes = writer.write(header, Adopt{former_term_, sent.number, sent.last, nullptr}, rows_);
  spent += bytes.size();
  return outlet.send(Channel::data, bytes);
}

void MergeSender::pump(TimePoint now, const Header& header, MessageWriter& writer, Outlet& outlet,
                       std::size_t budget_bytes) {
  if (!active_) return;
  if (!begun_) begin(now);
  if (now - progress_ >= limits_.stall || now - started_ >= limits_.longest) {
    ++given_up_;
    for (const Sent& sent : outstanding_) outcome_.unsent += sent.slots.size();
    if (!gathered_) outcome_.unsent += whole_ ? table_.high_water() - cursor_ : unshared_.unshared();
    unsent_total_ += outcome_.unsent;
    finish();
    return;
  }
  if (now >= repeat_at_ && sent_ != 0) {
    repeated_ += sent_;
    sent_ = 0;
    repeat_at_ = now + limits_.repeat_after;
  }
  std::size_t spent = 0;
  while (spent < budget_bytes) {
    if (sent_ == outstanding_.size() && (outstanding_.size() >= limits_.window || !gather(now))) return;
    if (!transmit(now, outstanding_[sent_], header, writer, outlet, spent)) {
      // After a cut the data connection may come later than the one for control: that is no refusal of the master.
      blocked_until_ = now + limits_.retry_after;
      progress_ = now;
      return;
    }
    ++sent_;
    ++messages_;
  }
}

void MergeSender::finish() {
  add(totals_, outcome_.counts);
  ++completed_;
  ended_ = outcome_;
  stop();
}

TimePoint MergeSender::next_deadline() const {
  if (!active_) return TimePoint::max();
  if (!begun_) return TimePoint::min();
  const bool more = sent_ < outstanding_.size() || (!gathered_ && outstanding_.size() < limits_.window);
  return more ? blocked_until_ : std::min({repeat_at_, progress_ + limits_.stall, started_ + limits_.longest});
}

void MergeSender::append_to(CounterList& out) const {
  out.push_back({"merges-after-two-masters", merges_});
  out.push_back({"merges-completed", completed_});
  out.push_back({"merges-given-up", given_up_});
  out.push_back({"merge-messages-sent", messages_});
  out.push_back({"merge-messages-repeated", repeated_});
  append_counts(out, "merge-sent-", totals_);
  out.push_back({"merge-not-sent", unsent_total_});
}

// -- The master --

void MergeReceiver::on_adopt(TimePoint now, std::uint64_t boot, const Adopt& message) {
  ++messages_;
  if (boot != boot_ || message.former_term > former_term_) {
    boot_ = boot;
    former_term_ = message.former_term;
    expected_ = 1;
    rows_ = 0;
    ended_ = outcome_due_ = false;
    counts_ = {};
    conflicts_.clear();
    ++merges_;
  }
  if (message.former_term < former_term_) {
    ++duplicates_;  // of a merge before this one
    return;
  }
  ack_due_ = true;
  if (message.number != expected_ || ended_) {
    ++(message.number < expected_ ? duplicates_ : gaps_);
    return;
  }
  if (message.sessions != nullptr) {
    const auto rows = BatchDecoder::check(message.sessions, kMaxBatchRows);
    if (!rows || rows->tombstones() != 0 || rows_ + rows->sessions() + rows->bindings() > capacity_) {
      ++invalid_;  // its sender repeats it, and gives up
      return;
    }
    rows_ += rows->sessions() + rows->bindings();
    rows->for_each_session([this, now](const SessionRecord& record) { adopt(now, record); });
    for (std::size_t i = 0; i < rows->unknown().records; ++i) {
      ++counts_[static_cast<std::size_t>(Adopted::invalid)];
      ++totals_[static_cast<std::size_t>(Adopted::invalid)];
    }
  }
  ++expected_;
  ended_ = outcome_due_ = message.last;
}

void MergeReceiver::adopt(TimePoint now, const SessionRecord& record) {
  const Adopted adopted = sink_.adopt(record, now);
  ++counts_[static_cast<std::size_t>(adopted)];
  ++totals_[static_cast<std::size_t>(adopted)];
  if (refused(adopted) && conflicts_.size() < kConflictsTold) {
    conflicts_.push_back(fmt::format("{}: {}", describe(record), to_string(adopted)));
  }
}

void MergeReceiver::pump(const Header& header, MessageWriter& writer, Outlet& outlet) {
  if (!ack_due_) return;
  if (outlet.send(Channel::control, writer.write(header, AdoptAck{former_term_, expected_ - 1, counts_})))
    ack_due_ = false;
}

std::optional<MergeReceiver::Outcome> MergeReceiver::take_outcome() {
  if (!outcome_due_) return std::nullopt;
  outcome_due_ = false;
  return Outcome{counts_, std::move(conflicts_)};
}

void MergeReceiver::append_to(CounterList& out) const {
  out.push_back({"merges-taken", merges_});
  out.push_back({"merge-messages-received", messages_});
  out.push_back({"merge-messages-duplicate", duplicates_});
  out.push_back({"merge-messages-early", gaps_});
  out.push_back({"merge-messages-invalid", invalid_});
  append_counts(out, "merge-", totals_);
}

}  // namespace icr::replication
