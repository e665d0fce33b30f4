#include "cli/render/statistics.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace icr::cli {
namespace {

constexpr std::array<std::string_view, 30> kCapitals = {
    "ack",    "alg",   "app", "cpu", "dnat", "eif",  "eim", "fin", "icmp",  "icmp6",
    "icmpv6", "id",    "ids", "ip",  "ipv4", "ipv6", "mss", "nat", "nat44", "nat64",
    "napt",   "nptv6", "pba", "rst", "syn",  "tcp",  "tfo", "ttl", "udp",   "dns"};

/// Leaves that Junos shows first in their container, in its order. The others follow in the order of the answer.
constexpr std::array<std::string_view, 3> kFirstLeaves = {"new-flow-accepts", "new-flow-discards", "new-flow-rejects"};

/// A counter name like "tcp-open-close-counters/tcp-first-pkt-rst", divided into its container and its leaf.
std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
  const auto slash = name.rfind('/');
  if (slash == std::string_view::npos) return {{}, name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

/// Returns the counters in the order of their lines: one container after the other.
std::vector<const NamedCounter*> in_order(const CounterList& counters) {
  std::vector<const NamedCounter*> out;
  std::map<std::string_view, std::size_t> containers;
  for (const auto& counter : counters) {
    out.push_back(&counter);
    containers.emplace(split_name(counter.name).first, containers.size());
  }
  const auto rank = [&](const NamedCounter* counter) {
    const auto [in, leaf] = split_name(counter->name);
    return std::pair{containers.at(in), std::find(kFirstLeaves.begin(), kFirstLeaves.end(), leaf)};
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const NamedCounter* a, const NamedCounter* b) { return rank(a) < rank(b); });
  return out;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void append(std::string& out, std::string_view label, std::uint64_t value) {
  fmt::format_to(std::back_inserter(out), "  {:<40}:{:<13}\n", label, value);
}

void append_protocol(std::string& out, std::string_view word, const LiveSessions::OfProtocol& live, bool tunnels) {
  if (tunnels) {
    append(out, "  Tunneled Sessions Active", 0);
    append(out, "  Regular Sessions Active", live.total);
  }
  append(out, fmt::format("  IPv4 active Session{}", word), live.ipv4);
  append(out, fmt::format("  IPv6 active Session{}", word), live.total - std::min(live.total, live.ipv4));
}

void append_histogram(std::string& out, std::string_view operation, const RateHistogram& histogram) {
  static constexpr std::array<std::string_view, RateHistogram::kFrom.size()> kLabels = {
      "400000+",        "350000+",        "300000+",        "250000+",        "200000+",       "150000+",  "50000+",
      "40000+ - 50000", "30000+ - 40000", "20000+ - 30000", "10000+ - 20000", "1000+ - 10000", "0 - 1000", "0"};
  fmt::format_to(std::back_inserter(out), "  Session Operation :{}\n", operation);
  for (std::size_t i = 0; i < kLabels.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "    {:<17}:{}\n", kLabels[i], histogram.seconds[i]);
  }
}

}  // namespace

std::string label_of(std::string_view leaf) {
  std::string out;
  while (!leaf.empty()) {
    const auto dash = std::min(leaf.find_first_of("-_"), leaf.size());
    std::string word(leaf.substr(0, dash));
    leaf.remove_prefix(std::min(dash + 1, leaf.size()));
    const bool capitals = std::find(kCapitals.begin(), kCapitals.end(), word) != kCapitals.end();
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (capitals || (out.empty() && i == 0)) {
        word[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[i])));
      }
    }
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

void StatisticsRenderer::add(const std::string& interface, const std::string& service_set, const CounterList& counters,
                             std::string& out) {
  if (counters.empty()) return;
  auto to = std::back_inserter(out);
  if (interface != interface_) {
    fmt::format_to(to, "{}Interface: {}\n", interface_.empty() ? "" : "\n", interface);
    interface_ = interface;
  }
  fmt::format_to(to, "  Service set: {}\n", service_set);
  std::string_view container;
  for (const NamedCounter* counter : in_order(counters)) {
    const auto [in, leaf] = split_name(counter->name);
    if (in != container && !in.empty()) fmt::format_to(to, "    {}:\n", label_of(in));
    container = in;
    fmt::format_to(to, "{}{}: {}\n", in.empty() ? "    " : "      ", label_of(leaf), counter->value);
  }
}

FirewallTotals firewall_totals(const CounterList& counters) {
  FirewallTotals out;
  for (const auto& counter : counters) {
    const auto [in, leaf] = split_name(counter.name);
    if (in == "error-counters") {
      out.errors += counter.value;
    } else if (leaf == "total-flow-accepts") {
      out.accepts = counter.value;
    } else if (leaf == "total-flow-discards") {
      out.discards = counter.value;
    } else if (leaf == "total-flow-rejects") {
      out.rejects = counter.value;
    }
  }
  return out;
}

std::string render_firewall_columns() {
  return fmt::format("{:<12}{:<28}{:>13}{:>13}{:>13}{:>13}\n", "Interface", "Service set", "Accept", "Discard",
                     "Reject", "Errors");
}

std::string render_firewall_line(const std::string& interface, const std::string& service_set,
                                 const FirewallTotals& totals) {
  return fmt::format("{:<12}{:<28}{:>13}{:>13}{:>13}{:>13}\n", interface, service_set, totals.accepts, totals.discards,
                     totals.rejects, totals.errors);
}

std::string render_summary_columns(CardFamily family) {
  if (family == CardFamily::vms) {
    return "             Service sets                                                                           CPU\n"
           "Interface    configured             Bytes used        Session bytes used     Policy bytes used      "
           "utilization\n";
  }
  return "             Service sets                                                    CPU\n"
         "Interface    configured             Bytes used        Policy bytes used      utilization\n";
}

std::string render_summary_line(const SummaryRow& row) {
  const auto& u = row.usage;
  std::string out =
      fmt::format("{:<10}{:>10}{:>21} ({:5.2f}%)", row.interface, row.service_sets, u.used, percent(u.used, u.machine));
  if (row.family == CardFamily::vms) {
    out += fmt::format("{:>12} ({:5.2f}%)", u.sessions, percent(u.sessions, u.sessions_max));
  }
  return out + fmt::format("{:>14} ({:5.2f}%){:>13.2f} %\n", u.policies, percent(u.policies, u.machine),
                           row.cpu_permyriad / 100.0);
}

std::string render_memory_columns() {
  return fmt::format("{:<12}{:<28}{:>16}\n", "Interface", "Service set", "Bytes used");
}

std::string render_memory_line(const std::string& interface, const std::string& name, std::uint64_t bytes) {
  return fmt::format("{:<12}{:<28}{:>16}\n", interface, name, bytes);
}

std::string render_cpu_columns() {
  return fmt::format("{:<12}{:<28}{:>16}\n", "Interface", "Service set", "CPU utilization");
}

std::string render_cpu_line(const std::string& interface, const std::string& name, std::uint32_t permyriad) {
  return fmt::format("{:<12}{:<28}{:>14.2f} %\n", interface, name, permyriad / 100.0);
}

std::string render_analysis(CardFamily family, const std::string& interface, const LiveSessions& live,
                            const CardUtilization& rates, const CardAnalysis& analysis) {
  std::string out = fmt::format("  {}   {}\n\nSession Analysis Statistics:\n",
                                family == CardFamily::vms ? "Interface:" : "Services PIC Name:", interface);
  const LiveSessions::OfProtocol other{live.all.total - std::min(live.all.total, live.tcp.total + live.udp.total),
                                       live.all.ipv4 - std::min(live.all.ipv4, live.tcp.ipv4 + live.udp.ipv4)};
  append(out, "Total Sessions Active", live.all.total);
  append(out, "Total TCP Sessions Active", live.tcp.total);
  append_protocol(out, "", live.tcp, true);
  append(out, "Total UDP sessions Active", live.udp.total);
  append_protocol(out, "", live.udp, true);
  append(out, "Total Other Sessions Active", other.total);
  append_protocol(out, "", other, false);
  append(out, "Created Sessions per Second", rates.setup_rate);
  append(out, "Deleted Sessions per Second", rates.teardown_rate);
  append(out, "Peak Total Sessions Active", analysis.peak_sessions);
  append(out, "Peak Created Sessions per Second", analysis.peak_created_per_second);
  append(out, "Peak Deleted Sessions per Second", analysis.peak_deleted_per_second);
  append(out, "Packets received", analysis.packets_received);
  append(out, "Packets transmitted", analysis.packets_transmitted);
  append(out, "Slow path forward", analysis.slow_path_forward);
  append(out, "Slow path discard", analysis.slow_path_discard);
  fmt::format_to(std::back_inserter(out), "\nSession Rate Data:\n  Number of Samples: {}\n", analysis.samples);
  append_histogram(out, "Creation", analysis.created);
  append_histogram(out, "Deletion", analysis.deleted);
  return out;
}

}  // namespace icr::cli
