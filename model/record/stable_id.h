// Stable identities of the things that a cluster file names: what records, messages and questions carry instead of
// places in a list.
//
// An identity is a hash of the kind and the name of a thing. It stays the same when other things are added, removed or
// put in another order, and two chassis compute the same one although their cluster files differ elsewhere. The reader
// of the cluster file refuses a file in which two things of a kind have the same identity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace icr {

/// The identity of a thing. 0: none.
using StableId = std::uint32_t;

/// What has an identity. The values are part of the hash: they never change.
enum class Named : std::uint8_t {
  cluster = 1,
  chassis = 2,
  card = 3,  ///< its name is unique within its chassis only
  redundancy_set = 4,
  service_set = 5,
  firewall_term = 6,  ///< its name is unique within its rule only
  nat_pool = 7,
};

/// Returns the identity of a thing, which is never 0. `within` is the name of the rule of a term, otherwise empty.
[[nodiscard]] StableId stable_id(Named kind, std::string_view name, std::string_view within = {});

/// Returns the text for an identity whose name is not known: "0x0123abcd".
[[nodiscard]] std::string text_of_id(StableId id);

}  // namespace icr
