#include "cli/monitor/look.h"

#include <fmt/format.h>

#include <utility>

#include "cli/asking.h"
#include "cli/builders/sessions.h"
#include "cli/commands.h"
#include "cli/merge/largest.h"
#include "model/base/clock.h"

namespace icr::cli {
namespace {

/// Drops the tree: the answer is not printed.
class NoFace final : public Face {
 public:
  NoFace() : Face([](std::string_view) {}) {}

 private:
  void on_begin(std::string_view /*name*/, Attributes /*attributes*/) override {}
  void on_leaf(std::string_view /*name*/, std::string_view /*value*/, Attributes /*attributes*/) override {}
  void on_empty(std::string_view /*name*/) override {}
  void on_end() override {}
  void on_finish() override {}
};

std::string shown_end_of(const IpAddress& address, bool with_port, std::uint16_t port) {
  return with_port ? fmt::format("{}:{}", address.to_string(), port) : address.to_string();
}

void look_at_interfaces(Asking& asking, Look& look) {
  const auto& wanted = asking.command().interface;
  const auto read = read_interfaces(asking);
  if (!read) return;
  for (const auto& [chassis, cards] : *read) {
    const std::string& name = asking.cluster().chassis[chassis].name;
    for (const CardRow& card : cards) {
      InterfaceLook whole{name, card.name, false, false, {}};
      std::vector<InterfaceLook> units;
      for (const UnitRow& unit : card.units) {
        const InterfaceStatus& status = unit.interface;
        whole.enabled = whole.enabled || status.admin_up;
        whole.up = whole.up || status.link_up;
        whole.traffic.add(unit.traffic);
        if (wanted && wanted->unit && *wanted->unit != status.unit) continue;
        units.push_back(
            {name, fmt::format("{}.{}", card.name, status.unit), status.admin_up, status.link_up, unit.traffic});
      }
      if (!wanted || !wanted->unit) look.interfaces.push_back(std::move(whole));
      for (auto& unit : units) look.interfaces.push_back(std::move(unit));
    }
  }
}

void look_at_sessions(Asking& asking, Look& look) {
  const Cluster& cluster = asking.cluster();
  const Selection selection = select(cluster, asking.command());
  const auto sources = asking.sources(selection);
  const auto order = asking.command().order == Order::packets ? SessionOrder::packets : SessionOrder::bytes;
  const auto largest = read_largest(cluster, asking.environment().transport, sources,
                                    {selection.filter, order, kMonitoredSessions}, asking.unreachable());
  for (const auto& entry : largest) {
    const Source& source = sources[entry.source];
    const SessionRecord& record = entry.record;
    const FlowKey& flow = record.flow[0];
    const bool ports = has_ports(flow.protocol);
    look.sessions.push_back({{source.set, source.card, record.ref.slot, record.ref.generation},
                             source.interface,
                             cluster.name_of_service_set(record.service_set),
                             capital_protocol(flow.protocol),
                             fmt::format("{} -> {}", shown_end_of(flow.source, ports, flow.source_port),
                                         shown_end_of(flow.destination, ports, flow.destination_port)),
                             size_of(record, SessionOrder::packets),
                             size_of(record, SessionOrder::bytes)});
  }
}

}  // namespace

Look look_at(const Command& command, Environment environment) {
  Look look;
  const TimePoint begin = monotonic_now();
  environment.error = [&look](std::string_view text) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    look.errors.emplace_back(text);
  };
  environment.report = nullptr;
  NoFace face;
  Asking asking(command, environment, face);
  if (command.verb == Verb::monitor_sessions) {
    asking.survey();
    look_at_sessions(asking, look);
  } else {
    look_at_interfaces(asking, look);
  }
  look.code = asking.finish();
  look.at = monotonic_now();
  look.took = look.at - begin;
  return look;
}

}  // namespace icr::cli
