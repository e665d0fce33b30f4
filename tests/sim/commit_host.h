// The part of a chassis that takes commits, without files and clients. What it decides is decided by the product
// (node::CommitFollower, node::plan_live), from what the product says of a redundancy set (node::describe).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/config/snapshot.h"
#include "node/commit/commit_follower.h"
#include "node/redundancy/commit_beacon.h"
#include "node/set/set_core.h"

namespace icr::sim {

struct Commit {
  std::uint64_t number = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

class CommitHost {
 public:
  /// `name` is the name of the chassis, which starts with the snapshot `first`.
  CommitHost(std::string name, std::shared_ptr<const Snapshot> first);

  /// Takes a commit that a client or the peer has, if its number is new.
  void take(Commit commit);
  /// From now on the chassis cannot start with this snapshot (a device is missing, say). 0: it can start with any.
  void refuse(std::uint64_t digest) { refused_ = digest; }

  /// The process begins, with nothing but its stored commits: it runs the newest one, or if it cannot, the one before.
  void boot();
  /// The sets of the chassis are started again with the newest commit, or if that fails, with the one that ran.
  void restart();
  /// Looks at the redundancy set. Returns the number of the peer's newest commit, or 0 if it does not say one.
  std::uint64_t look(TimePoint now, const node::SetCore& core);
  /// Decides, after a look, what to do now to take the newest commit.
  [[nodiscard]] node::Turn advance(TimePoint now);
  /// Returns what the sets take while they run, after advance() has said so. It is arranged() for what they run with.
  [[nodiscard]] const std::shared_ptr<const Snapshot>& next() const { return plan_->arranged; }
  /// The sets have taken next().
  void on_taken();
  /// Returns when the next look is needed.
  [[nodiscard]] TimePoint next_look() const { return next_look_; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Commit& newest() const { return newest_; }
  /// Returns true if the chassis cannot start with its newest commit.
  [[nodiscard]] bool fails() const { return newest_.snapshot->digest == refused_; }
  /// Returns true if the chassis runs another snapshot than that of its newest commit, and does not try that one again.
  [[nodiscard]] bool has_given_up() const {
    return newest_.snapshot->digest != running_->digest && !follower_.pending(running_->digest);
  }
  /// Returns what the chassis says that it runs.
  [[nodiscard]] const Snapshot& running() const { return *running_; }
  /// Returns the cluster file that its sets run with.
  [[nodiscard]] const Cluster& cluster() const { return running_->cluster; }
  [[nodiscard]] const node::CommitBeacon& beacon() const { return beacon_; }

 private:
  /// How the commit with the digest `newest` is taken. As ChassisHost plans.
  struct Plan {
    std::uint64_t newest = 0;
    std::shared_ptr<const Snapshot> committed;
    std::shared_ptr<const Snapshot> arranged;  ///< null: with a restart
  };
  const Plan& plan();
  /// Runs the newest commit, or `otherwise` if the chassis cannot start with it.
  void launch(std::shared_ptr<const Snapshot> otherwise);
  void run(std::shared_ptr<const Snapshot> snapshot, std::shared_ptr<const Snapshot> committed);

  const std::string name_;
  Commit newest_;
  std::shared_ptr<const Snapshot> former_;     ///< of the commit before the newest one
  std::shared_ptr<const Snapshot> built_;      ///< what the sets were started with, which outlives them
  std::shared_ptr<const Snapshot> running_;    ///< built_, or what was taken since, arranged() for built_
  std::shared_ptr<const Snapshot> committed_;  ///< the same as it was committed, to start with it again
  std::optional<Plan> plan_;                   ///< from running_ to the newest commit; nullopt: not made yet
  node::CommitFollower follower_;
  node::CommitBeacon beacon_;
  std::vector<node::SetFact> facts_;  ///< of the last look
  TimePoint next_look_ = TimePoint::min();
  std::uint64_t refused_ = 0;
};

}  // namespace icr::sim
