#include "tests/sim/totals.h"

#include <fmt/format.h>

namespace icr::sim {

void Totals::add(const Totals& o) {
  crashes += o.crashes;
  cuts += o.cuts;
  pauses += o.pauses;
  illnesses += o.illnesses;
  moved_ill += o.moved_ill;
  storms += o.storms;
  disk_failures += o.disk_failures;
  switchovers_begun += o.switchovers_begun;
  masterships += o.masterships;
  split_brains += o.split_brains;
  births += o.births;
  deaths += o.deaths;
  round_trips += o.round_trips;
  messages_lost += o.messages_lost;
  took_over_hot += o.took_over_hot;
  took_over_cold += o.took_over_cold;
  gaps += o.gaps;
  duplicates += o.duplicates;
  attempts_after_loss += o.attempts_after_loss;
  copies += o.copies;
  ranges_compared += o.ranges_compared;
  ranges_equal += o.ranges_equal;
  claims_refused += o.claims_refused;
  claims_withdrawn += o.claims_withdrawn;
  claims_waived += o.claims_waived;
  claims_waited += o.claims_waited;
  damaged += o.damaged;
  only_there += o.only_there;
  adopted += o.adopted;
  conflicts += o.conflicts;
  mapping_changes += o.mapping_changes;
  bindings += o.bindings;
  commits += o.commits;
  commits_of_one += o.commits_of_one;
  fetched += o.fetched;
  adopted_commits += o.adopted_commits;
  adopted_by_master += o.adopted_by_master;
  rematched += o.rematched;
  restarts += o.restarts;
  failed_starts += o.failed_starts;
  handed_over += o.handed_over;
  kept += o.kept;
  homeless += o.homeless;
  keys_given += o.keys_given;
  fenced += o.fenced;
  two_masters += o.two_masters;
  left_known += o.left_known;
  left_waited += o.left_waited;
  left_alone += o.left_alone;
  survived += o.survived;
  reports += o.reports;
  at_risk += o.at_risk;
  lost_at_risk += o.lost_at_risk;
  changed_unseen += o.changed_unseen;
}

std::string Totals::to_string() const {
  return fmt::format(
      "crashes {}, cuts {}, pauses {}, illnesses {} (mastership moved {}), storms {}, disk failures {}, switchovers "
      "{}, masterships {} (hot takeovers {}, "
      "cold {}), two masters met {}, sessions born {}, ended {}, round trips {}, mappings changed {}, messages lost "
      "{}, "
      "gaps {}, duplicates {}, attempts after loss {}, copies {} (ranges compared {}, equal {}), sessions only at a "
      "member that yielded {}, taken "
      "over {}, conflicts {}, claims that waited {}, refused {}, withdrawn {}, waived {}, starts from damaged stores "
      "{}, commits {} (to one chassis {}, from the peer {}), taken with a restart {}, without {} (by a "
      "master {}), not startable {}, "
      "switchovers for them {}, sessions that moved with them {}, that had no place {}, that were admitted no more "
      "{}, keys given by the witness {}, masters fenced {}, moments with two masters of which one did not act {}, "
      "packets that left with output commit {} (after a wait {}, without a peer {}), sessions that had to survive {}, "
      "reports of takeovers checked {}, sessions at risk {}, of which lost {}, changed after the last word {}",
      crashes, cuts, pauses, illnesses, moved_ill, storms, disk_failures, switchovers_begun, masterships, took_over_hot,
      took_over_cold, split_brains, births, deaths, round_trips, mapping_changes, messages_lost, gaps, duplicates,
      attempts_after_loss, copies, ranges_compared, ranges_equal, only_there, adopted, conflicts, claims_waited,
      claims_refused, claims_withdrawn, claims_waived, damaged, commits, commits_of_one, fetched, restarts,
      adopted_commits, adopted_by_master, failed_starts, handed_over, kept, homeless, rematched, keys_given, fenced,
      two_masters, left_known, left_waited, left_alone, survived, reports, at_risk, lost_at_risk, changed_unseen);
}

}  // namespace icr::sim
