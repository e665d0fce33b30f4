// Keeps a chassis running from one commit to the next: icrd without its command line and signals.
//
//   CommitDesk --newest snapshot--> ChassisHost --hands it to, or stops and starts--> Chassis
//
// The chassis takes another snapshot while it runs if nothing changes to which its sessions, memory and sockets are
// bound (live_change.h). Otherwise the host stops it and starts a new one in the same process, as soon as its
// CommitFollower says that no traffic needs this chassis.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/config/snapshot.h"
#include "node/card/chassis.h"
#include "node/commit/commit_desk.h"
#include "node/commit/commit_follower.h"
#include "node/commit/turn.h"
#include "transport/keys.h"

namespace icr::node {

/// Thread: one, except where a function says otherwise.
class ChassisHost {
 public:
  /// `file` is the cluster file that icrd was given, and `snapshot` what it says. `chassis` is a chassis of it.
  /// `key_file` holds the secret keys of the chassis (transport/keys.h); it is read if the cluster is encrypted.
  ChassisHost(std::string file, std::shared_ptr<const Snapshot> snapshot, std::string chassis, std::string key_file);
  ~ChassisHost();
  ChassisHost(const ChassisHost&) = delete;
  ChassisHost& operator=(const ChassisHost&) = delete;

  /// Starts the chassis with the newest of its stored commits and the file. If it cannot start with a stored commit, it
  /// starts with the one before.
  [[nodiscard]] Result<void> start();
  void stop();
  /// Looks whether there is something to do about commits, and does it. May take some seconds, while the chassis
  /// restarts. Returns an error if no chassis runs any more.
  [[nodiscard]] Result<void> look();
  /// Returns how many milliseconds may pass until look() is next needed.
  [[nodiscard]] int next_look() const;
  /// Returns a descriptor that becomes readable when look() is needed at once.
  [[nodiscard]] int descriptor() const { return newer_.descriptor(); }
  /// Reads the cluster file again. If it has changed, it is a commit of this chassis.
  void read_file_again();
  /// Returns true when every card has read its captures to the end (never with real ports).
  [[nodiscard]] bool at_end() const { return chassis_ && chassis_->at_end(); }

 private:
  /// Reads the key that this chassis has in `cluster`; nullopt if that is not encrypted.
  [[nodiscard]] Result<std::optional<transport::KeyPair>> read_identity(const Cluster& cluster) const;
  [[nodiscard]] Result<void> launch(const std::shared_ptr<const Snapshot>& snapshot);
  [[nodiscard]] Result<void> restart(const CommitDesk::Newest& newest);
  void end_chassis();
  /// Returns the state of the sets, or nullopt if a card did not answer.
  [[nodiscard]] std::optional<std::vector<SetFact>> facts();
  /// How the newest commit is taken.
  struct Plan {
    std::uint64_t newest = 0;                  ///< digest of the commit
    std::shared_ptr<const Snapshot> arranged;  ///< the commit, arranged() for running_; null: it takes a restart
  };
  [[nodiscard]] const Plan& plan(const CommitDesk::Newest& newest);
  /// Has the chassis take the newest commit while it runs.
  [[nodiscard]] Result<void> take_live(const CommitDesk::Newest& newest);
  /// Takes the newest commit, or a step towards that.
  [[nodiscard]] Result<void> advance(const CommitDesk::Newest& newest, const std::vector<SetFact>& facts);
  /// Fetches a commit that a peer has and whose number is above `own`. Returns true if it is the newest one now.
  bool fetch_from_peers(std::uint64_t own, const std::vector<SetFact>& facts);

  const std::string file_;
  const std::string name_;
  const std::string key_file_;
  std::optional<transport::KeyPair> identity_;  ///< of the chassis that runs
  std::shared_ptr<const Snapshot> given_;       ///< what the file said at the start
  std::unique_ptr<CommitDesk> desk_;
  Wakeup newer_;
  std::shared_ptr<const Snapshot> built_;  ///< what the chassis was built from; outlives it
  /// What the chassis runs: built_, or a later commit that it has taken, arranged() for built_.
  std::shared_ptr<const Snapshot> running_;
  std::shared_ptr<const Snapshot> committed_;  ///< running_ as it was committed; a restart begins with it
  std::optional<Plan> plan_;                   ///< from running_ to the newest commit; nullopt: not made yet
  std::unique_ptr<Chassis> chassis_;
  CommitFollower follower_;
  std::int64_t next_fetch_ = 0;
  std::string fetch_error_;
  std::string told_;  ///< what the log says that this chassis waits for
};

}  // namespace icr::node
