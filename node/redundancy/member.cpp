#include "node/redundancy/member.h"

#include <algorithm>
#include <utility>

#include "model/base/log.h"
#include "node/redundancy/identity.h"
#include "node/redundancy/merge_log.h"

namespace icr::node {
namespace {

namespace rep = icr::replication;

/// After the connection closed, messages that the peer sent before may still be in this process' sockets. A hot standby
/// gives them this long after the last one, and not longer than the limit, before it takes over.
constexpr Duration kDrainGrace = 2ms;
constexpr Duration kDrainLimit = 20ms;
/// How soon a message is offered again that the link did not take.
constexpr Duration kRetryBlocked = 5ms;
/// The shortest time for which a member must be well before it counts as well again.
constexpr Duration kLeastHold = 1s;

}  // namespace

RedundancyMember::RedundancyMember(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                   const MemberStart& start, const SessionSource& source, SessionSink& sink,
                                   const MemberOutputs& outputs, TimePoint now)
    : set_(&cluster.redundancy_sets[set]),
      source_(source),
      decisions_(outputs.decisions),
      link_(outputs.link),
      own_(header_of(cluster, set, chassis, start.boot_id)),
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
      peer_address_(address_of_peer(cluster, *set_, chassis)) {}

RedundancyMember::~RedundancyMember() = default;

void RedundancyMember::take(TimePoint now, const Cluster& cluster, std::uint16_t set) {
  set_ = &cluster.redundancy_sets[set];
  const std::uint64_t digest = cluster.digest_for_peers(set);
  // The next heartbeat of the peer tells whether it runs the same.
  if (digest != own_.cluster_digest) receiver_.expect_refusals(true);
  own_.cluster_digest = digest;
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

void RedundancyMember::on_master(std::uint64_t term) {
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
  if (const std::uint64_t former = std::exchange(master_in_, 0); former != 0) merge_out_.start(former);
  heartbeat_now_ = true;
  decisions_.on_standby(term);
}

void RedundancyMember::on_reassert(std::uint64_t term) {
  heartbeat_now_ = true;
  decisions_.on_reassert(term);
}

void RedundancyMember::on_handing_over(bool active) { decisions_.on_handing_over(active); }

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

void RedundancyMember::on_control(TimePoint now, std::span<const std::uint8_t> message) {
  ++counters_.control_messages;
  detector_.wake(now);
  on_message(now, message, false);
}

void RedundancyMember::on_data(TimePoint now, std::span<const std::uint8_t> message) {
  ++counters_.data_messages;
  detector_.wake(now);
  if (drain_grace_) grace_until_ = std::min(now + kDrainGrace, grace_limit_);
  on_message(now, message, true);
}

void RedundancyMember::on_message(TimePoint now, std::span<const std::uint8_t> bytes, bool data_link) {
  const rep::Message* message = reader_.read(bytes);
  if (message == nullptr) {
    on_refused(now);
    return;
  }
  if (const auto* configuration = std::get_if<rep::Configuration>(&message->body)) {
    on_configuration(message->header, *configuration);
    return;
  }
  if (const auto* adopt = std::get_if<rep::Adopt>(&message->body)) {
    on_adopt(now, message->header, *adopt, data_link);
    return;
  }
  const bool stream =
      std::holds_alternative<rep::StreamBegin>(message->body) || std::holds_alternative<rep::Batch>(message->body) ||
      std::holds_alternative<rep::BulkEnd>(message->body) || std::holds_alternative<rep::Audit>(message->body) ||
      std::holds_alternative<rep::UnknownNumbered>(message->body);
  if (stream != data_link) {
    ++counters_.wrong_link;
    return;
  }
  if (const auto* beat = std::get_if<rep::Heartbeat>(&message->body)) {
    if (accept_boot(message->header.boot, beat->number)) on_heartbeat(now, message->header, *beat);
    return;
  }
  if (!accept_boot(message->header.boot, 0)) return;
  hear(now);
  if (!accept_term(message->header.term)) return;
  if (stream) {
    on_stream_message(now, *message);
  } else {
    on_feedback(now, *message);
  }
}

/// A stranger at the link of the peer cannot be understood, but it is alive and may well be master: whoever starts
/// beside it must not draw its traffic away.
void RedundancyMember::on_refused(TimePoint now) {
  const std::uint64_t refused = reader_.refused(rep::Refusal::wrong_cluster);
  if (refused == other_cluster_) return;
  other_cluster_ = refused;
  const std::string what = reader_.stranger_is_old() ? "peer runs a release that is too old to pair with this one"
                                                     : "peer belongs to another cluster";
  role_.hold(now, now + set_->detection_floor(), what);
  if (other_cluster_told_) return;
  other_cluster_told_ = true;
  log::error("redundancy", "set={} {}: its messages are refused{}", set_->name, what,
             role_.role() == Role::initializing ? ", and this member does not become master beside it" : "");
}

/// A peer whose digest differs tells what its file is made of. The pair goes on: records name things by their
/// identities, and each member refuses those that do not fit its own file.
void RedundancyMember::on_configuration(const rep::Header& header, const rep::Configuration& configuration) {
  if (header.cluster_digest == own_.cluster_digest || !configuration_.on_configuration(configuration)) return;
  log::warn("redundancy", "set={} the cluster file differs from that of the peer: {}", set_->name,
            configuration_.difference());
}

/// Returns true if the peer should not become master without need. Records that it refuses because it runs another
/// configuration than this member are no reason: it refuses them because that configuration was committed.
bool RedundancyMember::warned(const rep::Heartbeat& beat) const {
  unsigned warnings = beat.warnings;
  const std::uint64_t own = commits_ == nullptr ? 0 : commits_->running.load(std::memory_order_relaxed);
  if (own != 0 && beat.running_digest != 0 && own != beat.running_digest) {
    warnings &= ~(unsigned{kWarnRefusedRecords} | unsigned{kWarnCapacity});
  }
  return warnings != 0;
}

/// Takes a sign of life. Messages from before the connection closed do not count.
void RedundancyMember::hear(TimePoint now) {
  if (drain_grace_) return;
  heard_at_ = now;
  detector_.on_heard(now);
}

bool RedundancyMember::accept_boot(std::uint64_t boot, std::uint64_t number) {
  switch (boots_.judge(boot, number, peer_lost_told_)) {
    case PeerBoots::Verdict::present:
      return true;
    case PeerBoots::Verdict::refused:
      ++counters_.other_boot;
      return false;
    case PeerBoots::Verdict::replaced:
      break;
  }
  detector_.on_other_process();
  // The receiver of this member's stream died with its process and everything that it knew, and so did the master of a
  // merge.
  merge_out_.stop();
  if (role_.role() == Role::master) {
    sender_.stop();
    sender_.nothing_is_shared();
  }
  return true;
}

bool RedundancyMember::accept_term(std::uint64_t term) {
  if (term == role_.term()) return true;
  ++(term < role_.term() ? counters_.lower_term : counters_.higher_term);
  return false;
}

void RedundancyMember::on_heartbeat(TimePoint now, const rep::Header& header, const rep::Heartbeat& beat) {
  if (!boots_.in_order(beat.number)) {
    ++counters_.heartbeats_overtaken;
    return;
  }
  const bool first_contact = peer_lost_told_ || peer_beat_.heard_boot != own_.boot;
  std::vector<IpAddress> addresses = addresses_to_ask(beat.addresses, addresses_);
  counters_.addresses_refused += beat.addresses.size() - addresses.size();
  addresses.push_back(peer_address_);
  detector_.on_condition(std::chrono::microseconds(beat.late_us), addresses);
  peer_beat_ = beat;
  sender_.set_schema(record_schema(beat.schema));
  if (heard_ever_ && peer_lost_told_) log::info("redundancy", "set={} peer is heard again", set_->name);
  heard_ever_ = true;
  other_cluster_told_ = false;
  receiver_.expect_refusals(header.cluster_digest != own_.cluster_digest);
  if (header.cluster_digest == own_.cluster_digest) {
    configuration_.on_same_digest();
  } else {
    ++counters_.other_configuration;
    configuration_.on_other_digest();
  }
  hear(now);
  // This heartbeat was still awaited by the former timing.
  if (timing_changes_ && header.cluster_digest == own_.cluster_digest) end_change_of_timing();
  peer_lost_told_ = false;

  PeerReport report;
  report.term = header.term;
  report.role = beat.role;
  report.sync = beat.sync;
  report.priority = beat.priority;
  report.state_term = beat.state_term;
  report.warned = warned(beat);
  report.ill = beat.health_weight >= kIllWeight;
  report.asks_switchover = beat.asks_switchover;
  role_.on_peer(now, report);

  if (role_.role() == Role::master && report.role == Role::standby && beat.stream.epoch != 0 &&
      header.term == role_.term()) {
    // What a standby says it has applied stands for an acknowledgement that got lost.
    sender_.on_ack({beat.stream.epoch, beat.stream.base, beat.stream.sequence});
  }
  if (role_.follows_peer() && !merge_out_.active()) {
    receiver_.follow(now, header.boot, header.term);
    if (beat.stream.epoch != 0) receiver_.on_master_position(now, beat.stream);
    after_receiver(now);
  }
  // A peer that does not know us yet should not have to wait.
  if (first_contact && beat.heard_boot != own_.boot) heartbeat_now_ = true;
}

void RedundancyMember::on_stream_message(TimePoint now, const rep::Message& message) {
  if (!role_.follows_peer()) {
    ++counters_.wrong_role;
    return;
  }
  if (const auto* begin = std::get_if<rep::StreamBegin>(&message.body)) {
    receiver_.on_begin(now, *begin);
  } else if (const auto* batch = std::get_if<rep::Batch>(&message.body)) {
    receiver_.on_batch(now, *batch);
  } else if (const auto* end = std::get_if<rep::BulkEnd>(&message.body)) {
    receiver_.on_bulk_end(now, *end);
  } else if (const auto* audit = std::get_if<rep::Audit>(&message.body)) {
    receiver_.on_audit(now, *audit);
  } else if (const auto* unknown = std::get_if<rep::UnknownNumbered>(&message.body)) {
    receiver_.on_unknown(now, *unknown);
  }
  if (receiver_.ack_urgent()) receiver_.pump(now, header(), writer_, link_);
  after_receiver(now);
}

/// Takes what the peer, which was master and is standby in the current term, set up while both were master.
void RedundancyMember::on_adopt(TimePoint now, const rep::Header& header, const rep::Adopt& adopt, bool data_link) {
  if (!data_link) {
    ++counters_.wrong_link;
    return;
  }
  if (!accept_boot(header.boot, 0)) return;
  hear(now);
  if (!accept_term(header.term)) return;
  // The peer reported that it is standby before it sent this; a master does not send it.
  if (role_.role() != Role::master || role_.peer().role != Role::standby) {
    ++counters_.wrong_role;
    return;
  }
  merge_in_.on_adopt(now, header.boot, adopt);
}

/// Continues a merge: sends records to the master, or acknowledges those of the peer.
void RedundancyMember::merge(TimePoint now, std::size_t budget_bytes) {
  if (role_.role() == Role::master) {
    merge_in_.pump(header(), writer_, link_);
    if (const auto taken = merge_in_.take_outcome()) log_merge(set_->name, *taken);
    return;
  }
  if (!role_.follows_peer()) return;
  merge_out_.pump(now, header(), writer_, link_, budget_bytes);
  if (const auto given = merge_out_.take_outcome()) {
    log_merge(set_->name, *given);
    receiver_.follow(now, boots_.present(), role_.peer().term);
  }
}

/// What a standby says to its master, and a master's offer to its standby.
void RedundancyMember::on_feedback(TimePoint now, const rep::Message& message) {
  if (const auto* offer = std::get_if<rep::Handover>(&message.body)) {
    const auto position = receiver_.position();
    if (!role_.follows_peer() || offer->epoch != position.epoch || offer->sequence > position.sequence) {
      ++counters_.offers_too_early;  // it is repeated
      return;
    }
    role_.on_offer(now, message.header.term);
    return;
  }
  if (const auto* ack = std::get_if<rep::AdoptAck>(&message.body)) {
    if (!role_.follows_peer()) {
      ++counters_.wrong_role;
      return;
    }
    merge_out_.on_ack(now, *ack);
    return;
  }
  if (role_.role() != Role::master) {
    ++counters_.wrong_role;
    return;
  }
  if (const auto* request = std::get_if<rep::SyncRequest>(&message.body)) {
    // Names of one boot grow: a request for the present stream or a former one is late.
    if (sender_.active() && request->epoch <= sender_.position().epoch) {
      ++counters_.late_requests;
      return;
    }
    sender_.start(now, request->epoch);
    log::info("redundancy", "set={} peer asks for a copy: {} slots to walk", set_->name, source_.high_water());
  } else if (const auto* ack = std::get_if<rep::Ack>(&message.body)) {
    sender_.on_ack(*ack);
  } else if (const auto* nack = std::get_if<rep::Nack>(&message.body)) {
    sender_.on_nack(*nack);
  }
}

/// Tells the role machine how far the copy is.
void RedundancyMember::after_receiver(TimePoint now) {
  const Sync before = role_.sync();
  role_.on_sync(now, std::max(receiver_.sync(), Sync::cold));  // a standby is at least that
  if (role_.sync() == before) return;
  heartbeat_now_ = true;
  log::info("redundancy", "set={} standby is {}", set_->name, to_string(role_.sync()));
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

bool RedundancyMember::may_send() const { return role_.role() == Role::master && !peer_lost_told_; }

void RedundancyMember::tick(TimePoint now, std::size_t budget_bytes) {
  if (!set_->stand_alone()) check_liveness(now);
  update_health(now);
  role_.tick(now);
  if (set_->stand_alone()) return;
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
  copy_watch_.look_at(now, may_send() ? &sender_ : nullptr);
  copy_watch_.look_at(now, role_.follows_peer() && !merge_out_.active() ? &receiver_ : nullptr);
  if (role_.draining() && sender_.drained()) role_.on_drained(now);
  if (role_.take_offer(now)) send_offer();
  detector_.sleep(next_deadline());
}

void RedundancyMember::send_offer() {
  const auto position = sender_.position();
  (void)link_.send(rep::Channel::control, writer_.write(header(), rep::Handover{position.epoch, position.sequence}));
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
  if (role_.role() == Role::master) beat.stream = sender_.position();
  if (role_.follows_peer()) beat.stream = receiver_.position();
  if (link_.send(rep::Channel::control, writer_.write(header(), beat))) {
    ++counters_.heartbeats_sent;
  } else {
    ++counters_.heartbeats_not_sent;
  }
}

TimePoint RedundancyMember::next_deadline() const {
  TimePoint at = std::min(role_.next_deadline(), health_.next_deadline());
  if (set_->stand_alone()) return at;
  at = std::min(at, next_heartbeat_);
  if (heartbeat_now_) at = TimePoint::min();
  if (drain_grace_) at = std::min(at, grace_until_);
  if (!peer_lost_told_) at = std::min(at, detector_.next_deadline());
  if (role_.follows_peer()) at = std::min({at, receiver_.next_deadline(), merge_out_.next_deadline()});
  if (merge_in_.ack_due()) at = TimePoint::min();
  if (may_send()) at = std::min(at, sender_.blocked() ? last_tick_ + kRetryBlocked : sender_.next_deadline());
  return at;
}

Result<void> RedundancyMember::request_switchover(TimePoint now) {
  auto begun = role_.request_switchover(now);
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
