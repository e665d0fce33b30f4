// A command in parsed form.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/grammar/pipe.h"
#include "model/base/time.h"
#include "model/record/address.h"
#include "model/record/protocol.h"

namespace icr::cli {

enum class Verb : std::uint8_t {
  show_sessions,
  count_sessions,
  show_session_groups,  ///< Command::group_by says which
  show_utilization,
  show_analysis,
  clear_analysis,
  clear_sessions,
  show_flows,
  count_flows,
  clear_flows,
  show_conversations,
  clear_conversations,
  show_firewall_statistics,
  clear_firewall_statistics,
  show_hit_counts,
  show_ha,
  show_redundancy_groups,
  show_consistency,
  show_failovers,
  show_packet_drops,
  show_service_set_statistics,  ///< Command::statistics says which counters
  show_service_set_summary,
  show_memory_usage,
  show_cpu_usage,
  show_nat_pools,          ///< JSF form
  show_source_pools,       ///< USF form
  show_destination_pools,  ///< USF form
  show_mappings,           ///< Command::mappings says which kind
  show_mappings_summary,
  show_nat_rules,  ///< Command::rules says which kind
  show_port_blocks,
  show_deterministic,      ///< JSF form: one host, or one translated address
  show_deterministic_usf,  ///< USF form: the table of a pool
  show_source_summary,
  show_destination_summary,
  show_pool_usage,
  show_nat_statistics,
  clear_mappings,
  clear_nat_statistics,
  clear_service_set_statistics,  ///< Command::statistics says which counters
  switchover,
  switchover_dry_run,
  drain,  ///< Command::cancel: take it back
  show_interfaces,
  show_uptime,
  show_system_alarms,
  show_chassis_alarms,
  show_hardware,
  show_log,
  show_absent,  ///< Command::absent says what; the answer is empty
  show_commits,
  compare_commits,  ///< Command::rollback says which
  // These do not ask the cluster, or not with one question.
  show_configuration,  ///< Command::words is the path
  show_version,
  leave,    ///< `exit`, `quit`
  help,     ///< how to use the shell
  set_cli,  ///< Command::setting says what
  check,    ///< Command::words, without the first word of the command, for this and the next ones
  commit,
  roll_back,
  keys,
  netconf,  ///< a session on standard input and output
  serve,    ///< JSON over HTTP; Command::words are its options
  // Live views, which need a terminal.
  monitor_interface,  ///< Command::interface
  monitor_traffic,    ///< all interfaces
  monitor_sessions,
};

/// What `set cli` changes.
enum class CliSetting : std::uint8_t { screen_length, screen_width, complete_on_space, timestamp };

enum class Level : std::uint8_t { none, terse, brief, detail, extensive, summary, statistics };

/// The views of `show services service-sets statistics`.
enum class StatisticsView : std::uint8_t {
  drop_flow_limit,
  integrity_drops,
  tcp,
  tcp_mss,
  screen_drops,
  screen_session_limits,
  packet_drops,  ///< of `clear`
};

/// What Junos has and icr has not.
enum class Absent : std::uint8_t {
  alg_conversations,  ///< no gateway looks into what sessions carry
  alg_statistics,
  alg_sip_globals,
  plug_ins,
  syslog,  ///< of service sets
  jflow_log,
  session_tcp_log,
  tcp_log_connections,
  session_softwires,
  session_softwire_count,
  session_ds_lite,
  session_ds_lite_count,
  session_softwire_flows,
  softwires,
  softwire_count,
  softwire_flows,
  softwire_flow_count,
  softwire_ds_lite_flows,
  softwire_v6rd_flows,
  softwire_sessions,
  softwire_session_count,
  softwire_ds_lite_sessions,
  softwire_ds_lite_session_count,
  softwire_statistics,
};
enum class SoftwireType : std::uint8_t { ds_lite, v6rd };

/// The kinds of mappings that `show` and `clear services nat mappings` select.
enum class Mappings : std::uint8_t { all, endpoint_independent, address_pooling_paired, nptv6 };

/// The kinds of NAT rules that `show services nat ... rule` selects.
enum class NatRules : std::uint8_t { source, destination, fixed };

/// What `top` and `sort-by` sort by; the largest comes first.
enum class Order : std::uint8_t { packets, bytes, age, sessions };
/// The most entries that `top` and `sort-by` show.
inline constexpr std::uint32_t kMostLargest = 1000;

/// What the sessions of a group have in common, for `group-by`.
struct GroupBy {
  enum class What : std::uint8_t { service_set, source_prefix, application_protocol, chassis, nat_pool };
  What what = What::service_set;
  std::uint8_t length = 0;  ///< of source prefixes
  std::string word;         ///< as the answer shows it
};

/// A moment in the past, in UTC: a date with a time, or a time of the last 24 hours.
struct PastMoment {
  std::optional<WallMillis> midnight;  ///< the begin of the day; nullopt: the last one on which the time is not ahead
  WallMillis time_of_day = 0;          ///< in milliseconds
  /// Returns the moment, for an operator to whom it is `now`.
  [[nodiscard]] WallMillis at(WallMillis now) const;
};

/// The name of a services card, "ms-0/0/0", or of one of its units, "ms-0/0/0.1".
struct InterfaceName {
  std::string card;
  std::optional<std::uint32_t> unit;
};

/// A command with the values of its options. An option that was not given has its default, or no value.
struct Command {
  Verb verb = Verb::show_sessions;
  Level level = Level::none;
  std::optional<ApplicationProtocol> application_protocol;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;
  std::optional<Prefix> source_prefix;
  std::optional<Prefix> destination_prefix;
  std::optional<InterfaceName> interface;
  std::optional<std::string> service_set;  ///< as typed; a name that does not exist matches nothing
  std::optional<std::uint32_t> limit;
  std::optional<std::uint32_t> top;  ///< only so many entries, the largest
  std::optional<Order> order;        ///< of `top`, and of `sort-by`
  std::optional<GroupBy> group_by;
  std::optional<PastMoment> as_of;             ///< shows the sessions of that moment, not the present ones
  bool nat = false;                            ///< translated sessions only
  std::optional<std::string> source_nat_pool;  ///< as typed; a name that does not exist matches nothing
  std::optional<std::uint8_t> overload_index;  ///< nat-port-overload-index
  StatisticsView statistics = StatisticsView::tcp;
  Mappings mappings = Mappings::all;
  NatRules rules = NatRules::source;
  std::optional<std::string> name;       ///< of a pool or rule; without value: all of them
  std::optional<Prefix> private_prefix;  ///< for mappings: contains the address of the host
  std::optional<Prefix> public_prefix;   ///< for mappings: contains the translated address
  std::optional<IpAddress> host;         ///< of deterministic-nat internal-host and of host-ip
  std::optional<IpAddress> translated;   ///< of deterministic-nat nat-port-block
  std::optional<Prefix> xlated_ip;       ///< contains the translated address of a block or session
  std::optional<std::uint16_t> xlated_port;
  std::optional<std::uint16_t> port;      ///< of the host or of the translated address
  std::string redundancy_set;             ///< of a switchover: its name, unless `set_id` says which
  std::optional<std::uint32_t> set_id;    ///< of a switchover
  bool force = false;                     ///< of a switchover
  bool cancel = false;                    ///< of a drain
  std::optional<std::uint16_t> group;     ///< the value of rg-id
  std::array<std::size_t, 2> rollback{};  ///< of compare_commits: 0 is the newest commit
  std::optional<std::string> member;      ///< the chassis that is asked alone; "all": each of them by itself
  Absent absent = Absent::softwires;
  std::optional<SoftwireType> softwire_type;
  std::optional<IpAddress> softwire_concentrator;  ///< the end at the provider, AFTR of DS-Lite
  std::optional<IpAddress> softwire_initiator;     ///< the end at the customer, B4 of DS-Lite
  CliSetting setting = CliSetting::screen_length;
  std::uint32_t value = 0;          ///< of `setting`; for one that is on or off, 1 or 0
  std::vector<std::string> words;   ///< of check, commit, rollback and keys, and of show_configuration
  Display display = Display::text;  ///< of the pipe `display`
  std::vector<Pipe> pipes;          ///< all others, in their order
};

/// Returns true for `show` commands: they change nothing, so that they may be repeated.
[[nodiscard]] bool only_shows(Verb verb);
/// Returns true for live views.
[[nodiscard]] bool monitors(Verb verb);
/// Returns true for commands whose answer can be filtered: those that ask the cluster, or read its file.
[[nodiscard]] bool takes_pipes(Verb verb);

}  // namespace icr::cli
