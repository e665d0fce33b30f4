// Asks another chassis for its newest commit.
#pragma once

#include <chrono>
#include <string>

#include "model/base/result.h"
#include "model/query/commit.h"
#include "model/record/endpoint.h"

namespace icr::node {

struct FetchedCommit {
  CommitEntry entry;
  std::string text;
};

/// Returns the newest commit of the chassis whose query server listens there. The text is what the entry's digest says.
/// Returns an error if its number is not above `above`. Blocks, for `limit` at most. Thread: any.
[[nodiscard]] Result<FetchedCommit> fetch_newest_commit(const Endpoint& query, std::uint64_t above,
                                                        std::chrono::milliseconds limit);

}  // namespace icr::node
