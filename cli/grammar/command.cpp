#include "cli/grammar/command.h"

namespace icr::cli {

bool only_shows(Verb verb) {
  switch (verb) {
    case Verb::show_sessions:
    case Verb::count_sessions:
    case Verb::show_session_groups:
    case Verb::show_utilization:
    case Verb::show_analysis:
    case Verb::show_flows:
    case Verb::count_flows:
    case Verb::show_conversations:
    case Verb::show_firewall_statistics:
    case Verb::show_hit_counts:
    case Verb::show_ha:
    case Verb::show_redundancy_groups:
    case Verb::show_consistency:
    case Verb::show_failovers:
    case Verb::show_packet_drops:
    case Verb::show_service_set_statistics:
    case Verb::show_service_set_summary:
    case Verb::show_memory_usage:
    case Verb::show_cpu_usage:
    case Verb::show_nat_pools:
    case Verb::show_source_pools:
    case Verb::show_destination_pools:
    case Verb::show_mappings:
    case Verb::show_mappings_summary:
    case Verb::show_nat_rules:
    case Verb::show_port_blocks:
    case Verb::show_deterministic:
    case Verb::show_deterministic_usf:
    case Verb::show_source_summary:
    case Verb::show_destination_summary:
    case Verb::show_pool_usage:
    case Verb::show_nat_statistics:
    case Verb::show_interfaces:
    case Verb::show_uptime:
    case Verb::show_system_alarms:
    case Verb::show_chassis_alarms:
    case Verb::show_hardware:
    case Verb::show_log:
    case Verb::show_absent:
    case Verb::show_commits:
    case Verb::compare_commits:
    case Verb::show_configuration:
    case Verb::show_version:
      return true;
    case Verb::clear_analysis:
    case Verb::clear_sessions:
    case Verb::clear_flows:
    case Verb::clear_conversations:
    case Verb::clear_firewall_statistics:
    case Verb::clear_mappings:
    case Verb::clear_nat_statistics:
    case Verb::clear_service_set_statistics:
    case Verb::switchover:
    case Verb::switchover_dry_run:
    case Verb::drain:
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
      return false;
  }
  return false;
}

bool monitors(Verb verb) {
  return verb == Verb::monitor_interface || verb == Verb::monitor_traffic || verb == Verb::monitor_sessions;
}

bool takes_pipes(Verb verb) {
  switch (verb) {
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
      return false;
    default:
      return true;
  }
}

}  // namespace icr::cli
