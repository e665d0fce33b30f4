// The tree of all keywords that icr understands, except those of NAT (nat_tree.cpp).
#include <limits>

#include "cli/grammar/grammar.h"
#include "cli/grammar/options.h"
#include "cli/grammar/values.h"
#include "model/query/commit.h"

namespace icr::cli {
namespace {

constexpr std::uint64_t kSessionLevels = kBrief | kExtensive | kTerse;

template <Verb verb>
Result<void> become(Command& c, std::string_view /*none*/) {
  c.verb = verb;
  return {};
}
template <StatisticsView group>
void enter_statistics(Command& c) {
  c.verb = Verb::show_service_set_statistics;
  c.statistics = group;
}

const std::vector<ValueWord>& rate_words() {
  static const std::vector<ValueWord> words = {{"bytes", "Bytes of both directions"},
                                               {"packets", "Packets of both directions"}};
  return words;
}

/// Returns the filters for translated sessions.
Options nat_filters() {
  return {
      {"nat", "Translated sessions only", false, kNat, kUtilization,
       [](Command& c, std::string_view) -> Result<void> {
         c.nat = true;
         return {};
       }},
      {"nat-port-overload-index", "Overload index of the translated port (0..127)", true, kOverloadIndex, kUtilization,
       [](Command& c, std::string_view v) -> Result<void> {
         const auto number = parse_number(v, 0, 127);
         if (!number) return tl::unexpected(number.error());
         c.overload_index = static_cast<std::uint8_t>(*number);
         return {};
       }},
      {"source-nat-pool", "Name of the source NAT pool", true, kSourceNatPool, kUtilization,
       [](Command& c, std::string_view v) -> Result<void> {
         auto name = parse_name(v, "source-nat-pool");
         if (!name) return tl::unexpected(name.error());
         c.source_nat_pool = std::move(*name);
         return {};
       },
       0, NameOf::nothing, NameOf::nat_pool},
  };
}

Options show_session_options() {
  Options out = levels(kSessionLevels, kUtilization | kGroupBy) + session_filters() + nat_filters() +
                xlated_options(kUtilization);
  out.push_back(verb_option("count", "Display the number of matching sessions", kCount,
                            kUtilization | kTop | kSortBy | kGroupBy | kAsOf, become<Verb::count_sessions>));
  out = std::move(out) + limit_option("Maximum number of entries to display") + order_options() + past_option();
  out.push_back(verb_option("utilization", "Display statistical details about session utilization", kUtilization,
                            ~std::uint64_t{kInterface}, become<Verb::show_utilization>));
  return out;
}

GrammarNode flows_node() {
  Options options =
      levels(kSessionLevels, kAll) + session_filters() + limit_option("Maximum number of flows to display");
  options.push_back(verb_option("count", "Display the number of matching flows", kCount, 0, become<Verb::count_flows>));
  options.push_back(verb_option("all", "Display all flows", kAll, kSessionLevels | kAll,
                                [](Command&, std::string_view) -> Result<void> { return {}; }));
  return command("flows", "Display flows", enter<Verb::show_flows>, std::move(options));
}

GrammarNode show_stateful_firewall() {
  const Options where = service_set_option() + interface_option();
  return keyword(
      "stateful-firewall", "Display stateful firewall information",
      {
          command("conversations", "Display conversations", enter<Verb::show_conversations>,
                  levels(kSessionLevels) + session_filters() + limit_option("Maximum number of conversations")),
          flows_node(),
          command("statistics", "Display stateful firewall statistics", enter<Verb::show_firewall_statistics>,
                  levels(kBrief | kDetail | kExtensive | kSummary) + where),
      });
}

GrammarNode show_service_sets() {
  const Options where = service_set_option() + interface_option();
  std::vector<GrammarNode> statistics = {
      command("drop-flow-limit", "Display counters of flow limits", enter_statistics<StatisticsView::drop_flow_limit>,
              where),
      keyword("ids", "Display counters of screens, in the words of MS-MPC cards",
              {command("drops", "Display counters of screens", enter_statistics<StatisticsView::screen_drops>, where),
               keyword("session-limits", "Display session limits of screens",
                       {command("counters", "Display counters of the session limits of screens",
                                enter_statistics<StatisticsView::screen_session_limits>, where)})}),
      command("integrity-drops", "Display counters of packets with errors",
              enter_statistics<StatisticsView::integrity_drops>, where),
      command("packet-drops", "Display counters of dropped and refused packets", enter<Verb::show_packet_drops>,
              levels(kExtensive) + where),
      command("screen-drops", "Display counters of screens", enter_statistics<StatisticsView::screen_drops>, where),
      command("screen-session-limit-counters", "Display counters of the session limits of screens",
              enter_statistics<StatisticsView::screen_session_limits>, where),
      command("tcp", "Display counters of TCP tracking", enter_statistics<StatisticsView::tcp>, where),
      command("tcp-mss", "Display counters of TCP MSS rewriting", enter_statistics<StatisticsView::tcp_mss>, where),
  };
  for (auto& each : show_log_statistics()) statistics.push_back(std::move(each));
  return keyword("service-sets", "Display service sets",
                 {
                     command("cpu-usage", "Display CPU usage", enter<Verb::show_cpu_usage>, where),
                     command("memory-usage", "Display memory usage", enter<Verb::show_memory_usage>, where),
                     show_plug_ins(),
                     keyword("statistics", "Display statistics of service sets", std::move(statistics)),
                     command("summary", "Display a summary of service sets", enter<Verb::show_service_set_summary>,
                             interface_option()),
                 });
}

Options group_option() {
  return {{"rg-id", "Number of a redundancy group (1..1000)", true, kGroupId, 0,
           [](Command& c, std::string_view v) -> Result<void> {
             const auto number = parse_number(v, 1, 1000);
             if (!number) return tl::unexpected(number.error());
             c.group = static_cast<std::uint16_t>(*number);
             return {};
           },
           0, NameOf::nothing, NameOf::group_id}};
}

GrammarNode show_services() {
  GrammarNode sessions =
      command("sessions", "Display session information", enter<Verb::show_sessions>, show_session_options());
  sessions.children = {
      command("analysis", "Display statistics of sessions", enter<Verb::show_analysis>, interface_option())};
  for (auto& each : show_absent_sessions()) sessions.children.push_back(std::move(each));
  GrammarNode groups = command("redundancy-group", "Display redundancy groups", enter<Verb::show_redundancy_groups>,
                               levels(kSessionLevels) + group_option());
  groups.children = {command("consistency", "Compare the sessions of both members", enter<Verb::show_consistency>,
                             levels(kExtensive) + group_option()),
                     command("failovers", "Display what takeovers cost", enter<Verb::show_failovers>,
                             levels(kExtensive) + group_option())};
  return keyword(
      "services", "Show services",
      {
          show_alg(),
          flows_node(),
          command("ha", "Display high availability information", enter<Verb::show_ha>,
                  levels(kBrief | kDetail, kStatistics) + statistics_option(kBrief | kDetail) + interface_option()),
          show_nat(),
          keyword("policies", "Display firewall policies",
                  {command("hit-count", "Display how often each policy was matched", enter<Verb::show_hit_counts>,
                           service_set_option() + interface_option())}),
          std::move(groups),
          keyword("screen", "Display screens",
                  {command("statistics", "Display counters of screens", enter_statistics<StatisticsView::screen_drops>,
                           service_set_option() + interface_option())}),
          show_service_sets(),
          std::move(sessions),
          show_softwire(),
          show_stateful_firewall(),
          show_tcp_log(),
      });
}

template <StatisticsView group>
void enter_clear(Command& c) {
  c.verb = Verb::clear_service_set_statistics;
  c.statistics = group;
}

GrammarNode clear_service_sets() {
  const Options where = service_set_option() + interface_option();
  return keyword(
      "service-sets", "Clear service sets",
      {keyword(
          "statistics", "Clear statistics of service sets",
          {
              command("integrity-drops", "Clear counters of packets with errors",
                      enter_clear<StatisticsView::integrity_drops>, where),
              command("packet-drops", "Clear counters of dropped and refused packets",
                      enter_clear<StatisticsView::packet_drops>, where),
              command("screen-drops", "Clear counters of screens", enter_clear<StatisticsView::screen_drops>, where),
              command("tcp", "Clear counters of TCP tracking", enter_clear<StatisticsView::tcp>, where),
              command("tcp-mss", "Clear counters of TCP MSS rewriting", enter_clear<StatisticsView::tcp_mss>, where),
          })});
}

GrammarNode clear_services() {
  GrammarNode sessions =
      command("sessions", "Clear sessions", enter<Verb::clear_sessions>, session_filters() + nat_filters());
  sessions.children = {
      command("analysis", "Clear statistics of sessions", enter<Verb::clear_analysis>, interface_option())};
  return keyword("services", "Clear services",
                 {
                     command("flows", "Clear flows", enter<Verb::clear_flows>, session_filters()),
                     clear_nat(),
                     clear_service_sets(),
                     std::move(sessions),
                     keyword("stateful-firewall", "Clear stateful firewall information",
                             {
                                 command("flows", "Clear flows", enter<Verb::clear_conversations>, session_filters()),
                                 command("statistics", "Clear statistics", enter<Verb::clear_firewall_statistics>,
                                         service_set_option() + interface_option()),
                             }),
                 });
}

/// Returns what can be asked of a redundancy set, after its name or number.
std::vector<GrammarNode> set_actions() {
  const Options force = {
      {"force", "Also to a standby that is warned", false, kForce, 0, [](Command& c, std::string_view) -> Result<void> {
         c.force = true;
         return {};
       }}};
  GrammarNode event;
  event.help = "Name of the event";
  event.value = "redundancy-event";
  event.take = [](Command&, std::string_view v) -> Result<void> {
    auto name = parse_name(v, "redundancy-event");
    if (!name) return tl::unexpected(name.error());
    return {};
  };
  event.children = {command("trigger", "Hand mastership to the other chassis", enter<Verb::switchover>, force)};
  GrammarNode switchover =
      command("switchover", "Hand mastership to the other chassis", enter<Verb::switchover>, force);
  switchover.children = {
      command("dry-run", "Display what a switchover would cost", enter<Verb::switchover_dry_run>, levels(kExtensive))};
  const Options cancel = {
      {"cancel", "Take it back into service", false, kCancel, 0, [](Command& c, std::string_view) -> Result<void> {
         c.cancel = true;
         return {};
       }}};
  return {
      command("drain", "Take a chassis out of service: the master, or that of --chassis", enter<Verb::drain>, cancel),
      keyword("redundancy-event", "Act as if an event had happened", {std::move(event)}), std::move(switchover)};
}

GrammarNode request_services() {
  GrammarNode name;
  name.help = "Name of the redundancy set";
  name.value = "redundancy-set";
  name.offers = NameOf::redundancy_set;
  name.take = [](Command& c, std::string_view v) -> Result<void> {
    auto name = parse_name(v, "redundancy-set");
    if (!name) return tl::unexpected(name.error());
    c.redundancy_set = std::move(*name);
    return {};
  };
  name.children = set_actions();
  GrammarNode number;
  number.help = "Number of the redundancy set";
  number.value = "id";
  number.offers = NameOf::set_id;
  number.take = [](Command& c, std::string_view v) -> Result<void> {
    const auto number = parse_number(v, 1, std::numeric_limits<std::uint32_t>::max());
    if (!number) return tl::unexpected(number.error());
    c.set_id = static_cast<std::uint32_t>(*number);
    return {};
  };
  number.children = set_actions();
  return keyword("services", "Request services actions",
                 {keyword("redundancy-set", "Act on a redundancy set",
                          {keyword("id", "Number of the redundancy set", {std::move(number)}), std::move(name)})});
}

template <std::size_t place>
Result<void> take_rollback(Command& c, std::string_view v) {
  const auto number = parse_number(v, 0, kMaxCommits - 1);
  if (!number) return tl::unexpected(number.error());
  c.rollback[place] = static_cast<std::size_t>(*number);
  return {};
}

GrammarNode show_system() {
  GrammarNode second;
  second.help = "Number of a former commit (0..49)";
  second.value = "rollback";
  second.take = take_rollback<1>;
  second.complete = true;
  second.enter = enter<Verb::compare_commits>;
  GrammarNode first;
  first.help = second.help;
  first.value = second.value;
  first.take = take_rollback<0>;
  first.children = {std::move(second)};
  return keyword(
      "system", "Show system information",
      {command("alarms", "Show system alarm status", enter<Verb::show_system_alarms>, member_option()),
       command("commit", "Display commits, and what each chassis runs", enter<Verb::show_commits>, {}),
       keyword("rollback", "Display former commits",
               {keyword("compare", "Compare two former commits", {std::move(first)})}),
       command("uptime", "Show time since system and processes started", enter<Verb::show_uptime>, member_option())});
}

GrammarNode show_chassis() {
  return keyword(
      "chassis", "Show chassis information",
      {command("alarms", "Show chassis alarm status", enter<Verb::show_chassis_alarms>, member_option()),
       command("hardware", "Show installed hardware components", enter<Verb::show_hardware>, member_option())});
}

/// Returns the order of `monitor services sessions`: by rates, so there is no age.
Options rate_order() {
  return {{"by", "Whose rate puts a session in front: packets or bytes (bytes)", true, kBy, 0,
           [](Command& c, std::string_view v) -> Result<void> {
             const auto order = parse_order(v);
             if (!order) return tl::unexpected(order.error());
             if (*order != Order::packets && *order != Order::bytes) return fail("invalid value '{}'", v);
             c.order = *order;
             return {};
           },
           0, NameOf::nothing, NameOf::nothing, rate_words}};
}

GrammarNode monitor() {
  GrammarNode name;
  name.help = "Name of a card, or of one of its units";
  name.value = "interface";
  name.offers = NameOf::interface;
  name.take = [](Command& c, std::string_view v) -> Result<void> {
    auto interface = parse_interface(v);
    if (!interface) return tl::unexpected(interface.error());
    c.interface = std::move(*interface);
    return {};
  };
  name.complete = true;
  name.enter = enter<Verb::monitor_interface>;
  name.options = member_option();
  return keyword(
      "monitor", "Show real-time debugging information",
      {keyword("interface", "Show interface traffic, again every second",
               {std::move(name), command("traffic", "Show traffic of all interfaces, again every second",
                                         enter<Verb::monitor_traffic>, member_option())}),
       keyword("services", "Show services, again every second",
               {command("sessions", "Show the largest sessions with their rates, again every second",
                        enter<Verb::monitor_sessions>,
                        session_filters() + nat_filters() + xlated_options() + rate_order() + member_option())})});
}

/// Adds `member` to every command below a node, but those that compare the members with each other.
void add_member_option(GrammarNode& node) {
  if (node.word == "consistency") return;
  if (node.complete) node.options = std::move(node.options) + member_option();
  for (auto& child : node.children) add_member_option(child);
}

GrammarNode build() {
  GrammarNode services = show_services();
  add_member_option(services);
  std::vector<GrammarNode> first = {
      keyword("clear", "Clear information in the system", {clear_services()}), monitor(),
      keyword("request", "Make system-level requests", {request_services()}),
      keyword("show", "Show system information",
              {show_chassis(), show_configuration(),
               command("interfaces", "Show interface information", enter<Verb::show_interfaces>,
                       interface_levels() + bare_interface() + member_option()),
               keyword("log", "Show contents of a log file",
                       {command("messages", "Show the newest lines of the log of each chassis", enter<Verb::show_log>,
                                member_option())}),
               std::move(services), show_system(),
               command("version", "Show software process revision levels", enter<Verb::show_version>, {})})};
  for (auto& each : local_commands()) first.push_back(std::move(each));
  return keyword("", "", std::move(first));
}

}  // namespace

const GrammarNode& grammar() {
  static const GrammarNode root = build();
  return root;
}

}  // namespace icr::cli
