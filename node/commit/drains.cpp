#include "node/commit/drains.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "model/config/drain.h"
#include "model/config/keys.h"

namespace icr::node {
namespace {

/// A commit that is older drains nothing any more.
constexpr WallMillis kLongestDrain = WallMillis{1000} * key("service-sets[]", "drain-time").high;
/// Most commits drain nothing, and a text without this key need not be read to see that.
constexpr std::string_view kKey = "drain-time";

std::shared_ptr<const Snapshot> read(const StoredCommit& commit) {
  auto snapshot = make_snapshot(commit.text, fmt::format("commit {}", commit.entry.number));
  return snapshot ? *snapshot : nullptr;
}

}  // namespace

std::shared_ptr<const Snapshot> with_drains(std::shared_ptr<const Snapshot> newest,
                                            const std::vector<const StoredCommit*>& commits, WallMillis now) {
  std::shared_ptr<Snapshot> out;
  // The former commit of one step is the next commit of the step after it, so it is not read again.
  std::shared_ptr<const Snapshot> before;
  for (std::size_t i = 0; i + 1 < commits.size() && commits[i]->entry.at + kLongestDrain > now; ++i) {
    const StoredCommit& next = *commits[i];
    const StoredCommit& former = *commits[i + 1];
    const auto known = i == 0 ? newest : std::exchange(before, nullptr);
    if (next.entry.digest == former.entry.digest || next.text.find(kKey) == std::string::npos) continue;
    const auto after = known ? known : read(next);
    before = read(former);
    if (!before || !after || before->cluster.name != newest->cluster.name) continue;
    if (!out) out = std::make_shared<Snapshot>(*newest);
    add_drained(before->cluster, after->cluster, next.entry.at, now, out->cluster);
  }
  if (!out || out->cluster.drained.size() == newest->cluster.drained.size()) return newest;
  return out;
}

std::vector<std::string> describe_drains(const Cluster& cluster, WallMillis now) {
  std::vector<std::string> out;
  std::set<std::pair<std::uint16_t, std::uint16_t>> told;  // several terms may have used the pool
  for (const DrainedUse& each : cluster.drained) {
    const std::uint16_t pool = each.term.source_pools[0];
    if (each.until <= now || !told.emplace(each.service_set, pool).second) continue;
    out.push_back(fmt::format(
        "service-sets[{}] gets nothing new of nat.pools[{}], whose sessions end in {} s at the latest",
        cluster.service_sets[each.service_set].name, cluster.nat_pools[pool].name, (each.until - now + 999) / 1000));
  }
  return out;
}

}  // namespace icr::node
