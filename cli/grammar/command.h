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
  clear_sessions,
  show_redundancy_groups,
  show_packet_drops,
  switchover,
};

enum class Level : std::uint8_t { none, terse, brief, extensive };

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
  std::string redundancy_set;  ///< switchover
};

}  // namespace icr::cli
