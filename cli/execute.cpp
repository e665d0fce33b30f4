#include "cli/execute.h"

#include "cli/commands.h"

namespace icr::cli {

ExitCode execute(const Command& command, const Environment& environment) {
  if (command.verb == Verb::switchover && !environment.cluster.find_set(command.redundancy_set)) {
    environment.error(fmt::format("error: redundancy set {} not found\n", command.redundancy_set));
    return ExitCode::command_error;
  }
  Asking asking(command, environment);
  asking.survey();
  switch (command.verb) {
    case Verb::show_sessions:
      show_sessions(asking);
      break;
    case Verb::count_sessions:
      count_sessions(asking);
      break;
    case Verb::clear_sessions:
      clear_sessions(asking, "Sessions marked for deletion", 1);
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
      clear_sessions(asking, "Flows removed", 2);
      break;
    case Verb::clear_conversations:
      clear_sessions(asking, "Conversations removed", 1);
      break;
    case Verb::show_utilization:
      show_utilization(asking);
      break;
    case Verb::show_redundancy_groups:
      show_redundancy_groups(asking);
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
    case Verb::switchover:
      switch_over(asking);
      break;
  }
  return asking.finish();
}

}  // namespace icr::cli
