// One state of the configuration: the text of a cluster file with what it means. A commit makes a new one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr {

/// Immutable once it is made, so threads share it without a lock.
struct Snapshot {
  std::string text;
  std::uint64_t digest = 0;  ///< digest_of_text(text)
  Cluster cluster;           ///< what the text means
};

/// Returns a hash of the text, by which chassis recognize a snapshot. Never 0.
[[nodiscard]] std::uint64_t digest_of_text(std::string_view text);

/// Reads the text as parse_cluster() does; `name` stands for the file in messages.
[[nodiscard]] Result<std::shared_ptr<const Snapshot>> make_snapshot(std::string text, std::string_view name);

}  // namespace icr
