#include "cli/render/tables.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "model/base/progress.h"

namespace icr::cli {
namespace {

const SetStatus* status_of(const std::vector<SetReport>& reports, std::uint16_t chassis, std::uint16_t set) {
  for (const auto& report : reports) {
    if (report.chassis == chassis && report.status.set == set) return &report.status;
  }
  return nullptr;
}

/// A redundancy set with its member on the chassis that is shown, and its other member.
struct Group {
  const RedundancySet* set;
  const SetStatus* status;
  const ChassisConfig* local;
  const ChassisConfig* peer;
};

std::string_view connection_word(bool connected) { return connected ? "Connected" : "Not connected"; }

/// Returns the role as `show services redundancy-group` prints it; "-" if it is not known.
std::string role_word(std::optional<Role> role, bool warned) {
  if (!role) return "-";
  return fmt::format("{}{}", to_string(*role),
                     warned && (*role == Role::standby || *role == Role::claiming) ? " (WARNED)" : "");
}

void append_health(std::string_view whose, std::uint32_t weight, const std::string& reasons, std::string& out) {
  fmt::format_to(std::back_inserter(out), "   {} health status: {}, weight {} of {}{}{}\n", whose,
                 weight < kIllWeight ? "Passed" : "Failed", weight, kIllWeight, reasons.empty() ? "" : ": ", reasons);
}

double milliseconds(std::uint64_t micros) { return static_cast<double>(micros) / 1000; }

void append_peer(const PeerStatus& peer, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "   Peer term: {}, priority: {}, heard {} ms ago\n", peer.term, peer.priority, peer.heard_ago_ms);
  fmt::format_to(to, "   Unacknowledged: {} records, {} bytes", peer.unacknowledged_records, peer.unacknowledged_bytes);
  if (peer.oldest_change_us != 0)
    fmt::format_to(to, ", oldest change {:.1f} ms ago", milliseconds(peer.oldest_change_us));
  if (peer.copying) {
    out += "; copy: " + progress_text(peer.copied_slots, peer.slots_to_copy, "slots",
                                      std::chrono::milliseconds(static_cast<std::int64_t>(peer.copying_ms)));
  }
  if (peer.compared_ranges != 0) {
    fmt::format_to(to, "{} {} of {} ranges are equal", peer.copying ? "," : "; last copy:", peer.equal_ranges,
                   peer.compared_ranges);
  }
  out += '\n';
}

void append_paths(const std::vector<PathStatus>& paths, std::string& out) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "   Inter-chassis path {}: {} to {}, {}{}\n", i, paths[i].local.to_string(),
                   paths[i].remote.to_string(), to_string(paths[i].state), paths[i].active ? ", active" : "");
  }
}

/// Hours, minutes and seconds, as Junos prints an age.
std::string age(std::uint64_t ms) {
  const std::uint64_t s = ms / 1000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000);
}

void append_history(const std::vector<RoleChange>& history, std::string& out) {
  if (history.empty()) return;
  out += "   Role history, newest first:\n";
  for (const auto& change : history) {
    fmt::format_to(std::back_inserter(out), "     {:>15} ago  {:<12} -> {:<12}  term {:<8} {}\n", age(change.ago_ms),
                   to_string(change.from), to_string(change.to), change.term, change.reason);
  }
}

void append_block(const Cluster& cluster, const Group& group, bool extensive, std::string& out) {
  const auto& status = *group.status;
  auto to = std::back_inserter(out);
  const bool healthy = status.health_weight < kIllWeight && status.connected && status.sync == Sync::hot;
  fmt::format_to(to, "\nRG-ID {0}, RS-ID {0}: state {1}, peer {2}, health: {3}\n", group.set->id,
                 role_word(status.role, status.warned), role_word(status.peer_role, status.peer_warned),
                 healthy ? "Passed" : "Failed");
  fmt::format_to(to, "   Redundancy set: {}, connection: {}\n", group.set->name, connection_word(status.connected));
  for (const auto index : group.set->service_sets) {
    fmt::format_to(to, "   Service set {}: stateful sync {}\n", cluster.service_sets[index].name,
                   to_string(status.sync));
  }
  const bool peer_known = status.peer_role.has_value();
  if (extensive || status.health_weight != 0) append_health("Local", status.health_weight, status.health_reasons, out);
  if (peer_known && (extensive || status.peer_health_weight != 0)) {
    append_health("Peer", status.peer_health_weight, status.peer_health_reasons, out);
  }
  fmt::format_to(to, "   Last change: {}, {} seconds ago\n", status.reason.empty() ? "none" : status.reason,
                 status.reason_age_s);
  if (status.claimed_term != 0) {
    fmt::format_to(to, "   Claims term: {}, waits for: {}\n", status.claimed_term,
                   status.awaited.empty() ? "the next round" : status.awaited);
  }
  const bool lost = std::any_of(status.paths.begin(), status.paths.end(),
                                [](const PathStatus& path) { return path.state != PathState::up; });
  if (extensive || (lost && status.connected)) append_paths(status.paths, out);
  if (!extensive) return;
  fmt::format_to(to, "   Local chassis: {}, peer chassis: {}\n", group.local->name, group.peer->name);
  if (!status.scheduling.empty()) fmt::format_to(to, "   Scheduling: {}\n", status.scheduling);
  if (status.priority != 0) fmt::format_to(to, "   Priority: {}\n", status.priority);
  fmt::format_to(to, "   Term: {}, sessions: {}, digest: {:016x}\n", status.term, status.sessions, status.digest);
  for (const auto& count : status.service_sets) {
    fmt::format_to(to, "   Service set {}: {} sessions\n", cluster.name_of_service_set(count.service_set),
                   count.total());
  }
  fmt::format_to(to, "   Sequence sent: {}, acknowledged: {}, applied: {}, changes pending: {}\n", status.sent_sequence,
                 status.acknowledged_sequence, status.applied_sequence, status.pending);
  if (status.peer) append_peer(*status.peer, out);
  if (status.detector.floor != 0) append_detector(status.detector, out);
  append_history(status.history, out);
  for (const auto& counter : status.counters) fmt::format_to(to, "     {:<48}{:>16}\n", counter.name, counter.value);
}

}  // namespace

void append_detector(const SilenceStatus& d, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "   Failure detector: {}, tolerates {:.1f} ms of silence (at least {:.1f}, at most {:.1f})\n",
                 d.state, milliseconds(d.threshold), milliseconds(d.floor), milliseconds(d.limit));
  fmt::format_to(to, "   Worst delay of the last minute: own {:.1f} ms, peer {:.1f} ms, peer says {:.1f} ms\n",
                 milliseconds(d.own_late), milliseconds(d.peer_late), milliseconds(d.peer_says));
  fmt::format_to(to, "   Takeovers avoided: {}, probes sent: {}, answered: {}, probe: {}\n", d.avoided, d.probes_sent,
                 d.probes_answered, d.probe);
}

std::string render_redundancy_groups(const Cluster& cluster, std::uint16_t chassis,
                                     const std::vector<SetReport>& reports, Level level,
                                     std::optional<std::uint16_t> only) {
  std::vector<Group> groups;
  bool connected = false;
  for (std::size_t i = 0; i < cluster.redundancy_sets.size(); ++i) {
    const auto& set = cluster.redundancy_sets[i];
    const auto* status = status_of(reports, chassis, static_cast<std::uint16_t>(i));
    if (set.stand_alone() || status == nullptr || (only && set.id != *only)) continue;
    const auto& peer = set.members[0].chassis == chassis ? set.members[1] : set.members[0];
    groups.push_back({&set, status, &cluster.chassis[chassis], &cluster.chassis[peer.chassis]});
    connected = connected || status->connected;
  }
  std::string out;
  if (groups.empty()) return out;
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.set->id < b.set->id; });
  auto to = std::back_inserter(out);
  fmt::format_to(to, "Chassis: {}\nICCP process connection: {}\n", cluster.chassis[chassis].name,
                 connection_word(connected));
  out += "RG-ID  Local RG IP   RS-ID  Local RS   Peer RS             Peer RG IP    Status\n";
  for (const auto& group : groups) {
    fmt::format_to(to, "{:>3}    {:<13} {:>3}    {:<10} {:<19} {:<13} {}\n", group.set->id,
                   group.local->inter_chassis_address.to_string(), group.set->id,
                   role_word(group.status->role, group.status->warned),
                   role_word(group.status->peer_role, group.status->peer_warned),
                   group.peer->inter_chassis_address.to_string(), connection_word(group.status->connected));
  }
  if (level == Level::brief || level == Level::extensive) {
    for (const auto& group : groups) append_block(cluster, group, level == Level::extensive, out);
  }
  return out;
}

std::string render_counters(const std::string& heading, const CounterList& counters, std::size_t indent) {
  std::string out = heading + "\n";
  for (const auto& counter : counters) {
    fmt::format_to(std::back_inserter(out), "{:<{}}{:<{}}{:>20}\n", "", indent, counter.name, 50 - indent,
                   counter.value);
  }
  return out;
}

}  // namespace icr::cli
