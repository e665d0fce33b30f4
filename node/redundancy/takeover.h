// What a standby knew when it became master: of its role machine, of the former master, and of the stream that it
// followed. The report of the takeover is made of it (node/set/failover_recorder.h).
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/time.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"
#include "replication/protocol.h"
#include "replication/receiver.h"

namespace icr::node {

/// What a standby knows of what its master had and it may lack. Sessions and NAT bindings have slots alike.
struct CopyRisk {
  /// What the master told last in a heartbeat, and the place of its stream then; nullopt: it told nothing.
  std::optional<replication::Lag> told;
  replication::Position told_of;
  TimePoint told_at;                 ///< when that heartbeat was read
  replication::Position applied;     ///< the last message of the stream that was applied
  replication::Receiver::Word word;  ///< what that message told
  bool gap = false;                  ///< a message came after one that did not come
  std::uint32_t lacking = 0;         ///< slots whose record was refused or skipped
  TimePoint changed_at;              ///< when changes of state were applied last; TimePoint() if never

  /// Returns the last word of the master on what its standby lacks: when it was read, and an upper bound of the slots
  /// that the standby lacks of what the master had when it said so. `hot`: the copy is complete. nullopt: it told
  /// nothing of this stream.
  struct Bound {
    TimePoint at;
    std::uint64_t slots = 0;
  };
  [[nodiscard]] std::optional<Bound> bound(bool hot) const;
  /// Returns how many messages the master said it had sent in its present attempt, and that were not applied; nullopt
  /// if it told nothing of this stream.
  [[nodiscard]] std::optional<std::uint64_t> missing() const;

 private:
  [[nodiscard]] bool told_is_applied() const;
};

struct Takeover {
  RoleMachine::Takeover how;
  TimePoint heard_at;                  ///< the last sign of life of the former master
  TimePoint heartbeat_at;              ///< its last heartbeat
  std::optional<TimePoint> closed_at;  ///< when the connection to it closed; nullopt while it is open
  DetectorStatus detector;             ///< in the round in which the member became master
  std::uint64_t applied = 0;           ///< last number of its stream that was applied; 0: there was none
  std::optional<std::uint64_t> sent;   ///< last number that it said it had sent; nullopt if it did not say
  CopyRisk risk;
};

}  // namespace icr::node
