#include "cli/client/settings.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "cli/client/own_key.h"

namespace icr::cli {
namespace {

constexpr const char* kDefaultClusterFile = "/etc/icr/cluster.yaml";

}  // namespace

std::string Settings::file() const {
  if (!cluster_file.empty()) return cluster_file;
  const char* from_environment = std::getenv("ICR_CLUSTER");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : kDefaultClusterFile;
}

std::string user_name() {
  const char* user = std::getenv("USER");
  // Threads that ask at the same time share no buffer.
  std::array<char, 4096> names{};
  passwd entry{};
  passwd* account = nullptr;
  (void)::getpwuid_r(::geteuid(), &entry, names.data(), names.size(), &account);
  return account != nullptr ? account->pw_name : user != nullptr ? user : "unknown";
}

Result<std::optional<transport::KeyPair>> key_for(const Cluster& cluster, const Settings& settings) {
  const std::string file = settings.file();
  if (auto is_protected = cluster.check_protected(); !is_protected) {
    return tl::unexpected(is_protected.error().in(file));
  }
  return read_own_key(cluster, file, settings.key_file, user_name());
}

}  // namespace icr::cli
