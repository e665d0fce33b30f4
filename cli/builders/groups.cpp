#include "cli/builders/groups.h"

#include <algorithm>
#include <utility>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::string role_of(std::optional<Role> role, bool warned) {
  if (!role) return "-";
  return fmt::format("{}{}", to_string(*role),
                     warned && (*role == Role::standby || *role == Role::claiming) ? " (WARNED)" : "");
}

std::string_view connected_word(bool connected) { return connected ? "Connected" : "Not connected"; }

void add_health(Tree& tree, std::string_view whose, std::uint32_t weight, const std::string& reasons) {
  const Scope health(tree, inferred::kHealth);
  tree.leaf(inferred::kMember, whose);
  tree.leaf(inferred::kHealthState, weight < kIllWeight ? "Passed" : "Failed");
  tree.leaf(inferred::kHealthWeight, weight);
  if (!reasons.empty()) tree.leaf(inferred::kReason, reasons);
}

std::string in_ms(std::uint64_t micros) { return fmt::format("{:.1f}", static_cast<double>(micros) / 1000); }

/// Adds what is known of the peer, and how far it is behind.
void add_peer(Tree& tree, const PeerStatus& peer) {
  const Scope one(tree, inferred::kPeer);
  tree.leaf(inferred::kGroupTerm, peer.term);
  tree.leaf(inferred::kPriority, peer.priority);
  tree.leaf(inferred::kAgo, peer.heard_ago_ms);
  tree.leaf(inferred::kUnacknowledgedRecords, peer.unacknowledged_records);
  tree.leaf(inferred::kUnacknowledgedBytes, peer.unacknowledged_bytes);
  if (peer.oldest_change_us != 0) tree.leaf(inferred::kOldestChange, in_ms(peer.oldest_change_us));
  if (peer.copying) {
    tree.leaf(inferred::kCopiedSlots, peer.copied_slots);
    tree.leaf(inferred::kSlotsToCopy, peer.slots_to_copy);
  }
  if (peer.compared_ranges != 0) {
    tree.leaf(inferred::kEqualRanges, peer.equal_ranges);
    tree.leaf(inferred::kComparedRanges, peer.compared_ranges);
  }
}

/// Adds the failure detector. Times are in milliseconds.
void add_detector(Tree& tree, const SilenceStatus& d) {
  const Scope one(tree, inferred::kDetector);
  tree.leaf(inferred::kDetectorState, d.state);
  tree.leaf(inferred::kTolerates, in_ms(d.threshold));
  tree.leaf(inferred::kAtLeast, in_ms(d.floor));
  tree.leaf(inferred::kAtMost, in_ms(d.limit));
  tree.leaf(inferred::kOwnDelay, in_ms(d.own_late));
  tree.leaf(inferred::kPeerDelay, in_ms(d.peer_late));
  tree.leaf(inferred::kPeerSays, in_ms(d.peer_says));
  tree.leaf(inferred::kAvoided, d.avoided);
  tree.leaf(inferred::kProbesSent, d.probes_sent);
  tree.leaf(inferred::kProbesAnswered, d.probes_answered);
  tree.leaf(inferred::kProbe, d.probe);
}

void add_details(Tree& tree, const Cluster& cluster, const SetStatus& status) {
  tree.leaf(inferred::kPriority, status.priority);
  tree.leaf(inferred::kGroupTerm, status.term);
  tree.leaf("session-count", status.sessions);
  tree.leaf(inferred::kDigest, fmt::format("{:016x}", status.digest));
  for (const auto& count : status.service_sets) {
    const Scope sessions(tree, inferred::kSessionsOfSet);
    tree.leaf("service-set-name", cluster.name_of_service_set(count.service_set));
    tree.leaf("session-count", count.total());
  }
  tree.leaf(inferred::kSent, status.sent_sequence);
  tree.leaf(inferred::kAcknowledged, status.acknowledged_sequence);
  tree.leaf(inferred::kApplied, status.applied_sequence);
  tree.leaf(inferred::kPending, status.pending);
  if (!status.scheduling.empty()) tree.leaf(inferred::kScheduling, status.scheduling);
  if (status.peer) add_peer(tree, *status.peer);
  if (status.detector.floor != 0) add_detector(tree, status.detector);
  for (const auto& change : status.history) {
    const Scope one(tree, inferred::kRoleChange);
    tree.leaf(inferred::kAgo, change.ago_ms);
    tree.leaf(inferred::kFrom, to_string(change.from));
    tree.leaf(inferred::kTo, to_string(change.to));
    tree.leaf(inferred::kGroupTerm, change.term);
    tree.leaf(inferred::kReason, change.reason);
  }
  for (const auto& counter : status.counters) {
    const Scope one(tree, inferred::kCounter);
    tree.leaf(inferred::kCounterName, counter.name);
    tree.leaf(inferred::kCounterValue, counter.value);
  }
}

/// Adds a redundancy group as one of its members sees it.
void add_group(Tree& tree, const Cluster& cluster, std::uint16_t chassis, const SetStatus& status, Level level) {
  const RedundancySet& set = cluster.redundancy_sets[status.set];
  const auto& peer = set.members[0].chassis == chassis ? set.members[1] : set.members[0];
  const Scope group(tree, "services-rg-information");
  tree.leaf(inferred::kGroupId, set.id);
  tree.leaf(inferred::kLocalAddress, cluster.chassis[chassis].inter_chassis_address.to_string());
  tree.leaf(inferred::kPeerAddress, cluster.chassis[peer.chassis].inter_chassis_address.to_string());
  tree.leaf(inferred::kConnection, connected_word(status.connected));
  const Scope redundancy_set(tree, "services-rg-rs-information");
  tree.leaf(inferred::kSetId, set.id);
  tree.leaf("local-rs-state", role_of(status.role, status.warned));
  tree.leaf(inferred::kPeerState, role_of(status.peer_role, status.peer_warned));
  if (level != Level::brief && level != Level::extensive) return;
  tree.leaf(inferred::kSetName, set.name);
  for (const auto index : set.service_sets) {
    const Scope sync(tree, inferred::kServiceSetState);
    tree.leaf("service-set-name", cluster.service_sets[index].name);
    tree.leaf(inferred::kSync, to_string(status.sync));
  }
  add_health(tree, "local", status.health_weight, status.health_reasons);
  if (status.peer_role) add_health(tree, "peer", status.peer_health_weight, status.peer_health_reasons);
  tree.leaf(inferred::kReason, status.reason.empty() ? "none" : status.reason);
  tree.leaf(inferred::kReasonAge, status.reason_age_s);
  if (status.claimed_term != 0) {
    tree.leaf(inferred::kClaimed, status.claimed_term);
    tree.leaf(inferred::kAwaited, status.awaited.empty() ? "the next round" : status.awaited);
  }
  for (const auto& path : status.paths) {
    const Scope one(tree, inferred::kPath);
    tree.leaf(inferred::kLocalAddress, path.local.to_string());
    tree.leaf(inferred::kPeerAddress, path.remote.to_string());
    tree.leaf(inferred::kConnection, to_string(path.state));
    tree.leaf(inferred::kActive, path.active ? "yes" : "no");
  }
  if (level == Level::extensive) add_details(tree, cluster, status);
}

/// Adds a value that a report may not know; then the leaf is not there.
void add_known(Tree& tree, std::string_view name, const FailoverReport::Count& value) {
  if (value) tree.leaf(name, *value);
}

void add_events(Tree& tree, const FailoverReport& r) {
  const std::pair<std::string_view, const FailoverReport::Micros&> events[] = {
      {"Last heartbeat", r.heartbeat},
      {"Connection closed", r.closed},
      {"Decided", r.decided},
      {"Claim granted", r.granted},
      {"Table active", r.active},
      {"Steering done", r.steered},
      {"First packet of a session", r.old_session},
      {"First new session", r.new_session},
      {"Last word on the copy", r.last_word},
      {"Last change applied", r.last_change}};
  for (const auto& [name, time] : events) {
    if (!time) continue;
    const Scope event(tree, inferred::kEvent);
    tree.leaf(inferred::kEventName, name);
    tree.leaf(inferred::kTime, utc_text(r.heard + *time));
    tree.leaf(inferred::kAfter, fmt::format("{:.3f}", static_cast<double>(*time) / 1000));
  }
}

void add_report(Tree& tree, const FailoverRow& row, bool extensive) {
  const FailoverReport& r = row.report;
  const Scope report(tree, inferred::kFailover);
  tree.leaf(inferred::kGroupId, row.group);
  tree.leaf(inferred::kSetName, r.set);
  tree.leaf(inferred::kHeard, utc_text(r.heard));
  tree.leaf(inferred::kNewMaster, r.chassis);
  tree.leaf(inferred::kKind, to_string(r.kind));
  tree.leaf(inferred::kGroupTerm, r.term);
  if (r.old_session) {
    tree.leaf(inferred::kFirstPacket, fmt::format("{:.3f}", static_cast<double>(*r.old_session) / 1000));
  }
  tree.leaf("session-count", r.sessions);
  add_known(tree, inferred::kAtRisk, r.risk.sessions);
  if (!extensive) return;
  tree.leaf(inferred::kFormerMaster, r.peer);
  tree.leaf(inferred::kReportNumber, r.number);
  tree.leaf(inferred::kComplete, r.complete ? "yes" : "no");
  tree.leaf(inferred::kReason, r.reason);
  add_events(tree, r);
  tree.leaf(inferred::kCopy, r.hot ? "Hot" : "Cold");
  add_known(tree, inferred::kSent, r.sent);
  tree.leaf(inferred::kApplied, r.applied);
  add_known(tree, inferred::kMissing, r.risk.missing);
  add_detector(tree, r.detector);
}

std::uint64_t counter_of(const CounterList& counters, std::string_view name) {
  const auto found =
      std::find_if(counters.begin(), counters.end(), [&](const NamedCounter& each) { return each.name == name; });
  return found == counters.end() ? 0 : found->value;
}

}  // namespace

void build_redundancy_groups(Tree& tree, const Cluster& cluster, const std::vector<SetReport>& reports, Level level,
                             std::optional<std::uint16_t> only) {
  begin_answer(tree, "rg-information");
  for (std::uint16_t chassis = 0; chassis < cluster.chassis.size(); ++chassis) {
    std::vector<const SetStatus*> groups;
    for (const auto& report : reports) {
      const RedundancySet& set = cluster.redundancy_sets[report.status.set];
      if (report.chassis != chassis || set.stand_alone() || (only && set.id != *only)) continue;
      groups.push_back(&report.status);
    }
    if (groups.empty()) continue;
    std::sort(groups.begin(), groups.end(), [&](const SetStatus* a, const SetStatus* b) {
      return cluster.redundancy_sets[a->set].id < cluster.redundancy_sets[b->set].id;
    });
    const Scope state(tree, "rg-state-information");
    tree.leaf(inferred::kChassis, cluster.chassis[chassis].name);
    tree.leaf(
        inferred::kProcessConnection,
        connected_word(std::any_of(groups.begin(), groups.end(), [](const auto* each) { return each->connected; })));
    for (const auto* status : groups) add_group(tree, cluster, chassis, *status, level);
  }
  tree.end();
}

void build_failovers(Tree& tree, std::vector<FailoverRow> rows, bool extensive) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const FailoverRow& a, const FailoverRow& b) { return a.report.heard > b.report.heard; });
  begin_answer(tree, inferred::kFailovers);
  for (const auto& row : rows) add_report(tree, row, extensive);
  tree.end();
}

void build_packet_drops(Tree& tree, const std::vector<DropsRow>& rows) {
  begin_answer(tree, "service-set-packet-drop-statistics");
  for (const auto& row : rows) {
    const Scope drops(tree, "service-set-packet-drops");
    tree.leaf("interface-name", row.interface);
    tree.leaf("service-set-name", row.service_set);
    // Nothing is dropped because of processor time, and there is no ALG that could drop.
    tree.leaf("cpulimit-drops", 0);
    tree.leaf("memlimit-drops", counter_of(row.counters, "memlimit-drops"));
    tree.leaf("flowlimit-drops", counter_of(row.counters, "flowlimit-drops"));
    tree.leaf("tcpalg-drops", 0);
  }
  tree.end();
}

void build_commits(Tree& tree, const std::vector<CommitsOfChassis>& chassis) {
  begin_answer(tree, "commit-information");
  if (!chassis.empty()) {
    std::size_t number = 0;
    for (const auto& each : chassis[0].reply.entries) {
      const Scope entry(tree, "commit-history");
      tree.leaf("sequence-number", number++);
      tree.leaf("user", each.user);
      tree.leaf("client", each.via);
      tree.leaf("date-time", utc_text(each.at * 1000), {{"junos:seconds", std::to_string(each.at / 1000)}});
      if (!each.comment.empty()) tree.leaf("log", each.comment);
    }
  }
  static constexpr std::string_view kStates[] = {"running", "waiting", "failed"};
  for (const auto& [name, reply] : chassis) {
    const Scope state(tree, inferred::kCommitOfChassis);
    tree.leaf(inferred::kChassis, name);
    tree.leaf(inferred::kCommitNumber, reply.newest);
    tree.leaf(inferred::kCommitState, kStates[static_cast<std::size_t>(reply.state)]);
    if (!reply.detail.empty()) tree.leaf(inferred::kReason, reply.detail);
    for (const auto& line : reply.lines) tree.leaf(inferred::kCommitLine, line);
  }
  tree.end();
}

}  // namespace icr::cli
