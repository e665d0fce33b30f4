// Builds the trees of statistics: counters of service sets, by interface.
#pragma once

#include <string>
#include <string_view>

#include "cli/grammar/command.h"
#include "cli/result/tree.h"
#include "model/query/query.h"

namespace icr::cli {

/// The names of the elements of an answer of statistics.
struct StatisticsNames {
  std::string_view answer;
  std::string_view of_interface;    ///< name of the element that each interface has; empty: interfaces have none
  std::string_view of_service_set;  ///< name of the element that each service set has; empty: each has an `answer`
  std::string_view prefix;          ///< with which names of engine counters begin, and which names of Junos lack
};
[[nodiscard]] const StatisticsNames& names_of(StatisticsView view);
[[nodiscard]] const StatisticsNames& names_of_nat_statistics();
[[nodiscard]] const StatisticsNames& names_of_firewall_statistics();

/// Builds an answer of statistics as its pages come.
class StatisticsBuilder {
 public:
  /// REQUIRES: `tree` and `names` outlive the builder.
  StatisticsBuilder(Tree& tree, const StatisticsNames& names);

  /// Adds the counters of a service set. A counter like "tcp-open-close-counters/tcp-first-pkt-rst" is a leaf of a
  /// container. REQUIRES: rows are grouped by interface.
  void add(const std::string& interface, const std::string& service_set, const CounterList& counters);
  void finish();

 private:
  Tree& tree_;
  const StatisticsNames& names_;
  std::string interface_;  ///< whose element has begun
};

}  // namespace icr::cli
