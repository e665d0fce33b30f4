#include "cli/builders/interfaces.h"

#include <algorithm>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::string_view up_or_down(bool up) { return up ? "up" : "down"; }

std::string_view word_of(PacketPort::Kind kind) {
  switch (kind) {
    case PacketPort::Kind::tun:
      return "tun";
    case PacketPort::Kind::pcap:
      return "pcap";
    case PacketPort::Kind::af_packet:
      break;
  }
  return "af-packet";
}

/// The units of a card are its ports. It is up if one of them is.
bool any_unit(const CardRow& card, bool InterfaceStatus::*state) {
  return std::any_of(card.units.begin(), card.units.end(), [&](const UnitRow& each) { return each.interface.*state; });
}

PortTraffic sum_of(const CardRow& card) {
  PortTraffic out;
  for (const UnitRow& each : card.units) out.add(each.traffic);
  return out;
}

/// Adds the addresses of one family; nothing if there are none.
void add_family(Tree& tree, const InterfaceStatus& interface, bool v4, bool with_mtu) {
  const auto is_meant = [v4](const InterfaceStatus::Address& each) { return each.address.is_v4() == v4; };
  if (std::none_of(interface.addresses.begin(), interface.addresses.end(), is_meant)) return;
  const Scope family(tree, "address-family");
  tree.leaf("address-family-name", v4 ? "inet" : "inet6");
  if (with_mtu) tree.leaf("mtu", interface.mtu);
  for (const auto& each : interface.addresses) {
    if (!is_meant(each)) continue;
    const Scope address(tree, "interface-address");
    tree.leaf("ifa-local", fmt::format("{}/{}", each.address.to_string(), each.length));
  }
}

void add_rates(Tree& tree, const PortTraffic& traffic, bool with_counts) {
  if (with_counts) {
    tree.leaf("input-bytes", traffic.input_bytes);
    tree.leaf("input-bps", traffic.input_bps);
    tree.leaf("output-bytes", traffic.output_bytes);
    tree.leaf("output-bps", traffic.output_bps);
    tree.leaf("input-packets", traffic.input_packets);
    tree.leaf("input-pps", traffic.input_pps);
    tree.leaf("output-packets", traffic.output_packets);
    tree.leaf("output-pps", traffic.output_pps);
    return;
  }
  tree.leaf("input-bps", traffic.input_bps);
  tree.leaf("input-pps", traffic.input_pps);
  tree.leaf("output-bps", traffic.output_bps);
  tree.leaf("output-pps", traffic.output_pps);
}

std::string unit_name(const CardRow& card, const UnitRow& unit) {
  return fmt::format("{}.{}", card.name, unit.interface.unit);
}

void add_unit_tersely(Tree& tree, const CardRow& card, const UnitRow& unit) {
  const Scope logical(tree, "logical-interface");
  tree.leaf("name", unit_name(card, unit));
  tree.leaf("admin-status", up_or_down(unit.interface.admin_up));
  tree.leaf("oper-status", up_or_down(unit.interface.link_up));
  add_family(tree, unit.interface, true, false);
  add_family(tree, unit.interface, false, false);
}

void add_unit(Tree& tree, const CardRow& card, const UnitRow& unit, bool detail) {
  const InterfaceStatus& interface = unit.interface;
  const Scope logical(tree, "logical-interface");
  tree.leaf("name", unit_name(card, unit));
  if (interface.index != 0) tree.leaf("local-index", interface.index);
  {
    const Scope flags(tree, "if-config-flags");
    tree.empty(interface.link_up ? "iff-up" : "iff-down");
  }
  tree.leaf(inferred::kPortType, word_of(unit.kind));
  if (!interface.device.empty()) tree.leaf(inferred::kPortDevice, interface.device);
  tree.leaf(inferred::kPortState, !interface.present ? "missing" : up_or_down(interface.link_up));
  {
    const Scope traffic(tree, "traffic-statistics", {{"junos:style", detail ? "verbose" : "brief"}});
    if (detail) {
      add_rates(tree, unit.traffic, true);
    } else {
      tree.leaf("input-packets", unit.traffic.input_packets);
      tree.leaf("output-packets", unit.traffic.output_packets);
    }
  }
  add_family(tree, interface, true, true);
  add_family(tree, interface, false, true);
}

void add_card(Tree& tree, const CardRow& card, bool detail, bool errors) {
  tree.leaf("name", card.name);
  tree.leaf("admin-status", up_or_down(any_unit(card, &InterfaceStatus::admin_up)));
  tree.leaf("oper-status", up_or_down(any_unit(card, &InterfaceStatus::link_up)));
  tree.leaf("if-type", "Adaptive-Services");
  tree.leaf("link-level-type", "Adaptive-Services");
  const PortTraffic sum = sum_of(card);
  {
    const Scope traffic(tree, "traffic-statistics", {{"junos:style", detail ? "verbose" : "brief"}});
    add_rates(tree, sum, detail);
  }
  if (!errors) return;
  tree.leaf("input-error-count", sum.input_errors);
  tree.leaf("output-error-count", sum.output_errors);
}

}  // namespace

void build_interfaces(Tree& tree, const std::vector<CardRow>& cards, std::optional<std::uint32_t> unit, Level level) {
  const bool terse = level == Level::terse;
  const bool detail = level == Level::detail || level == Level::extensive;
  begin_answer(tree, "interface-information", terse ? "terse" : detail ? "detail" : "normal");
  for (const CardRow& card : cards) {
    // As on a router, a unit that is asked for stands alone.
    std::optional<Scope> physical;
    if (!unit) {
      physical.emplace(tree, "physical-interface");
      if (terse) {
        tree.leaf("name", card.name);
        tree.leaf("admin-status", up_or_down(any_unit(card, &InterfaceStatus::admin_up)));
        tree.leaf("oper-status", up_or_down(any_unit(card, &InterfaceStatus::link_up)));
      } else {
        add_card(tree, card, detail, detail || level == Level::statistics);
      }
    }
    for (const UnitRow& each : card.units) {
      if (unit && each.interface.unit != *unit) continue;
      if (terse) {
        add_unit_tersely(tree, card, each);
      } else {
        add_unit(tree, card, each, detail);
      }
    }
  }
  tree.end();
}

}  // namespace icr::cli
