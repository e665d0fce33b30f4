// Renders rules, summaries and the usage of pools in the layouts of the SRX family, with the service set in place of
// zones (inferred).
#include <algorithm>
#include <iterator>

#include "cli/render/nat.h"

namespace icr::cli {
namespace {

void field(std::string& out, std::string_view label, std::string_view value) {
  fmt::format_to(std::back_inserter(out), "  {:<26}: {}\n", label, value);
}

/// Appends several values of one field, with the label in front of the first one only.
template <class Values, class Text>
void fields(std::string& out, std::string_view label, const Values& values, Text text, std::string_view none) {
  if (values.empty()) return field(out, label, none);
  for (const auto& value : values) {
    field(out, label, text(value));
    label = "";
  }
}

std::string spaced_range(const AddressRange& range) {
  return fmt::format("{} - {}", range.low.to_string(), range.high.to_string());
}
std::string port_range(const PortRange& range) { return fmt::format("{} - {}", range.low, range.high); }

std::string first_range(const NatPool& pool) { return pool.addresses.empty() ? "" : range_text(pool.addresses[0]); }

void append_rule_table(const Cluster& cluster, std::uint16_t service_set, NatRules which, std::string& out) {
  const auto terms = terms_of(cluster, service_set, which);
  fmt::format_to(std::back_inserter(out), "Total rules: {}\n", terms.size());
  if (terms.empty()) return;
  constexpr auto* kFormat = "{:<18} {:<14} {:<29} {}\n";
  fmt::format_to(std::back_inserter(out), fmt::runtime(kFormat), "Rule name", "Term", "Type", "Action");
  for (const auto& use : terms) {
    fmt::format_to(std::back_inserter(out), fmt::runtime(kFormat), use.rule->name, use.term->name,
                   to_string(use.term->type), action_of(cluster, *use.term, which));
  }
}

void append_pool_table(const Cluster& cluster, const std::vector<PoolRow>& pools, bool ports, std::string& out) {
  constexpr auto* kFormat = "{:<20} {:<34} {:<11}{:<5}{}\n";
  auto to = std::back_inserter(out);
  fmt::format_to(to, fmt::runtime(kFormat), "Pool", "Address", "Routing", ports ? "PAT" : "", "Total");
  fmt::format_to(to, fmt::runtime(kFormat), "Name", "Range", "Instance", "", "Address");
  for (const auto& row : pools) {
    const auto& pool = cluster.nat_pools[row.use.pool];
    const std::string_view pat = !ports ? "" : row.status.ports != 0 ? "yes" : "no";
    fmt::format_to(to, fmt::runtime(kFormat), pool.name, first_range(pool), "default", pat, pool.address_count());
    for (std::size_t i = 1; i < pool.addresses.size(); ++i) {
      fmt::format_to(to, "{:<21}{}\n", "", range_text(pool.addresses[i]));
    }
  }
}

}  // namespace

std::string render_source_summary(const Cluster& cluster, std::uint16_t service_set,
                                  const std::vector<PoolRow>& pools) {
  std::uint64_t ports = 0;
  std::uint64_t used = 0;
  for (const auto& row : pools) {
    ports += row.status.ports;
    used += row.status.ports_in_use;
  }
  std::string out = fmt::format(
      "Total port number usage for port translation pool: {}\n"
      "Maximum port number for port translation pool: {}\n"
      "Total pools: {}\n",
      used, ports, pools.size());
  if (!pools.empty()) append_pool_table(cluster, pools, true, out);
  out += '\n';
  append_rule_table(cluster, service_set, NatRules::source, out);
  return out;
}

std::string render_destination_summary(const Cluster& cluster, std::uint16_t service_set,
                                       const std::vector<PoolRow>& pools) {
  std::string out = fmt::format("Total pools: {}\n", pools.size());
  if (!pools.empty()) append_pool_table(cluster, pools, false, out);
  out += '\n';
  append_rule_table(cluster, service_set, NatRules::destination, out);
  return out;
}

std::string render_pool_usage(const Cluster& cluster, const std::vector<PoolRow>& pools) {
  constexpr auto* kFormat = "{:<20} {:>10}{:>13}{:>13}{:>13}{:>8}{:>13}\n";
  std::string out = "PAT pools port utilization:\n";
  auto to = std::back_inserter(out);
  fmt::format_to(to, fmt::runtime(kFormat), "Pool", "Address", "Used", "Avail", "Total", "Usage", "Peak");
  for (const auto& [use, s] : pools) {
    if (s.ports == 0) continue;
    const std::uint64_t used = std::min(s.ports, s.ports_in_use);
    fmt::format_to(to, fmt::runtime(kFormat), cluster.nat_pools[use.pool].name, s.addresses, used, s.ports - used,
                   s.ports, fmt::format("{}%", used * 100 / s.ports), s.max_ports_in_use);
  }
  return out;
}

std::string render_nat_rule(const Cluster& cluster, std::uint16_t service_set, const TermUse& use, NatRules which) {
  static constexpr std::string_view kWords[] = {"source", "Destination", "Static"};
  const NatTerm& term = *use.term;
  std::string out = fmt::format("{} NAT rule: {:<18} Service set: {}\n", kWords[static_cast<std::size_t>(which)],
                                use.rule->name, cluster.service_sets[service_set].name);
  field(out, "Term", term.name);
  field(out, "Rule position", std::to_string(use.position));
  static constexpr std::string_view kDirections[] = {"input", "output", "input-output"};
  field(out, "Match direction", kDirections[static_cast<std::size_t>(use.rule->direction)]);
  fields(out, "Source addresses", term.from.source_addresses, spaced_range, "any");
  if (!term.from.source_except.empty()) fields(out, "Source except", term.from.source_except, spaced_range, "");
  fields(out, "Destination addresses", term.from.destination_addresses, spaced_range, "any");
  if (!term.from.destination_except.empty()) {
    fields(out, "Destination except", term.from.destination_except, spaced_range, "");
  }
  if (!term.from.source_ports.empty()) fields(out, "Source port", term.from.source_ports, port_range, "");
  if (!term.from.destination_ports.empty())
    fields(out, "Destination port", term.from.destination_ports, port_range, "");
  fields(
      out, "Application", term.from.applications,
      [&](std::uint16_t application) { return cluster.applications[application].name; }, "any");
  field(out, "Action", action_of(cluster, term, which));
  if (which == NatRules::destination && term.translated_ports) {
    field(out, "Translated port", port_range(*term.translated_ports));
  }
  field(out, "Translation type", to_string(term.type));
  if (which == NatRules::source) {
    field(out, "Address pooling", term.address_pooling_paired ? "paired" : "no-paired");
    // NAT64 has endpoint-independent mappings only (RFC 6146).
    const bool endpoint = term.endpoint_independent_mapping || term.type == NatType::stateful_nat64;
    field(out, "Mapping type", endpoint ? "endpoint-independent" : "address-port-mapping");
    field(out, "Filtering type",
          term.endpoint_independent_filtering ? "endpoint-independent" : "address-port-filtering");
  }
  if (use.hits) {
    field(out, "Translation hits", std::to_string(use.hits->hits));
    field(out, "  Successful sessions", std::to_string(use.hits->hits - std::min(use.hits->hits, use.hits->failures)));
    field(out, "  Failed sessions", std::to_string(use.hits->failures));
  }
  return out;
}

}  // namespace icr::cli
