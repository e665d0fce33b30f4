#include "cli/twin_report.h"

#include <limits>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::string_view word_of(TwinVerdict verdict) {
  switch (verdict) {
    case TwinVerdict::equal:
      break;
    case TwinVerdict::different:
      return "different";
    case TwinVerdict::changing:
      return "changing";
    case TwinVerdict::not_examined:
      return "not-examined";
  }
  return "equal";
}

void add_comparison(Tree& tree, std::string_view what, const TwinComparison& comparison) {
  const Scope one(tree, inferred::kComparison);
  tree.leaf(inferred::kCompared, what);
  tree.leaf(inferred::kComparedSlots, comparison.equal() + comparison.doubts().size() + comparison.not_examined());
  tree.leaf(inferred::kEqualSlots, comparison.equal());
  tree.leaf(inferred::kDifferentSlots, comparison.different());
  tree.leaf(inferred::kChangingSlots, comparison.changing());
  tree.leaf(inferred::kUnexaminedSlots, comparison.not_examined());
  tree.leaf(inferred::kWithheldSessions, comparison.withheld());
}

void add_report(Tree& tree, const Cluster& cluster, const TwinReport& report, bool extensive) {
  const RedundancySet& set = cluster.redundancy_sets[report.set];
  tree.leaf(inferred::kGroupId, set.id);
  tree.leaf(inferred::kSetId, set.id);
  tree.leaf(inferred::kSetName, set.name);
  if (!report.twins) {
    tree.leaf(inferred::kVerdict, "not-compared");
    tree.leaf(inferred::kReason, report.not_compared);
    return;
  }
  tree.leaf(inferred::kMasterChassis, cluster.chassis[report.twins->master.chassis].name);
  tree.leaf(inferred::kStandbyChassis, cluster.chassis[report.twins->standby.chassis].name);
  add_comparison(tree, "sessions", report.sessions);
  add_comparison(tree, "nat-bindings", report.bindings);
  tree.leaf(inferred::kVerdict, word_of(verdict_of(report.sessions, report.bindings)));
  const std::size_t most = extensive ? std::numeric_limits<std::size_t>::max() : kShownDifferences;
  for (const auto& each : differences_of(cluster, *report.twins, report.sessions, report.bindings, most)) {
    tree.leaf(inferred::kDifference, each);
  }
}

void add_dry_run(Tree& tree, const TwinReport& report, const DryRun& dry_run) {
  const SetStatus& master = dry_run.master.status;
  tree.leaf(inferred::kPending, master.pending);
  if (master.peer) {
    tree.leaf(inferred::kUnacknowledgedRecords, master.peer->unacknowledged_records);
    tree.leaf(inferred::kUnacknowledgedBytes, master.peer->unacknowledged_bytes);
  }
  if (!dry_run.refusal.empty()) {
    tree.leaf(inferred::kRefusal, dry_run.refusal);
  } else if (report.twins && report.sessions.not_examined() + report.bindings.not_examined() == 0) {
    tree.leaf(inferred::kLostSessions, only_on_master(report.sessions));
    tree.leaf(inferred::kLostBindings, only_on_master(report.bindings));
  }
}

}  // namespace

void build_twins(Tree& tree, const Cluster& cluster, const std::vector<TwinReport>& reports,
                 const std::optional<DryRun>& dry_run, bool extensive) {
  begin_answer(tree, inferred::kConsistency);
  for (const TwinReport& report : reports) {
    const Scope set(tree, inferred::kConsistencyOfSet);
    add_report(tree, cluster, report, extensive);
    if (dry_run) add_dry_run(tree, report, *dry_run);
  }
  tree.end();
}

}  // namespace icr::cli
