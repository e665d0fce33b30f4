// Asks every chassis of a cluster about commits, and reads texts of commits from them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/client/transport.h"
#include "model/base/result.h"
#include "model/config/cluster.h"
#include "model/query/commit.h"

namespace icr::cli {

/// What a chassis answered to a request about commits, or the reason why it is not known.
struct CommitAnswer {
  std::optional<CommitReply> reply;
  bool refused = false;  ///< it answered, and refused; otherwise, without a reply, it did not answer
  std::string why;       ///< without a reply
};
using CommitAnswers = std::map<std::uint16_t, CommitAnswer>;  ///< by index into Cluster::chassis

/// Asks all of `chassis` at once.
[[nodiscard]] CommitAnswers ask_commit(Transport& transport, const std::set<std::uint16_t>& chassis,
                                       const CommitRequest& request);
/// Returns the text of a commit that the chassis has stored.
[[nodiscard]] Result<std::string> fetch_commit(Transport& transport, std::uint16_t chassis, const CommitEntry& entry);

}  // namespace icr::cli
