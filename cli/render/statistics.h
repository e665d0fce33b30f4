// Renders statistics of service sets and cards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// Returns the label of an XML leaf: "TCP first pkt not SYN" for "tcp-first-pkt-not-syn".
[[nodiscard]] std::string label_of(std::string_view leaf);

/// Renders groups of counters, with a heading where the interface changes.
class StatisticsRenderer {
 public:
  void add(const std::string& interface, const std::string& service_set, const CounterList& counters, std::string& out);

 private:
  std::string interface_;
};

/// The figures of a line of `show services stateful-firewall statistics`.
struct FirewallTotals {
  std::uint64_t accepts = 0, discards = 0, rejects = 0, errors = 0;
};
[[nodiscard]] FirewallTotals firewall_totals(const CounterList& counters);
[[nodiscard]] std::string render_firewall_columns();
[[nodiscard]] std::string render_firewall_line(const std::string& interface, const std::string& service_set,
                                               const FirewallTotals& totals);

/// Renders the heading of `show services service-sets summary`.
[[nodiscard]] std::string render_summary_columns(CardFamily family);
/// The figures of a line of `show services service-sets summary`. CPU is in hundredths of a percent.
struct SummaryRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  std::size_t service_sets = 0;
  CardUsage usage;
  std::uint32_t cpu_permyriad = 0;
};
[[nodiscard]] std::string render_summary_line(const SummaryRow& row);
// Render the headings and lines of `memory-usage` and `cpu-usage`. CPU is in hundredths of a percent.
[[nodiscard]] std::string render_memory_columns();
[[nodiscard]] std::string render_memory_line(const std::string& interface, const std::string& name,
                                             std::uint64_t bytes);
[[nodiscard]] std::string render_cpu_columns();
[[nodiscard]] std::string render_cpu_line(const std::string& interface, const std::string& name,
                                          std::uint32_t permyriad);

/// Renders one card of `show services sessions analysis`.
[[nodiscard]] std::string render_analysis(CardFamily family, const std::string& interface, const LiveSessions& live,
                                          const CardUtilization& rates, const CardAnalysis& analysis);

}  // namespace icr::cli
