// Asks another chassis for its newest commit.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/query/commit.h"
#include "model/record/endpoint.h"
#include "transport/keys.h"

namespace icr::node {

struct FetchedCommit {
  CommitEntry entry;
  std::string text;
};

/// Where a chassis answers, and by which keys it and who asks know each other.
struct PeerPlace {
  Endpoint query;
  std::optional<transport::KeyPair> own = std::nullopt;  ///< nullopt: the cluster is not encrypted
  std::vector<std::string> public_keys = {};             ///< of the chassis that is asked, which uses one of them
};

/// Returns the newest commit of the chassis whose query server listens there. The text is what the entry's digest says.
/// Returns an error if its number is not above `above`. Blocks, for `limit` at most. Thread: any.
[[nodiscard]] Result<FetchedCommit> fetch_newest_commit(const PeerPlace& peer, std::uint64_t above,
                                                        std::chrono::milliseconds limit);

}  // namespace icr::node
