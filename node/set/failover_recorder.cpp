#include "node/set/failover_recorder.h"

#include <algorithm>
#include <chrono>
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

/// Says what was lost as far as the former master had told, and for how long it may have worked unheard.
void judge_risk(FailoverReport& report, const Takeover& facts, TimePoint granted_at) {
  const Missing& missing = *facts.missing;
  report.told = (missing.told_at - facts.heard_at) / 1us;
  report.peer_sessions = missing.sessions;
  report.missing = missing.changes;
  report.exact = missing.exact;
  // Records that this member refused are not among the changes that it missed.
  const std::uint64_t fewer = missing.sessions > report.sessions ? missing.sessions - report.sessions : 0;
  report.at_risk_least = fewer;
  if (missing.changes) report.at_risk_most = std::max(*missing.changes + facts.refused, fewer);
  const TimePoint end = facts.closed_at ? *facts.closed_at : granted_at;
  report.unheard = static_cast<std::uint64_t>(std::max<Duration>(end - missing.told_at, 0ms) / 1us);
  report.setup_rate = missing.setups_per_second;
  if (missing.setups_per_second) {
    constexpr std::uint64_t kSecond = 1'000'000;
    report.setups_unheard = (*missing.setups_per_second * *report.unheard + kSecond - 1) / kSecond;
  }
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
  if (facts.heartbeat_at != TimePoint()) report.heartbeat = after(facts.heartbeat_at);
  if (facts.closed_at) report.closed = after(*facts.closed_at);
  report.decided = after(facts.how.decided_at);
  report.granted = after(context.granted_at);
  report.active = after(context.active_at);
  report.sessions = context.sessions;
  report.applied = facts.applied;
  report.sent = facts.sent;
  if (facts.missing) judge_risk(report, facts, context.granted_at);
  if (report.kind == FailoverKind::switchover) report.at_risk_least = report.at_risk_most = 0;
  report.detector = silence_of(facts.detector, report.kind != FailoverKind::takeover);
  if (reports_.size() == kMaxFailovers) reports_.pop_back();
  reports_.push_front(std::move(report));
  open_ = changed_ = true;
  settled_ = settles_ = false;
  awaits_steering_ = context.steers;
  awaits_former_packet_ = context.sessions != 0;
  peer_forwarded_at_.reset();
  until_ = now + kPatience;
}

void FailoverRecorder::note(FailoverReport::Micros FailoverReport::*field, TimePoint at) {
  reports_.front().*field = (at - heard_at_) / 1us;
  changed_ = true;
  update_gap();
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

void FailoverRecorder::update_gap() {
  FailoverReport& report = reports_.front();
  if (!peer_forwarded_at_ || !report.old_session) return;
  const TimePoint first = heard_at_ + std::chrono::microseconds(*report.old_session);
  const auto gap = static_cast<std::uint64_t>(std::max<Duration>(first - *peer_forwarded_at_, 0ms) / 1us);
  if (report.gap == gap) return;
  report.gap = gap;
  changed_ = true;
}

void FailoverRecorder::on_peer_forwarded(TimePoint at) {
  if (!open_ || (peer_forwarded_at_ && at <= *peer_forwarded_at_)) return;
  peer_forwarded_at_ = at;
  update_gap();
  review();
}

void FailoverRecorder::on_merged(std::uint64_t term, std::uint64_t taken_over, std::uint64_t refused) {
  if (reports_.empty() || reports_.front().term != term) return;
  FailoverReport& report = reports_.front();
  report.merged = report.merged.value_or(0) + taken_over;
  report.lost = report.lost.value_or(0) + refused;
  changed_ = true;
}

void FailoverRecorder::review() {
  const FailoverReport& report = reports_.front();
  const bool interruption_known = report.old_session || (report.sessions == 0 && report.new_session);
  // A master that has handed over tells when it forwarded its last packet.
  const bool gap_known = report.kind != FailoverKind::switchover || !report.old_session || report.gap;
  if (!settled_ && interruption_known && gap_known && !awaits_steering_) settled_ = settles_ = true;
  // It may forward packets for a while, so the report of a switchover stays open.
  if (settled_ && !awaits_former_packet_ && report.new_session && report.kind != FailoverKind::switchover) end();
}

void FailoverRecorder::end() {
  open_ = false;
  reports_.front().complete = changed_ = true;
  if (!std::exchange(settled_, true)) settles_ = true;
}

void FailoverRecorder::on_mastership_lost() {
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
