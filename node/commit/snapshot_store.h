// The commits of a chassis on disk: a folder with a file for each of them.
//
//   candidate.new --fsync, rename--> candidate --rename--> 00000000000000000007.commit
//
// A file is a few lines that describe the commit, an empty line, and the text of the cluster file. It is never changed
// in place, so whatever moment the machine dies in, each commit is there as a whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/query/commit.h"

namespace icr::node {

/// A commit may have a number so much above that of the newest one, and no commit has a higher one than
/// kMaxCommitNumber. So nobody can use up the numbers.
inline constexpr std::uint64_t kMaxCommitStep = 1'000'000;
inline constexpr std::uint64_t kMaxCommitNumber = std::uint64_t{1} << 63U;

struct StoredCommit {
  CommitEntry entry;
  /// Digest of the cluster file that icrd was given, at the time of the commit. From it a later start sees whether the
  /// file was changed since.
  std::uint64_t file_digest = 0;
  std::string text;
};

/// Thread: one at a time.
class SnapshotStore {
 public:
  /// Keeps commits in memory only.
  SnapshotStore() = default;
  /// Opens the folder, or creates it. Removes what an interrupted prepare() left. A file that is damaged is skipped and
  /// named in damage(). Returns an error if the folder cannot be read or written.
  [[nodiscard]] static Result<SnapshotStore> open(const std::filesystem::path& folder);

  /// Returns the commits, newest first; at most kMaxCommits.
  [[nodiscard]] const std::vector<StoredCommit>& commits() const { return commits_; }
  /// Returns what was found damaged by open(), a sentence for each file.
  [[nodiscard]] const std::vector<std::string>& damage() const { return damage_; }
  [[nodiscard]] bool durable() const { return !folder_.empty(); }

  /// Writes `commit` to disk as the candidate, in place of a former one. REQUIRES: its number is above all others.
  [[nodiscard]] Result<void> prepare(StoredCommit commit);
  /// Makes the candidate the newest commit. REQUIRES: prepare() succeeded, and neither activate() nor abort() came
  /// after it.
  [[nodiscard]] Result<void> activate();
  /// Forgets the candidate. Idempotent.
  void abort();
  /// Makes `commit` the newest one without writing it, for a disk that takes no more. It ends with the process. Forgets
  /// the candidate. REQUIRES: its number is above all others.
  void add_in_memory(StoredCommit commit);
  /// Has the newest commit need no confirmation any more. Returns an error if the disk does not take that; in memory it
  /// holds all the same.
  [[nodiscard]] Result<void> clear_confirm_until();

 private:
  [[nodiscard]] std::filesystem::path file_of(std::uint64_t number) const;
  /// Writes `commit` to `name` in the folder, durably.
  [[nodiscard]] Result<void> write(const StoredCommit& commit, const std::string& name) const;
  /// Adds the newest commit, and removes those that are too many.
  void insert(StoredCommit commit);

  std::filesystem::path folder_;  ///< empty: memory only
  std::vector<StoredCommit> commits_;
  std::vector<std::string> damage_;
  std::vector<StoredCommit> candidate_;  ///< none or one
};

/// Returns the file of a commit, and reads one. Reading checks everything; the error says what is wrong.
[[nodiscard]] std::string text_of_commit(const StoredCommit& commit);
[[nodiscard]] Result<StoredCommit> read_commit(std::string_view file);

}  // namespace icr::node
