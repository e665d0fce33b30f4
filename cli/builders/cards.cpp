#include "cli/builders/cards.h"

#include <algorithm>
#include <array>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent_text(double percent) { return fmt::format("{:.2f}", percent); }

/// Returns the zone that Junos prints behind the CPU load. Its limits are not documented, and chosen here.
std::string_view cpu_zone(std::uint32_t permyriad) {
  if (permyriad < 8500) return "Green";
  return permyriad < 9500 ? "Yellow" : "Red";
}

/// Adds the sessions of one protocol: "tcp", "udp", or "other", which has neither gates nor tunnels.
void add_live(Tree& tree, std::string_view protocol, const LiveSessions::OfProtocol& live) {
  const auto name = [&](std::string_view part) { return fmt::format("num-total-{}{}-session-active", protocol, part); };
  tree.leaf(name(""), live.total);
  if (protocol != "other") {
    tree.leaf(name("-gated"), 0);
    tree.leaf(name("-tunneled"), 0);
    tree.leaf(name("-regular"), live.total);
  }
  tree.leaf(name("-ipv4"), live.ipv4);
  tree.leaf(name("-ipv6"), live.total - std::min(live.total, live.ipv4));
}

void add_histogram(Tree& tree, std::string_view operation, const RateHistogram& histogram) {
  static constexpr std::array<std::string_view, RateHistogram::kFrom.size()> kNames = {
      "400000-plus", "350000",      "300000",      "250000",      "200000",     "150000",     "50000-plus",
      "40000-50000", "30000-40000", "20000-30000", "10000-20000", "1000-10000", "1000-minus", "0"};
  const Scope entry(tree, "sess-analysis-num-sess-sec-entry");
  tree.leaf("sess-operation", operation);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    tree.leaf(fmt::format("num-sess-sec-{}", kNames[i]), histogram.seconds[i]);
  }
}

}  // namespace

void build_utilization(Tree& tree, const std::vector<UtilizationRow>& rows) {
  begin_answer(tree, "services-sessions-utilization-information");
  for (const auto& row : rows) {
    const CardUtilization& u = row.utilization;
    const Scope card(tree, "services-sessions-utilization");
    tree.leaf("interface-name", row.interface);
    tree.leaf("session-count", u.sessions);
    tree.leaf("memory-percent", percent_text(share(u.sessions, u.slots)));
    tree.leaf("session-setup-rate", u.setup_rate);
    // The share is not there if there is no limit with which to compare the rate.
    if (u.setup_rate_limit != 0) {
      tree.leaf("session-setup-percent", percent_text(share(u.setup_rate, u.setup_rate_limit)));
    }
    tree.leaf("session-drop-rate", u.drop_rate);
    tree.leaf("session-teardown-rate", u.teardown_rate);
    tree.leaf("cpu-load", fmt::format("{:.2f} {}", u.cpu_permyriad / 100.0, cpu_zone(u.cpu_permyriad)));
  }
  tree.end();
}

void build_summary(Tree& tree, const std::vector<SummaryRow>& rows) {
  begin_answer(tree, "service-set-summary-information", "summary");
  for (const auto& row : rows) {
    const CardUsage& u = row.usage;
    const Scope card(tree, "service-set-summary-information-entry");
    tree.leaf("interface-name", row.interface);
    const Scope entry(tree, "service-set-service-type-entry");
    tree.leaf("service-sets-configured", row.service_sets);
    tree.leaf("service-set-bytes-used", u.used);
    tree.leaf("service-set-percent-bytes-used", percent_text(share(u.used, u.machine)));
    if (row.family == CardFamily::vms) {
      tree.leaf("service-set-session-bytes-used", u.sessions);
      tree.leaf("service-set-percent-session-bytes-used", percent_text(share(u.sessions, u.sessions_max)));
    }
    tree.leaf("service-set-policy-bytes-used", u.policies);
    tree.leaf("service-set-percent-policy-bytes-used", percent_text(share(u.policies, u.machine)));
    tree.leaf("service-set-cpu-utilization", fmt::format("{:.2f} %", row.cpu_permyriad / 100.0));
  }
  tree.end();
}

void build_memory(Tree& tree, const std::vector<UsageRow>& rows) {
  begin_answer(tree, "service-set-memory-statistics-information");
  for (const auto& row : rows) {
    const Scope use(tree, "service-set-memory-statistics");
    tree.leaf("interface-name", row.interface);
    tree.leaf("service-set-name", row.name);
    tree.leaf("bytes-used", row.value);
  }
  tree.end();
}

void build_cpu(Tree& tree, const std::vector<UsageRow>& rows) {
  begin_answer(tree, "service-set-cpu-statistics-information");
  for (const auto& row : rows) {
    // As in captures, the name of the service set comes first here.
    const Scope use(tree, "service-set-cpu-statistics");
    tree.leaf("service-set-name", row.name);
    tree.leaf("interface-name", row.interface);
    tree.leaf("cpu-utilization-percent", percent_text(static_cast<double>(row.value) / 100));
  }
  tree.end();
}

void build_analysis(Tree& tree, const std::vector<AnalysisRow>& rows) {
  begin_answer(tree, "service-session-analysis-information");
  for (const auto& row : rows) {
    const LiveSessions& live = row.live;
    const LiveSessions::OfProtocol other{live.all.total - std::min(live.all.total, live.tcp.total + live.udp.total),
                                         live.all.ipv4 - std::min(live.all.ipv4, live.tcp.ipv4 + live.udp.ipv4)};
    const Scope card(tree, "service-session-analysis-entry");
    {
      const Scope info(tree, "session-analysis-statistics-pic-info");
      tree.leaf("pic-name", row.interface);
    }
    {
      const Scope statistics(tree, "session-analysis-statistics-entry");
      tree.leaf("num-total-session-active", live.all.total);
      add_live(tree, "tcp", live.tcp);
      add_live(tree, "udp", live.udp);
      add_live(tree, "other", other);
      tree.leaf("num-created-session-per-sec", row.rates.setup_rate);
      tree.leaf("num-deleted-session-per-sec", row.rates.teardown_rate);
      tree.leaf("peak-total-session-active", row.analysis.peak_sessions);
      tree.leaf("peak-created-session-per-second", row.analysis.peak_created_per_second);
      tree.leaf("peak-deleted-session-per-second", row.analysis.peak_deleted_per_second);
      tree.leaf("session-pkts-received", row.analysis.packets_received);
      tree.leaf("session-pkts-transmitted", row.analysis.packets_transmitted);
      tree.leaf("session-slow-path-forward", row.analysis.slow_path_forward);
      tree.leaf("session-slow-path-discard", row.analysis.slow_path_discard);
    }
    {
      const Scope samples(tree, "sess-analysis-num-sess-sec-samples-entry");
      tree.leaf("num-sess-sec-samples", row.analysis.samples);
    }
    add_histogram(tree, "Creation", row.analysis.created);
    add_histogram(tree, "Deletion", row.analysis.deleted);
  }
  tree.end();
}

}  // namespace icr::cli
