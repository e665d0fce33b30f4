#include "node/set/failover_recorder.h"

#include <algorithm>
#include <utility>

#include "node/set/silence.h"

namespace icr::node {
namespace {

FailoverKind kind_of(RoleCause cause) {
  switch (cause) {
    case RoleCause::offered:
      return FailoverKind::switchover;
    case RoleCause::master_ill:
      return FailoverKind::ill_master;
    case RoleCause::elected:
    case RoleCause::peer_not_master:
      return FailoverKind::election;
    default:
      return FailoverKind::takeover;
  }
}

/// Adds what the takeover put at risk.
void add_risk(const Takeover& facts, FailoverReport& report) {
  const auto after = [&](TimePoint at) { return (at - facts.heard_at) / 1us; };
  const CopyRisk& known = facts.risk;
  if (known.changed_at != TimePoint()) report.last_change = after(known.changed_at);
  FailoverRisk& risk = report.risk;
  risk.gap = known.gap;
  risk.lacking = known.lacking;
  risk.missing = known.missing();
  if (known.told) {
    risk.former_sessions = known.told->sessions;
    risk.waiting = known.told->waiting;
    risk.unacknowledged = known.told->unacknowledged;
    risk.oldest_us = known.told->oldest_us;
  }
  const auto bound = known.bound(facts.how.hot);
  if (!bound) return;
  risk.sessions = bound->slots;
  report.last_word = after(bound->at);
  risk.unseen = std::max<Duration::rep>((facts.closed_at.value_or(facts.how.decided_at) - bound->at) / 1us, 0);
}

}  // namespace

FailoverRecorder::FailoverRecorder(std::vector<FailoverReport> former) {
  std::sort(former.begin(), former.end(),
            [](const FailoverReport& a, const FailoverReport& b) { return a.number > b.number; });
  if (former.size() > kMaxFailovers) former.resize(kMaxFailovers);
  if (!former.empty()) next_number_ = former.front().number + 1;
  for (FailoverReport& report : former) reports_.push_back(std::move(report));
}

void FailoverRecorder::begin(const Takeover& facts, const FailoverContext& context, TimePoint now) {
  if (open_) end();
  heard_at_ = facts.heard_at;
  const auto after = [this](TimePoint at) { return (at - heard_at_) / 1us; };
  FailoverReport report;
  report.number = next_number_++;
  report.set = context.set;
  report.chassis = context.chassis;
  report.peer = context.peer;
  report.kind = kind_of(facts.how.cause);
  report.term = context.term;
  report.reason = reason_of(facts.how.cause);
  report.hot = facts.how.hot;
  report.heard = context.wall_heard;
  report.heard_since_boot = static_cast<std::uint64_t>(heard_at_.time_since_epoch() / 1us);
  report.heartbeat = after(facts.heartbeat_at);
  if (facts.closed_at) report.closed = after(*facts.closed_at);
  report.decided = after(facts.how.decided_at);
  report.granted = after(context.granted_at);
  report.active = after(context.active_at);
  report.sessions = context.sessions;
  report.applied = facts.applied;
  report.sent = facts.sent;
  add_risk(facts, report);
  report.risk.ended = context.ended;
  if (report.risk.sessions) *report.risk.sessions += context.ended;
  report.detector = silence_of(facts.detector, report.kind != FailoverKind::takeover);
  if (reports_.size() == kMaxFailovers) reports_.pop_back();
  reports_.push_front(std::move(report));
  open_ = reigns_ = changed_ = true;
  settled_ = settles_ = false;
  awaits_steering_ = context.steers;
  awaits_former_packet_ = context.sessions != 0;
  until_ = now + kPatience;
}

void FailoverRecorder::note(FailoverReport::Micros FailoverReport::*field, TimePoint at) {
  reports_.front().*field = (at - heard_at_) / 1us;
  changed_ = true;
  review();
}

void FailoverRecorder::on_steered(TimePoint at) {
  if (!awaits_steering()) return;
  awaits_steering_ = false;
  note(&FailoverReport::steered, at);
}

void FailoverRecorder::on_former_packet(TimePoint at) {
  if (!awaits_former_packet()) return;
  awaits_former_packet_ = false;
  note(&FailoverReport::old_session, at);
}

void FailoverRecorder::on_new_session(TimePoint at) {
  if (awaits_new_session()) note(&FailoverReport::new_session, at);
}

void FailoverRecorder::review() {
  const FailoverReport& report = reports_.front();
  const bool interruption_known = report.old_session || (report.sessions == 0 && report.new_session);
  if (!settled_ && interruption_known && !awaits_steering_) settled_ = settles_ = true;
  if (settled_ && !awaits_former_packet_ && report.new_session) end();
}

void FailoverRecorder::end() {
  open_ = false;
  reports_.front().complete = changed_ = true;
  if (!std::exchange(settled_, true)) settles_ = true;
}

void FailoverRecorder::on_merged(const replication::AdoptedCounts& counts) {
  if (!reigns_) return;
  const auto of = [&](Adopted how) { return counts[static_cast<std::size_t>(how)]; };
  FailoverRisk::Merge merge{of(Adopted::created), of(Adopted::updated), of(Adopted::known), 0};
  for (std::size_t i = static_cast<std::size_t>(Adopted::invalid); i < counts.size(); ++i) merge.refused += counts[i];
  reports_.front().risk.merge = merge;
  changed_ = true;
}

void FailoverRecorder::on_mastership_lost() {
  reigns_ = false;
  if (open_) end();
}

void FailoverRecorder::tick(TimePoint now) {
  if (open_ && now >= until_) end();
}

std::optional<FailoverRecorder::News> FailoverRecorder::take_news() {
  if (!std::exchange(changed_, false)) return std::nullopt;
  return News{&reports_.front(), std::exchange(settles_, false)};
}

}  // namespace icr::node
