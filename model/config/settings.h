// A cluster as settings: for each key whose value is not the default, its path and its value as text. From them come
// the digests that chassis compare, and the names of what differs.
//
// A setting is named by its path, and a key that has its default makes none. So a release that knows a further key
// computes the same digests for the same file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/keys.h"

namespace icr {

/// The value of the setting that says that a thing exists. The digests of every release contain it.
inline constexpr std::string_view kExists = "there";

struct Setting {
  std::string path;   ///< "service-sets[cgn].timeouts.open-timeout"
  std::string value;  ///< "240", or kExists
  Scope scope = Scope::cluster;
  Applies applies = Applies::restart;
};

/// The settings of one thing at the top of the file: a chassis, a service set, a pool, a rule ...
struct ConfigPart {
  /// "service-sets[cgn]"; the path of each setting begins with it. What belongs to no list is in the part "cluster".
  std::string name;
  std::vector<Setting> settings;
  /// Returns the sum of the digests of the settings of that scope. It does not depend on their order.
  [[nodiscard]] std::uint64_t sum(Scope scope) const;
};

/// Returns the digest of one setting: of its path and its value.
[[nodiscard]] std::uint64_t digest_of(const Setting& setting);
/// Returns every part of the cluster, in order of the file. Settings of one chassis alone are among them.
[[nodiscard]] std::vector<ConfigPart> parts_of(const Cluster& cluster);
/// Returns the names of the parts that the service set is made of: itself, and the rules, pools, applications and
/// screens that it uses. Each once, sorted.
[[nodiscard]] std::vector<std::string> parts_used_by(const Cluster& cluster, std::uint16_t service_set);
/// The same of a redundancy set: itself, and what its service sets are made of.
[[nodiscard]] std::vector<std::string> parts_used_by_set(const Cluster& cluster, std::uint16_t set);
/// Computes Cluster::digest, and the parity of each redundancy set, from everything else.
void compute_digests(Cluster& cluster);

}  // namespace icr
