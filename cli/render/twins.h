// Renders the answers of commands that compare the twins of a redundancy set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/merge/survey.h"
#include "cli/merge/twin_comparison.h"
#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// The two members of a redundancy set whose sessions can be compared.
struct Twins {
  Source master;
  Source standby;
};
/// Chooses the twins of `set` among `sources`, which have every member that the survey found. The error says why the
/// members of the set cannot be compared.
[[nodiscard]] Result<Twins> find_twins(const Cluster& cluster, const Survey& survey, const std::vector<Source>& sources,
                                       std::uint16_t set);

/// What the looks at two twins have shown.
enum class TwinVerdict : std::uint8_t { equal, different, changing, not_examined };
[[nodiscard]] TwinVerdict verdict_of(const TwinComparison& sessions, const TwinComparison& bindings);
/// Returns the differences that are proved, in words, but at most so many.
[[nodiscard]] std::vector<std::string> differences_of(const Cluster& cluster, const Twins& twins,
                                                      const TwinComparison& sessions, const TwinComparison& bindings,
                                                      std::size_t most);
/// Returns how many records only the master has: a switchover would lose them.
[[nodiscard]] std::uint64_t only_on_master(const TwinComparison& comparison);
/// So many differences are told, unless all are asked for.
inline constexpr std::size_t kShownDifferences = 10;

/// Returns "RG-ID 1, RS-ID 1: redundancy set rs1, members left, right".
[[nodiscard]] std::string render_twins_heading(const Cluster& cluster, const RedundancySet& set);
/// Renders what was compared, the verdict, and the differences: ten of them, or with `extensive` all that are known.
[[nodiscard]] std::string render_twins(const Cluster& cluster, const Twins& twins, const TwinComparison& sessions,
                                       const TwinComparison& bindings, bool extensive);

/// Returns why a master with this status would refuse a switchover; empty if it would not.
[[nodiscard]] std::string refusal_of_switchover(const SetStatus& master);
/// Renders what is on its way to the standby; and unless `refusal` is empty, that and why `master` would refuse a
/// switchover.
[[nodiscard]] std::string render_dry_run(const Cluster& cluster, const SetReport& master, const std::string& refusal);
/// Renders how many sessions and bindings only the master has, because a switchover would lose them.
[[nodiscard]] std::string render_cost(const TwinComparison& sessions, const TwinComparison& bindings);

}  // namespace icr::cli
