// Takes the commits of a chassis: from `icr` (through the query server), from its peers, and from its own cluster file.
//
//   query server --CommitRequest--> CommitDesk --newest snapshot--> ChassisHost, which makes the chassis run it
//                                       |
//                                 SnapshotStore
//
// A candidate comes in pieces, is checked, is stored (prepare) and becomes the newest commit (activate). While one is
// prepared, another one is refused; a prepared candidate whose client is gone is forgotten after kCandidateLife.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/config/snapshot.h"
#include "model/query/query.h"
#include "node/commit/snapshot_store.h"
#include "node/commit/turn.h"
#include "node/redundancy/commit_beacon.h"

namespace icr::node {

/// CommitEntry::via of a cluster file that only this chassis has read: at its start, or after SIGHUP. Peers do not take
/// such a commit.
inline constexpr std::string_view kViaFile = "file";
inline constexpr std::string_view kViaSignal = "signal";

/// How long a prepared candidate can keep this chassis from taking other commits.
inline constexpr WallMillis kCandidateLife = 30'000;
/// After a start, a commit that was not confirmed is not rolled back for so long: a peer may hold its confirmation, and
/// it takes some seconds to hear of it.
inline constexpr WallMillis kStartGrace = 30'000;
/// A chassis that does not hold the commit just below the one that is to be confirmed (it was down when that came) does
/// not know to which text the others go back. It leaves them so much more time, and takes the commit that they roll
/// back with.
inline constexpr WallMillis kFollowTime = 60'000;
/// How many texts may arrive at the same time, and how long a piece of one may be late.
inline constexpr std::size_t kMaxUploads = 4;
inline constexpr WallMillis kUploadLife = 30'000;

/// Thread: any.
class CommitDesk {
 public:
  /// Returns the digest of the text of the cluster file that icrd was given, as it is now; 0 if it cannot be read.
  using FileDigest = std::function<std::uint64_t()>;

  /// Returns why the chassis, which runs with `running`, cannot take `next` without a restart although no key of it
  /// needs one; empty if it can.
  using LiveCheck = std::function<std::vector<std::string>(const Cluster& running, const Cluster& next)>;

  /// `chassis` is the name of this chassis.
  CommitDesk(SnapshotStore store, std::string chassis, FileDigest file_digest);

  /// Returns an error if this chassis has no secret key for the first of its public keys in `next`.
  using KeyCheck = std::function<Result<void>(const Cluster& next)>;

  /// Answers a client, who may ask this. Fills in `reply.commit`, or `reply.error` and `reply.reason`.
  void answer(const CommitRequest& request, WallMillis now, QueryReply& reply);

  // -- for the host --

  struct Newest {
    std::uint64_t number = 0;
    std::shared_ptr<const Snapshot> snapshot;
  };
  /// Returns the newest commit, with what it drained when it was taken. REQUIRES: start() has succeeded.
  [[nodiscard]] Newest newest() const;
  /// Returns true if the newest commit is a cluster file that only this chassis has read.
  [[nodiscard]] bool newest_is_of_file() const;
  /// Returns the commit before the newest one that can be read, with what it drains at `now`; or null.
  [[nodiscard]] std::shared_ptr<const Snapshot> former(WallMillis now) const;
  /// Chooses the snapshot to begin with, of the stored commits and the text of the file (choose_boot()), and returns
  /// why it is that one. A file that is newer becomes a commit. Returns an error if neither can be used.
  [[nodiscard]] Result<std::string> start(std::string file_text, std::string_view file_name, WallMillis now);
  /// Takes a text as the newest commit of this chassis alone: a cluster file that was changed, or the commit `entry` of
  /// a peer, whose number is kept. Without a number it gets the next one. Returns an error, and changes nothing, if it
  /// is wrong or not newer, or if a candidate is prepared whose number is higher than that of `entry`.
  [[nodiscard]] Result<std::uint64_t> take(std::string text, std::string_view name, CommitEntry entry, WallMillis now);
  /// Rolls a commit back that was to be confirmed and was not, and forgets candidates that are too old. Nothing is
  /// rolled back while a candidate is prepared, or during kStartGrace. If the disk refuses the rollback, it is made in
  /// memory.
  void tick(WallMillis now);
  /// Returns when tick() is next needed.
  [[nodiscard]] WallMillis next_tick(WallMillis now) const;
  /// Returns the snapshot that the chassis runs, or null.
  [[nodiscard]] std::shared_ptr<const Snapshot> running() const;
  void set_running(std::shared_ptr<const Snapshot> snapshot);
  void set_state(CommitState state, std::string detail, bool waits);
  /// Keeps the state of the sets, for answers to `check`.
  void set_facts(std::vector<SetFact> facts);
  /// Sets the function that is called when a client has activated or confirmed a commit. It is called on the thread
  /// that calls answer(), before the client has its answer.
  void on_newer(std::function<void()> call) { on_newer_ = std::move(call); }

  /// Sets the function that `check` asks; it is called while the desk is locked. REQUIRES: called before answer().
  void set_live_check(LiveCheck check) { live_check_ = std::move(check); }

  /// Sets the function that is asked before a configuration is taken; it is called while the desk is locked. REQUIRES:
  /// called before start() and answer().
  void set_key_check(KeyCheck check) { key_check_ = std::move(check); }

  [[nodiscard]] const CommitBeacon& beacon() const { return beacon_; }
  void append_to(CounterList& out) const;

 private:
  struct Upload {
    std::string text;
    std::uint32_t total = 0;
    WallMillis touched = 0;
  };
  struct Candidate {
    std::uint64_t id = 0;
    std::uint64_t number = 0;
    std::string user;
    std::shared_ptr<const Snapshot> snapshot;
    WallMillis until = 0;
  };
  enum Count : std::size_t { kTaken, kRefusedLocked, kRefusedInvalid, kRolledBack, kCountEnd };

  [[nodiscard]] Result<void> put(const CommitRequest& request, WallMillis now) ICR_REQUIRES(mutex_);
  /// Returns the snapshot of a candidate that has arrived as a whole, read and with this chassis in it.
  [[nodiscard]] Result<std::shared_ptr<const Snapshot>> read_candidate(std::uint64_t id) const ICR_REQUIRES(mutex_);
  [[nodiscard]] Result<void> prepare(const CommitRequest& request, WallMillis now) ICR_REQUIRES(mutex_);
  [[nodiscard]] Result<void> activate(const CommitRequest& request, WallMillis now) ICR_REQUIRES(mutex_);
  /// Makes a commit with the next number and the text of the newest one, which needs no confirmation. A chassis that
  /// did not hear the client takes it as it takes every other commit.
  [[nodiscard]] Result<void> confirm(const CommitRequest& request, WallMillis now) ICR_REQUIRES(mutex_);
  [[nodiscard]] Result<void> fetch(const CommitRequest& request, CommitReply& out) const ICR_REQUIRES(mutex_);
  [[nodiscard]] Result<void> carry_out(const CommitRequest& request, WallMillis now, CommitReply& out);
  [[nodiscard]] Result<void> store_newest(StoredCommit commit, std::shared_ptr<const Snapshot> snapshot, WallMillis now)
      ICR_REQUIRES(mutex_);
  [[nodiscard]] Result<std::shared_ptr<const Snapshot>> read_own(std::string text, std::string_view name) const;
  /// Returns an error if the snapshot is one of another cluster than the newest one.
  [[nodiscard]] Result<void> check_cluster(const Snapshot& snapshot) const ICR_REQUIRES(mutex_);
  /// The same for what an operator asks for, which may change keys in steps only (key_step.h).
  [[nodiscard]] Result<void> check_step(const Snapshot& snapshot) const ICR_REQUIRES(mutex_);
  /// Returns an error, and counts it, if a candidate is prepared.
  [[nodiscard]] Result<void> check_free() ICR_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t newest_number() const ICR_REQUIRES(mutex_);
  /// Returns when the newest commit is rolled back unless it is confirmed; 0: never.
  [[nodiscard]] WallMillis rollback_due(WallMillis now) const ICR_REQUIRES(mutex_);
  void expire(WallMillis now) ICR_REQUIRES(mutex_);
  /// Makes a commit of the text before the newest one. REQUIRES: the newest commit was to be confirmed.
  void roll_back(WallMillis now) ICR_REQUIRES(mutex_);
  /// Keeps the newest commit, which cannot be rolled back.
  void give_up_rollback(std::string_view why) ICR_REQUIRES(mutex_);
  void describe(CommitReply& out) const ICR_REQUIRES(mutex_);
  /// Returns the snapshot of the stored commit number `first`, counted from the newest one, with what it drains. With a
  /// `candidate`, that is the commit after it, which `snapshot` is of.
  [[nodiscard]] std::shared_ptr<const Snapshot> drained(std::shared_ptr<const Snapshot> snapshot, std::size_t first,
                                                        WallMillis now, const StoredCommit* candidate = nullptr) const
      ICR_REQUIRES(mutex_);
  void took(std::shared_ptr<const Snapshot> snapshot, WallMillis now) ICR_REQUIRES(mutex_);

  const std::string chassis_;
  const FileDigest file_digest_;
  CommitBeacon beacon_;
  std::function<void()> on_newer_;
  LiveCheck live_check_;
  KeyCheck key_check_;
  std::array<std::atomic<std::uint64_t>, kCountEnd> counters_{};

  mutable Mutex mutex_;
  SnapshotStore store_ ICR_GUARDED_BY(mutex_);
  std::shared_ptr<const Snapshot> newest_ ICR_GUARDED_BY(mutex_);
  std::shared_ptr<const Snapshot> running_ ICR_GUARDED_BY(mutex_);
  CommitState state_ ICR_GUARDED_BY(mutex_) = CommitState::running;
  std::string detail_ ICR_GUARDED_BY(mutex_);
  std::vector<SetFact> facts_ ICR_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Upload> uploads_ ICR_GUARDED_BY(mutex_);
  Candidate candidate_ ICR_GUARDED_BY(mutex_);  ///< id 0: none is prepared
  /// The prepared candidate that came from a peer, as its commit, before its client activated it here.
  std::uint64_t overtaken_ ICR_GUARDED_BY(mutex_) = 0;
  WallMillis no_rollback_before_ ICR_GUARDED_BY(mutex_) = 0;
};

/// Returns what the step from `before` to `after` changes on the chassis `own`, a sentence each. Without `live_check`
/// nothing but keys that need a restart keeps the chassis from taking `after` while it runs.
[[nodiscard]] std::vector<std::string> describe_changes(const Cluster& before, const Cluster& after,
                                                        std::string_view own, const std::vector<SetFact>& facts,
                                                        const CommitDesk::LiveCheck& live_check = {});

}  // namespace icr::node
