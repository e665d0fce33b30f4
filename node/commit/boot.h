// Decides with which configuration a chassis starts: the cluster file that it was given, or its newest commit.
#pragma once

#include <cstdint>
#include <string>

#include "node/commit/snapshot_store.h"

namespace icr::node {

struct BootChoice {
  bool stored = false;  ///< true: the newest commit; false: the file
  std::string why;      ///< a sentence, for the log
};

/// Decides from the commits that are stored, newest first, and the digest of the text of the file. The file counts as
/// newer if its text was changed since the newest commit, and that commit was the file as well, or no stored commit
/// holds the text.
[[nodiscard]] BootChoice choose_boot(const std::vector<StoredCommit>& commits, std::uint64_t file_digest);

}  // namespace icr::node
