// What an operator asks for, after the words were understood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/address.h"
#include "model/protocol.h"

namespace icr::cli {

enum class Verb : std::uint8_t {
  show_sessions,
  count_sessions,
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
  show_redundancy_groups,
  show_packet_drops,
  show_service_set_statistics,  ///< `statistics` says which
  show_service_set_summary,
  show_memory_usage,
  show_cpu_usage,
  show_nat_pools,          ///< JSF form
  show_source_pools,       ///< USF form
  show_destination_pools,  ///< USF form
  show_mappings,           ///< `mappings` says which
  show_mappings_summary,
  show_nat_rules,  ///< `rules` says which
  show_port_blocks,
  show_deterministic,      ///< JSF form: one host, or one translated address
  show_deterministic_usf,  ///< USF form: the table of a pool
  show_source_summary,
  show_destination_summary,
  show_pool_usage,
  show_nat_statistics,
  clear_mappings,
  clear_nat_statistics,
  switchover,
};

enum class Level : std::uint8_t { none, terse, brief, detail, extensive, summary };

/// Which of `show services service-sets statistics`.
enum class StatisticsView : std::uint8_t {
  drop_flow_limit,
  integrity_drops,
  tcp,
  tcp_mss,
  screen_drops,
  screen_session_limits,
};

/// Which NAT mappings.
enum class Mappings : std::uint8_t { all, endpoint_independent, address_pooling_paired, nptv6 };

/// Which NAT rules.
enum class NatRules : std::uint8_t { source, destination, fixed };

/// "ms-0/0/0", or one unit of it: "ms-0/0/0.1".
struct InterfaceName {
  std::string card;
  std::optional<std::uint32_t> unit;
};

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
  std::optional<std::string> service_set;  ///< as typed: one that does not exist matches nothing
  std::optional<std::uint32_t> limit;
  bool nat = false;                            ///< translated sessions only
  std::optional<std::string> source_nat_pool;  ///< as typed: one that does not exist matches nothing
  std::optional<std::uint8_t> overload_index;  ///< nat-port-overload-index
  StatisticsView statistics = StatisticsView::tcp;
  Mappings mappings = Mappings::all;
  NatRules rules = NatRules::source;
  std::optional<std::string> name;       ///< of a pool or rule; none (or "all"): every one
  std::optional<Prefix> private_prefix;  ///< mappings: of the host
  std::optional<Prefix> public_prefix;   ///< mappings: of the translated address
  std::optional<IpAddress> host;         ///< deterministic-nat internal-host, host-ip
  std::optional<IpAddress> translated;   ///< deterministic-nat nat-port-block
  std::optional<Prefix> xlated_ip;       ///< of the translated address, of blocks and sessions
  std::optional<std::uint16_t> xlated_port;
  std::optional<std::uint16_t> port;   ///< of the host or the translated address
  std::string redundancy_set;          ///< switchover
  std::optional<std::uint16_t> group;  ///< redundancy-group rg-id
};

}  // namespace icr::cli
