// `show interfaces`: what the kernel says about the ports of each chassis, and what went through them.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "cli/builders/interfaces.h"
#include "cli/commands.h"
#include "cli/each_chassis.h"

namespace icr::cli {
namespace {

using Place = std::tuple<std::uint16_t, std::uint16_t, std::uint32_t>;  // chassis, card, unit

bool is_meant(const Command& command, const CardConfig& card) {
  return !command.interface || command.interface->card == card.name;
}

/// Asks every card that the command selects what went through its ports.
std::map<Place, PortTraffic> ask_traffic(Asking& asking, const std::set<std::uint16_t>& chassis) {
  for (const std::uint16_t each : chassis) {
    const auto& cards = asking.cluster().chassis[each].cards;
    for (std::uint16_t card = 0; card < cards.size(); ++card) {
      if (!is_meant(asking.command(), cards[card])) continue;
      QueryRequest request;
      request.kind = QueryKind::traffic;
      request.card = card;
      asking.environment().transport.ask(each, std::move(request));
    }
  }
  std::map<Place, PortTraffic> out;
  while (auto answer = asking.environment().transport.next()) {
    const auto* reply = asking.accepted(*answer);
    if (reply == nullptr) continue;
    for (const PortTraffic& port : reply->traffic) out[{answer->chassis, answer->request.card, port.unit}] = port;
  }
  return out;
}

/// Returns the cards of a chassis that are meant. A port of which no card has told the traffic is left out.
std::vector<CardRow> rows_of(const Asking& asking, std::uint16_t chassis, const SystemStatus& system,
                             const std::map<Place, PortTraffic>& traffic) {
  std::vector<CardRow> out;
  const auto& cards = asking.cluster().chassis[chassis].cards;
  for (std::uint16_t card = 0; card < cards.size(); ++card) {
    if (!is_meant(asking.command(), cards[card])) continue;
    CardRow row;
    row.name = cards[card].name;
    for (const InterfaceStatus& interface : system.interfaces) {
      const auto port = traffic.find({chassis, card, interface.unit});
      if (interface.card_id != cards[card].stable_id || port == traffic.end()) continue;
      const PacketPort* config = cards[card].port(interface.unit);
      const auto kind = config != nullptr          ? config->kind
                        : interface.device.empty() ? PacketPort::Kind::pcap
                                                   : PacketPort::Kind::tun;
      row.units.push_back({kind, interface, port->second});
    }
    std::sort(row.units.begin(), row.units.end(),
              [](const UnitRow& a, const UnitRow& b) { return a.interface.unit < b.interface.unit; });
    if (!row.units.empty()) out.push_back(std::move(row));
  }
  std::sort(out.begin(), out.end(), [](const CardRow& a, const CardRow& b) { return a.name < b.name; });
  return out;
}

/// Returns true if the cluster has the interface that the command names.
bool exists(const Asking& asking) {
  const auto& wanted = asking.command().interface;
  if (!wanted) return true;
  const auto chassis = asked_chassis(asking);
  return std::any_of(chassis.begin(), chassis.end(), [&](std::uint16_t each) {
    const CardConfig* card = asking.cluster().chassis[each].card(wanted->card);
    return card != nullptr && (!wanted->unit || card->port(*wanted->unit) != nullptr);
  });
}

}  // namespace

std::optional<std::map<std::uint16_t, std::vector<CardRow>>> read_interfaces(Asking& asking) {
  const auto& wanted = asking.command().interface;
  if (!exists(asking)) {
    const std::string unit = wanted->unit ? fmt::format(".{}", *wanted->unit) : std::string();
    asking.refuse(fmt::format("device {}{} not found", wanted->card, unit));
    return std::nullopt;
  }
  const auto systems = ask_systems(asking);
  const auto traffic = ask_traffic(asking, keys_of(systems));
  std::map<std::uint16_t, std::vector<CardRow>> rows;
  for (const auto& [chassis, system] : systems) {
    auto cards = rows_of(asking, chassis, system, traffic);
    if (!cards.empty() || !wanted) rows[chassis] = std::move(cards);
  }
  return rows;
}

void show_interfaces(Asking& asking) {
  const auto rows = read_interfaces(asking);
  if (!rows) return;
  const auto& wanted = asking.command().interface;
  build_each(asking, keys_of(*rows), [&](std::uint16_t chassis) {
    build_interfaces(asking.tree(), rows->at(chassis), wanted ? wanted->unit : std::nullopt, asking.command().level);
  });
}

}  // namespace icr::cli
