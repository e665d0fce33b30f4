// The cluster file: YAML -> Cluster. Strict: whatever is not understood is an error with file, line and column.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr {

/// Reads and checks a whole cluster. On failure the message holds one line per mistake found (at most 20):
/// "FILE:LINE:COLUMN: PATH: what is wrong; what would be right". Programs print it and exit with code 2.
[[nodiscard]] Result<Cluster> load_cluster_file(const std::filesystem::path& file);

/// Returns the text of a cluster file, unchecked and at most one octet longer than parse_cluster() accepts.
[[nodiscard]] Result<std::string> read_cluster_text(const std::filesystem::path& file);

/// The same for text in memory; `name` stands for the file in messages.
[[nodiscard]] Result<Cluster> parse_cluster(std::string_view text, std::string_view name);

/// Returns how long the text of a cluster file may be, in octets.
[[nodiscard]] std::size_t max_cluster_file_bytes();

}  // namespace icr
