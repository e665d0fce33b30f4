// How a table of sessions tells its consumers (the peer's sender, the checkpointer) what has changed.
#pragma once

#include <cstdint>

namespace icr {

/// How much a change matters; the first class goes to the peer before the second.
enum class Change : std::uint8_t {
  state,         ///< created, deleted, TCP state, NAT binding: what a takeover needs
  refresh,       ///< counters, idle time
  peer_refresh,  ///< the same, of which only the peer hears: the disk need not know it to the second
};

/// Learns of changes of a table's sessions. Thread: the one that owns the table. The table calls it in the middle of a
/// packet, so it must be cheap and must not call back.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  virtual void changed(std::uint32_t slot, Change change) = 0;
};

}  // namespace icr
