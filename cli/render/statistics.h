// Statistics of service sets and cards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/cluster.h"
#include "model/query.h"

namespace icr::cli {

/// "tcp-first-pkt-not-syn" -> "TCP first pkt not SYN": what an XML leaf is called in text.
[[nodiscard]] std::string label_of(std::string_view leaf);

/// Prints groups of counters; a heading where the interface changes.
class StatisticsRenderer {
 public:
  void add(const std::string& interface, const std::string& service_set, const CounterList& counters, std::string& out);

 private:
  std::string interface_;
};

/// A line of `show services stateful-firewall statistics`.
struct FirewallTotals {
  std::uint64_t accepts = 0, discards = 0, rejects = 0, errors = 0;
};
[[nodiscard]] FirewallTotals firewall_totals(const CounterList& counters);
[[nodiscard]] std::string render_firewall_columns();
[[nodiscard]] std::string render_firewall_line(const std::string& interface, const std::string& service_set,
                                               const FirewallTotals& totals);

/// A line of `show services service-sets summary` and what stands above it.
[[nodiscard]] std::string render_summary_columns(CardFamily family);
struct SummaryRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  std::size_t service_sets = 0;
  CardUsage usage;
  std::uint32_t cpu_permyriad = 0;
};
[[nodiscard]] std::string render_summary_line(const SummaryRow& row);
// `memory-usage`, `cpu-usage`.
[[nodiscard]] std::string render_memory_columns();
[[nodiscard]] std::string render_memory_line(const std::string& interface, const std::string& name,
                                             std::uint64_t bytes);
[[nodiscard]] std::string render_cpu_columns();
[[nodiscard]] std::string render_cpu_line(const std::string& interface, const std::string& name,
                                          std::uint32_t permyriad);

/// `show services sessions analysis`: one card.
[[nodiscard]] std::string render_analysis(CardFamily family, const std::string& interface, const LiveSessions& live,
                                          const CardUtilization& rates, const CardAnalysis& analysis);

}  // namespace icr::cli
