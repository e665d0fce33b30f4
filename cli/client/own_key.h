// The key with which `icr` asks.
#pragma once

#include <optional>
#include <string>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "transport/keys.h"

namespace icr::cli {

/// Returns the key with which to ask the chassis of `cluster`; nullopt if that is not encrypted. It is read from
/// `key_file`, or if that is empty from keys/USER.key beside the cluster file, or else from keys/admin.key. Of a file
/// with two keys the first one is used that the cluster file has.
[[nodiscard]] Result<std::optional<transport::KeyPair>> read_own_key(const Cluster& cluster,
                                                                     const std::string& cluster_file,
                                                                     const std::string& key_file,
                                                                     const std::string& user);

}  // namespace icr::cli
