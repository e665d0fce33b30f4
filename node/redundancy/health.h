// How well a member can do its work, as one sum: what is wrong has a weight each, and weights are added.
//
// The convention is that of Junos interface monitoring (SRX chassis cluster, `interface-monitor NAME weight N`): a
// weight is 0 to 255, and a redundancy group whose sum reaches 255 fails over.
#pragma once

#include <cstdint>
#include <string>

namespace icr::node {

/// A sum of this much means that the member is ill: it cannot do what a master has to do.
inline constexpr std::uint32_t kIllWeight = 255;

struct Health {
  std::uint32_t weight = 0;  ///< sum of the weights of everything that is wrong; 0: nothing is
  std::string reasons;       ///< what is wrong, for people: "interface inside0 has no carrier; disk is full"

  [[nodiscard]] bool ill() const { return weight >= kIllWeight; }
  friend bool operator==(const Health&, const Health&) = default;
};

}  // namespace icr::node
