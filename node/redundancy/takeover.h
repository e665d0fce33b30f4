// What a standby knew when it became master: of its role machine, of the former master, and of the stream that it
// followed. The report of the takeover is made of it (node/set/failover_recorder.h).
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/time.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"

namespace icr::node {

struct Takeover {
  RoleMachine::Takeover how;
  TimePoint heard_at;                  ///< the last sign of life of the former master
  TimePoint heartbeat_at;              ///< its last heartbeat
  std::optional<TimePoint> closed_at;  ///< when the connection to it closed; nullopt while it is open
  DetectorStatus detector;             ///< in the round in which the member became master
  std::uint64_t applied = 0;           ///< last number of its stream that was applied; 0: there was none
  std::optional<std::uint64_t> sent;   ///< last number that it said it had sent; nullopt if it did not say
};

}  // namespace icr::node
