#include "node/redundancy/member.h"

#include <algorithm>
#include <utility>

#include "model/base/log.h"
#include "node/redundancy/identity.h"
#include "node/redundancy/merge_log.h"

namespace icr::node {
namespace {

namespace rep = icr::replication;

/// How soon a message is offered again that the link did not take.
constexpr Duration kRetryBlocked = 5ms;
/// How long a handover waits for counters at most. New sessions are refused meanwhile, and the peer of an ill master
/// waits for 200 ms until it takes over by itself.
constexpr Duration kWaitForCounters = 50ms;
/// The shortest time for which a member must be well before it counts as well again.
constexpr Duration kLeastHold = 1s;

bool may_drain(const Cluster& cluster, const RedundancySet& set) {
  return std::any_of(set.service_sets.begin(), set.service_sets.end(),
                     [&](std::uint16_t each) { return cluster.service_sets[each].drain_time_s != 0; });
}

bool has_guarantee(const Cluster& cluster, const RedundancySet& set) {
  return std::any_of(set.service_sets.begin(), set.service_sets.end(),
                     [&](std::uint16_t each) { return may_guarantee(cluster, cluster.service_sets[each]); });
}

}  // namespace

RedundancyMember::RedundancyMember(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                   const MemberStart& start, const SessionSource& source, SessionSink& sink,
                                   const MemberOutputs& outputs, TimePoint now)
    : set_(&cluster.redundancy_sets[set]),
      source_(source),
      decisions_(outputs.decisions),
      link_(outputs.link),
      own_(header_of(cluster, set, chassis, start.boot_id)),
      may_drain_(may_drain(cluster, *set_)),
      reader_(header_of_peer(cluster, set, own_)),
      sender_(source, start.stream),
      receiver_(sink, source, start.boot_id),
      merge_out_(source, sender_),
      merge_in_(sink, source.capacity()),
      copy_watch_(set_->name),
      configuration_(cluster, set),
      role_(role_config(*set_, chassis), start.term, *this, now, start.whole, start.claimed),
      timing_(detector_config(cluster, set, start.boot_id)),
      heartbeat_interval_(timing_.interval),
      detector_(timing_, outputs.probes, now),
      last_tick_(now),
      next_heartbeat_(now),
      health_(std::max(set_->hold_time, kLeastHold)),
      commits_(start.commits),
      right_(start.right),
      peer_address_(address_of_peer(cluster, *set_, chassis)) {
  sender_.remember_slots(has_guarantee(cluster, *set_));
  if (start.age) receiver_.table_is_of(now - *start.age);
}

RedundancyMember::~RedundancyMember() = default;

void RedundancyMember::take(TimePoint now, const Cluster& cluster, std::uint16_t set) {
  set_ = &cluster.redundancy_sets[set];
  const std::uint64_t digest = cluster.digest_for_peers(set);
  // The next heartbeat of the peer tells whether it runs the same.
  if (digest != own_.cluster_digest) receiver_.expect_refusals(true);
  own_.cluster_digest = digest;
  may_drain_ = may_drain(cluster, *set_);
  sender_.remember_slots(has_guarantee(cluster, *set_));
  configuration_.take(cluster);
  role_.set_config(role_config(*set_, set_->members[own_.member].chassis));
  health_.set_hold(std::max(set_->hold_time, kLeastHold));
  const DetectorConfig next = detector_config(cluster, set, own_.boot);
  timing_changes_ = hears_peer();
  timing_ = timing_changes_ ? more_patient(timing_, next) : next;
  wanted_timing_ = next;
  heartbeat_interval_ = timing_changes_ ? std::min(heartbeat_interval_, next.interval) : next.interval;
  detector_.set_config(timing_);
  heartbeat_now_ = true;
  next_heartbeat_ = std::min(next_heartbeat_, now + heartbeat_interval_);
}

void RedundancyMember::end_change_of_timing() {
  timing_changes_ = false;
  timing_ = wanted_timing_;
  heartbeat_interval_ = timing_.interval;
  detector_.set_config(timing_);
}

ClaimAnswer RedundancyMember::claim(std::uint64_t term) { return decisions_.claim(term); }

void RedundancyMember::on_claiming(std::uint64_t term) {
  heartbeat_now_ = true;
  decisions_.on_claiming(term);
}

void RedundancyMember::withdraw_claim() {
  heartbeat_now_ = true;
  decisions_.withdraw_claim();
}

void RedundancyMember::persist_term(std::uint64_t term) { decisions_.persist_term(term); }

Takeover RedundancyMember::describe_takeover(const RoleMachine::Takeover& how) const {
  Takeover out{how, heard_at_,      heartbeat_at_, {}, detector_.status(last_tick_), receiver_.position().sequence,
               {},  describe_risk()};
  if (!connected_ && closed_at_ != TimePoint()) out.closed_at = closed_at_;
  const rep::Position& said = peer_beat_.stream;
  if (said.epoch != 0 && said.epoch == receiver_.position().epoch) out.sent = said.sequence;
  return out;
}

CopyRisk RedundancyMember::describe_risk() const {
  CopyRisk out;
  if (told_) {
    out.told = told_->lag;
    out.told_of = told_->stream;
    out.told_at = told_->at;
  }
  out.applied = receiver_.position();
  out.word = receiver_.word();
  out.gap = receiver_.gap();
  out.lacking = receiver_.lacking();
  out.changed_at = receiver_.changed_at();
  return out;
}

void RedundancyMember::on_master(std::uint64_t term) {
  takeover_.reset();
  if (role_.takeover()) takeover_ = describe_takeover(*role_.takeover());
  if (takeover_) former_boot_ = boots_.present();
  merged_.reset();
  told_.reset();
  // What the peer knows: what this member had from it, if it had all; a master that goes on knows from its stream.
  const bool whole_copy = receiver_.sync() == Sync::hot;
  receiver_.stop();
  merge_out_.stop();
  sender_.stop();
  if (master_in_ == 0) whole_copy ? sender_.all_is_shared() : sender_.nothing_is_shared();
  master_in_ = term;
  heartbeat_now_ = true;
  decisions_.on_master(term);
}

void RedundancyMember::on_standby(std::uint64_t term) {
  receiver_.stop();
  sender_.stop();
  former_boot_ = 0;
  if (const std::uint64_t former = std::exchange(master_in_, 0); former != 0) {
    merge_out_.start(former);
    // Since the peer was heard to follow, it may have been master, and sessions may have been used there.
    if (sender_.followed_at()) receiver_.table_is_of(*sender_.followed_at());
  }
  heartbeat_now_ = true;
  decisions_.on_standby(term);
}

void RedundancyMember::on_reassert(std::uint64_t term) {
  heartbeat_now_ = true;
  decisions_.on_reassert(term);
}

void RedundancyMember::on_handing_over(bool active) {
  counters_until_ = last_tick_ + kWaitForCounters;
  decisions_.on_handing_over(active);
}

rep::Header RedundancyMember::header() const {
  rep::Header header = own_;
  header.term = role_.term();
  return header;
}

std::uint16_t RedundancyMember::warnings() const {
  unsigned out = external_warning_ ? kWarnExternal : 0U;
  if (receiver_.refused_in_copy() != 0) out |= kWarnRefusedRecords;
  if (receiver_.capacity_differs()) out |= kWarnCapacity;
  return static_cast<std::uint16_t>(out);
}

/// Continues a merge: sends records to the master, or acknowledges those of the peer.
void RedundancyMember::merge(TimePoint now, std::size_t budget_bytes) {
  if (role_.role() == Role::master) {
    merge_in_.pump(header(), writer_, link_);
    if (const auto taken = merge_in_.take_outcome()) {
      log_merge(set_->name, *taken);
      if (former_boot_ != 0 && std::exchange(former_boot_, 0) == boots_.present()) merged_ = taken->counts;
    }
    return;
  }
  if (!role_.follows_peer()) return;
  merge_out_.pump(now, header(), writer_, link_, budget_bytes);
  if (const auto given = merge_out_.take_outcome()) {
    log_merge(set_->name, *given);
    receiver_.follow(now, boots_.present(), role_.peer().term);
  }
}

void RedundancyMember::on_peer_connected(TimePoint now) {
  connected_ = true;
  drain_grace_ = false;
  heartbeat_now_ = true;
  detector_.wake(now);
  detector_.on_connection(true);
}

void RedundancyMember::on_peer_disconnected(TimePoint now) {
  ++counters_.disconnects;
  connected_ = false;
  closed_at_ = now;
  detector_.wake(now);
  detector_.on_connection(false);
  if (peer_lost_told_ || drain_grace_) return;
  drain_grace_ = true;
  grace_until_ = now + kDrainGrace;
  grace_limit_ = now + kDrainLimit;
}

void RedundancyMember::check_liveness(TimePoint now) {
  last_tick_ = now;
  detector_.wake(now);
  if (peer_lost_told_) return;
  if (detector_.judge(now)) {
    peer_lost_told_ = true;
    drain_grace_ = false;
    // One that takes over says so itself; a master that has lost its standby would say nothing.
    if (role_.role() == Role::master) {
      log::warn("redundancy", "set={} peer is silent for {} ms: no standby is left", set_->name,
                detector_.silence() / 1ms);
    }
    role_.on_peer_lost(now, true);
    return;
  }
  if (drain_grace_ && now >= grace_until_) {
    drain_grace_ = false;
    if (role_.role() == Role::master) {
      log::warn("redundancy", "set={} connection to the peer closed: no standby is left", set_->name);
    }
    role_.on_peer_lost(now, false);
    // A master, or one that takes over, has no use for the proof by silence any more.
    peer_lost_told_ = role_.role() == Role::master || role_.claiming();
  }
}

void RedundancyMember::update_health(TimePoint now) {
  health_.tick(now);
  const Health& health = health_.health();
  role_.on_condition(now, health.ill(), warnings() != 0);
  if (health.ill() == health_told_) return;
  health_told_ = health.ill();
  heartbeat_now_ = true;
  if (health.ill()) {
    log::warn("redundancy", "set={} health=Failed weight={} reason=\"{}\"", set_->name, health.weight, health.reasons);
  } else {
    log::info("redundancy", "set={} health=Passed weight={}", set_->name, health.weight);
  }
}

/// Tells the right whether the member relies on it. A heartbeat that is sent afterwards says so.
void RedundancyMember::update_right() {
  if (right_ == nullptr) return;
  const bool claiming = role_.claiming();
  right_->set_reliance(claiming || wants_to_act(), claiming ? role_.claimed_term() : role_.term());
}

bool RedundancyMember::may_send() const { return role_.role() == Role::master && !peer_lost_told_; }

void RedundancyMember::tick(TimePoint now, std::size_t budget_bytes) {
  if (!set_->stand_alone()) check_liveness(now);
  update_health(now);
  role_.tick(now);
  if (set_->stand_alone()) return;
  update_right();
  if (role_.follows_peer() && !merge_out_.active()) {
    receiver_.pump(now, header(), writer_, link_);
    after_receiver(now);
  }
  if (heartbeat_now_ || now >= next_heartbeat_) send_heartbeat(now);
  if (const auto configuration = configuration_.due(now)) {
    (void)link_.send(rep::Channel::control, writer_.write(header(), *configuration));
  }
  merge(now, budget_bytes);
  if (may_send()) sender_.pump(now, header(), link_, budget_bytes, role_.draining());
  copy_watch_.look_at(now, may_send() ? &sender_ : nullptr, source_.high_water());
  copy_watch_.look_at(now, role_.follows_peer() && !merge_out_.active() ? &receiver_ : nullptr);
  const bool counters = now >= counters_until_ || (source_.counters_told() && sender_.refreshed());
  if (role_.draining() && counters && told_all()) {
    offer_ = {sender_.position().epoch, sender_.acknowledged()};
    role_.on_drained(now);
    // The owner stops to act before the next heartbeat says so (SetCore::round).
    if (right_ != nullptr) heartbeat_now_ = true;
  }
  if (role_.take_offer(now)) send_offer();
  detector_.sleep(next_deadline());
}

/// Returns true if the peer has acknowledged every change of state that there is.
bool RedundancyMember::told_all() const { return source_.withheld() == 0 && sender_.drained(); }

void RedundancyMember::send_offer() {
  // An offer and its repetitions name what was acknowledged when the peer had been told all. Were they to name what is
  // on its way, they would overtake it, and a peer whose claim takes its time would take them for too early and
  // withdraw. What has changed since then follows by a merge (on_standby).
  if (const std::uint64_t epoch = sender_.position().epoch; epoch != offer_.epoch) {
    if (!told_all()) return;  // the peer has asked for a new stream
    offer_ = {epoch, sender_.acknowledged()};
  }
  (void)link_.send(rep::Channel::control, writer_.write(header(), offer_));
}

void RedundancyMember::send_heartbeat(TimePoint now) {
  heartbeat_now_ = false;
  next_heartbeat_ = now + heartbeat_interval_;
  rep::Heartbeat beat;
  beat.number = ++number_;
  beat.heard_boot = peer_lost_told_ ? 0 : boots_.present();
  beat.role = role_.acting_role();
  beat.claimed_term = role_.claimed_term();
  beat.sync = role_.sync();
  beat.priority = priority();
  beat.state_term = role_.state_term();
  beat.warnings = warnings();
  beat.asks_switchover = role_.asks_switchover();
  beat.health_weight = health_.health().weight;
  beat.health_reasons = health_.health().reasons;
  beat.late_us =
      static_cast<std::uint32_t>(std::min<Duration::rep>(detector_.own_late(now) / 1us, rep::kMaxLateMicros));
  beat.addresses = addresses_;
  beat.schema = kSchemaGeneration;
  if (commits_ != nullptr) {
    beat.commit_number = commits_->number.load(std::memory_order_relaxed);
    beat.running_digest = commits_->running.load(std::memory_order_relaxed);
    beat.commit_waits = commits_->waits.load(std::memory_order_relaxed);
  }
  beat.takes_packets = set_->asymmetric_traffic == AsymmetricTraffic::relay;
  if (role_.role() == Role::master) {
    beat.stream = sender_.position();
    beat.lag = sender_.lag(now);
  }
  if (role_.follows_peer()) beat.stream = receiver_.position();
  if (right_ != nullptr) right_->on_send(now, detector_.status(now).threshold, beat);
  const auto bytes = writer_.write(header(), beat);
  if (link_.send(rep::Channel::heartbeats, bytes)) {
    ++counters_.heartbeats_sent;
  } else {
    ++counters_.heartbeats_not_sent;
  }
  if (now < former_until_) (void)link_.send(rep::Channel::former, bytes);
}

bool RedundancyMember::may_relay() const {
  return role_.follows_peer() && hears_peer() && !merge_out_.active() && peer_beat_.takes_packets;
}

bool RedundancyMember::relay(const rep::RelayedPacket& packet) {
  return link_.send(rep::Channel::data, writer_.write(header(), packet));
}

TimePoint RedundancyMember::next_deadline() const {
  TimePoint at = std::min(role_.next_deadline(), health_.next_deadline());
  if (set_->stand_alone()) return at;
  at = std::min(at, next_heartbeat_);
  if (heartbeat_now_) at = TimePoint::min();
  if (drain_grace_) at = std::min(at, grace_until_);
  if (role_.draining() && last_tick_ < counters_until_) at = std::min(at, counters_until_);
  if (!peer_lost_told_) at = std::min(at, detector_.next_deadline());
  if (role_.follows_peer()) at = std::min({at, receiver_.next_deadline(), merge_out_.next_deadline()});
  if (merge_in_.ack_due()) at = TimePoint::min();
  if (may_send()) at = std::min(at, sender_.blocked() ? last_tick_ + kRetryBlocked : sender_.next_deadline());
  return at;
}

Result<void> RedundancyMember::request_switchover(TimePoint now, bool force) {
  auto begun = role_.request_switchover(now, force);
  if (begun) heartbeat_now_ = true;
  return begun;
}

void RedundancyMember::set_warning(bool warned) {
  if (external_warning_ == warned) return;
  external_warning_ = warned;
  heartbeat_now_ = true;
}

void RedundancyMember::set_health(TimePoint now, const Health& health) {
  health_.measured(now, health);
  update_health(now);
}

std::uint32_t RedundancyMember::priority() const { return set_->members[own_.member].priority; }

}  // namespace icr::node
