#include "node/redundancy/configuration_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace icr::node {
namespace {

constexpr Duration kInterval = 1s;
constexpr Duration kCommit = 2s;    ///< the second member takes a commit within this time of the first one
constexpr std::size_t kNamed = 16;  ///< keys, and service sets, that are named at most

/// "a, b and 3 more"
std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamed; ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNamed) out += fmt::format(" and {} more", names.size() - kNamed);
  return out;
}

}  // namespace

void ConfigurationCheck::take(const Cluster& cluster) {
  cluster_ = &cluster;
  parts_.clear();
  on_same_digest();
}

void ConfigurationCheck::on_other_digest(TimePoint now) {
  if (!differs_) next_ = now + kCommit;
  differs_ = true;
}

void ConfigurationCheck::on_same_digest() {
  differs_ = false;
  different_.reset();
  difference_.clear();
}

void ConfigurationCheck::load() {
  if (!parts_.empty()) return;
  const auto used = parts_used_by_set(*cluster_, set_);
  for (const auto& part : parts_of(*cluster_)) {
    const bool of_set = std::binary_search(used.begin(), used.end(), part.name);
    Part& own = parts_[part.name];
    for (const auto& setting : part.settings) {
      if (setting.scope == Scope::chassis || (setting.scope == Scope::peer && !of_set)) continue;
      const std::uint64_t digest = digest_of(setting);
      own.digest += digest;
      own.settings.emplace(setting.path, Own{digest, setting.value});
    }
  }
}

std::optional<replication::Configuration> ConfigurationCheck::due(TimePoint now) {
  if (!differs_ || now < next_) return std::nullopt;
  next_ = now + kInterval;
  load();
  replication::Configuration out;
  for (const auto& [name, part] : parts_) {
    if (out.parts.size() == replication::kMaxConfigurationEntries) break;
    out.parts.push_back({name, part.digest});
  }
  out.has_settings = different_.has_value();
  for (const auto& name : different_.value_or(std::vector<std::string>{})) {
    const auto part = parts_.find(name);
    if (part == parts_.end()) continue;
    for (const auto& [path, own] : part->second.settings) {
      if (out.settings.size() == replication::kMaxConfigurationEntries) break;
      out.settings.push_back({path, own.digest});
    }
  }
  return out;
}

bool ConfigurationCheck::on_configuration(const replication::Configuration& peer) {
  load();
  std::map<std::string, std::uint64_t, std::less<>> theirs;
  for (const auto& part : peer.parts) theirs.emplace(part.name, part.digest);
  std::vector<std::string> different;
  for (const auto& [name, part] : parts_) {
    const auto found = theirs.find(name);
    if (found == theirs.end() || found->second != part.digest) different.push_back(name);
  }
  for (const auto& [name, digest] : theirs) {
    if (parts_.find(name) == parts_.end()) different.push_back(name);
  }
  std::sort(different.begin(), different.end());
  const bool first = !different_;
  different_ = std::move(different);
  if (first) next_ = TimePoint::min();  // the peer waits for the settings of these
  if (!peer.has_settings) return false;
  std::string difference = describe(peer);
  if (difference == difference_) return false;
  difference_ = std::move(difference);
  return true;
}

std::string ConfigurationCheck::describe(const replication::Configuration& peer) const {
  const auto is_different = [this](const std::string& name) {
    return std::binary_search(different_->begin(), different_->end(), name);
  };
  std::vector<std::string> service_sets;
  for (const auto index : cluster_->redundancy_sets[set_].service_sets) {
    const auto used = parts_used_by(*cluster_, index);
    if (std::any_of(used.begin(), used.end(), is_different)) service_sets.push_back(cluster_->service_sets[index].name);
  }
  std::map<std::string, std::uint64_t, std::less<>> theirs;
  for (const auto& setting : peer.settings) theirs.emplace(setting.name, setting.digest);
  std::vector<std::string> keys;
  for (const auto& name : *different_) {
    const auto part = parts_.find(name);
    if (part == parts_.end()) continue;
    for (const auto& [path, own] : part->second.settings) {
      const auto found = theirs.find(path);
      if (found == theirs.end()) {
        keys.push_back(own.value == kExists ? path + " (this chassis only)"
                                            : fmt::format("{} (this chassis: {}, the peer: not set)", path, own.value));
        continue;
      }
      if (found->second != own.digest) keys.push_back(fmt::format("{} (this chassis: {})", path, own.value));
      theirs.erase(found);
    }
  }
  for (const auto& [path, digest] : theirs) keys.push_back(path + " (the peer only)");
  return fmt::format("service sets: {}; keys: {}", service_sets.empty() ? "none" : listed(service_sets),
                     keys.empty() ? "none" : listed(keys));
}

}  // namespace icr::node
