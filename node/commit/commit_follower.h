// Takes a chassis from the snapshot that it runs to its newest commit, in steps: next_turn(), and what has to be
// remembered between two looks at the redundancy sets.
//
// It has no I/O and no clock. ChassisHost carries the steps out, and so does the simulator (tests/sim).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/base/time.h"
#include "model/config/cluster.h"
#include "node/commit/turn.h"

namespace icr::node {

/// Thread: one.
class CommitFollower {
 public:
  /// `chassis` is the name of this chassis.
  explicit CommitFollower(std::string chassis) : chassis_(std::move(chassis)) {}

  /// Notes the number of the newest commit and the digest of its snapshot. Everything below is about that commit.
  void note_newest(std::uint64_t number, std::uint64_t digest);
  /// Notes that the chassis cannot start with the newest commit. It is not tried again.
  void note_failure() { failed_ = newest_; }
  /// Returns true if a chassis that runs the snapshot of the digest `running` has yet to take the newest commit.
  [[nodiscard]] bool pending(std::uint64_t running) const { return newest_ != running && newest_ != failed_; }
  /// Completes the facts with what was seen of the peers before, and remembers what is seen now.
  void remember(TimePoint now, std::vector<SetFact>& facts);
  /// Decides what the chassis does now. `facts` are complete, `newest` is the cluster file of the newest commit, and
  /// `live` says that the chassis can take it without a restart.
  [[nodiscard]] Turn decide(TimePoint now, const Cluster& newest, bool live, const std::vector<SetFact>& facts);

 private:
  struct PeerMemory {
    TimePoint seen_at = TimePoint::min();  ///< min: never
    bool since_commit = false;             ///< it was heard since this chassis has got its newest commit
  };

  std::string chassis_;
  std::uint64_t number_ = 0;
  std::uint64_t newest_ = 0;                         ///< digest of the newest commit
  std::uint64_t failed_ = 0;                         ///< digest of one with which the chassis could not start; 0: none
  std::map<std::string, PeerMemory> peers_;          ///< by redundancy set
  TimePoint carried_traffic_at_ = TimePoint::min();  ///< when a set that a peer can take over was last master here
};

}  // namespace icr::node
