#include "model/config/snapshot.h"

#include <algorithm>
#include <utility>

#include "model/config/cluster_file.h"

namespace icr {

std::uint64_t digest_of_text(std::string_view text) {
  std::uint64_t state = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits
  for (const char c : text) state = (state ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return std::max<std::uint64_t>(state, 1);
}

Result<std::shared_ptr<const Snapshot>> make_snapshot(std::string text, std::string_view name) {
  auto cluster = parse_cluster(text, name);
  if (!cluster) return tl::unexpected(cluster.error());
  const std::uint64_t digest = digest_of_text(text);
  return std::make_shared<const Snapshot>(Snapshot{std::move(text), digest, std::move(*cluster)});
}

}  // namespace icr
