// Decides when a chassis takes its newest commit: the standby first, then the master, after a planned switchover if it
// has to restart.
//
// No chassis coordinates the others, so none can die while it does. Each decides from what it sees: the roles of its
// redundancy sets, and what its peers say that they run. A chassis that is master of nothing that a peer could take
// over restarts its sets at once. A master waits until its peer runs the commit and has a complete copy, hands over,
// and is a standby that restarts. If each member waits for the other one, because each is master of something, the one
// with the lower name hands over first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::node {

/// One redundancy set of this chassis, as it is now.
struct SetFact {
  std::string name;
  std::uint16_t card = 0;  ///< index into Chassis::cards
  std::uint16_t set = 0;   ///< index into Cluster::redundancy_sets
  std::string peer;        ///< name of the other member's chassis; empty: the set is stand-alone
  Role role = Role::initializing;
  bool handing_over = false;
  bool peer_present = false;       ///< it is heard
  bool peer_was_present = false;   ///< it was heard at some time since this chassis has got its newest commit
  bool peer_heard_lately = false;  ///< it was heard so lately that a commit waits for it, even if it is silent now
  bool peer_hot = false;           ///< it is standby, and its copy is complete
  bool peer_waits = false;         ///< it says that it is master of something, and waits to take its newest commit
  std::uint64_t peer_running = 0;  ///< digest of the snapshot that it runs; 0: it does not say
  std::uint64_t peer_number = 0;   ///< number of its newest commit; 0: it is not heard, or does not say
};

/// Returns what `status` says of a set on the card of that index, whose chassis `own` runs `cluster`. What has to be
/// remembered (peer_was_present, peer_heard_lately) is left out.
[[nodiscard]] SetFact fact_of(const SetStatus& status, const Cluster& cluster, std::uint16_t own, std::uint16_t card);

struct Turn {
  enum class Step : std::uint8_t {
    wait,       ///< until something changes; `why` says what
    hand_over,  ///< the sets in `sets`
    restart,    ///< with the newest commit
    take_live,  ///< take the newest commit while the sets run (CommitFollower)
  };
  Step step = Step::wait;
  std::vector<std::size_t> sets;  ///< hand_over: indices into the facts
  std::string why;                ///< in words, for the operator
  bool waits = false;             ///< what this chassis tells its peers: it waits, and is master of something
};

/// Returns the facts as they count for a commit whose cluster file is `after`: a set in which the chassis `own` and its
/// peer do not both stay has no peer that could take it over, or that could be waited for.
[[nodiscard]] std::vector<SetFact> facts_under(const Cluster& after, std::string_view own, std::vector<SetFact> facts);

/// Returns what the chassis `own` waits for before it takes the snapshot of that digest while it runs, in words; empty
/// if it need not wait. A master lets its standby go first, so that the standby understands what the master sets up by
/// new rules, and so that a commit with which the standby cannot start does not reach the master.
[[nodiscard]] std::string wait_before_live(std::string_view own, std::uint64_t newest,
                                           const std::vector<SetFact>& facts);

/// Decides what the chassis `own` does to take the snapshot of that digest, which it does not run yet.
[[nodiscard]] Turn next_turn(std::string_view own, std::uint64_t newest, const std::vector<SetFact>& facts);

}  // namespace icr::node
