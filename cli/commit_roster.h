// Finds out which chassis a commit concerns, and where each of them can be asked at present.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cli/commit.h"
#include "cli/commit_client.h"
#include "model/config/cluster.h"
#include "model/config/snapshot.h"

namespace icr::cli {

/// The chassis that a commit concerns: those of the cluster file that `icr` asks with, of the configurations that run,
/// and of a new cluster file. A chassis is asked where the first two say that it is; the new file counts only for a
/// chassis that they do not name, or if nobody answers where they say. Thread: one.
class CommitRoster {
 public:
  /// `environment` outlives the roster.
  explicit CommitRoster(const CommitEnvironment& environment) : env_(environment) {}

  /// Asks all chassis for their commits. `file` is the new cluster file; null if there is none.
  void gather(const Cluster* file);

  /// Returns the chassis that answered and were not forgotten, as indices for name() and ask().
  [[nodiscard]] const std::set<std::uint16_t>& present() const { return present_; }
  [[nodiscard]] const std::string& name(std::uint16_t chassis) const { return everyone_.chassis[chassis].name; }
  /// Returns what a chassis answered to gather(). REQUIRES: it is present.
  [[nodiscard]] const CommitReply& listed(std::uint16_t chassis) const { return listed_.at(chassis); }
  /// Returns true if every chassis has answered.
  [[nodiscard]] bool complete() const { return missing_.empty(); }
  /// Prints an error for each chassis that did not answer gather().
  void complain() const;
  /// Counts a chassis as one that does not answer from now on.
  void forget(std::uint16_t chassis, std::string why);

  [[nodiscard]] CommitAnswers ask(const CommitRequest& request) { return ask_commit(*transport_, present_, request); }
  /// Asks `chassis` for their commits on new connections. One that does not answer where it was is asked where the new
  /// file says that it will be. Asks at that place first the next time.
  [[nodiscard]] CommitAnswers ask_again(const std::set<std::uint16_t>& chassis);
  /// Returns the text of a commit that the chassis has stored.
  [[nodiscard]] Result<std::string> fetch(std::uint16_t chassis, const CommitEntry& entry) {
    return fetch_commit(*transport_, chassis, entry);
  }

 private:
  /// Asks those chassis of `cluster` that have not answered yet at the places that it says.
  void ask_at(const Cluster& cluster);
  /// Reads the configurations that run on chassis which have answered, and asks the chassis that they name.
  void learn();
  void reconnect() { transport_ = env_.connect(everyone_); }

  const CommitEnvironment& env_;
  Cluster everyone_;  ///< names, keys and query endpoints only
  std::unique_ptr<Transport> transport_;
  std::set<std::uint16_t> present_;
  std::map<std::uint16_t, CommitReply> listed_;
  std::map<std::uint16_t, std::string> missing_;   ///< why they do not answer
  std::map<std::uint16_t, Endpoint> other_place_;  ///< where else they may be found after the commit
  std::set<std::uint64_t> read_;                   ///< digests of configurations that were read
};

}  // namespace icr::cli
