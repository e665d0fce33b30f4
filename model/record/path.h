// The state of one of the paths between the two members of a redundancy set.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/record/address.h"

namespace icr {

enum class PathState : std::uint8_t {
  down,    ///< there is no connection
  silent,  ///< there is a connection, but the peer is heard by other paths only
  up,
};

[[nodiscard]] constexpr std::string_view to_string(PathState state) {
  switch (state) {
    case PathState::down:
      return "down";
    case PathState::silent:
      return "silent";
    case PathState::up:
      return "up";
  }
  return "down";
}

struct PathStatus {
  IpAddress local;
  IpAddress remote;
  PathState state = PathState::down;
  bool active = false;  ///< everything but heartbeats leaves by it
  friend bool operator==(const PathStatus&, const PathStatus&) = default;
};

}  // namespace icr
