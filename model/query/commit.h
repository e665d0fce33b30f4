// Questions about commits and their answers as values: how `icr commit` speaks with a chassis (QueryKind::commit).
//
// A client sends the text of a cluster file in pieces (`put`), asks what it would change (`check`), has every chassis
// store it (`prepare`), and lets all of them take it (`activate`), or none (`abort`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/base/enum_end.h"
#include "model/base/time.h"

namespace icr {

enum class CommitOperation : std::uint8_t {
  list = 0,      ///< the commits that the chassis has stored, and its state; anybody may ask
  fetch = 1,     ///< a piece of the text of a stored commit; anybody may ask
  put = 2,       ///< a piece of the text of a candidate
  check = 3,     ///< reads the candidate, and says what it would change here
  prepare = 4,   ///< stores the candidate; the chassis takes no other one until activate, abort, or some time later
  activate = 5,  ///< makes the prepared candidate the newest commit
  abort = 6,     ///< forgets the candidate
  confirm = 7,   ///< commits the newest text again, as one that is not rolled back
};
inline constexpr std::uint8_t kCommitOperationCount = enum_end<CommitOperation, CommitOperation::list>();

struct CommitRequest {
  CommitOperation operation = CommitOperation::list;
  std::uint64_t candidate = 0;        ///< names the candidate: a random number of the client's choice, not 0
  std::string text;                   ///< put: at most kCommitPieceBytes
  std::uint32_t offset = 0;           ///< put, fetch: where the piece begins
  std::uint32_t total = 0;            ///< put: length of the whole text
  std::uint64_t number = 0;           ///< prepare: of the new commit; fetch: of the one that is asked for
  std::string user;                   ///< prepare: at most kMaxCommitUser octets
  std::string comment;                ///< prepare: at most kMaxCommitComment octets
  std::uint32_t confirm_seconds = 0;  ///< prepare: it is rolled back after so long without a confirmation; 0: never
  friend bool operator==(const CommitRequest&, const CommitRequest&) = default;
};

/// One stored commit.
struct CommitEntry {
  std::uint64_t number = 0;
  std::uint64_t digest = 0;  ///< digest_of_text() of its text
  WallMillis at = 0;
  std::string user;
  std::string via;  ///< "cli", "file" or "signal" (of one chassis alone), or "other" (a rollback by itself)
  std::string comment;
  WallMillis confirm_until = 0;  ///< it is rolled back then unless it is confirmed; 0: it needs no confirmation
  friend bool operator==(const CommitEntry&, const CommitEntry&) = default;
};

/// What a chassis does with its newest commit.
enum class CommitState : std::uint8_t {
  running = 0,  ///< it runs it
  waiting = 1,  ///< it is about to run it; CommitReply::detail says what it waits for
  failed = 2,   ///< it could not start with it and runs the former one; CommitReply::detail says why
};
inline constexpr std::uint8_t kCommitStateCount = enum_end<CommitState>();

struct CommitReply {
  std::uint64_t newest = 0;         ///< number of the newest commit
  std::uint64_t newest_digest = 0;  ///< digest_of_text() of its text
  std::uint64_t running_digest = 0;
  CommitState state = CommitState::running;
  std::string detail;
  bool durable = false;              ///< commits are stored on disk; otherwise they end with the process
  std::vector<CommitEntry> entries;  ///< list: newest first; prepare, activate and confirm: none
  /// A sentence each. check: what the candidate changes here; list: which pools are drained.
  std::vector<std::string> lines;
  std::string text;         ///< fetch: the piece
  std::uint32_t total = 0;  ///< fetch: length of the whole text
  friend bool operator==(const CommitReply&, const CommitReply&) = default;
};

inline constexpr std::size_t kCommitPieceBytes = 24 * 1024;
inline constexpr std::size_t kMaxCommitUser = 64;
inline constexpr std::size_t kMaxCommitComment = 512;
/// Commits that a chassis keeps, as Junos does: `rollback 0` to `rollback 49`.
inline constexpr std::size_t kMaxCommits = 50;
inline constexpr std::size_t kMaxCommitLines = 1000;
inline constexpr std::size_t kMaxCommitLine = 400;

}  // namespace icr
