// Builds the tree of `show interfaces`: cards, and the ports below them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/system.h"

namespace icr::cli {

/// A unit of a card, with the port that serves it.
struct UnitRow {
  PacketPort::Kind kind = PacketPort::Kind::tun;
  InterfaceStatus interface;
  PortTraffic traffic;
};
struct CardRow {
  std::string name;
  std::vector<UnitRow> units;
};
/// Builds the answer of a chassis. `unit`: that one alone, without its card.
void build_interfaces(Tree& tree, const std::vector<CardRow>& cards, std::optional<std::uint32_t> unit, Level level);

}  // namespace icr::cli
