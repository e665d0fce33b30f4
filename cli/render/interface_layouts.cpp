// `show interfaces`, as routers print it: cards as physical interfaces, and their units as logical ones.
#include <functional>

#include "cli/render/layouts.h"
#include "cli/result/inferred.h"

namespace icr::cli {
namespace {

/// Calls `take` for each item of the range that has that name, not looking into elements.
void for_each(const ElementRange& range, std::string_view name, const std::function<void(std::uint32_t index)>& take) {
  for (std::uint32_t i = range.first; i < range.last; i = range.element->item(i).after) {
    if (range.element->name(i) == name) take(i);
  }
}

std::string_view capital(std::string_view state) { return state == "up" ? "Up" : state == "down" ? "Down" : "missing"; }

// -- terse --

/// Appends a line for each address, the first of them beside `columns`.
void append_terse_unit(const ElementRange& unit, std::string& out) {
  std::string columns =
      fmt::format("{:<24}{:<6}{:<5}", unit.value("name"), unit.value("admin-status"), unit.value("oper-status"));
  bool any = false;
  for_each(unit, "address-family", [&](std::uint32_t index) {
    const ElementRange family = unit.inside(index);
    std::string_view name = family.value("address-family-name");
    for_each(family, "interface-address", [&](std::uint32_t address) {
      out += fmt::format("{:<35}{:<9}{}\n", columns, name, family.inside(address).value("ifa-local"));
      columns.clear();
      name = {};
      any = true;
    });
  });
  if (!any) out += columns.substr(0, columns.find_last_not_of(' ') + 1) + "\n";
}

void append_terse(const ElementRange& card, std::string& out) {
  out += fmt::format("{:<24}{:<6}{}\n", card.value("name"), card.value("admin-status"), card.value("oper-status"));
  for_each(card, "logical-interface", [&](std::uint32_t index) { append_terse_unit(card.inside(index), out); });
}

// -- all other levels --

/// Appends octets and packets with their rates, as `detail` has them. Template: every line is indented by `indent`.
void append_counts(const ElementRange& of, std::string_view indent, std::string& out) {
  const std::uint32_t at = of.find("traffic-statistics");
  if (at == of.last) return;
  const ElementRange traffic = of.inside(at);
  out += fmt::format("{}Traffic statistics:\n", indent);
  const auto line = [&](std::string_view label, std::string_view count, std::string_view rate, std::string_view unit) {
    out += fmt::format("{} {}:{:>21}{:>21} {}\n", indent, label, traffic.value(count), traffic.value(rate), unit);
  };
  line("Input  bytes  ", "input-bytes", "input-bps", "bps");
  line("Output bytes  ", "output-bytes", "output-bps", "bps");
  line("Input  packets", "input-packets", "input-pps", "pps");
  line("Output packets", "output-packets", "output-pps", "pps");
}

bool is_detailed(const ElementRange& of) {
  const std::uint32_t at = of.find("traffic-statistics");
  return at != of.last && !of.inside(at).value("input-bytes").empty();
}

void append_unit(const ElementRange& unit, std::string& out) {
  const auto index = unit.value("local-index");
  out += fmt::format("  Logical interface {}{}\n", unit.value("name"),
                     index.empty() ? std::string() : fmt::format(" (Index {})", index));
  const std::uint32_t flags = unit.find("if-config-flags");
  const bool up = flags != unit.last && unit.inside(flags).find("iff-up") != unit.inside(flags).last;
  out += fmt::format("    Flags: {} Encapsulation: Adaptive-Services\n", up ? "Up" : "Down");
  const auto device = unit.value(inferred::kPortDevice);
  out += fmt::format("    Port: {}{}{}, Link is {}\n", unit.value(inferred::kPortType), device.empty() ? "" : " ",
                     device, capital(unit.value(inferred::kPortState)));
  if (is_detailed(unit)) {
    append_counts(unit, "    ", out);
  } else {
    const ElementRange traffic = unit.inside(unit.find("traffic-statistics"));
    out += fmt::format("    Input packets : {}\n    Output packets: {}\n", traffic.value("input-packets"),
                       traffic.value("output-packets"));
  }
  for_each(unit, "address-family", [&](std::uint32_t at) {
    const ElementRange family = unit.inside(at);
    out += fmt::format("    Protocol {}, MTU: {}\n", family.value("address-family-name"), family.value("mtu"));
    for_each(family, "interface-address", [&](std::uint32_t address) {
      out += fmt::format("      Local: {}\n", family.inside(address).value("ifa-local"));
    });
  });
}

void append_lone_unit(const ElementRange& unit, std::string& out) {
  append_unit(unit, out);
  out += '\n';
}

void append_card(const ElementRange& card, std::string& out) {
  const bool enabled = card.value("admin-status") == "up";
  out += fmt::format("Physical interface: {}, {}, Physical link is {}\n", card.value("name"),
                     enabled ? "Enabled" : "Administratively down", capital(card.value("oper-status")));
  out += fmt::format("  Type: {}, Link-level type: {}\n", card.value("if-type"), card.value("link-level-type"));
  const bool runs = card.value("oper-status") == "up";
  out += fmt::format("  Device flags   : Present{}{}\n", runs ? " Running" : "", enabled ? "" : " Down");
  if (is_detailed(card)) {
    append_counts(card, "  ", out);
  } else {
    const ElementRange traffic = card.inside(card.find("traffic-statistics"));
    out += fmt::format("  Input rate     : {} bps ({} pps)\n  Output rate    : {} bps ({} pps)\n",
                       traffic.value("input-bps"), traffic.value("input-pps"), traffic.value("output-bps"),
                       traffic.value("output-pps"));
  }
  if (const auto errors = card.value("input-error-count"); !errors.empty()) {
    out += fmt::format("  Input errors: {}, Output errors: {}\n", errors, card.value("output-error-count"));
  }
  for_each(card, "logical-interface", [&](std::uint32_t index) {
    out += '\n';
    append_unit(card.inside(index), out);
  });
  out += '\n';
}

Layout interfaces(bool terse) {
  RowLayout card = row_layout("physical-interface", {});
  RowLayout unit = row_layout("logical-interface", {});
  card.render = terse ? append_terse : append_card;
  unit.render = terse ? append_terse_unit : append_lone_unit;
  Layout out;
  GroupLayout each = each_chassis_layout({});
  if (!terse) each.between = {};  // an interface ends with an empty line
  out.groups.push_back(std::move(each));
  out.groups.push_back(
      {"interface-information",
       Template(terse ? "Interface               Admin Link Proto    Local                 Remote\n" : ""),
       {},
       terse,
       {std::move(card), std::move(unit)}});
  return out;
}

}  // namespace

void add_interface_layouts(Layouts& layouts) {
  layouts[{Verb::show_interfaces, Level::none}] = interfaces(false);
  layouts[{Verb::show_interfaces, Level::terse}] = interfaces(true);
}

}  // namespace icr::cli
