// The commands, by subject. Each function asks the sources of its command, merges the replies, and prints the result.
// REQUIRES: asking.survey() was called.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "cli/asking.h"
#include "cli/builders/interfaces.h"

namespace icr::cli {

// Sessions and flows (session_commands.cpp).
void show_sessions(Asking& asking);
void count_sessions(Asking& asking);
/// `show services sessions as-of` (past_commands.cpp).
void show_past_sessions(Asking& asking);
/// `show services sessions group-by`.
void show_session_groups(Asking& asking);
/// `show services flows`; with `conversations` `show services stateful-firewall conversations`.
void show_flows(Asking& asking, bool conversations);
void count_flows(Asking& asking);
/// Clears sessions for the three commands that do so, whose answers differ in their names.
void clear_sessions(Asking& asking, const ClearedNames& names);

// Terms of firewall rules, and peers (policy_commands.cpp).
void show_hit_counts(Asking& asking);
void show_ha(Asking& asking);

// Cards, redundancy sets and all counters (cluster_commands.cpp).
void show_utilization(Asking& asking);
void show_redundancy_groups(Asking& asking);
void show_failovers(Asking& asking);
void show_packet_drops(Asking& asking);
void switch_over(Asking& asking);
/// Returns the redundancy set of a switchover, by name or number; nothing if the cluster has no such set. A stand-alone
/// set has no number for operators.
[[nodiscard]] std::optional<std::uint16_t> addressed_set(const Command& command, const Cluster& cluster);

// Twins (twin_commands.cpp).
/// `show services redundancy-group consistency`.
void show_consistency(Asking& asking);
/// `request services redundancy-set ... switchover dry-run`.
void dry_run_switchover(Asking& asking);
void drain(Asking& asking);

// Each chassis by itself (chassis_commands.cpp, interface_commands.cpp). Only alarms need a survey.
void show_interfaces(Asking& asking);
void show_uptime(Asking& asking);
/// `show chassis alarms` and `show system alarms`.
void show_alarms(Asking& asking);
void show_hardware(Asking& asking);
/// Reads the ports of each chassis and what went through them, of the interface that the command names or of all.
/// Refuses an interface that does not exist.
[[nodiscard]] std::optional<std::map<std::uint16_t, std::vector<CardRow>>> read_interfaces(Asking& asking);
// (log_commands.cpp)
void show_log(Asking& asking);

// Commits (system_commands.cpp). These need no survey.
void show_commits(Asking& asking);
void compare_commits(Asking& asking);

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
/// Clears the counters of `group` at the master of each redundancy set.
void clear_statistics(Asking& asking, StatisticsGroup group);
/// Clears the counters that `clear services service-sets statistics ...` names.
void clear_service_set_statistics(Asking& asking);
void show_service_set_summary(Asking& asking);
void show_memory_usage(Asking& asking);
void show_cpu_usage(Asking& asking);
void show_analysis(Asking& asking);
/// Clears the analysis of every selected card, including cards that are standby.
void clear_analysis(Asking& asking);

}  // namespace icr::cli
