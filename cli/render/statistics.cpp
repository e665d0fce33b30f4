#include "cli/render/statistics.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "cli/builders/statistics.h"
#include "cli/render/layouts.h"

namespace icr::cli {
namespace {

constexpr std::array<std::string_view, 30> kCapitals = {
    "ack",    "alg",   "app", "cpu", "dnat", "eif",  "eim", "fin", "icmp",  "icmp6",
    "icmpv6", "id",    "ids", "ip",  "ipv4", "ipv6", "mss", "nat", "nat44", "nat64",
    "napt",   "nptv6", "pba", "rst", "syn",  "tcp",  "tfo", "ttl", "udp",   "dns"};

/// Appends the counters of a service set, each with its label, below the label of its container. `prefix` stands in
/// front of the names of leaves.
void append_service_set(const ElementRange& row, std::string_view prefix, std::string& out) {
  const Element& element = *row.element;
  out += fmt::format("  Service set: {}\n", row.value("service-set-name"));
  for (std::uint32_t i = row.first; i < row.last; ++i) {
    const std::string_view name = element.name(i);
    if (name == "interface-name" || name == "service-set-name") continue;
    if (!element.item(i).is_leaf) {
      out += fmt::format("    {}:\n", label_of(name));
      const std::uint32_t after = element.item(i).after;
      while (++i < after) out += fmt::format("      {}: {}\n", label_of(element.name(i)), element.value(i));
      --i;
      continue;
    }
    out += fmt::format("    {}: {}\n", label_of(std::string(prefix) + std::string(name)), element.value(i));
  }
}

RowLayout service_set_row(std::string_view element, std::string_view prefix = {}) {
  RowLayout row;
  row.element = element;
  row.render = [prefix](const ElementRange& range, std::string& out) { append_service_set(range, prefix, out); };
  return row;
}

/// Returns the layout of an answer with an element for each interface.
Layout by_interface(std::string_view interface, std::string_view service_set) {
  return {{{interface, Template("Interface: {interface-name}\n"), "\n", false, {service_set_row(service_set)}}}, {}};
}

/// Returns the layout of an answer whose rows name their interface. Without `answer`, the rows are answers.
Layout flat(std::string_view answer, std::string_view service_set, std::string_view prefix = {}) {
  RowLayout row = service_set_row(service_set, prefix);
  row.heading = Template("Interface: {interface-name}\n");
  return {{{answer, Template(), {}, false, {std::move(row)}}}, "\n"};
}

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::string_view or_zero(std::string_view value) { return value.empty() ? "0" : value; }

/// Appends the line of `show services stateful-firewall statistics`: all kinds of errors are added.
void append_firewall_line(const ElementRange& row, std::string_view interface, std::string& out) {
  std::uint64_t errors = 0;
  const std::uint32_t containers = row.find("error-counters");
  if (containers != row.last) {
    const ElementRange inside = row.inside(containers);
    for (std::uint32_t i = inside.first; i < inside.last; ++i) errors += number(row.element->value(i));
  }
  out += fmt::format("{:<12}{:<28}{:>13}{:>13}{:>13}{:>13}\n", interface, row.value("service-set-name"),
                     or_zero(row.value("total-flow-accepts")), or_zero(row.value("total-flow-discards")),
                     or_zero(row.value("total-flow-rejects")), errors);
}

/// Returns the layout of the counters of the firewall as a table.
Layout firewall_table() {
  RowLayout row;
  row.element = "service-sfw-statistics-entry";
  row.heading =
      Template("Interface   Service set                        Accept      Discard       Reject       Errors\n");
  row.render = [](const ElementRange& card, std::string& out) {
    for (std::uint32_t i = card.first; i < card.last; i = card.element->item(i).after) {
      if (card.element->name(i) != "sfw-stats-service-set-entry") continue;
      append_firewall_line(card.inside(i), card.value("interface-name"), out);
    }
  };
  return {{{"service-sfw-statistics-information", Template(), {}, false, {std::move(row)}}}, {}};
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

void add_statistics_layouts(Layouts& layouts) {
  const auto firewall = by_interface("service-sfw-statistics-entry", "sfw-stats-service-set-entry");
  layouts[{Verb::show_firewall_statistics, Level::none}] = firewall_table();
  layouts[{Verb::show_firewall_statistics, Level::detail}] = firewall;
  layouts[{Verb::show_firewall_statistics, Level::extensive}] = firewall;
  layouts[{Verb::show_nat_statistics, Level::none}] = flat("", "service-nat-statistics-information");
  // The views of the statistics of service sets have different elements.
  Layout views;
  for (const auto view :
       {StatisticsView::drop_flow_limit, StatisticsView::integrity_drops, StatisticsView::tcp, StatisticsView::tcp_mss,
        StatisticsView::screen_drops, StatisticsView::screen_session_limits}) {
    const StatisticsNames& names = names_of(view);
    Layout layout = names.of_interface.empty() ? flat(names.answer, names.of_service_set, names.prefix)
                                               : by_interface(names.of_interface, names.of_service_set);
    views.groups.push_back(std::move(layout.groups[0]));
  }
  views.between_headings = "\n";
  layouts[{Verb::show_service_set_statistics, Level::none}] = std::move(views);
}

}  // namespace icr::cli
