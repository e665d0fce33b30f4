#include "cli/rpc.h"

#include <array>
#include <ctime>
#include <map>

#include "cli/absent.h"

namespace icr::cli {
namespace {

/// The names are those of the YANG models and of clients of Junos.
const std::map<Verb, std::string_view>& names_by_verb() {
  static const std::map<Verb, std::string_view> names = {
      {Verb::show_sessions, "get-msp-session-table"},
      {Verb::count_sessions, "get-service-msp-sess-count-information"},
      {Verb::show_utilization, "get-services-sessions-utilization"},
      {Verb::show_analysis, "get-service-msp-session-analysis-information"},
      {Verb::clear_sessions, "clear-service-msp-session-table-information"},
      {Verb::show_flows, "get-service-msp-flow-table-information"},
      {Verb::count_flows, "get-service-sfw-flow-count-information"},
      {Verb::clear_flows, "clear-service-msp-flow-table-information"},
      {Verb::show_conversations, "get-service-sfw-conversation-information"},
      {Verb::clear_conversations, "clear-service-sfw-flow-table-information"},
      {Verb::show_firewall_statistics, "get-service-sfw-statistics-information"},
      {Verb::show_packet_drops, "get-service-set-packet-drop-statistics"},
      {Verb::show_service_set_summary, "get-service-set-summary-information"},
      {Verb::show_memory_usage, "get-service-set-memory-statistics"},
      {Verb::show_cpu_usage, "get-service-set-cpu-statistics"},
      {Verb::show_nat_pools, "get-service-nat-pool-information"},
      {Verb::show_source_pools, "retrieve-srv-source-nat-pool-information"},
      {Verb::show_destination_pools, "get-srv-dst-nat-pool-information"},
      {Verb::show_mappings_summary, "get-service-nat-mapping-summary"},
      {Verb::show_port_blocks, "get-serv-src-nat-port-block"},
      {Verb::show_deterministic_usf, "get-serv-det-nat"},
      {Verb::show_nat_statistics, "get-service-nat-statistics-information"},
      {Verb::clear_mappings, "clear-service-nat-mappings-information"},
      {Verb::show_hit_counts, "get-services-policies-hit-count"},
      {Verb::show_ha, "get-service-ha-info"},
      {Verb::show_interfaces, "get-interface-information"},
      {Verb::show_uptime, "get-system-uptime-information"},
      {Verb::show_system_alarms, "get-system-alarm-information"},
      {Verb::show_chassis_alarms, "get-alarm-information"},
      {Verb::show_hardware, "get-chassis-inventory"},
      {Verb::show_log, "get-log"},
      {Verb::switchover, "request-services-redundancy-set"},
      {Verb::show_commits, "get-commit-information"},
      {Verb::show_version, "get-software-information"},
  };
  return names;
}

std::string_view name_of_statistics(StatisticsView view) {
  switch (view) {
    case StatisticsView::tcp:
      return "get-service-set-tcp-tracker-statistics";
    case StatisticsView::tcp_mss:
      return "get-service-set-tcp-mss-statistics";
    case StatisticsView::drop_flow_limit:
      return "get-service-set-drop-flow-statistics";
    case StatisticsView::integrity_drops:
      return "get-service-set-integrity-drops-statistics";
    // The names of the next two are those that MS-MPC cards have.
    case StatisticsView::screen_drops:
      return "get-service-set-ids-drops-statistics";
    case StatisticsView::screen_session_limits:
      return "get-ids-session-limits-counters-statistics";
    case StatisticsView::packet_drops:
      break;
  }
  return {};
}

std::string_view name_of_mappings(const Command& command) {
  switch (command.mappings) {
    case Mappings::endpoint_independent:
      return "get-service-nat-mapping-endpoint-independent";
    case Mappings::address_pooling_paired:
      return "get-service-nat-mapping-address-pooling-paired";
    case Mappings::nptv6:
      return {};
    case Mappings::all:
      break;
  }
  return command.level == Level::detail ? "get-service-nat-mapping-detail" : "get-service-nat-mapping-brief";
}

std::string_view name_of_rules(NatRules rules) {
  switch (rules) {
    case NatRules::source:
      return "get-srv-source-nat-rule-sets-information";
    case NatRules::destination:
      return "get-srv-dst-nat-rule-sets-information";
    case NatRules::fixed:
      break;
  }
  return "get-srv-static-nat-rule-information";
}

std::string_view word_of(Level level) {
  switch (level) {
    case Level::none:
      break;
    case Level::terse:
      return "terse";
    case Level::brief:
      return "brief";
    case Level::detail:
      return "detail";
    case Level::extensive:
      return "extensive";
    case Level::summary:
      return "summary";
    case Level::statistics:
      return "statistics";
  }
  return {};
}

template <class Value>
void argument(Tree& tree, std::string_view name, const std::optional<Value>& value) {
  if (value) tree.leaf(name, *value);
}
void argument(Tree& tree, std::string_view name, const std::optional<Prefix>& value) {
  if (value) tree.leaf(name, value->to_string());
}
void argument(Tree& tree, std::string_view name, const std::optional<IpAddress>& value) {
  if (value) tree.leaf(name, value->to_string());
}

std::string_view word_of(Order order) {
  switch (order) {
    case Order::packets:
      return "packets";
    case Order::bytes:
      return "bytes";
    case Order::sessions:
      return "sessions";
    case Order::age:
      break;
  }
  return "age";
}

std::string word_of(const PastMoment& moment) {
  const WallMillis at = moment.midnight.value_or(0) + moment.time_of_day;
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  std::array<char, 32> text{};
  (void)::gmtime_r(&seconds, &parts);
  const std::size_t size =
      std::strftime(text.data(), text.size(), moment.midnight ? "%Y-%m-%d.%H:%M:%S" : "%H:%M:%S", &parts);
  std::string out(text.data(), size);
  if (at % 1000 != 0) out += fmt::format(".{:03}", at % 1000);
  return out;
}

void add_filters(Tree& tree, const Command& c) {
  argument(tree, "limit", c.limit);
  if (c.as_of) tree.leaf("as-of", word_of(*c.as_of));
  argument(tree, "top", c.top);
  if (c.order) tree.leaf(c.top ? "by" : "sort-by", word_of(*c.order));
  argument(tree, "source-prefix", c.source_prefix);
  argument(tree, "destination-prefix", c.destination_prefix);
  argument(tree, "source-port", c.source_port);
  argument(tree, "destination-port", c.destination_port);
  if (c.protocol) tree.leaf("protocol", protocol_keyword(*c.protocol));
  argument(tree, "service-set", c.service_set);
  if (c.interface) {
    tree.leaf(c.verb == Verb::show_interfaces ? "interface-name" : "interface",
              c.interface->unit ? fmt::format("{}.{}", c.interface->card, *c.interface->unit) : c.interface->card);
  }
  if (c.application_protocol) tree.leaf("application-protocol", application_protocol_keyword(*c.application_protocol));
  if (c.nat) tree.empty("nat");
  argument(tree, "source-nat-pool", c.source_nat_pool);
  argument(tree, "nat-port-overload-index", c.overload_index);
}

void add_nat_arguments(Tree& tree, const Command& c) {
  argument(tree, argument_of(c.verb, ""), c.name);
  if (c.verb == Verb::clear_mappings) {
    if (c.mappings == Mappings::address_pooling_paired) tree.empty("app");
    if (c.mappings == Mappings::endpoint_independent) tree.empty("eim");
    // The option takes an address.
    if (c.private_prefix) tree.leaf("subscriber", c.private_prefix->base.to_string());
  } else {
    argument(tree, "private", c.private_prefix);
  }
  argument(tree, "public", c.public_prefix);
  argument(tree,
           c.verb == Verb::show_deterministic ? "internal-host"
           : c.verb == Verb::show_absent      ? "host"
                                              : "host-ip",
           c.host);
  argument(tree, "nat-port-block", c.translated);
  argument(tree, "xlated-ip", c.xlated_ip);
  argument(tree, "xlated-port", c.xlated_port);
  argument(tree, "port", c.port);
}

void add_softwire_arguments(Tree& tree, const Command& c) {
  if (c.softwire_type) tree.empty(*c.softwire_type == SoftwireType::ds_lite ? "ds-lite" : "v6rd");
  // The models write two of these names large.
  const bool large = c.absent == Absent::softwire_ds_lite_flows;
  const bool v6rd = c.absent == Absent::softwire_v6rd_flows;
  argument(tree, v6rd ? "concentrator" : large ? "AFTR" : "aftr", c.softwire_concentrator);
  argument(tree, v6rd ? "initiator" : large ? "B4" : "b4", c.softwire_initiator);
}

}  // namespace

std::string_view rpc_name(const Command& command) {
  switch (command.verb) {
    case Verb::show_redundancy_groups:
      return command.group ? "get-services-redundancy-group-id-information"
                           : "get-services-redundancy-group-information";
    case Verb::show_service_set_statistics:
      return name_of_statistics(command.statistics);
    case Verb::show_absent:
      return names_of(command.absent).call;
    case Verb::show_mappings:
      return name_of_mappings(command);
    case Verb::show_nat_rules:
      return name_of_rules(command.rules);
    case Verb::show_deterministic:
      return command.host ? "get-service-detnat-information" : "get-service-detnat-pb-information";
    default:
      break;
  }
  const auto found = names_by_verb().find(command.verb);
  return found == names_by_verb().end() ? std::string_view() : found->second;
}

std::string_view argument_of(Verb verb, std::string_view word) {
  if (word == "rg-id") return "id";
  if (!word.empty()) return word;
  if (verb == Verb::show_interfaces) return "interface-name";
  return verb == Verb::show_nat_rules ? "rule-name" : verb == Verb::show_nat_pools ? "pool-name" : "pool";
}

void add_rpc(Tree& tree, const Command& command) {
  const Scope rpc(tree, "rpc");
  const Scope call(tree, rpc_name(command));
  // The name of the call says which mappings; everything else is an argument.
  if (const auto level = word_of(command.level); !level.empty() && command.verb != Verb::show_mappings) {
    tree.empty(level);
  }
  add_filters(tree, command);
  add_nat_arguments(tree, command);
  add_softwire_arguments(tree, command);
  if (command.verb == Verb::show_log) tree.leaf("filename", "messages");
  if (command.verb == Verb::switchover) {
    argument(tree, "id", command.set_id);
    if (!command.set_id) tree.leaf("redundancy-set", command.redundancy_set);
    if (command.force) tree.empty("force");
  }
  argument(tree, argument_of(command.verb, "rg-id"), command.group);
  argument(tree, "member", command.member);
}

}  // namespace icr::cli
