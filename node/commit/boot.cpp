#include "node/commit/boot.h"

#include <fmt/format.h>

#include <algorithm>

#include "node/commit/commit_desk.h"

namespace icr::node {

BootChoice choose_boot(const std::vector<StoredCommit>& commits, std::uint64_t file_digest) {
  if (commits.empty()) return {false, "no commit is stored"};
  const StoredCommit& newest = commits.front();
  const std::uint64_t number = newest.entry.number;
  if (newest.entry.digest == file_digest) return {true, fmt::format("the file is commit {}", number)};
  if (newest.file_digest == file_digest) {
    return {true, fmt::format("commit {} is newer than the file, which has not been changed since", number)};
  }
  // If the newest commit was the file, a file with a former text is a correction of it, and counts as newer.
  if (newest.entry.via == kViaFile || newest.entry.via == kViaSignal) {
    return {false, fmt::format("the file was changed after commit {}, which was the file as it was then", number)};
  }
  const auto same = std::find_if(commits.begin(), commits.end(),
                                 [&](const StoredCommit& each) { return each.entry.digest == file_digest; });
  if (same != commits.end()) {
    return {true, fmt::format("commit {} is newer than the file, which is commit {}", number, same->entry.number)};
  }
  return {false, fmt::format("the file was changed after commit {}", number)};
}

}  // namespace icr::node
