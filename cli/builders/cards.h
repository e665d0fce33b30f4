// Builds the trees of tables of cards and of service sets: utilization, summary, memory, processor time, analysis.
#pragma once

#include <string>
#include <vector>

#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

struct UtilizationRow {
  std::string interface;
  CardUtilization utilization;
};
/// Builds `show services sessions utilization`.
void build_utilization(Tree& tree, const std::vector<UtilizationRow>& rows);

/// The figures of a row of `show services service-sets summary`. CPU is in hundredths of a percent.
struct SummaryRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  std::size_t service_sets = 0;
  CardUsage usage;
  std::uint32_t cpu_permyriad = 0;
};
void build_summary(Tree& tree, const std::vector<SummaryRow>& rows);

/// The figure of one service set, or of a part of a card that belongs to none.
struct UsageRow {
  std::string interface;
  std::string name;
  std::uint64_t value = 0;
};
/// Builds `show services service-sets memory-usage`; the values are octets.
void build_memory(Tree& tree, const std::vector<UsageRow>& rows);
/// Builds `show services service-sets cpu-usage`; the values are hundredths of a percent.
void build_cpu(Tree& tree, const std::vector<UsageRow>& rows);

/// The figures of one card of `show services sessions analysis`.
struct AnalysisRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  LiveSessions live;
  CardUtilization rates;
  CardAnalysis analysis;
};
void build_analysis(Tree& tree, const std::vector<AnalysisRow>& rows);

}  // namespace icr::cli
