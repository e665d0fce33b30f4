// What happened in simulated runs, as numbers.
#pragma once

#include <cstdint>
#include <string>

namespace icr::sim {

/// What happened in a run, for the summary: a simulation that never met a fault proves nothing.
struct Totals {
  std::uint64_t crashes = 0;
  std::uint64_t cuts = 0;
  std::uint64_t pauses = 0;
  std::uint64_t illnesses = 0;
  std::uint64_t moved_ill = 0;  ///< mastership was given up, or taken, because of one
  std::uint64_t storms = 0;
  std::uint64_t disk_failures = 0;
  std::uint64_t switchovers_begun = 0;
  std::uint64_t masterships = 0;
  std::uint64_t split_brains = 0;
  std::uint64_t births = 0;
  std::uint64_t deaths = 0;
  std::uint64_t round_trips = 0;
  std::uint64_t messages_lost = 0;
  std::uint64_t took_over_hot = 0;
  std::uint64_t took_over_cold = 0;
  std::uint64_t gaps = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t attempts_after_loss = 0;
  std::uint64_t copies = 0;
  std::uint64_t ranges_compared = 0;  ///< in copies, by a standby that had sessions already
  std::uint64_t ranges_equal = 0;     ///< of those: they were not copied
  std::uint64_t mapping_changes = 0;
  std::uint64_t bindings = 0;
  std::uint64_t only_there = 0;  ///< sessions that only a member that yielded had
  std::uint64_t adopted = 0;     ///< records of such sessions that the master took over
  std::uint64_t claims_refused = 0;
  std::uint64_t claims_withdrawn = 0;
  std::uint64_t claims_waived = 0;  ///< the disk was not waited for
  std::uint64_t claims_waited = 0;  ///< claims that were not answered at once
  std::uint64_t damaged = 0;        ///< starts from a damaged store
  std::uint64_t conflicts = 0;      ///< such sessions that were counted as conflicts
  std::uint64_t commits = 0;
  std::uint64_t commits_of_one = 0;   ///< that only one of two living chassis was given
  std::uint64_t fetched = 0;          ///< commits that a chassis had from its peer
  std::uint64_t adopted_commits = 0;  ///< taken without a restart
  std::uint64_t adopted_by_master = 0;
  std::uint64_t rematched = 0;      ///< sessions that ended because a commit does not admit them any more
  std::uint64_t restarts = 0;       ///< to take a commit
  std::uint64_t failed_starts = 0;  ///< with a commit that cannot be started
  std::uint64_t handed_over = 0;    ///< switchovers that were begun for a commit
  std::uint64_t kept = 0;           ///< sessions that were compared across a restart or a switchover
  std::uint64_t homeless = 0;       ///< sessions for which a new file had no place
  std::uint64_t keys_given = 0;     ///< by the witness
  std::uint64_t fenced = 0;         ///< masters that had to stop to act
  std::uint64_t left_known = 0;     ///< packets that left an output-commit service set when the peer had what they told
  std::uint64_t left_waited = 0;    ///< those of them that had waited
  std::uint64_t left_alone = 0;     ///< packets that left one without a peer
  std::uint64_t survived = 0;       ///< sessions of which the world had heard, and that lived on after a takeover
  std::uint64_t reports = 0;        ///< reports of takeovers whose bound was compared with what was lost
  std::uint64_t at_risk = 0;        ///< sessions that they said were at risk at most
  std::uint64_t lost_at_risk = 0;   ///< those that were lost
  std::uint64_t changed_unseen = 0;  ///< sessions that the former master changed after its last word
  std::uint64_t two_masters = 0;     ///< moments with two masters, of which one did not act
  void add(const Totals& other);
  [[nodiscard]] std::string to_string() const;
};

}  // namespace icr::sim
