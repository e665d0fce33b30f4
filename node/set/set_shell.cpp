#include "node/set/set_shell.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "node/redundancy/identity.h"
#include "node/set/failover_files.h"
#include "node/set/failover_log.h"

namespace icr::node {

using replication::Channel;

namespace {

/// How many packets that came to the standby a round takes, beside its messages: about as long as half a burst takes.
/// In an asymmetric network as many packets come this way as by the master's own ports.
constexpr std::size_t kRelayedPerRound = 32;

}  // namespace

SetShell::SetShell(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start,
                   KernelWatch* kernel, TimePoint now)
    : cluster_(cluster),
      config_(cluster.redundancy_sets[shard.set()]),
      chassis_(chassis),
      boot_id_(start.boot_id),
      kernel_(kernel),
      disk_(start.disk),
      failover_files_(start.failover_files),
      now_(now),
      core_(cluster, chassis, shard, start, *this, now) {}

SetShell::~SetShell() = default;

Result<void> SetShell::open_steering_thread(std::function<void()> schedule, TimePoint now) {
  auto routes = ReturnRoutes::open(cluster_, core_.shard().set(), chassis_);
  if (!routes) return tl::unexpected(routes.error());
  if ((*routes)->routes().empty()) routes->reset();
  if (config_.virtual_addresses.empty() && !*routes) return {};
  auto steering = open_steering(config_.virtual_addresses, now, ClosedWays(kernel_));
  if (!steering) return tl::unexpected(steering.error());
  auto thread = SteeringThread::start(
      {config_.name, std::move(*steering), std::move(*routes), kernel_, std::move(schedule)}, now);
  if (!thread) return tl::unexpected(thread.error());
  steering_ = std::move(*thread);
  core_.set_warning(!steering_->warning().empty());
  return {};
}

Result<void> SetShell::open(const std::shared_ptr<transport::Context>& context, std::function<void()> schedule,
                            TimePoint now) {
  now_ = now;
  take_kernel_report(now);
  if (auto done = open_steering_thread(std::move(schedule), now); !done) {
    return tl::unexpected(done.error().in("redundancy set " + config_.name));
  }
  if (config_.stand_alone()) return {};
  auto paths = replication::Paths::open(context, cluster_, core_.shard().set(), chassis_,
                                        replication::PathTiming{config_.detection_floor()});
  if (!paths) return tl::unexpected(paths.error().in("redundancy set " + config_.name));
  paths_ = std::move(*paths);
  make_room(config_);
  prober_ = std::make_unique<Prober>(static_cast<std::uint16_t>(boot_id_ + core_.shard().set()),
                                     address_of_peer(cluster_, config_, chassis_));
  if (!prober_->warning().empty()) log::warn("redundancy", "set={} {}", config_.name, prober_->warning());
  take_probes(cluster_);
  return {};
}

void SetShell::take_paths(const Cluster& cluster) {
  if (!paths_) return;
  paths_->set_timing({cluster.redundancy_sets[core_.shard().set()].detection_floor()});
  make_room(cluster.redundancy_sets[core_.shard().set()]);
  for (const auto& member : cluster.redundancy_sets[core_.shard().set()].members) {
    if (member.chassis != chassis_) paths_->set_peer_keys(cluster.chassis[member.chassis].public_keys);
  }
}

void SetShell::make_room(const RedundancySet& config) {
  if (config.asymmetric_traffic == AsymmetricTraffic::relay && !room_)
    room_.emplace(kQuietRound.messages + kRelayedPerRound);
}

std::span<Packet> SetShell::take_packets() {
  if (packets_ == 0) return {};
  return std::span(room_->packets()).first(std::exchange(packets_, 0));
}

void SetShell::take_probes(const Cluster& cluster) {
  const RedundancySet& set = cluster.redundancy_sets[core_.shard().set()];
  if (probes_) {
    probes_->take(set.probes);
    return;
  }
  if (set.probes.empty()) return;
  auto thread = ProbeThread::start(
      {set.name, static_cast<std::uint16_t>(boot_id_ + core_.shard().set()), boot_id_ ^ set.stable_id}, set.probes);
  if (thread) {
    probes_ = std::move(*thread);
    return;
  }
  // What nobody watches may be dead.
  log::error("redundancy", "set={} {}", set.name, thread.error().message);
  core_.on_probe_report(now_, {{kIllWeight, thread.error().message}});
}

void SetShell::take_probe_report(TimePoint now) {
  std::vector<ProbeTrouble> troubles;
  if (probes_ && probes_->take_report(troubles)) core_.on_probe_report(now, std::move(troubles));
}

bool SetShell::poll(TimePoint now, WallMillis wall_now, bool busy) {
  now_ = now;
  const RoundLimits& limits = busy ? kBusyRound : kQuietRound;
  bool more = false;
  // Nothing but packets comes to a master in such numbers; to a standby, batches do.
  const bool relayed = room_ && core_.member().role() == Role::master;
  if (paths_) more |= paths_->drain(*this, limits.messages + (relayed ? kRelayedPerRound : 0));
  if (prober_) {
    for (const std::uint64_t nonce : prober_->take_answers(now)) core_.on_probe_answer(now, nonce);
  }
  take_kernel_report(now);
  take_probe_report(now);
  if (steering_ && core_.failovers().awaits_steering()) {
    if (const auto drawn = steering_->drawn()) core_.on_steered(*drawn);
  }
  more |= core_.round(now, wall_now, limits);
  if (steering_) {
    steering_->alive(now);
    if (steering_->update_warning(now)) core_.set_warning(!steering_->warning().empty());
  }
  // While a socket sends, ZeroMQ may take the event that would make its descriptor readable.
  if (paths_) more |= paths_->pending();
  return more;
}

bool SetShell::shut_down(TimePoint now, WallMillis wall_now) {
  now_ = now;
  return core_.shut_down(now, wall_now);
}

void SetShell::wait_for_room(TimePoint until) {
  if (disk_ != nullptr) disk_->wait_for_room(until);
}

bool SetShell::wait_released(TimePoint until) { return !steering_ || steering_->wait_released(until); }

void SetShell::take_kernel_report(TimePoint now) {
  if (kernel_ != nullptr && kernel_->take(kernel_report_)) core_.on_kernel_report(now, kernel_report_);
}

TimePoint SetShell::next_deadline(TimePoint now) const { return core_.next_deadline(now); }

void SetShell::append_descriptors(TimePoint now, std::vector<int>& out) const {
  if (prober_) prober_->append_descriptors(now, out);
  if (kernel_ != nullptr) out.push_back(kernel_->descriptor());
  if (probes_) out.push_back(probes_->descriptor());
  if (paths_) out.insert(out.end(), paths_->descriptors().begin(), paths_->descriptors().end());
}

void SetShell::append_to(CounterList& out) const {
  if (paths_) paths_->append_to(out);
  if (prober_) prober_->append_to(out);
  if (probes_) probes_->append_to(out);
  if (steering_) steering_->append_to(out);
}

// -- SetOutput --

bool SetShell::send(Channel channel, std::span<const std::uint8_t> message) {
  if (!paths_) return false;
  switch (channel) {
    case Channel::control:
      return paths_->send_control(message);
    case Channel::heartbeats:
      return paths_->send_heartbeat(message);
    case Channel::data:
      return paths_->send_data(message);
    case Channel::former:
      return paths_->send_former(message);
  }
  return false;
}

void SetShell::probe(const IpAddress& address, std::uint64_t nonce) {
  if (prober_) prober_->send(now_, address, nonce);
}

TimePoint SetShell::time() { return std::max(now_, monotonic_now()); }

bool SetShell::acquire_traffic() {
  if (steering_) steering_->acquire();
  return steering_ != nullptr;
}

void SetShell::release_traffic() {
  if (steering_) steering_->release();
}

void SetShell::announce_again(std::uint64_t term) {
  log::warn("role",
            "set={} chassis={} term={} the peer may have drawn traffic: the virtual addresses are announced again",
            config_.name, cluster_.chassis[chassis_].name, term);
  if (steering_) steering_->acquire();
}

bool SetShell::take_packet(std::uint32_t unit, const replication::RelayedPacket& packet) {
  if (!room_ || packets_ == room_->packets().size()) return false;
  Packet& into = room_->packets()[packets_++];
  into.unit = unit;
  into.length = static_cast<std::uint32_t>(packet.packet.size());
  into.segment_bytes = packet.segment_bytes;
  into.partial_checksum = packet.partial_checksum;
  std::memcpy(into.data, packet.packet.data(), packet.packet.size());
  return true;
}

void SetShell::report_role(Role role, std::uint64_t term) {
  log::info("role", "set={} chassis={} role={} term={} sessions={} reason=\"{}\"", config_.name,
            cluster_.chassis[chassis_].name, to_string(role), term, core_.shard().sessions(),
            core_.member().status().reason);
}

void SetShell::report_claim(std::uint64_t term) {
  if (term == 0) {
    const RoleTransition& end = core_.history().entries().front();
    log::info("role", "set={} chassis={} role={} claim=withdrawn reason=\"{}\"", config_.name,
              cluster_.chassis[chassis_].name, to_string(end.to), end.reason);
    return;
  }
  log::info("role", "set={} chassis={} role={} term={} reason=\"{}\" awaited=\"{}\"", config_.name,
            cluster_.chassis[chassis_].name, to_string(Role::claiming), term, core_.member().reason(), core_.awaited());
}

void SetShell::report_handover(bool active) {
  log::info("role", "set={} chassis={} handing-over={}", config_.name, cluster_.chassis[chassis_].name, active);
}

void SetShell::report_failover(const FailoverReport& report, bool settled) {
  if (settled) log::info("failover", "{}", failover_line(report));
  if (failover_files_ != nullptr) failover_files_->keep(report);
}

void SetShell::report_block(const BlockEvent& event) {
  // RFC 6888 REQ-13 wants to know who had which port at a time, and RFC 7422 blocks so that the log stays small.
  log::info("nat", "port-block={} set={} service-set={} pool={} host={} external={} ports={}-{}",
            event.allocated ? "allocated" : "released", config_.name, cluster_.service_sets[event.service_set].name,
            cluster_.nat_pools[event.pool].name, event.host.to_string(), IpAddress::v4(event.external).to_string(),
            event.first_port, event.last_port);
}

// -- LinkVisitor --

void SetShell::on_control(std::span<const std::uint8_t> message) { core_.on_message(now_, Channel::control, message); }
void SetShell::on_data(std::span<const std::uint8_t> message) { core_.on_message(now_, Channel::data, message); }
void SetShell::on_former(std::span<const std::uint8_t> message) { core_.on_message(now_, Channel::former, message); }
void SetShell::on_connected() {
  log::info("link", "set={} peer connected", config_.name);
  core_.on_connected(now_);
}
void SetShell::on_disconnected() {
  log::info("link", "set={} peer disconnected", config_.name);
  core_.on_disconnected(now_);
}

}  // namespace icr::node
