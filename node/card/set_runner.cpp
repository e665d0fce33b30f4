#include "node/card/set_runner.h"

#include <algorithm>
#include <iterator>

#include "model/log.h"
#include "node/kernel/set_health.h"
#include "node/redundancy/identity.h"

namespace icr::node {
namespace {

/// How much of each kind of work one round does before packets have their turn again.
struct RoundLimits {
  std::size_t messages;
  std::size_t replication_bytes;
  std::uint32_t checkpoint_rows;
  std::uint32_t timers;
};
constexpr RoundLimits kQuiet{16, 512 * 1024, 2048, 64};
/// Each of these takes ten to thirty microseconds. A thousand sessions in a batch would be 200 to 500, and packets that
/// come meanwhile wait for all of it.
constexpr RoundLimits kBusy{4, 8 * 1024, 128, 16};
/// Timers that are late by ticks get more of a round, up to twice what a burst can set up: a card that does nothing but
/// set sessions up does not fall behind, and all that comes up at one tick is spread over bursts otherwise.
constexpr Ticks kMostLag = 3;
constexpr std::size_t kBlockMessagesPerRound = 16;
/// Timers have a resolution of 100 ms; a tick in between keeps the worst case near it.
constexpr Duration kShardTick = 50ms;

bool same_pool(const NatPoolStatus& a, const NatPoolStatus& b) {
  return a.service_set == b.service_set && a.pool == b.pool;
}

SetRole role_of(Role role, std::uint16_t warnings) {
  switch (role) {
    case Role::initializing:
      return SetRole::initializing;
    case Role::master:
      return SetRole::master;
    case Role::standby:
      return warnings != 0 ? SetRole::standby_warned : SetRole::standby;
  }
  return SetRole::unknown;
}

SyncState sync_of(Sync sync) {
  return sync == Sync::hot ? SyncState::hot : sync == Sync::cold ? SyncState::cold : SyncState::off;
}

}  // namespace

SetRunner::SetRunner(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start, TimePoint now)
    : cluster_(cluster),
      config_(cluster.redundancy_sets[shard.set()]),
      chassis_(chassis),
      shard_(shard),
      now_(now),
      member_(cluster, shard.set(), chassis, start.boot_id, start.term, shard, shard, *this, now, start.whole),
      boot_id_(start.boot_id),
      disk_(start.disk),
      kernel_(start.kernel),
      next_shard_tick_(now) {
  shard_.add_listener(member_);
  if (disk_ != nullptr) {
    checkpointer_ = std::make_unique<storage::Checkpointer>(
        config_.name, cluster.digest, shard_, *disk_, storage::CheckpointOptions{}, start.next_sequence, start.term);
    shard_.add_observer(*checkpointer_);
  }
}

SetRunner::~SetRunner() = default;

Result<void> SetRunner::open(const std::shared_ptr<replication::Context>& context, TimePoint now) {
  judge_health(now);
  auto steering = open_steering(config_.virtual_addresses, now,
                                [this](const VirtualAddress& address) { return closed_way(address); });
  if (!steering) return tl::unexpected(steering.error().in("redundancy set " + config_.name));
  steering_ = std::move(*steering);
  auto return_routes = ReturnRoutes::open(cluster_, shard_.set(), chassis_);
  if (!return_routes) return tl::unexpected(return_routes.error().in("redundancy set " + config_.name));
  return_routes_ = std::move(*return_routes);
  if (config_.stand_alone()) return {};
  auto link = replication::Link::open(context, cluster_, shard_.set(), chassis_);
  if (!link) return tl::unexpected(link.error().in("redundancy set " + config_.name));
  link_ = std::move(*link);
  prober_ = std::make_unique<Prober>(static_cast<std::uint16_t>(boot_id_ + shard_.set()),
                                     address_of_peer(cluster_, config_, chassis_));
  if (!prober_->warning().empty()) log::warn("redundancy", "set={} {}", config_.name, prober_->warning());
  return {};
}

bool SetRunner::poll(TimePoint now, WallMillis wall_now, bool busy) {
  now_ = now;
  const RoundLimits& limits = busy ? kBusy : kQuiet;
  bool more = false;
  // What has arrived goes in before the machine looks at its timers: a late look must not take a message for silence.
  if (link_) more |= link_->drain(*this, limits.messages);
  if (prober_) {
    for (const std::uint64_t nonce : prober_->take_answers(now)) member_.on_probe_answer(now, nonce);
  }
  judge_health(now);
  member_.tick(now, limits.replication_bytes);
  if (now >= next_shard_tick_) {
    if (shard_.tick(now, limits.timers << std::min(shard_.timer_lag(now), kMostLag))) {
      next_shard_tick_ = now + kShardTick;
    } else {
      more = true;
    }
  }
  log_blocks();
  if (unremembered_term_ != 0 && disk_->remember_term(unremembered_term_)) unremembered_term_ = 0;
  if (checkpointer_) more |= checkpointer_->tick(now, wall_now, member_.term(), limits.checkpoint_rows);
  if (const auto due = steering_->next_deadline(); due && *due <= now) {
    steering_->tick(now);
    member_.set_warning(!steering_->warning().empty());
  }
  // Sending may have swallowed the edge of a descriptor.
  if (link_) more |= link_->pending();
  return more;
}

void SetRunner::judge_health(TimePoint now) {
  const bool store_fails = disk_ != nullptr && disk_->failing();
  const bool news = kernel_ != nullptr && kernel_->take(kernel_report_);
  if (!news && store_fails == store_fails_) return;
  store_fails_ = store_fails;
  if (news) member_.set_addresses(kernel_report_.addresses);
  member_.set_health(now, health_of(kernel_report_, self_test_, store_fails_, config_.health));
}

void SetRunner::set_self_test(TimePoint now, std::vector<std::string> wrong) {
  self_test_ = std::move(wrong);
  member_.set_health(now, health_of(kernel_report_, self_test_, store_fails_, config_.health));
}

std::string SetRunner::closed_way(const VirtualAddress& address) const {
  if (address.address.is_v4()) return {};
  const auto closed = kernel_report_.closed_ipv6.find(address.interface);
  return closed == kernel_report_.closed_ipv6.end() ? std::string() : closed->second;
}

void SetRunner::log_blocks() {
  // RFC 6888 REQ-13 wants to know who had which port at a time, and RFC 7422 blocks so that the log stays small.
  for (std::size_t i = 0; i < kBlockMessagesPerRound; ++i) {
    const auto event = shard_.next_block_event();
    if (!event) return;
    log::info("nat", "port-block={} set={} service-set={} pool={} host={} external={} ports={}-{}",
              event->allocated ? "allocated" : "released", config_.name, cluster_.service_sets[event->service_set].name,
              cluster_.nat_pools[event->pool].name, event->host.to_string(), IpAddress::v4(event->external).to_string(),
              event->first_port, event->last_port);
  }
}

TimePoint SetRunner::next_deadline(TimePoint now) const {
  TimePoint next = std::min(member_.next_deadline(), next_shard_tick_);
  if (checkpointer_) next = std::min(next, now + kShardTick);
  if (const auto due = steering_->next_deadline()) next = std::min(next, *due);
  return next;
}

void SetRunner::append_descriptors(TimePoint now, std::vector<int>& out) const {
  if (prober_) prober_->append_descriptors(now, out);
  if (kernel_ != nullptr) out.push_back(kernel_->descriptor());
  if (link_) out.insert(out.end(), link_->descriptors().begin(), link_->descriptors().end());
}

bool SetRunner::shut_down(TimePoint now, WallMillis wall_now) {
  if (!released_) {
    released_ = true;
    steering_->release(now);
    if (kernel_ != nullptr) kernel_->want_return_routes(false);
    return_routes_->release();
    shard_.deactivate(now);
  }
  return !checkpointer_ || checkpointer_->flush_all(now, wall_now, member_.term());
}

// -- MemberOutput --

bool SetRunner::send_control(std::span<const std::uint8_t> message) { return link_ && link_->send_control(message); }
bool SetRunner::send_data(std::span<const std::uint8_t> message) { return link_ && link_->send_data(message); }

void SetRunner::persist_term(std::uint64_t term) {
  // Handed to the storage thread, not waited for: a takeover must not cost a disk flush. Should the machine die before
  // it is written, this chassis may take the same term again, which no other can ever have taken (terms are unique to a
  // member). One that the storage thread does not take now is offered again by poll().
  if (disk_ != nullptr) unremembered_term_ = disk_->remember_term(term) ? 0 : term;
}

void SetRunner::become_master(std::uint64_t term) {
  const bool already = shard_.active();
  if (already) {
    shard_.set_term(term);
  } else {
    shard_.activate(now_, term);
  }
  return_routes_->acquire();
  if (kernel_ != nullptr) kernel_->want_return_routes(true);
  // Between the two the engine forwards what still comes; nobody is drawn here before it does.
  if (const auto drawn = steering_->acquire(now_); !drawn) {
    ++steering_failures_;
    log::warn("steering", "set={} {}", config_.name, drawn.error().message);
  }
  log::info("role", "set={} chassis={} role=MASTER term={} sessions={} reason=\"{}\"", config_.name,
            cluster_.chassis[chassis_].name, term, shard_.sessions(), member_.status().reason);
}

void SetRunner::become_standby(std::uint64_t term) {
  steering_->release(now_);
  if (kernel_ != nullptr) kernel_->want_return_routes(false);
  return_routes_->release();
  shard_.deactivate(now_);
  log::info("role", "set={} chassis={} role=STANDBY term={} sessions={} reason=\"{}\"", config_.name,
            cluster_.chassis[chassis_].name, term, shard_.sessions(), member_.status().reason);
}

void SetRunner::reassert_master(std::uint64_t term) {
  log::warn("role", "set={} chassis={} term={} the peer may have drawn traffic: announcing again", config_.name,
            cluster_.chassis[chassis_].name, term);
  if (const auto drawn = steering_->acquire(now_); !drawn) ++steering_failures_;
}

void SetRunner::handing_over(bool active) {
  shard_.refuse_new_sessions(active);
  log::info("role", "set={} chassis={} handing-over={}", config_.name, cluster_.chassis[chassis_].name, active);
}

void SetRunner::probe(const IpAddress& address, std::uint64_t nonce) {
  if (prober_) prober_->send(now_, address, nonce);
}

// -- LinkVisitor --

void SetRunner::on_control(std::span<const std::uint8_t> message) { member_.on_control(now_, message); }
void SetRunner::on_data(std::span<const std::uint8_t> message) { member_.on_data(now_, message); }
void SetRunner::on_connected() {
  log::info("link", "set={} peer connected", config_.name);
  member_.on_peer_connected(now_);
}
void SetRunner::on_disconnected() {
  log::info("link", "set={} peer disconnected", config_.name);
  member_.on_peer_disconnected(now_);
}

// -- ShardView --

namespace {

std::uint64_t micros(Duration time) { return static_cast<std::uint64_t>(time / 1us); }

SilenceStatus silence_of(const MemberStatus& member) {
  const DetectorStatus& d = member.detector;
  SilenceStatus out{micros(d.floor),    micros(d.limit),     micros(d.threshold), micros(d.silence),
                    micros(d.own_late), micros(d.peer_late), micros(d.peer_says), d.avoided,
                    d.probes_sent,      d.probes_answered,   "hears the peer",    std::string(to_string(d.witness))};
  if (!member.peer_present) {
    out.state = "peer is lost";
  } else if (d.silence > d.floor) {
    out.state = "peer is silent, its silence is borne";
  }
  return out;
}

}  // namespace

void SetRunner::status(TimePoint now, SetStatus& out) const {
  const MemberStatus member = member_.status();
  out.role = role_of(member.role, member.warnings);
  out.peer_role = member.peer_present ? role_of(member.peer_role, member.peer_warnings) : SetRole::unknown;
  out.connected = member.connected && member.peer_present;
  // The operator asks a master how its standby's copy is, and a standby how its own is.
  out.sync = sync_of(member.role == Role::master && member.peer_present ? member.peer_sync : member.sync);
  out.term = member.term;
  out.reason = member.reason;
  if (member.merging) out.reason += "; merging: what it set up as master goes to the master first";
  if (!steering_->warning().empty()) out.reason += "; " + steering_->warning();
  out.reason_age_s =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - member.changed_at).count());
  out.sessions = shard_.sessions();
  for (const std::uint16_t index : config_.service_sets) {
    ServiceSetCount count;
    count.service_set = index;
    count.by_state[static_cast<std::size_t>(SessionState::valid)] = shard_.sessions_of(index);
    out.service_sets.push_back(count);
  }
  if (member.role == Role::master) {
    out.sent_sequence = member.sent;
    out.acknowledged_sequence = member.acknowledged;
  } else {
    out.applied_sequence = member.acknowledged;
  }
  out.pending = member.pending_state;
  out.health_weight = member.health.weight;
  out.health_reasons = member.health.reasons;
  out.peer_health_weight = member.peer_health.weight;
  out.peer_health_reasons = member.peer_health.reasons;
  if (!config_.stand_alone()) out.detector = silence_of(member);
  out.digest = shard_.digest();
  append_to(out.counters);
  out.scheduling = scheduling_;
}

bool SetRunner::remove(std::uint32_t slot, TimePoint /*now*/) {
  if (!shard_.table().at(slot).live) return false;
  shard_.remove(slot);
  ++cleared_;
  return true;
}

Result<std::string> SetRunner::switchover(TimePoint now) {
  now_ = now;
  if (auto begun = member_.request_switchover(now); !begun) return tl::unexpected(begun.error());
  return fmt::format("redundancy-set {}: switchover begun", config_.name);
}

std::uint32_t SetRunner::scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                              SessionVisitor& visitor) const {
  const SessionTable& table = shard_.table();
  // Above the sessions there are bindings, which a scan for sessions passes over.
  const std::uint32_t last = std::min(end, table.high_water());
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < last; ++slot) {
    const Session& session = table.at(slot);
    // Most sessions are rejected on the line that is in the cache, without a record being made.
    if (!session.live || !filter.admits(session.initiator())) continue;
    if (shard_.read(slot, now, record) && filter.matches(record) && !visitor.visit(record)) return slot + 1;
  }
  return std::max(begin, end);
}

BindingUse SetRunner::use_of(std::uint32_t slot) const {
  BindingUse use = shard_.nat().users_of(slot - first_binding());
  use.slot = slot;
  return use;
}

bool SetRunner::holds_binding(const SessionRecord& holder, const SessionFilter& filter, std::uint8_t kinds) const {
  if (holder.kind == RecordKind::mapping) return shard_.nat().holds(holder.binding, filter, kinds);
  const NatSession nat{holder.flow[0],  holder.flow[1],     holder.nat_type,
                       holder.nat_pool, holder.service_set, holder.initiated_outside};
  return shard_.nat().holds(nat, filter, kinds);
}

bool SetRunner::remove_binding(std::uint32_t slot, TimePoint now) {
  if (!shard_.remove_binding(slot, now)) return false;
  ++bindings_cleared_;
  return true;
}

void SetRunner::nat_pools(std::vector<NatPoolStatus>& out) const {
  shard_.nat().append_status(out);
  for (auto& pool : out) {
    const auto before = std::find_if(cleared_pools_.begin(), cleared_pools_.end(),
                                     [&](const NatPoolStatus& each) { return same_pool(each, pool); });
    if (before == cleared_pools_.end()) continue;
    pool.subtract(*before);
  }
}

void SetRunner::clear_nat_statistics(std::uint16_t service_set) {
  std::vector<NatPoolStatus> now;
  shard_.nat().append_status(now);
  cleared_pools_.erase(std::remove_if(cleared_pools_.begin(), cleared_pools_.end(),
                                      [&](const NatPoolStatus& each) { return each.service_set == service_set; }),
                       cleared_pools_.end());
  std::copy_if(now.begin(), now.end(), std::back_inserter(cleared_pools_),
               [&](const NatPoolStatus& each) { return each.service_set == service_set; });
}

std::uint32_t SetRunner::deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const {
  const DeterministicQuestion question{request.host, request.translated, request.port, request.cursor, kPageSessions};
  return shard_.nat().append_deterministic(request.filter, question, out);
}

void SetRunner::append_to(CounterList& out) const {
  out.push_back({"sessions-cleared", cleared_});
  out.push_back({"bindings-cleared", bindings_cleared_});
  out.push_back({"steering-failures", steering_failures_});
  shard_.counters().append_to(out);
  shard_.nat().counters().append_to(out);
  member_.append_to(out);
  if (link_) link_->append_to(out);
  if (prober_) prober_->append_to(out);
  steering_->append_to(out);
  return_routes_->append_to(out);
  if (checkpointer_) checkpointer_->counters().append_to(out);
}

}  // namespace icr::node
