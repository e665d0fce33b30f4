// The commands, by what they are about. Each asks, merges and prints; the survey was taken before.
#pragma once

#include "cli/asking.h"

namespace icr::cli {

// Sessions and flows (session_commands.cpp).
void show_sessions(Asking& asking);
void count_sessions(Asking& asking);
/// `show services flows`, or as conversations.
void show_flows(Asking& asking, bool conversations);
void count_flows(Asking& asking);
/// What is cleared is one thing under three names; `what` heads the column of numbers.
void clear_sessions(Asking& asking, std::string_view what, unsigned per_session);

// Cards, redundancy sets and all counters (cluster_commands.cpp).
void show_utilization(Asking& asking);
void show_redundancy_groups(Asking& asking);
void show_packet_drops(Asking& asking);
void switch_over(Asking& asking);

// NAT (nat_commands.cpp).
void show_nat_pools(Asking& asking);
void show_source_pools(Asking& asking);
void show_destination_pools(Asking& asking);
void show_source_summary(Asking& asking);
void show_destination_summary(Asking& asking);
void show_pool_usage(Asking& asking);
void show_nat_rules(Asking& asking);
void show_mappings(Asking& asking);
void show_mappings_summary(Asking& asking);
void show_port_blocks(Asking& asking);
void show_deterministic(Asking& asking);
void show_deterministic_usf(Asking& asking);
void clear_mappings(Asking& asking);

// Statistics (statistics_commands.cpp).
void show_service_set_statistics(Asking& asking);
void show_nat_statistics(Asking& asking);
void show_firewall_statistics(Asking& asking);
/// Where packets are counted: at the master of each redundancy set.
void clear_statistics(Asking& asking, StatisticsGroup group);
void show_service_set_summary(Asking& asking);
void show_memory_usage(Asking& asking);
void show_cpu_usage(Asking& asking);
void show_analysis(Asking& asking);
/// Of every card that is meant, also of one that is standby.
void clear_analysis(Asking& asking);

}  // namespace icr::cli
