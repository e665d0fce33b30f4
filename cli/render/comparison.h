// Compares two cluster files: `show configuration | compare rollback N`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/config/cluster.h"

namespace icr::cli {

/// Returns what `present` has and `former` has not (+), and the other way round (-): first in the words of Junos, under
/// the path where it is, then the settings for which Junos has no word, as `show system rollback compare` prints them.
/// Names what is about every chassis, or about `only_chassis`, and of that the part that `path` names ("services",
/// "nat", "pool", "pool1"). Without a path and a chassis, it is empty only if no setting differs.
[[nodiscard]] std::string render_comparison(const Cluster& former, const Cluster& present,
                                            const std::vector<std::string>& path,
                                            std::optional<std::uint16_t> only_chassis);

}  // namespace icr::cli
