// Gives the things of a cluster their stable identities (model/record/stable_id.h), and finds things by them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/record/stable_id.h"

namespace icr {

struct Cluster;

/// The places of the things of one kind, by identity.
class IdIndex {
 public:
  /// Enters a thing. After the last one, seal() is called.
  void add(StableId id, std::uint16_t place) { places_.emplace_back(id, place); }
  /// Sorts the index. Returns the places of two things with one identity, if there are any.
  std::optional<std::pair<std::uint16_t, std::uint16_t>> seal();
  /// Returns the place of the thing, or nullopt if no thing has this identity.
  [[nodiscard]] std::optional<std::uint16_t> find(StableId id) const;

 private:
  std::vector<std::pair<StableId, std::uint16_t>> places_;  ///< sorted once it is sealed
};

/// Sets every `stable_id` of the cluster, and its indexes. Whoever makes a cluster calls this last. Returns a sentence
/// for each pair of things of one kind that have the same identity; such a cluster must not be used.
[[nodiscard]] std::vector<std::string> assign_identities(Cluster& cluster);

}  // namespace icr
