#include "node/set/set_core.h"

#include <algorithm>
#include <utility>

#include "model/base/guilt.h"
#include "model/base/log.h"
#include "node/set/set_health.h"

namespace icr::node {
namespace {

/// A round handles twice as many timers for each tick that they are late, up to so many ticks; then it handles twice as
/// many as a burst can set up. So a card that does nothing but set sessions up does not fall behind. Timers that are
/// not late are spread over several bursts.
constexpr Ticks kMostLag = 3;
constexpr std::size_t kBlockEventsPerRound = 16;
/// Timers have a resolution of 100 ms. The shard looks at them twice as often, so that none is much later than that.
constexpr Duration kShardTick = 50ms;
/// A hot copy of a peer that was silent for longer says nothing certain to a history.
constexpr Duration kLongestSilenceOfHistory = 5s;
/// How soon a master that may not act looks again whether it may.
constexpr Duration kFencedLook = 1ms;

}  // namespace

SetCore::SetCore(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start, SetOutput& output,
                 TimePoint now)
    : cluster_(&cluster),
      config_(&cluster.redundancy_sets[shard.set()]),
      chassis_(chassis),
      shard_(shard),
      output_(output),
      now_(now),
      right_(start.key == nullptr ? nullptr
                                  : std::make_unique<ActingRight>(*start.key, config_->longest_silence(), now)),
      member_(
          cluster, shard.set(), chassis,
          {start.boot_id, start.term, start.claimed, start.whole, start.stream, start.commits, right_.get(), start.age},
          shard, shard, {*this, output, output}, now),
      failovers_(start.failovers),
      round_at_(now),
      disk_(start.disk),
      next_shard_tick_(now) {
  for (Claimant* const claimant : start.claimants) claims_.add(*claimant);
  if (right_) claims_.add(*right_);
  shard_.add_listener(member_);
  shard_.set_peer_copy(member_);
  shard_.set_relay(*this);
  if (disk_ != nullptr) {
    checkpointer_ = std::make_unique<storage::Checkpointer>(config_->name, cluster.digest, shard_, *disk_,
                                                            start.checkpoints, start.next_sequence, start.term);
    shard_.add_observer(*checkpointer_);
    store_claimant_ = std::make_unique<StoreClaimant>(config_->name, *disk_, config_->claim_limit);
    claims_.add(*store_claimant_);
  }
}

SetCore::~SetCore() = default;

void SetCore::take(TimePoint now, const Cluster& cluster, ShardUpdate& update) {
  now_ = now;
  cluster_ = &cluster;
  config_ = &cluster.redundancy_sets[shard_.set()];
  shard_.take(update);
  member_.take(now, cluster, shard_.set());
  if (right_) right_->set_longest_promise(config_->longest_silence());
  if (checkpointer_) checkpointer_->set_cluster_digest(cluster.digest);
  if (store_claimant_) store_claimant_->set_limit(config_->claim_limit);
  next_shard_tick_ = now;
  judge_health(now);
}

// -- Inputs --

void SetCore::on_message(TimePoint now, replication::Channel channel, std::span<const std::uint8_t> message) {
  now_ = now;
  switch (channel) {
    case replication::Channel::control:
    case replication::Channel::heartbeats:
      // The process may have been stopped since the round took its time, and a heartbeat may have been sent meanwhile.
      // A promise that answers it counts from no earlier than that.
      now_ = std::max(now, output_.time());
      member_.on_control(now_, message);
      return;
    case replication::Channel::data:
      member_.on_data(now, message);
      if (const auto packet = member_.take_relayed()) take_packet(*packet);
      return;
    case replication::Channel::former:
      member_.on_former(now, message);
      return;
  }
}

void SetCore::on_connected(TimePoint now) {
  now_ = now;
  member_.on_peer_connected(now);
}

void SetCore::on_disconnected(TimePoint now) {
  now_ = now;
  member_.on_peer_disconnected(now);
}

void SetCore::on_probe_answer(TimePoint now, std::uint64_t nonce) {
  now_ = now;
  member_.on_probe_answer(now, nonce);
}

void SetCore::on_kernel_report(TimePoint now, const KernelReport& report) {
  kernel_report_ = report;
  member_.set_addresses(report.addresses);
  judge_health(now);
}

void SetCore::on_probe_report(TimePoint now, std::vector<ProbeTrouble> troubles) {
  probe_troubles_ = std::move(troubles);
  judge_health(now);
}

void SetCore::on_self_test(TimePoint now, std::vector<std::string> wrong) {
  self_test_ = std::move(wrong);
  judge_health(now);
}

Result<void> SetCore::request_switchover(TimePoint now, bool force) {
  now_ = now;
  return member_.request_switchover(now, force);
}

void SetCore::drain(TimePoint now, bool drained) {
  drained_ = drained;
  judge_health(now);
}

void SetCore::judge_health(TimePoint now) {
  now_ = now;
  member_.set_health(now,
                     health_of(kernel_report_, self_test_, store_fails_, drained_, config_->health, probe_troubles_));
}

// -- The round --

bool SetCore::round(TimePoint now, WallMillis wall_now, const RoundLimits& limits) {
  round_at_ = now;
  round_wall_ = wall_now;
  now_ = now = std::max(now, now_);
  bool more = false;
  look_for_packets();
  if (const bool fails = disk_ != nullptr && disk_->failing(); fails != store_fails_) {
    store_fails_ = fails;
    judge_health(now);
  }
  take_answer(now);
  // A master that hands over stops to set sessions up, and its standby is to know all of those that there are.
  if (shard_.refuses_new_sessions() && !shard_.share_withheld(limits.shared)) more = true;
  member_.tick(now, limits.replication_bytes);
  guard_right();
  note_withdrawal();
  if (now >= next_shard_tick_) {
    shard_.end_drains(wall_now);
    if (shard_.tick(now, limits.timers << std::min(shard_.timer_lag(now), kMostLag))) {
      next_shard_tick_ = now + kShardTick;
    } else {
      more = true;
    }
  }
  if (!shard_.tell_counters(now, shard_.refuses_new_sessions() ? 4 * limits.told : limits.told)) more = true;
  report_blocks();
  if (unremembered_term_ != 0 && disk_->remember_term(unremembered_term_)) unremembered_term_ = 0;
  if (checkpointer_) {
    checkpointer_->set_in_sync(member_.knows_table(now, kLongestSilenceOfHistory));
    more |= checkpointer_->tick(now, wall_now, member_.term(), limits.checkpoint_rows);
  }
  report_failovers(now);
  return more;
}

void SetCore::begin_report(std::uint64_t term, TimePoint active_at, bool steers) {
  const Takeover& facts = *member_.takeover();
  const auto& members = config_->members;
  FailoverContext context;
  context.set = config_->name;
  context.chassis = cluster_->chassis[chassis_].name;
  context.peer = cluster_->chassis[members[members[0].chassis == chassis_ ? 1 : 0].chassis].name;
  context.term = term;
  context.sessions = shard_.sessions();
  context.ended = had_before_ - std::min(had_before_, context.sessions);
  context.granted_at = now_;
  context.active_at = active_at;
  context.wall_heard = round_wall_ * 1000 + (facts.heard_at - round_at_) / 1us;
  context.steers = steers;
  failovers_.begin(facts, context, now_);
  created_before_ = shard_.sessions_created();
  if (failovers_.awaits_former_packet()) shard_.await_former_packet();
}

void SetCore::look_for_packets() {
  if (failovers_.awaits_former_packet() && shard_.take_former_packet()) failovers_.on_former_packet(output_.time());
  if (failovers_.awaits_new_session() && shard_.sessions_created() != created_before_) {
    failovers_.on_new_session(output_.time());
  }
}

void SetCore::report_failovers(TimePoint now) {
  failovers_.tick(now);
  if (const auto merged = member_.take_merged()) failovers_.on_merged(*merged);
  const auto news = failovers_.take_news();
  if (!news) return;
  if (!failovers_.awaits_former_packet()) shard_.await_no_packet();
  output_.report_failover(*news->report, news->settled);
}

void SetCore::take_answer(TimePoint now) {
  const std::uint64_t term = claims_.term();
  if (term == 0) return;
  const ClaimAnswer answer = claims_.answer(now);
  if (answer != ClaimAnswer::pending) member_.on_claim(now, term, answer == ClaimAnswer::granted);
}

/// With a witness: sets until when the shard may act, and lets go of the traffic while it may not.
void SetCore::guard_right() {
  if (!right_) return;
  right_->tick(now_);
  if (!member_.wants_to_act()) {
    fenced_ = false;
    acts_until_ = TimePoint::max();
    // A master that offers mastership goes on to forward what it has, as one that has yielded does.
    if (shard_.active()) shard_.deactivate(now_);
    return;
  }
  const TimePoint until = right_->acts_until(now_);
  const bool may = now_ < until;
  acts_until_ = until;
  if (may && !shard_.active()) shard_.activate(now_, member_.term());
  shard_.act_until(until);
  if (may != fenced_) return;
  fenced_ = !may;
  if (fenced_) {
    ++fences_;
    log::warn("role",
              "set={} this master does not act: its peer has made no promise, and it does not have the key of the "
              "witness",
              config_->name);
    output_.release_traffic();
  } else {
    log::info("role", "set={} this master acts again", config_->name);
    (void)output_.acquire_traffic();
  }
}

void SetCore::report_blocks() {
  for (std::size_t i = 0; i < kBlockEventsPerRound; ++i) {
    const auto event = shard_.next_block_event();
    if (!event) return;
    output_.report_block(*event);
  }
}

TimePoint SetCore::next_deadline(TimePoint now) const {
  TimePoint next = std::min(member_.next_deadline(), next_shard_tick_);
  next = std::min({next, claims_.next_deadline(), failovers_.next_deadline()});
  if (right_) next = std::min(next, fenced_ ? now + kFencedLook : std::min(right_->next_tick(), acts_until_));
  if (checkpointer_) next = std::min(next, now + kShardTick);
  if (shard_.refuses_new_sessions() && shard_.withheld() != 0) next = now;
  return next;
}

bool SetCore::shut_down(TimePoint now, WallMillis wall_now) {
  now_ = now;
  if (!std::exchange(released_, true)) {
    output_.release_traffic();
    shard_.deactivate(now);
  }
  return !checkpointer_ || checkpointer_->flush_all(now, wall_now, member_.term());
}

// -- Packets that came to the standby --

PacketRelay::Outcome SetCore::relay(std::uint16_t service_set, bool inside, const Packet& packet) {
  if (config_->asymmetric_traffic != AsymmetricTraffic::relay) return Outcome::off;
  if (!member_.may_relay()) return Outcome::no_master;
  const replication::RelayedPacket message{cluster_->service_sets[service_set].stable_id,
                                           inside,
                                           packet.partial_checksum,
                                           packet.segment_bytes,
                                           {packet.data, packet.length}};
  return member_.relay(message) ? Outcome::relayed : Outcome::queue_full;
}

void SetCore::take_packet(const replication::RelayedPacket& packet) {
  if (!ICR_PEER_MUST(config_->asymmetric_traffic == AsymmetricTraffic::relay, relayed_refused_)) return;
  const auto index = cluster_->service_set_ids.find(packet.service_set);
  const auto& own = config_->service_sets;
  if (!ICR_PEER_MUST(index && std::find(own.begin(), own.end(), *index) != own.end(), relayed_unknown_)) return;
  const ServiceSet& service_set = cluster_->service_sets[*index];
  const std::uint32_t unit = packet.inside ? service_set.inside_unit : service_set.outside_unit;
  if (!output_.take_packet(unit, packet)) ++relayed_without_room_;
}

// -- RoleOutput: what the role machine decided, after the member has done its part --

ClaimAnswer SetCore::claim(std::uint64_t term) { return claims_.ask(now_, term); }

void SetCore::on_claiming(std::uint64_t term) {
  note_withdrawal();
  note_role(Role::claiming, term);
  output_.report_claim(term);
}

void SetCore::withdraw_claim() {
  claims_.withdraw();
  if (role_ == Role::claiming) {
    withdrawal_ = RoleTransition{now_, Role::claiming, member_.role(), member_.term(), member_.reason()};
  }
}

void SetCore::persist_term(std::uint64_t term) {
  // Handed to the storage thread, not waited for: the disk has the term as claimed already (store_claimant.h), so no
  // later life acts in it again. A term that the storage thread does not take now is offered again by round().
  if (disk_ != nullptr) unremembered_term_ = disk_->remember_term(term) ? 0 : term;
}

void SetCore::on_master(std::uint64_t term) {
  note_withdrawal();
  had_before_ = shard_.sessions();
  if (shard_.active()) {
    shard_.set_term(term);
  } else {
    shard_.activate(now_, term);
  }
  const TimePoint active_at = output_.time();
  if (right_) {
    acts_until_ = right_->acts_until(now_);
    shard_.act_until(acts_until_);
    fenced_ = false;
  }
  // The engine forwards before the kernel draws traffic to this chassis.
  const bool steers = output_.acquire_traffic();
  if (member_.takeover()) begin_report(term, active_at, steers);
  note_role(Role::master, term);
  output_.report_role(Role::master, term);
}

void SetCore::on_standby(std::uint64_t term) {
  withdrawal_.reset();  // this change of role says how the claim has ended
  output_.release_traffic();
  shard_.deactivate(now_);
  failovers_.on_mastership_lost();
  note_role(Role::standby, term);
  output_.report_role(Role::standby, term);
}

void SetCore::note_withdrawal() {
  if (!withdrawal_) return;
  role_ = withdrawal_->to;
  history_.add(*std::exchange(withdrawal_, std::nullopt));
  output_.report_claim(0);
}

void SetCore::note_role(Role role, std::uint64_t term) {
  history_.add({now_, std::exchange(role_, role), role, term, member_.reason()});
}

void SetCore::on_reassert(std::uint64_t term) {
  // A master that is fenced has no traffic to draw; it announces its addresses when it acts again.
  if (!fenced_) output_.announce_again(term);
}

void SetCore::on_handing_over(bool active) {
  shard_.refuse_new_sessions(active);
  output_.report_handover(active);
}

void SetCore::append_to(CounterList& out) const {
  shard_.counters().append_to(out);
  out.push_back({"sessions-below-replication-threshold", shard_.withheld()});
  shard_.nat().counters().append_to(out);
  member_.append_to(out);
  claims_.append_to(out);
  if (right_) {
    out.push_back({"masters-fenced", fences_});
    right_->append_rest_to(now_, out);
  }
  out.push_back({"relayed-refused-configuration", relayed_refused_});
  out.push_back({"relayed-refused-service-set", relayed_unknown_});
  out.push_back({"relayed-without-room", relayed_without_room_});
  if (checkpointer_) checkpointer_->counters().append_to(out);
}

}  // namespace icr::node
