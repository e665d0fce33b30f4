#include "node/commit/key_step.h"

#include <algorithm>

namespace icr::node {
namespace {

bool has(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

Result<void> check_key_step(const Cluster& running, const Cluster& next) {
  if (running.encrypted() != next.encrypted()) {
    return fail(
        "the cluster {} encrypted and would {} be: a commit cannot change that, because a chassis that has taken it "
        "does not hear one that has not; see docs/security.md",
        running.encrypted() ? "is" : "is not", next.encrypted() ? "then" : "then not");
  }
  if (!next.encrypted()) return {};
  for (const ChassisConfig& each : next.chassis) {
    const auto former = running.find_chassis(each.name);
    if (!former) continue;
    const auto& known = running.chassis[*former].public_keys;
    if (!has(known, each.public_keys.front())) {
      return fail(
          "chassis {} would use the key {}, which the others do not know yet: commit it as the second one of its "
          "public-keys first",
          each.name, each.public_keys.front());
    }
    if (!has(each.public_keys, known.front())) {
      return fail(
          "chassis {} uses the key {}, which the others would know no more: commit it as the second one of its "
          "public-keys, and remove it when the chassis has restarted with the first one",
          each.name, known.front());
    }
  }
  return {};
}

}  // namespace icr::node
