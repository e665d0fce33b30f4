#include "cli/client/own_key.h"

#include <algorithm>
#include <filesystem>

namespace icr::cli {
namespace {

std::string default_key_file(const std::string& cluster_file, const std::string& user) {
  const std::filesystem::path folder = std::filesystem::path(cluster_file).parent_path() / "keys";
  const auto own = folder / (user + ".key");
  std::error_code error;
  return std::filesystem::exists(own, error) ? own : folder / "admin.key";
}

bool has_key(const Cluster& cluster, const std::string& public_key) {
  const auto is_of = [&](const auto& each) {
    return std::find(each.public_keys.begin(), each.public_keys.end(), public_key) != each.public_keys.end();
  };
  return std::any_of(cluster.clients.begin(), cluster.clients.end(), is_of) ||
         std::any_of(cluster.chassis.begin(), cluster.chassis.end(), is_of);
}

}  // namespace

Result<std::optional<transport::KeyPair>> read_own_key(const Cluster& cluster, const std::string& cluster_file,
                                                       const std::string& key_file, const std::string& user) {
  if (!cluster.encrypted()) return std::nullopt;
  auto keys = transport::read_secret_keys(key_file.empty() ? default_key_file(cluster_file, user) : key_file);
  if (!keys) return tl::unexpected(keys.error().in("the cluster is encrypted, and this client needs a secret key"));
  const auto found = std::find_if(keys->begin(), keys->end(),
                                  [&](const transport::KeyPair& pair) { return has_key(cluster, pair.public_key); });
  return found == keys->end() ? keys->front() : *found;
}

}  // namespace icr::cli
