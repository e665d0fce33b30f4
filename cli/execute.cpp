#include "cli/execute.h"

#include <algorithm>

#include "cli/absent.h"
#include "cli/commands.h"
#include "cli/render/layouts.h"
#include "cli/result/junos.h"
#include "cli/rpc.h"

namespace icr::cli {

bool has_tree(const Command& command) {
  switch (command.verb) {
    // The text of these is not a layout over the tree yet; both are made of the same merged figures.
    case Verb::show_nat_pools:
    case Verb::show_source_pools:
    case Verb::show_destination_pools:
    case Verb::show_source_summary:
    case Verb::show_destination_summary:
    case Verb::show_pool_usage:
    case Verb::show_nat_rules:
    case Verb::show_redundancy_groups:
    case Verb::show_failovers:
    case Verb::show_commits:
    case Verb::show_version:
    case Verb::show_log:
    case Verb::show_absent:
    // What a chassis says to a request is the text of `output`.
    case Verb::switchover:
    case Verb::drain:
    case Verb::show_consistency:
    case Verb::switchover_dry_run:
    // Counters that were cleared leave nothing to say.
    case Verb::clear_firewall_statistics:
    case Verb::clear_nat_statistics:
    case Verb::clear_service_set_statistics:
    case Verb::clear_analysis:
      return true;
    default:
      return layout_of(command.verb, command.level) != nullptr;
  }
}

namespace {

/// Returns true for destructive commands. They reject unknown names instead of reporting "0 removed".
bool clears(Verb verb) {
  switch (verb) {
    case Verb::clear_sessions:
    case Verb::clear_flows:
    case Verb::clear_conversations:
    case Verb::clear_mappings:
    case Verb::clear_firewall_statistics:
    case Verb::clear_nat_statistics:
    case Verb::clear_service_set_statistics:
    case Verb::clear_analysis:
      return true;
    default:
      return false;
  }
}

/// Returns true for commands that are about cards and redundancy sets.
bool needs_survey(Verb verb) {
  return verb != Verb::show_commits && verb != Verb::compare_commits && verb != Verb::show_uptime &&
         verb != Verb::show_hardware && verb != Verb::show_interfaces && verb != Verb::show_log &&
         verb != Verb::show_absent;
}

/// Returns true for commands about whole cards, which cannot be restricted to a unit.
bool is_about_cards(Verb verb) {
  return verb == Verb::show_utilization || verb == Verb::show_service_set_summary || verb == Verb::show_analysis ||
         verb == Verb::clear_analysis;
}

/// Returns an error message if the command names something that this cluster does not have, otherwise an empty text.
std::string mistake_in(const Command& command, const Cluster& cluster) {
  if (command.member && *command.member != "all" && !cluster.find_chassis(*command.member)) {
    return fmt::format("member {} not found", *command.member);
  }
  const bool addresses_set =
      command.verb == Verb::switchover || command.verb == Verb::switchover_dry_run || command.verb == Verb::drain;
  if (addresses_set && !addressed_set(command, cluster)) {
    return fmt::format("redundancy set {} not found",
                       command.set_id ? std::to_string(*command.set_id) : command.redundancy_set);
  }
  if (command.order == Order::sessions && !command.group_by) return "only groups have a number of sessions: group-by";
  if (command.order == Order::age && command.group_by) return "groups of sessions have no age";
  if (command.order && !command.top && !command.group_by && (!command.limit || *command.limit > kMostLargest)) {
    return fmt::format("sort-by needs a limit of 1 to {}", kMostLargest);
  }
  if (command.group &&
      std::none_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(),
                   [&](const RedundancySet& set) { return !set.stand_alone() && set.id == *command.group; })) {
    return fmt::format("redundancy group {} not found", *command.group);
  }
  if (clears(command.verb) && command.service_set &&
      std::none_of(cluster.service_sets.begin(), cluster.service_sets.end(),
                   [&](const ServiceSet& each) { return each.name == *command.service_set; })) {
    return fmt::format("service set {} not found", *command.service_set);
  }
  if (clears(command.verb) && command.source_nat_pool &&
      std::none_of(cluster.nat_pools.begin(), cluster.nat_pools.end(),
                   [&](const NatPool& each) { return each.name == *command.source_nat_pool; })) {
    return fmt::format("NAT pool {} not found", *command.source_nat_pool);
  }
  const bool known_card =
      !command.interface ||
      std::any_of(cluster.chassis.begin(), cluster.chassis.end(), [&](const ChassisConfig& chassis) {
        return std::any_of(chassis.cards.begin(), chassis.cards.end(),
                           [&](const CardConfig& card) { return card.name == command.interface->card; });
      });
  if (clears(command.verb) && !known_card) return fmt::format("interface {} not found", command.interface->card);
  // A unit selects the service sets that use it. A unit without service sets would select nothing.
  if (clears(command.verb) && command.interface && command.interface->unit) {
    const std::uint32_t unit = *command.interface->unit;
    const bool used = std::any_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(), [&](const auto& set) {
      const bool here = std::any_of(set.members.begin(), set.members.end(), [&](const RedundancyMember& member) {
        return member.card == command.interface->card;
      });
      return here && std::any_of(set.service_sets.begin(), set.service_sets.end(), [&](std::uint16_t index) {
               const ServiceSet& service = cluster.service_sets[index];
               return service.inside_unit == unit || service.outside_unit == unit;
             });
    });
    if (!used) return fmt::format("interface {}.{} not found", command.interface->card, unit);
  }
  if (is_about_cards(command.verb) && command.interface && command.interface->unit) {
    return fmt::format("this command is about whole cards: name interface {} without a unit", command.interface->card);
  }
  return {};
}

/// Returns an error message if the command cannot be displayed as it asks for, otherwise an empty text.
std::string mistake_in_display(const Command& command) {
  switch (command.display) {
    case Display::text:
      break;
    case Display::xml:
    case Display::json:
      if (!has_tree(command)) return "this command has no form but text: `| display` is not possible";
      break;
    case Display::xml_rpc:
      if (rpc_name(command).empty()) return "xml rpc equivalent of this command is not available";
      break;
    case Display::set:
      return "this command shows no configuration: `| display set` is not possible";
  }
  return {};
}

std::unique_ptr<Face> face_for(const Command& command, const Environment& environment) {
  const Printer& out = environment.out;
  static const Layout nothing;
  switch (command.display) {
    case Display::text:
    case Display::set:
      break;
    case Display::xml:
    case Display::xml_rpc:
      return make_xml_face(out, environment.report ? Envelope::none : Envelope::cli);
    case Display::json:
      return make_json_face(out);
  }
  const Layout* layout = layout_of(command.verb, command.level);
  return make_text_face(out, layout == nullptr ? nothing : *layout);
}

/// Carries out the command. Its answer goes to the face of `asking`, or, if its text is not made of a tree, to the
/// output.
void carry_out(Asking& asking) {
  const Command& command = asking.command();
  switch (command.verb) {
    case Verb::show_sessions:
      show_sessions(asking);
      break;
    case Verb::count_sessions:
      count_sessions(asking);
      break;
    case Verb::show_session_groups:
      show_session_groups(asking);
      break;
    case Verb::clear_sessions:
      clear_sessions(asking, kClearedSessions);
      break;
    case Verb::show_flows:
      show_flows(asking, false);
      break;
    case Verb::show_conversations:
      show_flows(asking, true);
      break;
    case Verb::count_flows:
      count_flows(asking);
      break;
    case Verb::clear_flows:
      clear_sessions(asking, kClearedFlows);
      break;
    case Verb::clear_conversations:
      clear_sessions(asking, kClearedConversations);
      break;
    case Verb::show_utilization:
      show_utilization(asking);
      break;
    case Verb::show_hit_counts:
      show_hit_counts(asking);
      break;
    case Verb::show_ha:
      show_ha(asking);
      break;
    case Verb::clear_service_set_statistics:
      clear_service_set_statistics(asking);
      break;
    case Verb::show_redundancy_groups:
      show_redundancy_groups(asking);
      break;
    case Verb::show_consistency:
      show_consistency(asking);
      break;
    case Verb::show_failovers:
      show_failovers(asking);
      break;
    case Verb::show_packet_drops:
      show_packet_drops(asking);
      break;
    case Verb::show_analysis:
      show_analysis(asking);
      break;
    case Verb::clear_analysis:
      clear_analysis(asking);
      break;
    case Verb::show_firewall_statistics:
      show_firewall_statistics(asking);
      break;
    case Verb::show_service_set_statistics:
      show_service_set_statistics(asking);
      break;
    case Verb::show_service_set_summary:
      show_service_set_summary(asking);
      break;
    case Verb::show_memory_usage:
      show_memory_usage(asking);
      break;
    case Verb::show_cpu_usage:
      show_cpu_usage(asking);
      break;
    case Verb::show_nat_pools:
      show_nat_pools(asking);
      break;
    case Verb::show_source_pools:
      show_source_pools(asking);
      break;
    case Verb::show_destination_pools:
      show_destination_pools(asking);
      break;
    case Verb::show_mappings:
      show_mappings(asking);
      break;
    case Verb::show_mappings_summary:
      show_mappings_summary(asking);
      break;
    case Verb::show_nat_rules:
      show_nat_rules(asking);
      break;
    case Verb::show_port_blocks:
      show_port_blocks(asking);
      break;
    case Verb::show_deterministic:
      show_deterministic(asking);
      break;
    case Verb::show_deterministic_usf:
      show_deterministic_usf(asking);
      break;
    case Verb::show_source_summary:
      show_source_summary(asking);
      break;
    case Verb::show_destination_summary:
      show_destination_summary(asking);
      break;
    case Verb::show_pool_usage:
      show_pool_usage(asking);
      break;
    case Verb::show_nat_statistics:
      show_nat_statistics(asking);
      break;
    case Verb::clear_mappings:
      clear_mappings(asking);
      break;
    case Verb::clear_firewall_statistics:
      clear_statistics(asking, StatisticsGroup::stateful_firewall);
      break;
    case Verb::clear_nat_statistics:
      clear_statistics(asking, StatisticsGroup::nat);
      break;
    case Verb::switchover_dry_run:
      dry_run_switchover(asking);
      break;
    case Verb::switchover:
      switch_over(asking);
      break;
    case Verb::drain:
      drain(asking);
      break;
    case Verb::show_interfaces:
      show_interfaces(asking);
      break;
    case Verb::show_log:
      show_log(asking);
      break;
    case Verb::show_absent:
      if (const auto name = names_of(command.absent).answer; !name.empty()) {
        begin_answer(asking.tree(), name);
        asking.tree().end();
      }
      break;
    case Verb::show_uptime:
      show_uptime(asking);
      break;
    case Verb::show_system_alarms:
    case Verb::show_chassis_alarms:
      show_alarms(asking);
      break;
    case Verb::show_hardware:
      show_hardware(asking);
      break;
    case Verb::show_commits:
      show_commits(asking);
      break;
    case Verb::compare_commits:
      compare_commits(asking);
      break;
    case Verb::show_configuration:
    case Verb::show_version:
    case Verb::leave:
    case Verb::help:
    case Verb::set_cli:
    case Verb::check:
    case Verb::commit:
    case Verb::roll_back:
    case Verb::keys:
    case Verb::netconf:
    case Verb::serve:
    case Verb::monitor_interface:
    case Verb::monitor_traffic:
    case Verb::monitor_sessions:
      break;  // the program executes them itself (cli/shell)
  }
}

ExitCode ask(const Command& command, const Environment& environment, Face& face) {
  Asking asking(command, environment, face);
  if (needs_survey(command.verb)) asking.survey();
  carry_out(asking);
  return asking.finish();
}

/// Returns the worse of two exit codes: an answer that lacks something, an error, a difference.
ExitCode worse(ExitCode a, ExitCode b) {
  const auto rank = [](ExitCode code) {
    return code == ExitCode::incomplete ? 3 : code == ExitCode::command_error ? 2 : code == ExitCode::ok ? 0 : 1;
  };
  return rank(a) < rank(b) ? b : a;
}

/// Asks one chassis after the other, each for everything that it holds: in XML and JSON an item for each in
/// `multi-routing-engine-results`, in text a part for each with the heading of the nodes of an SRX cluster.
ExitCode ask_each_chassis(const Command& command, const Environment& environment) {
  const bool is_text = command.display == Display::text;
  auto face = face_for(command, environment);
  auto code = ExitCode::ok;
  std::string_view between;
  if (!is_text) face->begin("multi-routing-engine-results");
  for (std::uint16_t i = 0; i < environment.cluster.chassis.size(); ++i) {
    if (environment.only_chassis.value_or(i) != i) continue;
    Environment one = environment;
    one.only_chassis = i;
    const std::string& name = environment.cluster.chassis[i].name;
    if (is_text) {
      environment.out(fmt::format("{}{}:\n{:-<74}\n", between, name, ""));
      between = "\n";
      face = face_for(command, environment);
    } else {
      face->begin("multi-routing-engine-item");
      face->leaf("re-name", name);
    }
    code = worse(code, ask(command, one, *face));
    if (is_text) {
      face->finish();
    } else {
      face->end();
    }
  }
  if (is_text) return code;
  face->end();
  face->finish();
  return code;
}

}  // namespace

ExitCode execute(const Command& command, const Environment& environment) {
  std::string mistake = mistake_in_display(command);
  if (mistake.empty() && command.display != Display::xml_rpc) mistake = mistake_in(command, environment.cluster);
  if (!mistake.empty()) {
    environment.error(fmt::format("error: {}\n", mistake));
    return ExitCode::command_error;
  }
  if (command.display != Display::xml_rpc && command.member == "all") return ask_each_chassis(command, environment);
  const auto face = face_for(command, environment);
  auto code = ExitCode::ok;
  if (command.display == Display::xml_rpc) {
    add_rpc(*face, command);
  } else if (command.member) {
    Environment one = environment;
    one.only_chassis = environment.cluster.find_chassis(*command.member);
    code = ask(command, one, *face);
  } else {
    code = ask(command, environment, *face);
  }
  face->finish();
  return code;
}

}  // namespace icr::cli
