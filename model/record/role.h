// The roles of the members of a redundancy set, and the state of a standby's copy. Replication, the machines of a node,
// questions and the command line all use these words.
#pragma once

#include <cstdint>
#include <string_view>

namespace icr {

/// The role of a member in its redundancy set. `claiming`: the member is about to become master, and waits for the
/// answer to its claim (node/redundancy/claimant.h). The numbers of the others are those of heartbeats
/// (replication/protocol.fbs), in which a claiming member tells the role that it had before.
enum class Role : std::uint8_t { initializing = 0, standby = 1, master = 2, claiming = 3 };
/// The state of a standby's copy. A master, and a member that follows nobody, are `off`.
enum class Sync : std::uint8_t { off = 0, cold = 1, hot = 2 };

[[nodiscard]] std::string_view to_string(Role role);  ///< "INITIALIZING", "STANDBY", "MASTER", "CLAIMING"
[[nodiscard]] std::string_view to_string(Sync sync);  ///< "Off", "Cold", "Hot"

}  // namespace icr
